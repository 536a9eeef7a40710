//! Who has which layer: functions, stages, and layers that are not mdo's.

use serde_json::json;

use super::layers::{Layers, attached, writes};
use super::painting::Painting;
use super::publishing::deployed;
use crate::live::Live;

#[test]
fn functions_share_a_derivative_and_another_has_its_own() {
    let Some((project, proxy)) = deployed() else { return };
    Painting::function(&project, "sketch", &["colours"]);
    Painting::function(&project, "draw", &["paper"]);
    Painting::wants(&project, "paper", "colours==2.0");
    let writes = writes(&project, &proxy);
    assert_eq!(writes.iter().filter(|name| *name == "PublishLayerVersion").count(), 1, "{writes:?}");
    let layers = Layers::of(&project);
    let (colours, paper) = (Painting::layer("colours"), Painting::layer("paper"));
    assert_eq!(layers.names(), [colours.clone(), paper.clone()]);
    for (function, layer, version) in
        [("paint", &colours, "1.0"), ("sketch", &colours, "1.0"), ("draw", &paper, "2.0")]
    {
        assert_eq!(layers.attached(function), [format!("{layer}:1")], "{function}");
        assert_eq!(layers.0.echo(function), Painting::answer(version, 1), "{function}");
    }
}

#[test]
fn stages_share_layers_and_are_not_disturbed_by_one_another() {
    let Some((project, proxy)) = deployed() else { return };
    project.mdo("deploy --stage prod").through(&proxy).exits(0);
    assert_eq!(proxy.recording().count("PublishLayerVersion"), 0);
    let (dev, prod) = (Live::of(&project, "dev"), Live::of(&project, "prod"));
    let layer = Painting::layer("colours");
    assert_eq!(attached(&prod, "paint"), [format!("{layer}:1")]);

    Painting::wants(&project, "colours", "colours==2.0");
    project.deploys("");
    assert_eq!(
        (attached(&dev, "paint"), attached(&prod, "paint")),
        (vec![format!("{layer}:2")], vec![format!("{layer}:1")])
    );
    assert_eq!(dev.echo("paint"), Painting::answer("2.0", 1));
    assert_eq!(prod.echo("paint"), Painting::answer("1.0", 1));

    // The other stage asks for what is not the newest: it has it, and so there is nothing to do.
    Painting::wants(&project, "colours", "colours==1.0");
    project.is_settled("--stage prod");
    Painting::wants(&project, "colours", "colours==2.0");
    proxy.forget();
    project.mdo("deploy --stage prod").through(&proxy).exits(0);
    assert_eq!(proxy.recording().count("PublishLayerVersion"), 0);
    assert_eq!(prod.echo("paint"), Painting::answer("2.0", 1));
    project.is_settled("");
}

#[test]
fn layers_of_others_stay_beside_derivatives() {
    let Some((project, _)) = deployed() else { return };
    let layers = Layers::of(&project);
    let own = format!("{}:1", Painting::layer("colours"));
    // Of the second, even the name is as mdo would choose it.
    for (name, short) in [("powertools", "powertools".to_owned()), ("tints", Painting::layer("tints"))] {
        let foreign = layers.publish(&short, &format!("{name}, by hand"));
        project.set("paint", "layers", json!([foreign]));
        project.deploys("");
        assert_eq!(layers.attached("paint"), [format!("{short}:1"), own.clone()]);
        assert_eq!(layers.0.echo("paint"), Painting::answer("1.0", 1));
    }
    project.set("paint", "layers", json!(null));
    project.deploys("");
    assert_eq!(layers.attached("paint"), [own]);
}

#[test]
fn a_derivative_that_a_function_no_longer_names_is_taken_off_it() {
    let Some((project, proxy)) = deployed() else { return };
    project.set("paint", "derivatives", json!(null));
    assert_eq!(writes(&project, &proxy), ["PublishVersion", "UpdateAlias", "UpdateFunctionConfiguration"]);
    let layers = Layers::of(&project);
    assert_eq!(layers.attached("paint"), Vec::<String>::new());
    assert_eq!(layers.names(), [Painting::layer("colours")], "earlier versions may be served again");
    assert_eq!(layers.0.get("paint").0, 502, "it imports what it no longer has");
}
