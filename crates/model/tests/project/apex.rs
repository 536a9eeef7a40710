//! Projects of apex: recognised, converted, and their keys explained.

use mdo_model::project::Project;
use mdo_model::project::apex::{convert, ignore_file};

use super::given::{Given, MINIMAL, name, revealed, unindented};

#[test]
fn an_apex_project_becomes_ours_and_loads() {
    let function = r#"{
  "description": "function which produces a sample from sklearn",
  "runtime": "python2.7",
  "handler": "main.handle",
  "zip": "make",
  "hooks": { "build": "make", "deploy": "echo" },
  "environment": { "N_CLASSES": "2" }
}
"#;
    let project = r#"{
  "name": "ml_api", "description": "Samples", "memory": 128, "timeout": 5, "runtime": "python2.7",
  "role": "arn:aws:iam::123456789012:role/ml_api_lambda_function",
  "environment": {"LEVEL": "a \"b\""}, "defaultEnvironment": "prod", "retainedVersions": 3, "profile": "p",
  "nameTemplate": "{{.Project.Name}}_{{.Function.Name}}", "vpc": {"subnets": [], "securityGroups": []},
  "hooks": {"clean": "rm -f main"}, "shim": true
}"#;
    let converted = convert(Some(project), &[], &[("sample_producer".to_owned(), function.to_owned())])
        .expect("converted");
    assert_eq!(
        converted.project_toml,
        r#"name = "ml_api"
default_stage = "prod"
description = "Samples"
profile = "p"
role = "arn:aws:iam::123456789012:role/ml_api_lambda_function"

[defaults]
memory = 128
timeout = 5

[defaults.environment]
LEVEL = 'a "b"'
"#
    );
    assert_eq!(
        converted.functions[0].1,
        r#"{
  "description": "function which produces a sample from sklearn",
  "handler": "main.handle",
  "hooks": { "build": "make", "clean": "rm -f main" },
  "environment": { "N_CLASSES": "2" },
  "routes": []
}
"#
    );
    assert_eq!(
        converted.notes,
        [
            "project.json: `retainedVersions` is left out: mdo keeps every version; delete those that no stage points at yourself",
            "project.json, functions/sample_producer/function.json: `runtime` is left out: Lambda has blocked `python2.7`, so the function runs a bootstrap on `provided.al2023` unless you say otherwise; use `python3.14`, or `provided.al2023` with a bootstrap",
            "project.json: `shim` is left out: mdo has no such key",
            "functions/sample_producer/function.json: `zip` is left out: mdo packages the function's folder itself; let `hooks.build` leave in it what belongs there",
            "functions/sample_producer/function.json: the deploy hook is left out: mdo has no deploy hook: `build` runs before packaging; make what must follow a deploy a step of your pipeline",
            "no function has a route, so the conversion opens nothing to the world: write \"routes\": [\"GET /…\"] in the function.json of one that is for the API",
        ]
    );
    let given =
        Given::project(&converted.project_toml).function("sample_producer", &converted.functions[0].1);
    let settings = given.at("prod");
    assert_eq!(revealed(&settings, "sample_producer", "LEVEL"), Some("a \"b\""));
    assert_eq!(settings.functions[&name("sample_producer")].configuration.memory, 128);
}

#[test]
fn variables_that_lambda_takes_are_kept_beside_those_it_does_not() {
    let function = r#"{"environment": {"GOOD": "1", "COUNT": 2, "AWS_REGION": "x"}}"#.to_owned();
    let converted =
        convert(Some(r#"{"name": "api"}"#), &[], &[("a".to_owned(), function)]).expect("a project");
    assert_eq!(converted.functions[0].1, r#"{"environment": {"GOOD": "1", "COUNT": "2"}, "routes": []}"#);
    assert_eq!(
        converted.notes[0],
        "functions/a/function.json: variable `AWS_REGION` is left out: the environment variable `AWS_REGION` is reserved by Lambda"
    );
}

#[test]
fn an_apex_project_that_cannot_be_converted_says_why() {
    let functions = [("ok".to_owned(), "[]".to_owned())];
    let problems = convert(Some(r#"{"name": "my api"}"#), &[], &functions).expect_err("problems");
    assert_eq!(
        problems.to_string(),
        unindented(
            "
            error: project.json: `my api` is not a project name: 1 to 32 letters, digits, `_` and `-`, starting with a letter
              help: change its `name`
            error: the file must be an object
              --> functions/ok/function.json:1:1"
        )
    );
}

#[test]
fn an_apex_project_is_recognised() {
    let given = Given::nothing().file("project.json", "{\"name\": \"x\"}").function("a", "{}");
    let expected = "
        error: ROOT/project.json belongs to an apex project
          help: `mdo init --apex` converts it to project.toml";
    let problems = Project::find(&given.path("functions/a")).expect_err("a project of apex");
    assert_eq!(given.plain(&problems), unindented(expected));
    given.fails_with(&expected.replace("ROOT/", ""));
}

#[test]
fn keys_of_apex_say_what_mdo_has_instead() {
    Given::project(MINIMAL)
        .function("a", "{\n\"hooks\": {\"deploy\": \"x\"},\n\"retainedVersions\": 3,\n\"requiredEnvironment\": []}")
        .fails_with(
            "
            error: unknown key `deploy` in `hooks`
              --> functions/a/function.json:2:11
              help: mdo has no deploy hook: `build` runs before packaging; make what must follow a deploy a step of your pipeline
            error: unknown key `retainedVersions`
              --> functions/a/function.json:3:1
              help: mdo keeps every version; delete those that no stage points at yourself
            error: unknown key `requiredEnvironment`
              --> functions/a/function.json:4:1
              help: did you mean `required_environment`?",
        );
}

fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn the_file_of_an_apex_environment_becomes_a_stage() {
    let project = r#"{"name": "api", "memory": 128, "environment": {"LEVEL": "info"}}"#;
    let prod = r#"{"name": "api", "memory": 512, "profile": "p", "environment": {"LEVEL": "warn", "N": 2, "NN": 2}}"#;
    let converted =
        convert(Some(project), &named(&[("prod", prod)]), &named(&[("a", "{}")])).expect("converted");
    assert_eq!(
        converted.project_toml,
        "name = \"api\"\n\n[defaults]\nmemory = 128\n\n[defaults.environment]\nLEVEL = \"info\"\n\n[stages.prod]\nprofile = \"p\"\n\n[stages.prod.environment]\nLEVEL = \"warn\"\nNN = \"2\"\n"
    );
    assert_eq!(converted.notes[1], "project.prod.json: `memory` is left out: a stage has none of its own");
    let given = Given::project(&converted.project_toml).function("a", &converted.functions[0].1);
    assert_eq!(revealed(&given.at("prod"), "a", "LEVEL"), Some("warn"));
}

#[test]
fn the_only_file_of_an_apex_environment_is_the_project() {
    let dev = r#"{"name": "api", "memory": 512, "environment": {"LEVEL": "info"}}"#;
    let converted = convert(None, &named(&[("dev", dev)]), &[]).expect("converted");
    assert_eq!(
        converted.project_toml,
        "name = \"api\"\ndefault_stage = \"dev\"\n\n[defaults]\nmemory = 512\n\n[defaults.environment]\nLEVEL = \"info\"\n"
    );
}

#[test]
fn what_one_apex_environment_sets_is_not_silently_given_to_another() {
    let dev = r#"{"name": "api", "memory": 512, "environment": {"DEBUG": "1"}}"#;
    let prod = r#"{"name": "api", "memory": 512, "environment": {"LEVEL": "warn"}}"#;
    let converted = convert(None, &named(&[("dev", dev), ("prod", prod)]), &[]).expect("converted");
    assert_eq!(
        converted.project_toml,
        "name = \"api\"\ndefault_stage = \"dev\"\n\n[defaults]\nmemory = 512\n\n[stages.dev.environment]\nDEBUG = \"1\"\n\n[stages.prod.environment]\nLEVEL = \"warn\"\n"
    );
    assert!(converted.notes.is_empty(), "{:#?}", converted.notes);
    let converted = convert(Some(dev), &named(&[("prod", prod)]), &[]).expect("converted");
    assert_eq!(
        converted.notes,
        [
            "project.prod.json: does not set DEBUG, which every stage now has from [defaults.environment] in project.toml"
        ]
    );
}

#[test]
fn a_note_about_several_functions_comes_once() {
    let functions =
        named(&[("a", r#"{"zip": "x"}"#), ("b", r#"{"zip": "y"}"#), ("c", r#"{"runtime": "go1.x"}"#)]);
    let converted = convert(Some(r#"{"name": "api"}"#), &[], &functions).expect("converted");
    assert_eq!(converted.notes.len(), 3, "{:#?}", converted.notes);
    assert!(
        converted.notes[0]
            .starts_with("functions/a/function.json, functions/b/function.json: `zip` is left out")
    );
    assert!(converted.notes[1].contains("go build -o bootstrap"));
}

#[test]
fn the_apexignore_of_a_project_still_counts_from_each_function() {
    assert_eq!(
        ignore_file("# x/y\n*.md\n/src\n!src/kept\ntests/\n**/x\n"),
        "# x/y\n*.md\nfunctions/*/src\n!functions/*/src/kept\ntests/\n**/x\n"
    );
}
