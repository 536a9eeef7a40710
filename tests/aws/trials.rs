//! Trying with a part of the requests: `deploy --canary`, and the end of it.

use serde_json::{Value, json};

use crate::live::Live;
use crate::movement::{proxied, writes};
use crate::support::emulator::Emulator;
use crate::support::project::TestProject;
use crate::support::proxy::Fault;

/// The shares that other versions than the live one have of a function's requests, by their numbers.
pub(crate) fn weights(live: &Live) -> Value {
    let alias = live.call("lambda", "get_alias", json!({"FunctionName": "shop_echo", "Name": "dev"}));
    alias["RoutingConfig"]["AdditionalVersionWeights"].as_object().cloned().unwrap_or_default().into()
}

#[test]
fn a_new_version_answers_a_part_of_the_requests_until_somebody_decides() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("-s GREETING=one");
    let live = Live::of(&project, "dev");
    let proxy = proxied(&project);
    let weighed = || weights(&live);

    project.set_edition("echo", "second");
    let output = project.mdo("deploy --canary 10%").through(&proxy).succeeds();
    output.says("on trial  10 % of the requests").says("mdo canary finish");
    assert_eq!(writes(&proxy), ["PublishVersion", "TagResource", "UpdateAlias", "UpdateFunctionCode"]);
    assert_eq!((live.version("echo").as_str(), weighed()), ("1", json!({"2": 0.1})));
    project.mdo("canary").succeeds().says("echo  version 1 answers 90 %  version 2 answers 10 %");
    project.mdo("list").succeeds().says("version 1, 10 % version 2");
    let listed = project.mdo("canary --json").json()["functions"][0]["canary"].clone();
    assert_eq!(listed, json!({"version": "2", "percent": 10}));
    project.mdo("history").through(&proxy).succeeds().says("10 % of dev");

    // Neither a deploy nor a rollback ends it without a word.
    let plan = project.mdo("plan").succeeds();
    plan.says("on trial  10 % → all of the requests");
    project
        .mdo("deploy")
        .exits(2)
        .says("a version of function echo answers 10 % of the requests at stage dev on trial");
    project.mdo("rollback").exits(1).says("mdo canary abort");

    project.mdo("canary abort").through(&proxy).succeeds().says("on trial  10 % → none of the requests");
    assert_eq!(writes(&proxy), ["UntagResource", "UpdateAlias"]);
    assert_eq!((live.version("echo").as_str(), weighed()), ("1", json!({})));
    project.mdo("canary abort").exits(1).says("nothing is on trial at stage dev");

    project.mdo("deploy --canary 50").through(&proxy).succeeds();
    assert_eq!(weighed(), json!({"2": 0.5}));
    proxy.forget();
    let finished = project.mdo("canary finish --json").through(&proxy).json();
    assert_eq!(finished["changes"][0]["version"], "2");
    assert_eq!(writes(&proxy), ["UntagResource", "UpdateAlias"]);
    assert_eq!((live.version("echo").as_str(), weighed()), ("2", json!({})));
    assert_eq!(live.echo("echo")["edition"], "second");
    project.is_settled("");
}

#[test]
fn a_trial_that_was_cut_short_is_one_of_no_requests_until_the_same_command_or_another_ends_it() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("-s GREETING=one");
    let live = Live::of(&project, "dev");
    let proxy = proxied(&project);
    let fails = |operation: &str| {
        proxy.fail_next(operation, 1, Fault::error(400, "InvalidParameterValueException", "told to fail"));
    };
    project.set_edition("echo", "second");
    fails("UpdateAlias");
    project.mdo("deploy --canary 10%").through(&proxy).exits(5);
    project.mdo("canary").succeeds().says("echo  version 1 answers 100 %  version 2 answers 0 %");
    project.mdo("plan").succeeds().says("on trial  0 % → all of the requests");
    project.mdo("deploy --canary 10%").succeeds().says("on trial  0 % → 10 % of the requests");
    assert_eq!(weights(&live), json!({"2": 0.1}));
    project.mdo("deploy --canary 10%").succeeds().says("nothing to do");
    project.mdo("deploy --canary 20%").exits(2).says("mdo canary finish");

    // What is live is what was on trial, and still marked as such: the end can be had again.
    fails("UntagResource");
    project.mdo("canary finish").through(&proxy).exits(5);
    assert_eq!((live.version("echo").as_str(), weights(&live)), ("2", json!({})));
    project.mdo("plan").succeeds().says("on trial  0 % → none of the requests");
    project.mdo("canary finish").succeeds();
    project.mdo("canary finish").exits(1).says("nothing is on trial at stage dev");
    project.is_settled("");
}

#[test]
fn what_cannot_be_had_for_a_part_of_the_requests_is_refused_with_the_reason() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.mdo("deploy --canary 10% -s GREETING=one").exits(2).says("no function that is live changes");
    project.deploys("-s GREETING=one");
    project.mdo("deploy --canary 10%").exits(2).says("there is nothing to try");
    project.set_edition("echo", "second");
    project.set("echo", "routes", json!(["GET /echo", "GET /more"]));
    project
        .mdo("deploy --canary 10%")
        .exits(2)
        .says("a stage serves one set of routes, whichever version answers");
    for share in ["0%", "100%", "some"] {
        project.mdo(&format!("deploy --canary {share}")).exits(2).says("write 1% to 99%");
    }
    assert_eq!(Live::of(&project, "dev").version("echo"), "1");
}
