//! Environment variables: where they come from, what is kept, and that no value is ever shown.

use serde_json::json;

use crate::live::Live;
use crate::support::emulator::Emulator;
use crate::support::project::TestProject;

#[test]
fn variables_come_from_files_and_flags_and_what_no_file_sets_is_kept() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let live = Live::of(&project, "dev");
    project.set("echo", "environment", json!({"FIRST": "function", "SECOND": "function"}));
    project.write("dev.env", "export SECOND=file\nTHIRD='from # a file'\n");
    project.write("more.json", r#"{"FOURTH": "json"}"#);
    project.deploys("-E dev.env -E more.json -s GREETING=hello");
    let mut wanted = json!({
        "FIRST": "function", "SECOND": "file", "THIRD": "from # a file", "FOURTH": "json", "GREETING": "hello",
    });
    assert_eq!(live.environment("echo"), wanted);

    let output = project.mdo("deploy -E dev.env").succeeds();
    let expected = format!(
        "shop · dev · {} · eu-west-1\n  nothing to do (checked 7 resources in _ s with _ calls); \
         kept FOURTH, GREETING, which files do not set\n",
        project.account().id()
    );
    assert_eq!(output.timeless(), expected);

    let output = project.mdo("deploy -E dev.env --unset GREETING -s FOURTH=flag").succeeds();
    output.says("environment  ~ FOURTH").says("environment  - GREETING");
    wanted["FOURTH"] = json!("flag");
    wanted.as_object_mut().unwrap().remove("GREETING");
    assert_eq!(live.environment("echo"), wanted);
    assert_eq!(live.version("echo"), "2");
}

#[test]
fn a_variable_set_in_the_console_is_kept_once_the_stage_serves_it() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.deploys("-s GREETING=hello");
    let live = Live::of(&project, "dev");
    let environment = json!({"Variables": {"GREETING": "hello", "BY_HAND": "1"}});
    let update = json!({"FunctionName": "shop_echo", "Environment": environment});
    live.call("lambda", "update_function_configuration", update);
    let version = live.call("lambda", "publish_version", json!({"FunctionName": "shop_echo"}));
    let alias = json!({"FunctionName": "shop_echo", "Name": "dev", "FunctionVersion": version["Version"]});
    live.call("lambda", "update_alias", alias);
    project.mdo("plan").succeeds().says("kept BY_HAND, GREETING, which files do not set");
    project.set_edition("echo", "second");
    project.deploys("");
    assert_eq!(live.environment("echo"), environment["Variables"]);
}

#[test]
fn a_required_variable_must_come_from_somewhere() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.set("echo", "required_environment", json!(["GREETING"]));
    let output = project.mdo("deploy").exits(2);
    output.says("GREETING");
    assert_eq!(Live::of(&project, "dev").counts(), crate::stages::nothing());
    project.deploys("-s GREETING=hello");
    project.deploys("");
    project.mdo("deploy --unset GREETING").exits(2);
}

#[test]
fn no_value_of_a_variable_or_a_key_is_ever_shown() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let (old, new) = ("old-5a1c7e", "new-93bd20");
    project.mdo(&format!("plan -s GREETING={old}")).succeeds();
    project.mdo(&format!("deploy -s GREETING={old}")).succeeds();
    let key = Live::of(&project, "dev").key("default")["value"].as_str().unwrap().to_owned();
    for arguments in ["plan", "plan --json", "deploy --json"] {
        project.mdo(&format!("{arguments} -s GREETING={new}")).succeeds();
        project.mdo(&format!("{arguments} --unset GREETING")).succeeds();
        project.mdo(&format!("{arguments} -s GREETING={new}")).succeeds();
    }
    project.mdo(&format!("deploy -s GREETING={new}")).succeeds();
    for arguments in
        ["list", "list --json", "key list", "key list --json", "warm", "warm --json", "destroy --yes"]
    {
        project.mdo(arguments).succeeds();
    }
    let said = project.said();
    assert!(said.contains("environment  + GREETING") && said.contains("environment.GREETING"), "{said}");
    for secret in [old, new, &key] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}
