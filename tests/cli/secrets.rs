//! The value of a variable or a key appears nowhere but in `mdo key show`.

use std::fs;

use serde_json::json;

use crate::support::project::TestProject;

const SECRET: &str = "hunter2";

#[test]
fn no_verb_prints_the_value_of_a_variable_or_a_key() {
    let project = TestProject::local_with_echo();
    project.set("echo", "environment", json!({"TOKEN": SECRET}));
    project.write("prod.env", &format!("PASSWORD={SECRET}\n"));
    let set = format!("-s API_TOKEN={SECRET} -E prod.env");
    project.mdo(&format!("deploy --local {set}")).succeeds();
    let key = project.key("default");
    for line in [
        "plan --local",
        "plan --local --json",
        "plan --local -s API_TOKEN=other",
        "plan --local -s API_TOKEN=other --json",
        "plan --local --unset PASSWORD --json",
        "deploy --local --json",
        "list --local",
        "list --local --json",
        "key list --local --json",
        "key create bob --local",
        "warm --local --json",
        "destroy --local --yes --json",
    ] {
        let output = project.mdo(line).exits(0);
        for secret in [SECRET, "other", &key] {
            let said = format!("{}{}", output.stdout, output.stderr);
            assert!(!said.contains(secret), "{}", output.transcript());
        }
    }
}

#[test]
fn a_mistake_in_an_assignment_does_not_repeat_its_value() {
    let project = TestProject::local_with_echo();
    for (line, shown) in [
        ("plan --local -s 1X=hunter2", "invalid value '1X=…' for '--set <KEY=VALUE>'"),
        ("plan --local -s hunter2", "invalid value '…' for '--set <KEY=VALUE>'"),
        ("plan --local --json --set 1X=hunter2", "invalid value '1X=…' for '--set <KEY=VALUE>'"),
        ("dev TOKEN=hunter2", "unexpected argument 'TOKEN=…' found"),
        ("plan --local -s AA\"hunter2=1", "invalid value 'AA=…' for '--set <KEY=VALUE>'"),
        ("deploy --local TOKEN=hunter2", "`TOKEN=…` is not the name of a function"),
        ("TOKEN=hunter2", "unrecognized subcommand 'TOKEN=…'"),
        ("plan --local --stage TOKEN=hunter2", "invalid value 'TOKEN=…' for '--stage <STAGE>'"),
        ("plan --local --json --stage=TOKEN=hunter2", "invalid value 'TOKEN=…' for '--stage <STAGE>'"),
        ("plan --local -E TOKEN=hunter2", "cannot read TOKEN=…"),
        ("invoke --local TOKEN=hunter2", "no function matches `TOKEN=…`"),
        ("warm --local TOKEN=hunter2", "`TOKEN=…` is not the name of a function"),
        ("key show --local TOKEN=hunter2", "TOKEN=…"),
        ("list --local TOKEN=hunter2 --json", "unexpected argument 'TOKEN=…' found"),
    ] {
        let output = project.mdo(line).exits(2);
        output.says(shown);
        assert!(!output.transcript().replace(line, "").contains(SECRET), "{}", output.transcript());
    }
}

#[test]
fn a_mistake_in_a_file_does_not_repeat_a_value() {
    let project = TestProject::local_with_echo();
    let good = project.read("functions/echo/function.json");
    for (path, text) in [
        ("bad.env", "PASSWORD=\"hunter2\n"),
        ("bad.env", "PASSWORD hunter2\n"),
        ("bad.env", "{\"PASSWORD\": [\"hunter2\"]}"),
        ("bad.env", "AA\"hunter2=1\n"),
        ("bad.env", "AWS_\"hunter2=1\n"),
        ("bad.env", r#"{"AA\"hunter2": 1}"#),
        ("bad.env", r#"{"AA\"hunter2": "1"}"#),
        ("functions/echo/function.json", r#"{"environment": {"AA\"hunter2": 1}}"#),
        ("functions/echo/function.json", r#"{"environment": {"PASSWORD": ["hunter2"]}}"#),
        ("functions/echo/function.json", r#"{"environment": "hunter2"}"#),
        ("functions/echo/function.json", r#"{"environment": {"PASSWORD": "hunter2" 5}}"#),
    ] {
        project.write("bad.env", "");
        project.write("functions/echo/function.json", &good);
        project.write(path, text);
        let output = project.mdo("plan --local -E bad.env").exits(2);
        output.says(&format!("{path}:"));
        assert!(!output.transcript().contains(SECRET), "{}", output.transcript());
    }
}

#[test]
fn a_log_of_mdo_dev_names_keys_and_shows_none() {
    let project = TestProject::local_with_echo();
    let mut serving = project.mdo("dev --port 0 -s TOKEN=hunter2").serves();
    let key = project.key("default");
    assert_eq!(serving.get("/echo", Some(&key)).status(), 200);
    serving.says("GET /dev/echo 200");
    serving.signal("INT");
    let log = serving.exits(0).join("\n");
    assert!(log.contains("echo key default") && !log.contains(&key) && !log.contains(SECRET), "{log}");
    assert!(fs::read_to_string(project.path(".mdo/stages/dev/state.json")).unwrap().contains(&key));
}

#[test]
fn an_environment_that_is_too_large_with_what_is_kept_is_refused_by_its_size_before_any_write() {
    let project = TestProject::local_with_echo();
    let (old, new) = ("o".repeat(3000), "n".repeat(3000));
    project.mdo(&format!("deploy --local -s OLD={old}")).succeeds();
    for verb in ["plan --local", "plan --local --json", "deploy --local", "deploy --local --json"] {
        let output = project.mdo(&format!("{verb} -s NEW={new}")).exits(2);
        output.complains(
            "error: the environment of function echo has 6,019 bytes with OLD, which the stage has and no file sets: \
             Lambda takes at most 4,096\n  help: remove what is not needed any more with --unset OLD, or keep large \
             values elsewhere, such as in a file of the package or in Parameter Store\n",
        );
        assert!(!output.stdout.contains(&new) && !output.stdout.contains(&old));
    }
    project.mdo(&format!("deploy --local -s NEW={new} --unset OLD")).succeeds();
}

#[test]
fn variables_come_through_a_pipe_and_never_show() {
    let project = TestProject::local_with_echo();
    let secret = "hush-hush-hush";
    let deployed = project.mdo("deploy --local -E -").reads(&format!("GREETING={secret}\n")).succeeds();
    assert!(!deployed.stdout.contains(secret));
    deployed.says("environment  + GREETING");
    let answer = project.mdo_with(&["invoke", "echo", "{}", "--local"]).succeeds();
    assert!(answer.stdout.contains(secret), "{}", answer.transcript());
    let json = format!("{{\"GREETING\": \"{secret}-again\"}}");
    project.mdo("plan --local --env-file -").reads(&json).succeeds().says("environment  ~ GREETING");
    project.mdo("plan --local -E -").reads("no assignment\n").exits(2).says("  --> standard input:1:1");
}

#[test]
fn a_value_that_is_kept_elsewhere_needs_aws_only_where_nothing_else_gives_one() {
    let project = TestProject::local_with_echo();
    project.set("echo", "environment", json!({"PASSWORD": "ssm:/shop/password"}));
    let reference = "cannot look up PASSWORD of function echo, which is ssm:/shop/password: ";
    let place = "  --> functions/echo/function.json:3:5\n";
    let help = "or give it a value for this machine alone: -s PASSWORD=…, PASSWORD=… in an environment file (-E; mdo dev reads .env by \
                itself), or under `environment` of the stage\n";
    let region = project.mdo("plan --local").exits(4);
    region.says(&format!("error: {reference}no AWS region is configured\n{place}")).says(help);
    project.set_variable("AWS_REGION", "eu-west-1");
    project.set_variable("AWS_EC2_METADATA_DISABLED", "true");
    project.mdo("plan --local").exits(4).says(reference).says(place).says(help);

    project.mdo("check").succeeds();
    project.mdo("plan --local -s PASSWORD=hush-hush").succeeds().says("environment  + PASSWORD\n");
    project.write("own.env", "PASSWORD=hush-hush\n");
    project.mdo("deploy --local -E own.env").succeeds();
    project.mdo("list --local").succeeds();
    project.mdo("invoke echo --local").succeeds();
}
