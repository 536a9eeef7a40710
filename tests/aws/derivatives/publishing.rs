//! When a layer is published, and when not.

use std::time::Duration;

use serde_json::json;

use super::layers::{Layers, writes};
use super::painting::Painting;
use crate::live::Live;
use crate::support::emulator::Emulator;
use crate::support::project::TestProject;
use crate::support::proxy::Proxy;

/// A deployed project, and a proxy to deploy it through.
pub(super) fn deployed() -> Option<(TestProject, Proxy)> {
    let emulator = Emulator::shared()?;
    let project = Painting::project(emulator.account());
    project.deploys("");
    Some((project, Proxy::start(emulator.address(), Duration::ZERO)))
}

#[test]
fn a_python_function_deploys_with_its_derivative_and_answers_through_the_keyed_api() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = Painting::project(emulator.account());
    let output = project.mdo("deploy").succeeds();
    let layer = Painting::layer("colours");
    output.says(&format!("  + derivative  {layer}  python3."));
    project.is_settled("");
    let layers = Layers::of(&project);
    assert_eq!(layers.names(), [layer.as_str()]);
    assert_eq!(layers.attached("paint"), [format!("{layer}:1")]);
    let version = layers.versions(&layer).remove(0);
    let description = version["Description"].as_str().unwrap();
    assert!(description.starts_with("mdo shop ") && description.contains(" part=1/1 zip="), "{description}");
    assert_eq!(version["CompatibleArchitectures"], json!(["x86_64"]));
    let live = Live::of(&project, "dev");
    assert_eq!(live.get_without_key("paint"), 403);
    assert_eq!(live.echo("paint"), Painting::answer("1.0", 1));
}

#[test]
fn an_unchanged_deploy_makes_one_more_read_for_each_derivative_and_writes_nothing() {
    let Some((project, _)) = deployed() else { return };
    let proxy = Proxy::in_rounds(project.account().emulator().address());
    let reads = || {
        proxy.forget();
        project.mdo("deploy").through(&proxy).succeeds().says("nothing to do");
        let recording = proxy.recording();
        assert_eq!(recording.writes().len(), 0, "{:#?}", recording.names());
        assert!(recording.depth() <= 3, "{} deep: {:#?}", recording.depth(), recording.timeline());
        let mut names = recording.names();
        names.sort();
        names
    };
    let with_one = reads();
    project.set("paint", "derivatives", json!(["colours", "shades"]));
    Painting::wants(&project, "shades", "shades");
    project.deploys("");
    let with_two = reads();
    project.set("paint", "derivatives", json!([]));
    project.deploys("");
    let mut with_none = reads();
    let mut expected = || {
        with_none.push("lambda:ListLayerVersions".to_owned());
        with_none.sort();
        with_none.clone()
    };
    assert_eq!(with_one, expected());
    assert_eq!(with_two, expected());
}

#[test]
fn a_code_change_publishes_no_layer_and_uploads_little() {
    let Some((project, proxy)) = deployed() else { return };
    Painting::set_edition(&project, "paint", 2);
    assert_eq!(writes(&project, &proxy), ["PublishVersion", "UpdateAlias", "UpdateFunctionCode"]);
    proxy.forget();
    Painting::set_edition(&project, "paint", 3);
    project.mdo("deploy").through(&proxy).succeeds();
    let sent: usize = proxy.recording().calls().iter().map(|call| call.sent).sum();
    assert!(sent <= 2048, "{sent} bytes: {:#?}", proxy.recording().names());
    assert_eq!(Live::of(&project, "dev").echo("paint"), Painting::answer("1.0", 3));
}

#[test]
fn a_changed_lock_publishes_a_layer_and_moves_the_function_and_the_old_lock_publishes_nothing() {
    let Some((project, proxy)) = deployed() else { return };
    let moves = ["PublishVersion", "UpdateAlias", "UpdateFunctionConfiguration"];
    let (layers, layer) = (Layers::of(&project), Painting::layer("colours"));
    Painting::wants(&project, "colours", "colours==2.0");
    assert_eq!(writes(&project, &proxy), [&["PublishLayerVersion"][..], &moves].concat());
    assert_eq!(layers.numbers(&layer), [2, 1]);
    assert_eq!(layers.attached("paint"), [format!("{layer}:2")]);
    assert_eq!(layers.0.echo("paint"), Painting::answer("2.0", 1));

    Painting::wants(&project, "colours", "colours==1.0");
    // What is live is not built: neither uv nor what was built before is needed.
    project.set_variable("MDO_UV", "/bin/false");
    project.remove(".mdo/derivatives");
    assert_eq!(writes(&project, &proxy), moves);
    assert_eq!(layers.numbers(&layer), [2, 1]);
    assert_eq!(layers.attached("paint"), [format!("{layer}:1")]);
    assert_eq!(layers.0.echo("paint"), Painting::answer("1.0", 1));
}

#[test]
fn a_layer_version_deleted_by_hand_is_published_again() {
    let Some((project, proxy)) = deployed() else { return };
    let (layers, layer) = (Layers::of(&project), Painting::layer("colours"));
    layers.delete(&layer, 1);
    let live = Live::of(&project, "dev");
    assert_eq!(live.echo("paint"), Painting::answer("1.0", 1), "a version keeps what it was published with");
    assert_eq!(
        writes(&project, &proxy),
        ["PublishLayerVersion", "PublishVersion", "UpdateAlias", "UpdateFunctionConfiguration"]
    );
    assert_eq!(layers.attached("paint"), [format!("{layer}:2")]);
    assert_eq!(live.echo("paint"), Painting::answer("1.0", 1));
}

#[test]
fn a_plan_tells_what_would_be_published_and_publishes_nothing() {
    let Some((project, proxy)) = deployed() else { return };
    Painting::wants(&project, "colours", "colours==2.0");
    let output = project.mdo("plan --exit-code").through(&proxy).exits(3);
    assert_eq!(proxy.recording().writes().len(), 0, "{:#?}", proxy.recording().names());
    output.says(&format!("  ~ derivative  {}", Painting::layer("colours"))).says("colours  1.0 → 2.0");
}
