//! What a stage overrides, and what flags override.

use mdo_model::project::{Overrides, Tracing};
use mdo_model::stack::{AccessLogs, Recording};

use super::given::{Given, name};

#[test]
fn a_stage_overrides_warm_rules_but_makes_none() {
    let given = Given::project("name = \"x\"\n[stages.cold]\nwarm = false\n[stages.hot]\nwarm = \"1m\"\n")
        .function("a", r#"{"warm": {"rate": "5m", "concurrency": 2}}"#)
        .function("b", r#"{"warm": false, "routes": []}"#)
        .function("c", r#"{"warm": "10 minutes"}"#);
    let warm = |stage: &str| {
        let settings = given.at(stage);
        ["a", "b", "c"].map(|function| {
            settings.functions[&name(function)].warm.map(|warm| (warm.rate.minutes(), warm.concurrency))
        })
    };
    assert_eq!(warm("dev"), [Some((5, 2)), None, Some((10, 1))]);
    assert_eq!(warm("hot"), [Some((1, 2)), None, Some((1, 1))]);
    assert_eq!(warm("cold"), [None, None, None]);
}

#[test]
fn what_is_recorded_of_requests_is_the_stages_own_and_unsaid_where_no_file_says_it() {
    let group = "arn:aws:logs:eu-west-1:123456789012:log-group:requests";
    let given = Given::project(&format!(
        "name = \"x\"\n[api]\naccess_logs = \"{group}:*\"\n[stages.prod.api]\ntracing = true\n[stages.off.api]\naccess_logs = false\n"
    ));
    let at = |stage: &str| given.at(stage).api.recording;
    let to = Some(AccessLogs::To(group.to_owned()));
    assert_eq!(at("dev"), Recording { tracing: None, access_logs: to.clone() });
    assert_eq!(at("prod"), Recording { tracing: Some(true), access_logs: to });
    assert_eq!(at("off"), Recording { tracing: None, access_logs: Some(AccessLogs::Off) });
    Given::project("name = \"x\"\n[api]\naccess_logs = \"requests\"\n").fails_with(
        "
        error: `requests` is not the ARN of a log group or a Firehose stream for API Gateway
          --> project.toml:3:15
          help: as in `arn:aws:logs:us-east-1:123456789012:log-group:requests`
        ",
    );
}

#[test]
fn flags_win_over_the_stage_and_the_stage_over_the_project() {
    let given =
        Given::project("name = \"x\"\nregion = \"us-east-1\"\n[stages.prod]\nregion = \"eu-west-1\"\n");
    assert_eq!(given.at("dev").region.as_deref(), Some("us-east-1"));
    assert_eq!(given.at("prod").region.as_deref(), Some("eu-west-1"));
    let overrides = Overrides { region: Some("us-gov-west-1".to_owned()), ..Overrides::default() };
    let settings = given.settings("prod", &overrides).expect("valid");
    assert_eq!(settings.region.as_deref(), Some("us-gov-west-1"));
}

#[test]
fn a_stage_has_settings_for_single_functions() {
    let given = Given::project(
        r#"
name = "x"
[defaults]
memory = 256
tracing = "active"
environment = { LEVEL = "defaults", KEPT = "defaults" }
[stages.prod]
warm = "1m"
environment = { LEVEL = "stage", STAGE = "prod" }
[stages.prod.functions.a]
memory = 1024
timeout = 60
ephemeral_storage = 1024
environment = { LEVEL = "here" }
vpc = { subnets = ["subnet-12345678"], security_groups = ["sg-12345678"] }
tracing = "passthrough"
warm = "9m"
[stages.cold.functions.a]
warm = false
vpc = { subnets = [] }
[stages.flagged.functions.b]
warm = { rate = "2m", concurrency = 3 }
"#,
    )
    .function("a", r#"{"warm": "5m", "timeout": 5, "environment": {"LEVEL": "own", "OWN": "own"}}"#)
    .function("b", "{}");
    let at = |stage: &str, function: &str| given.at(stage).functions[&name(function)].clone();
    let environment = |stage: &str, function: &str| {
        let environment = at(stage, function).configuration.environment;
        environment.iter().map(|(name, value)| format!("{name}={}", value.reveal())).collect::<Vec<_>>()
    };
    let of = |stage: &str, function: &str| {
        let found = at(stage, function).configuration;
        let subnets = found.vpc.map_or(0, |vpc| vpc.subnets.len());
        (found.memory, found.timeout, found.ephemeral_storage, found.tracing, subnets)
    };
    assert_eq!(of("prod", "a"), (1024, 60, 1024, Tracing::Passthrough, 1));
    assert_eq!(of("prod", "b"), (256, 30, 512, Tracing::Active, 0));
    assert_eq!(of("dev", "a"), (256, 5, 512, Tracing::Active, 0));
    assert_eq!(environment("prod", "a"), ["KEPT=defaults", "LEVEL=here", "OWN=own", "STAGE=prod"]);
    assert_eq!(environment("prod", "b"), ["KEPT=defaults", "LEVEL=stage", "STAGE=prod"]);
    let warm = |stage: &str, function: &str| {
        at(stage, function).warm.map(|warm| (warm.rate.minutes(), warm.concurrency))
    };
    assert_eq!(warm("prod", "a"), Some((9, 1)));
    assert_eq!(warm("cold", "a"), None);
    assert_eq!(warm("flagged", "a"), Some((5, 1)));
    assert_eq!(warm("flagged", "b"), Some((2, 3)));
}

#[test]
fn flags_win_over_what_a_stage_says_of_a_function() {
    let given =
        Given::project("name = \"x\"\n[stages.prod.functions.a]\nenvironment = { LEVEL = \"here\" }\n")
            .function("a", "{}");
    let set = vec!["LEVEL=flag".parse().expect("an assignment")];
    let settings = given.settings("prod", &Overrides { set, ..Overrides::default() }).expect("valid");
    assert_eq!(settings.functions[&name("a")].configuration.environment["LEVEL"].reveal(), "flag");
    let unset = ["LEVEL".to_owned()].into();
    given.settings_fail_with(
        "prod",
        &Overrides { unset, ..Overrides::default() },
        "
        error: `LEVEL` is to be unset, but a file sets it
          --> project.toml:3:17
          help: remove it there, or do not unset it
        ",
    );
}

#[test]
fn what_a_stage_says_of_a_function_is_checked() {
    Given::project(
        r#"
name = "x"
[stages.prod.functions.sampel]
memory = 512
[stages.prod.functions.sample]
memory = 64
concurrency = 2
[stages.prod.functions."no name"]
timeout = 5
"#,
    )
    .function("sample", "{}")
    .fails_with(
        "
        error: `stages.prod.functions.sample.memory` is 64: it must be 128 to 10240
          --> project.toml:6:10
        error: unknown key `concurrency` in `stages.prod.functions.sample`
          --> project.toml:7:1
          help: reserved concurrency is the function's at all of its stages: write it in its function.json
        error: `no name` is not a function name: 1 to 48 letters, digits, `_` and `-`, starting with a letter
          --> project.toml:8:24
        ",
    );
}

#[test]
fn a_stage_names_functions_that_are_there() {
    Given::project(
        r#"
name = "x"
[stages.prod.functions.sampel]
memory = 512
[stages.prod.functions.other]
vpc = { subnets = ["subnet-12345678"] }
"#,
    )
    .function("sample", "{}")
    .fails_with(
        "
        error: there is no function sampel
          --> project.toml:3:24
          help: did you mean `sample`?
        error: there is no function other
          --> project.toml:5:24
          help: write a functions/other/function.json, or remove the table
        error: a vpc needs both `subnets` and `securityGroups`
          --> project.toml:6:7
          help: leave the key out for no network of your own
        ",
    );
}
