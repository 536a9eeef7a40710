//! Every bound of AWS is checked before AWS is asked.

use mdo_model::project::Overrides;

use super::given::{Given, MINIMAL, unindented};

#[test]
fn every_bound_of_a_function_is_checked() {
    Given::project(MINIMAL)
        .function(
            "a",
            r#"{
"memory": 10241,
"timeout": 901,
"ephemeral_storage": 511,
"concurrency": -1,
"handler": "",
"warm": {"rate": "11m", "concurrency": 6},
"layers": ["l", "arn:aws:lambda:us-east-1:123456789012:layer:x:1", "arn:aws:lambda:us-east-1:123456789012:layer:x:2",
"arn:aws:lambda:us-east-1:123456789012:layer:x:3", "arn:aws:lambda:us-east-1:123456789012:layer:x:4", "arn:aws:lambda:us-east-1:123456789012:layer:x:5"],
"role": "arn:aws:iam::1234:role/x",
"kms_arn": "k",
"deadletter_arn": "arn:aws:lambda:us-east-1:123456789012:x",
"tracing": "Active",
"routes": ["GET x", {"route": "FETCH /x"}, {"security": "open"}, 7],
"vpc": {"subnets": ["subnet-1", "x"], "securityGroups": []},
"required_environment": ["AWS_REGION", "X"],
"timeout_ms": 1.5
}"#,
        )
        .fails_with(
            "
            error: `memory` is 10241: it must be 128 to 10240
              --> functions/a/function.json:2:11
            error: `timeout` is 901: it must be 1 to 900
              --> functions/a/function.json:3:12
            error: `ephemeral_storage` is 511: it must be 512 to 10240
              --> functions/a/function.json:4:22
            error: `concurrency` is -1: it must be 0 to 4294967295
              --> functions/a/function.json:5:16
            error: `handler` is empty
              --> functions/a/function.json:6:12
            error: `11m` is above 10 minutes: AWS ends an idle sandbox after about ten minutes, so nothing would stay warm
              --> functions/a/function.json:7:18
            error: `warm.concurrency` is 6: it must be 1 to 5
              --> functions/a/function.json:7:40
            error: `layers` has 6 entries: 5 is the most
              --> functions/a/function.json:8:11
            error: `l` is not the ARN of a layer version
              --> functions/a/function.json:8:12
              help: as in `arn:aws:lambda:us-east-1:123456789012:layer:name:1`
            error: `arn:aws:iam::1234:role/x` is not the ARN of a role
              --> functions/a/function.json:10:9
              help: as in `arn:aws:iam::123456789012:role/name`
            error: `k` is not the ARN of a KMS key
              --> functions/a/function.json:11:12
              help: as in `arn:aws:kms:us-east-1:123456789012:key/id`
            error: `arn:aws:lambda:us-east-1:123456789012:x` is not the ARN of a queue or a topic
              --> functions/a/function.json:12:19
              help: as in `arn:aws:sqs:us-east-1:123456789012:name`
            error: `tracing` is `Active`: it must be `passthrough` or `active`
              --> functions/a/function.json:13:12
              help: did you mean `active`?
            error: `x` is not a route: write a method and a path, as in `GET /samples/{id}`
              --> functions/a/function.json:14:12
              help: write `GET /x`
            error: `FETCH` is not a method: ANY, DELETE, GET, HEAD, OPTIONS, PATCH, POST or PUT
              --> functions/a/function.json:14:31
            error: `routes[2].route` is missing
              --> functions/a/function.json:14:44
            error: `routes[3]` must be a route such as `GET /samples/{id}` or an object, not a number
              --> functions/a/function.json:14:66
            error: `x` is not the id of a subnet: it starts with `subnet-`
              --> functions/a/function.json:15:33
            error: the environment variable `AWS_REGION` is reserved by Lambda
              --> functions/a/function.json:16:26
              help: choose another name
            error: `X` is not the name of an environment variable: at least 2 letters, digits and `_`, starting with a letter
              --> functions/a/function.json:16:40
            error: unknown key `timeout_ms`
              --> functions/a/function.json:17:1
              help: did you mean `timeout`?",
        );
}

#[test]
fn every_bound_of_a_project_is_checked() {
    Given::project(
        r#"name = "1x"
region = "us-east"
account = 123456789012
memory = 128
[api]
throttle = { rate = 0, burst = 0 }
quota = { limit = 1, period = "year" }
cors = "true"
[stages."a b"]
account = "12"
memory = 1
[stages.prod]
warm = true
[stages.prod.api]
throttle = true
timeout = 29
binary_media_types = ["image/png", "*/png"]
[artifacts]
prefix = "x"
"#,
    )
    .fails_with(
        "
        error: `1x` is not a project name: 1 to 32 letters, digits, `_` and `-`, starting with a letter
          --> project.toml:1:8
        error: `us-east` is not a region
          --> project.toml:2:10
          help: did you mean `us-east-1`?
        error: `account` must be a string, not a number
          --> project.toml:3:11
          help: write the value in quotes: account = \"…\"
        error: unknown key `memory`
          --> project.toml:4:1
          help: write it under `[defaults]`
        error: `api.throttle.rate` is 0: it must be above 0
          --> project.toml:6:21
        error: `api.throttle.burst` is 0: it must be 1 to 4294967295
          --> project.toml:6:32
        error: `api.quota.period` is `year`: it must be `day`, `week` or `month`
          --> project.toml:7:31
        error: `api.cors` must be true or false, not a string
          --> project.toml:8:8
          help: write the value without quotes
        error: `a b` is not a stage name: 1 to 32 letters, digits, `_` and `-`, starting with a letter
          --> project.toml:9:9
        error: `12` is not the number of an account: 12 digits
          --> project.toml:10:11
        error: unknown key `memory` in `stages.a b`
          --> project.toml:11:1
          help: write it under `[stages.<name>.functions.<function>]`
        error: `stages.prod.warm` is `true`: it must be `false`, a rate such as `5m` or a table
          --> project.toml:13:8
        error: `stages.prod.api.throttle` is `true`: it must be `false` or a table
          --> project.toml:15:12
        error: `stages.prod.api.timeout` must be a string, not a number
          --> project.toml:16:11
          help: write the value in quotes: timeout = \"…\"
        error: `*/png` is not a media type: write it as `image/png`, `image/*` or `*/*`, without parameters
          --> project.toml:17:36
        error: `artifacts.bucket` is missing
          --> project.toml:18:1",
    );
}

#[test]
fn a_region_that_does_not_exist_is_refused_where_it_is_written() {
    Given::project("name = \"x\"\nregion = \"us-esat-1\"\n[stages.prod]\nregion = \"mars-east-1\"\n")
        .function("a", r#"{"layers": ["arn:aws:lambda:us-esat-1:123456789012:layer:x:1"]}"#)
        .fails_with(
            "
            error: `us-esat-1` is not a region
              --> project.toml:2:10
              help: did you mean `us-east-1`?
            error: `mars-east-1` is not a region
              --> project.toml:4:10
              help: write it as in `us-east-1`
            error: `arn:aws:lambda:us-esat-1:123456789012:layer:x:1` is not the ARN of a layer version
              --> functions/a/function.json:1:13
              help: as in `arn:aws:lambda:us-east-1:123456789012:layer:name:1`",
        );
    for region in ["us-gov-west-1", "cn-northwest-1", "eusc-de-east-1", "ap-southeast-7"] {
        let given = Given::project(&format!("name = \"x\"\nregion = \"{region}\"\n"));
        assert_eq!(given.warnings(), "", "{region}");
    }
}

#[test]
fn a_region_that_may_be_new_is_a_warning() {
    let given =
        Given::project("name = \"x\"\nregion = \"us-east-7\"\n[stages.prod]\nregion = \"sa-west-1\"\n");
    assert_eq!(
        given.warnings(),
        unindented(
            "
            warning: mdo does not know the region `us-east-7`
              --> project.toml:2:10
              help: check its name; if it is new, a newer mdo may know it
            warning: mdo does not know the region `sa-west-1`
              --> project.toml:4:10
              help: check its name; if it is new, a newer mdo may know it"
        )
    );
}

#[test]
fn names_above_64_characters_are_found_before_aws_finds_them() {
    let long = "f".repeat(48);
    Given::project(&format!("name = \"{}\"\n", "p".repeat(15))).function(&long, "{}").at("dev");
    let given = Given::project(&format!("name = \"{}\"\n", "p".repeat(10)))
        .function(&long, r#"{"warm": "5m"}"#)
        .function("g", "{}");
    given.settings_fail_with(
        "dev",
        &Overrides::default(),
        &format!(
            "
        error: the warm rule of {long} would be called `pppppppppp_{long}.dev.warm`, which has 68 characters: 64 is the most
          help: shorten the name of the project, the function's folder or the stage"
        ),
    );
}

#[test]
fn a_large_environment_is_told_beside_every_other_mistake() {
    let large = "x".repeat(5000);
    let given = Given::project("name = \"api\"\n")
        .function("wrong", &format!("{{\n\"memory\": 1,\n\"environment\": {{\"LARGE\": \"{large}\"}}\n}}"))
        .function("large", &format!("{{\n\"environment\": {{\"LARGE\": \"{large}\"}}\n}}"));
    let problems = given.load().expect_err("problems").to_string();
    let told: Vec<&str> = problems.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(
        told,
        [
            "error: the environment of function large has 5,012 bytes: Lambda takes at most 4,096",
            "error: `memory` is 1: it must be 128 to 10240",
            "error: the environment of function wrong has 5,012 bytes: Lambda takes at most 4,096",
        ]
    );
}
