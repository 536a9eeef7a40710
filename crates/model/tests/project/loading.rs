//! Finding and reading a project's files, and everything that is said about them at once.

use mdo_model::project::{Overrides, Period, Project, Quota, Security, Throttle, set_key};
use proptest::prelude::*;

use super::given::{Given, MINIMAL, name, set, unindented};

#[test]
fn a_minimal_project_has_every_default() {
    let given = Given::project(MINIMAL).function("hello", "{}");
    let settings = given.at("dev");
    assert_eq!(settings.project.as_str(), "ml_api");
    assert_eq!((settings.region, settings.profile, settings.role), (None, None, None));
    assert_eq!(settings.log_retention_days, 30);
    assert_eq!(settings.api.throttle, Some(Throttle { rate: 10.0, burst: 20 }));
    assert_eq!(settings.api.quota, Some(Quota { limit: 10_000, period: Period::Day }));
    assert_eq!((settings.api.cors, settings.api.timeout_ms), (false, 29_000));
    let hello = &settings.functions[&name("hello")];
    assert_eq!(hello.folder, given.path("functions/hello"));
    assert_eq!(
        (hello.configuration.runtime.as_str(), hello.configuration.handler.as_str()),
        ("provided.al2023", "bootstrap")
    );
    assert_eq!(
        (hello.configuration.memory, hello.configuration.timeout, hello.configuration.ephemeral_storage),
        (128, 30, 512)
    );
    assert_eq!(hello.configuration.architecture.as_str(), "x86_64");
    assert_eq!(hello.warm, None);
    let routes: Vec<_> = hello.routes.iter().map(|route| (route.route.to_string(), route.security)).collect();
    assert_eq!(routes, [("ANY /hello".to_owned(), Security::Key)]);
}

#[test]
fn a_project_without_functions_is_fine_at_load() {
    let project = Given::project(MINIMAL).load().expect("a valid project");
    assert_eq!(project.functions().count(), 0);
    assert_eq!(project.default_stage().as_str(), "dev");
}

#[test]
fn the_guides_files_load() {
    let given = Given::project(
        r#"name = "ml_api"
description = "Samples for machine-learning APIs"
region = "us-east-1"
profile = "data-office"
account = "123456789012"
role = "arn:aws:iam::123456789012:role/x"
default_stage = "dev"

[defaults]
runtime = "provided.al2023"
architecture = "arm64"
memory = 256
timeout = 10
environment = { LOG_LEVEL = "info" }

[api]
security = "open"
throttle = { rate = 0.5, burst = 5 }
quota = { limit = 7, period = "month" }
cors = true
timeout = "500ms"

[stages.prod]
profile = "other"
account = "210987654321"
environment = { LOG_LEVEL = "warn" }
warm = { concurrency = 3 }

[stages.prod.api]
security = "iam"
quota = false

[stages.prod.api.throttle]
rate = 50

[logs]
retention_days = 7

[artifacts]
bucket = "packages"
"#,
    )
    .function(
        "sample_producer",
        r#"{
  "$schema": "../../.mdo/function.schema.json",
  "description": "function which produces a sample from sklearn",
  "runtime": "provided.al2023", "handler": "bootstrap", "memory": 128,
  "routes": ["GET /sample_producer", {"route": "GET /open", "security": "open"}],
  "warm": { "rate": "5m" },
  "required_environment": ["N_CLASSES"],
  "vpc": { "subnets": ["subnet-1"], "securityGroups": ["sg-1"] },
  "hooks": { "build": "cargo build" }
}"#,
    );
    let prod = given.settings("prod", &set(&["N_CLASSES=2"])).expect("valid");
    assert_eq!(prod.profile.as_deref(), Some("other"));
    assert_eq!(prod.account.map(String::from).as_deref(), Some("210987654321"));
    assert_eq!(prod.api.throttle, Some(Throttle { rate: 50.0, burst: 5 }));
    assert_eq!((prod.api.quota, prod.api.cors, prod.api.timeout_ms), (None, true, 500));
    let function = &prod.functions[&name("sample_producer")];
    assert_eq!((function.configuration.memory, function.configuration.timeout), (128, 10));
    assert_eq!(function.configuration.architecture.as_str(), "arm64");
    assert_eq!(function.warm.map(|warm| (warm.rate.minutes(), warm.concurrency)), Some((5, 3)));
    let security: Vec<_> = function.routes.iter().map(|route| route.security).collect();
    assert_eq!(security, [Security::Iam, Security::Open]);
    assert_eq!(function.build_hook.as_deref(), Some("cargo build"));
    assert_eq!(
        function.configuration.vpc.as_ref().map(|vpc| vpc.security_groups.clone()),
        Some(vec!["sg-1".to_owned()])
    );
}

#[test]
fn a_misspelt_key_is_found_with_its_place_and_the_nearest_known_key() {
    Given::project(MINIMAL)
        .function("sample_producer", "{\n  \"description\": \"x\",\n  \"timeout\": 3,\n  \"memmory\": 128\n}")
        .fails_with(
            "
            error: unknown key `memmory`
              --> functions/sample_producer/function.json:4:3
              help: did you mean `memory`?",
        );
}

#[test]
fn everything_wrong_in_every_file_is_reported_at_once_in_file_order() {
    Given::project("name = \"ml_api\"\ndefault_stag = \"dev\"\n[logs]\nretention_days = 31\n[api]\ntimeout = \"30s\"\n")
        .function("b", r#"{"memory": 64, "timeout": "3"}"#)
        .function("a", r#"{"architecture": "x86", "warm": true}"#)
        .fails_with(
            "
            error: unknown key `default_stag`
              --> project.toml:2:1
              help: did you mean `default_stage`?
            error: `logs.retention_days` is 31: it must be 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653
              --> project.toml:4:18
            error: `30s` is not a timeout of API Gateway: 50 ms to 29 s
              --> project.toml:6:11
            error: `architecture` is `x86`: it must be `x86_64` or `arm64`
              --> functions/a/function.json:1:18
              help: did you mean `x86_64`?
            error: `warm` is `true`: it must be `false`, a rate such as `5m` or an object
              --> functions/a/function.json:1:33
            error: `memory` is 64: it must be 128 to 10240
              --> functions/b/function.json:1:12
            error: `timeout` must be a whole number, not a string
              --> functions/b/function.json:1:27
              help: write the value without quotes",
        );
}

#[test]
fn a_syntax_error_gives_its_line_and_column() {
    Given::project("name = \"ml_api\"\n[api\n")
        .function("a", "{\n  \"memory\": 128,\n}")
        .function("b", "{\"memory\": 128, \"memory\": 256}")
        .function("c", "")
        .fails_with(
            "
            error: unclosed table, expected `]`
              --> project.toml:2:5
            error: trailing commas are not allowed
              --> functions/a/function.json:2:16
            error: duplicate key `memory`
              --> functions/b/function.json:1:17
              help: the first one is at functions/b/function.json:1:2
            error: the file is empty
              --> functions/c/function.json:1:1
              help: `{}` is the least it can hold",
        );
}

#[test]
fn a_deprecated_runtime_is_a_warning_with_its_dates() {
    let given =
        Given::project("name = \"x\"\n[defaults]\nhandler = \"main.handle\"\nruntime = \"python3.10\"\n")
            .function("a", r#"{"runtime": "provided.al2"}"#)
            .function("b", r#"{"runtime": "nodejs14.x"}"#)
            .function("c", r#"{"runtime": "go1.x"}"#);
    assert_eq!(
        given.warnings(),
        unindented(
            "
            warning: Lambda refuses new functions on the runtime `python3.10` from 2027-02-01 and updates from 2027-03-03
              --> project.toml:4:11
              help: use `python3.14`
            warning: Lambda refuses new functions on the runtime `provided.al2` from 2027-02-01 and updates from 2027-03-03
              --> functions/a/function.json:1:13
              help: use `provided.al2023`
            warning: Lambda refuses new functions on the runtime `nodejs14.x` already and updates from 2027-03-03
              --> functions/b/function.json:1:13
              help: use `nodejs24.x`
            warning: Lambda refuses new functions on the runtime `go1.x` already and updates from 2027-03-03
              --> functions/c/function.json:1:13
              help: use `provided.al2023` with the program as `bootstrap`",
        )
    );
}

/// Loads a project whose one function has the runtime, and answers its warnings.
fn with_runtime(runtime: &str) -> Result<String, String> {
    let function = format!(r#"{{"runtime": "{runtime}", "handler": "main.handle"}}"#);
    let given = Given::project(MINIMAL).function("a", &function);
    given.load().map(|_| given.warnings()).map_err(|problems| given.plain(&problems))
}

#[test]
fn every_runtime_that_lambda_still_takes_loads() {
    for runtime in ["provided.al2023", "python3.11", "nodejs24.x", "ruby4.0", "java25", "dotnet10"] {
        assert_eq!(with_runtime(runtime), Ok(String::new()), "{runtime}");
    }
    let deprecated =
        "python3.8 python3.9 nodejs16.x nodejs18.x nodejs20.x ruby3.2 dotnet6 dotnet8 provided.al2";
    let closed = "python3.7 nodejs14.x ruby2.7 go1.x java8 provided";
    for runtime in deprecated.split(' ').chain(closed.split(' ')) {
        assert!(
            with_runtime(runtime).is_ok_and(|warnings| warnings.contains("Lambda refuses new functions")),
            "{runtime}"
        );
    }
}

#[test]
fn a_runtime_newer_than_this_mdo_is_a_warning() {
    let warning = with_runtime("python3.16").expect("a valid project");
    assert_eq!(
        warning,
        unindented(
            "
            warning: the runtime `python3.16` is newer than this mdo: it cannot determine whether Lambda has it
              --> functions/a/function.json:1:13
              help: update mdo, or use `python3.15`"
        )
    );
    for runtime in ["python4.0", "nodejs26.x", "ruby4.1", "java29", "dotnet12", "provided.al2027"] {
        assert!(with_runtime(runtime).is_ok_and(|warnings| warnings.contains("newer")), "{runtime}");
    }
}

#[test]
fn a_runtime_that_never_was_is_refused() {
    let refused = with_runtime("dotnet9").expect_err("no runtime");
    assert_eq!(
        refused,
        unindented(
            "
            error: `dotnet9` is not a runtime of Lambda, which has only even versions of .NET
              --> functions/a/function.json:1:13
              help: use `dotnet10`"
        )
    );
    for runtime in
        ["dotnet11", "python3.133", "python3.016", "python3", "ruby3.5", "nodejs23.x", "java22", "nodejs26"]
    {
        assert!(with_runtime(runtime).is_err(), "{runtime}");
    }
}

#[test]
fn a_project_is_found_from_any_folder_below_it() {
    let given = Given::project(MINIMAL).function("a", "{}");
    assert_eq!(Project::find(&given.path("functions/a")).expect("found"), given.folder.path());
}

#[test]
fn no_project_anywhere_says_what_writes_one() {
    let given = Given::nothing();
    let problems = Project::find(given.folder.path()).expect_err("nothing");
    assert_eq!(
        given.plain(&problems),
        "error: there is no project.toml in ROOT or above it\n  help: `mdo init` writes one"
    );
}

#[test]
fn a_runtime_that_lambda_refuses_comes_with_what_to_use() {
    Given::project(MINIMAL)
        .function("a", r#"{"runtime": "python2.7"}"#)
        .function("c", r#"{"runtime": "provided.al2203"}"#)
        .function("e", r#"{"runtime": "python3.13"}"#)
        .fails_with(
            "
            error: Lambda has blocked the runtime `python2.7`: no function can be created or updated on it
              --> functions/a/function.json:1:13
              help: use `python3.14`, or `provided.al2023` with a bootstrap
            error: `provided.al2203` is not a runtime of Lambda
              --> functions/c/function.json:1:13
              help: did you mean `provided.al2023`?
            error: function e: the runtime `python3.13` needs a `handler`
              --> functions/e/function.json:1:13
              help: name the module and the function that it calls, as in `main.handler`",
        );
}

#[test]
fn folders_of_functions_are_checked() {
    Given::project(MINIMAL)
        .function("1st", "{}")
        .file("functions/.hidden/x", "")
        .file("functions/empty/.gitkeep", "")
        .file("functions/README.md", "")
        .file("functions/lost/main.rs", "")
        .fails_with(
            "
            error: `1st` is not a function name: 1 to 48 letters, digits, `_` and `-`, starting with a letter
              --> functions/1st/function.json:1:1
              help: rename the folder
            error: functions/lost has no function.json
              help: write one, `{}` is enough, or move the folder out of functions/",
        );
}

#[test]
fn a_function_json_of_an_apex_environment_is_a_warning() {
    let given = Given::project(MINIMAL).function("a", "{}").file("functions/a/function.prod.json", "{}");
    assert_eq!(
        given.warnings(),
        "warning: functions/a/function.prod.json is not read\n  help: write what differs between stages under `[stages.<name>]` in project.toml"
    );
}

#[test]
fn a_network_needs_subnets_and_groups() {
    Given::project("name = \"x\"\n[defaults.vpc]\nsubnets = []\n")
        .function("a", r#"{"vpc": {"subnets": ["subnet-1"], "security_groups": ["sg-1"]}}"#)
        .function("b", r#"{"vpc": {"subnets": ["subnet-1"]}}"#)
        .fails_with(
            "
            error: a vpc needs both `subnets` and `securityGroups`
              --> functions/b/function.json:1:9
              help: leave the key out for no network of your own",
        );
}

#[test]
fn the_place_of_a_setting_is_where_it_was_written() {
    let project = Given::project("name = \"x\"\n[defaults]\narchitecture = \"arm64\"\nmemory = 256\n")
        .function("a", "{\n  \"architecture\": \"x86_64\",\n  \"hooks\": {\"build\": \"make\"}\n}")
        .load()
        .expect("valid");
    let place = |key: &str| project.place(&name("a"), key).map(|place| place.to_string());
    assert_eq!(place("architecture").as_deref(), Some("functions/a/function.json:2:19"));
    assert_eq!(place("hooks.build").as_deref(), Some("functions/a/function.json:3:22"));
    assert_eq!(place("memory").as_deref(), Some("project.toml:4:10"));
    assert_eq!(place("timeout"), None);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]{}=\":,a-z0-9 \n#'\\\\é]{0,60}") {
        let given = Given::project(&text).function("a", &text).file("x.env", &text);
        let _ = given.load();
        let valid = Given::project(MINIMAL).function("a", "{}");
        let overrides = Overrides { env_files: vec![given.path("x.env")], ..Overrides::default() };
        let _ = valid.settings("dev", &overrides);
        let _ = set_key(&text, "warm", Some(&serde_json::json!({"rate": "5m"})));
    }
}
