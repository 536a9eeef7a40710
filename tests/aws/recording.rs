//! What API Gateway records of the requests to a stage: traces and access logs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::live::Live;
use crate::support::account::REGION;
use crate::support::emulator::Emulator;
use crate::support::project::{MANIFEST, TestProject};
use crate::support::proxy::Proxy;

/// Whether the stage is traced, and where its access logs go.
fn recorded(live: &Live) -> (Value, Value) {
    let stage = live.api_stage();
    (stage["tracingEnabled"].clone(), stage["accessLogSettings"]["destinationArn"].clone())
}

#[test]
fn each_stage_records_what_its_files_say_and_what_they_do_not_say_stays() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let (dev, prod) = (Live::of(&project, "dev"), Live::of(&project, "prod"));
    let group = format!("arn:aws:logs:{REGION}:{}:log-group:requests", project.account().id());
    let says = |text: &str| project.write("project.toml", &format!("{MANIFEST}{text}"));

    // A stage that is new has them at once.
    says(&format!("[stages.prod.api]\ntracing = true\naccess_logs = \"{group}\"\n"));
    project.deploys("--stage prod");
    assert_eq!(recorded(&prod), (json!(true), json!(group)));
    project.is_settled("--stage prod");
    project.deploys("");
    assert_ne!(recorded(&dev).0, json!(true));

    // Nobody's word is no word against it.
    says("");
    project.is_settled("--stage prod");
    says("[stages.prod.api]\ntracing = false\naccess_logs = false\n");
    project.mdo("deploy --stage prod").succeeds().says(&format!("access logs  {group} → off"));
    assert_eq!(recorded(&prod), (json!(false), Value::Null));
    project.is_settled("--stage prod");

    // One that is there gets them too, and keeps its requests answered.
    says("[api]\ntracing = true\n");
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    project.mdo("deploy").through(&proxy).succeeds().says("tracing  false → true");
    // What it answers is not deployed anew for that.
    let calls = proxy.recording();
    assert_eq!((calls.count("UpdateStage"), calls.writes().len()), (1, 1), "{:#?}", calls.names());
    assert_eq!((recorded(&dev).0, dev.get("echo").0), (json!(true), 200));
}
