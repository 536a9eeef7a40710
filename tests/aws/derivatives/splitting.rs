//! Derivatives that are too large for one direct upload.

use std::time::Duration;

use serde_json::json;

use super::layers::{Layers, writes};
use super::painting::Painting;
use super::wheel::Wheel;
use crate::live::items;
use crate::support::emulator::Emulator;
use crate::support::project::TestProject;
use crate::support::proxy::Proxy;

const MIB: usize = 1024 * 1024;

/// Adds wheels whose data does not get smaller when it is zipped.
fn heavy(project: &TestProject, distributions: &[(&'static str, usize)]) {
    let mut noise = vec![0; MIB];
    let mut state = 1_u64;
    for byte in &mut noise {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = (state >> 56) as u8;
    }
    for (name, size) in distributions {
        let wheel = Wheel::module(name, "1.0").file(&format!("{name}/data"), noise.repeat(*size));
        wheel.write(&project.path("wheels"));
    }
}

#[test]
fn a_derivative_above_the_direct_limit_is_several_layers_which_are_live_together_or_not_at_all() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = Painting::project(emulator.account());
    heavy(&project, &[("oils", 27), ("inks", 26)]);
    Painting::wants(&project, "colours", "colours==1.0\noils\ninks");
    project.deploys("");
    let (layers, first) = (Layers::of(&project), Painting::layer("colours"));
    let second = format!("{first}-2");
    assert_eq!(layers.names(), [first.clone(), second.clone()]);
    assert_eq!(layers.attached("paint"), [format!("{first}:1"), format!("{second}:1")]);
    assert_eq!(layers.0.echo("paint"), Painting::answer("1.0", 1));

    // Without one of its parts it is not there.
    layers.delete(&second, 1);
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    let written = writes(&project, &proxy);
    assert_eq!(
        written,
        [
            "PublishLayerVersion",
            "PublishLayerVersion",
            "PublishVersion",
            "UpdateAlias",
            "UpdateFunctionConfiguration"
        ]
    );
    assert_eq!(layers.attached("paint"), [format!("{first}:2"), format!("{second}:2")]);

    project.mdo("destroy --yes").succeeds();
    assert_eq!(layers.names(), Vec::<String>::new());
}

#[test]
fn a_derivative_above_8_mb_goes_through_the_projects_bucket_once() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = Painting::project(emulator.account());
    heavy(&project, &[("oils", 9)]);
    Painting::wants(&project, "colours", "colours==1.0\noils");
    Painting::settings(&project, "[artifacts]\nbucket = \"shop-layers\"\nprefix = \"mdo\"\n");
    let layers = Layers::of(&project);
    let place = json!({"LocationConstraint": "eu-west-1"});
    let bucket = json!({"Bucket": "shop-layers", "CreateBucketConfiguration": place});
    layers.0.call("s3", "create_bucket", bucket);
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    project.mdo("deploy").through(&proxy).succeeds();
    let recording = proxy.recording();
    let published =
        recording.calls().iter().find(|call| call.operation.name == "PublishLayerVersion").unwrap();
    assert!(published.sent < 2048, "{} bytes", published.sent);
    let objects =
        items(&layers.0.call("s3", "list_objects_v2", json!({"Bucket": "shop-layers"}))["Contents"]);
    assert_eq!(objects.len(), 1, "{objects:?}");
    assert_eq!(layers.0.echo("paint"), Painting::answer("1.0", 1));
    project.is_settled("");

    // A version that was deleted by hand comes from the object that is still there.
    layers.delete(&Painting::layer("colours"), 1);
    proxy.forget();
    project.mdo("deploy").through(&proxy).succeeds();
    let recording = proxy.recording();
    assert_eq!(recording.count("PublishLayerVersion"), 1);
    assert_eq!(recording.count("PutObject") + recording.count("UploadPart"), 0, "{:#?}", recording.names());
}
