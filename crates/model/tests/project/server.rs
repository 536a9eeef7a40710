//! Hosted stages: what `[server]` comes to, and what a stage cannot have when servers answer it.

use mdo_model::project::{Base, Container, Entry, Overrides, TaskSize, Tasks};

use crate::given::{Given, MINIMAL};

const CERTIFICATE: &str = "arn:aws:acm:us-east-1:123456789012:certificate/1";

/// A project whose stage `prod` is hosted, with these lines under `[server]`, and a function `hello`.
fn hosted(server: &str) -> Given {
    given(server).function("hello", "{}")
}

fn given(server: &str) -> Given {
    Given::project(&format!("{MINIMAL}[server]\n{server}\n[stages.prod]\nhosting = \"server\"\n"))
}

#[track_caller]
fn prod_fails(given: Given, expected: &str) {
    given.settings_fail_with("prod", &Overrides::default(), expected);
}

#[test]
fn a_stage_is_serverless_unless_it_says_otherwise() {
    let given = hosted("http = true");
    assert_eq!(given.at("dev").server, None);
    let prod = given.at("prod");
    assert_eq!(prod.api.quota, None);
    let server = prod.server.expect("a hosted stage");
    assert_eq!(server.size, TaskSize { cpu: 256, memory: 512 });
    assert_eq!(server.tasks, Tasks { min: 2, max: 2, cpu: None });
    assert_eq!((server.entry, server.drain, server.spot), (Entry::Http, 30, false));
    assert_eq!(server.container, Container::Functions { base: None });
    assert_eq!((server.subnets, server.task_role), (None, None));
}

#[test]
fn a_stage_overrides_the_server_key_by_key() {
    let given = Given::project(&format!(
        "{MINIMAL}
         [server]
         cpu = 1
         memory = 2048
         certificate = \"{CERTIFICATE}\"
         tasks = {{ min = 2, max = 10 }}
         [stages.prod]
         hosting = \"server\"
         [stages.prod.server]
         memory = 4096
         tasks = 1
         [stages.live]
         hosting = \"server\""
    ))
    .function("hello", "{}");
    let server = given.at("prod").server.expect("a hosted stage");
    assert_eq!(server.size, TaskSize { cpu: 1024, memory: 4096 });
    assert_eq!(server.tasks, Tasks { min: 1, max: 1, cpu: None });
    assert_eq!(server.entry, Entry::Https(CERTIFICATE.to_owned()));
    assert_eq!(
        given.at("live").server.expect("a hosted stage").tasks,
        Tasks { min: 2, max: 10, cpu: Some(60) }
    );
}

#[test]
fn keys_do_not_travel_in_clear_unless_that_is_asked_for() {
    prod_fails(
        hosted(""),
        "
        error: stage prod has no `certificate`: the keys of `ANY /hello` would travel in clear
          --> project.toml:5:1
          help: name a certificate of AWS Certificate Manager under `[server]`, or ask for it: `http = true`",
    );
    prod_fails(
        given("").function("hello", r#"{"routes": [{"route": "GET /", "security": "open"}]}"#),
        "
        error: stage prod has no `certificate`: it would answer plain HTTP
          --> project.toml:5:1
          help: name a certificate of AWS Certificate Manager under `[server]`, or ask for it: `http = true`",
    );
    prod_fails(
        hosted(&format!("certificate = \"{CERTIFICATE}\"\nhttp = true")),
        "
        error: `http = true` contradicts `certificate`, with which plain HTTP is sent on to HTTPS
          --> project.toml:4:1
          help: take one of them out",
    );
}

#[test]
fn what_a_load_balancer_has_not_is_refused() {
    prod_fails(
        given("http = true").function("hello", r#"{"routes": [{"route": "GET /", "security": "iam"}]}"#),
        "
        error: `GET /` has the security `iam`, which a load balancer does not know
          --> functions/hello/function.json:1:23
          help: make it `key` or `open`, or serve stage prod without a server",
    );
    let quota = "[api]\nquota = { limit = 5 }";
    prod_fails(
        hosted(&format!("http = true\n{quota}")),
        "
        error: stage prod is hosted by servers, which count no `quota`
          --> project.toml:5:1
          help: switch it off there: `[stages.prod.api]` with `quota = false`",
    );
    let off = format!("http = true\n{quota}\n[stages.prod.api]\nquota = false");
    assert_eq!(hosted(&off).at("prod").api.quota, None);
}

#[test]
fn a_size_that_fargate_has_not_is_answered_by_the_nearest() {
    prod_fails(
        hosted("http = true\ncpu = 1\nmemory = 512"),
        "
        error: Fargate has no task of 1 vCPU and 512 MB
          --> project.toml:5:1
          help: the nearest is `cpu = 1` with `memory = 2048`",
    );
    prod_fails(
        hosted("http = true\ntasks = { min = 5, max = 2 }"),
        "
        error: `tasks` has a `min` of 5 above its `max` of 2
          --> project.toml:4:1
          help: exchange them",
    );
}

#[test]
fn a_function_fits_into_a_task() {
    prod_fails(
        given("http = true").function("hello", r#"{"memory": 1024}"#),
        "
        error: function hello has 1024 MB, and a task of 512 MB leaves 448 MB for functions
          --> functions/hello/function.json:1:12
          help: give the tasks more under `[server]`: `cpu = 0.25` with `memory = 2048`",
    );
    prod_fails(
        given("http = true").function("a", "{}").function("b", r#"{"architecture": "arm64"}"#),
        "
        error: function b is built for arm64 and a for x86_64: one container runs both
          --> functions/b/function.json:1:18
          help: build both for one architecture",
    );
    let layers = r#"{"layers": ["arn:aws:lambda:us-east-1:123456789012:layer:x:1"]}"#;
    prod_fails(
        given("http = true").function("hello", layers),
        "
        error: function hello has layers, which a container cannot attach
          --> functions/hello/function.json:1:12
          help: bring what they hold as a derivative, or in the function's folder",
    );
}

#[test]
fn an_interpreter_comes_with_a_base() {
    let python = r#"{"runtime": "python3.13", "handler": "main.handle"}"#;
    prod_fails(
        given("http = true").function("hello", python),
        "
        error: function hello runs on python3.13, and no `base` brings python3.13 into its container
          --> functions/hello/function.json:1:13
          help: name an image that has it under `[server]`: `base = \"…@sha256:…\"`",
    );
    let reference = format!("docker.io/library/python@sha256:{}", "a".repeat(64));
    let based = given(&format!("http = true\nbase = \"{reference}\"")).function("hello", python);
    let server = based.at("prod").server.expect("a hosted stage");
    assert_eq!(server.container, Container::Functions { base: Some(Base::Reference(reference)) });
    prod_fails(
        hosted("http = true\nbase = \"base.tar\""),
        "
        error: there is no file base.tar
          --> project.toml:4:1
          help: write the archive's path from the project's folder, or a reference with a digest",
    );
    given("http = true\nbase = \"python:3.13\"").function("hello", python).fails_with(
        "
        error: `python:3.13` names no digest, so that it may be another image tomorrow
          --> project.toml:4:8
          help: as in ghcr.io/owner/name@sha256:… with the 64 digits of the image's digest",
    );
}

#[test]
fn an_image_of_ones_own_is_one_thing() {
    let image = format!("ghcr.io/o/n@sha256:{}", "b".repeat(64));
    prod_fails(
        hosted(&format!("http = true\nimage = \"{image}\"\ndockerfile = \"Dockerfile\""))
            .file("Dockerfile", "FROM x\n"),
        "
        error: `dockerfile` and `image` both say what the containers run
          --> project.toml:4:1
          help: take one of them out",
    );
    prod_fails(
        hosted("http = true\ndockerfile = \"Dockerfile\""),
        "
        error: there is no file Dockerfile
          --> project.toml:4:1
          help: write the Dockerfile's path from the project's folder",
    );
    prod_fails(
        hosted("http = true\nhealth = \"/up\""),
        "
        error: `health` is the path of an image of your own: mdo's answers at `/-/health`
          --> project.toml:4:1
          help: take it out, or name a `dockerfile` or an `image`",
    );
    let server = hosted(&format!("http = true\nimage = \"{image}\"\nhealth = \"/up\"")).at("prod").server;
    assert_eq!(
        server.expect("a hosted stage").container,
        Container::Image { reference: image, health: "/up".to_owned() }
    );
}

#[test]
fn the_network_and_the_secrets_are_checked_before_anything_is_asked() {
    prod_fails(
        hosted("http = true\nsubnets = [\"subnet-1\"]"),
        "
        error: a load balancer needs subnets in two zones, and `subnets` has one
          --> project.toml:4:1
          help: name another one in another zone of the same VPC",
    );
    let secrets = "secrets = { DB = \"arn:aws:secretsmanager:us-east-1:123456789012:secret:db\" }";
    prod_fails(
        given(&format!("http = true\n{secrets}")).function("hello", r#"{"environment": {"DB": "x"}}"#),
        "
        error: DB is a secret of the server, and the environment of function hello sets it
          --> project.toml:4:1
          help: take one of them out",
    );
    hosted("http = true\nsecrets = { DB = \"postgres://\" }\ndomain = \"https://x\"\nhealth = \"up\"")
        .fails_with(
            "
        error: this names neither a parameter nor a secret
          --> project.toml:4:18
          help: as in `ssm:/shop/db-password` or `secretsmanager:shop/db#password`, or the ARN of either
        error: `https://x` is not a domain
          --> project.toml:5:10
          help: write the name alone, as in `api.example.com`
        error: `up` is not the path of a URL
          --> project.toml:6:10
          help: as in `/healthz`",
        );
}

#[test]
fn a_secret_is_named_as_in_the_environment_of_functions_or_by_its_arn() {
    let secrets = "secrets = { DB = \"ssm:/shop/db:3\", KEY = \"secretsmanager:shop/tokens#api\", TOKEN = \"secretsmanager:\" }";
    hosted(&format!("http = true\n{secrets}")).fails_with(
        "
        error: ECS takes no version and no label of a parameter
          --> project.toml:4:18
          help: name the parameter alone: every task that starts gets its latest value
        error: this begins with `secretsmanager:` and names nothing
          --> project.toml:4:84
          help: as in `ssm:/shop/db-password` or `secretsmanager:shop/db#password`",
    );
    let named = secrets.replace(":3", "").replace("secretsmanager:\"", "secretsmanager:token\"");
    let server = hosted(&format!("http = true\n{named}")).at("prod").server.expect("a hosted stage");
    let located = |name: &str| server.secrets[name].located("us-east-1", "123456789012").to_string();
    assert_eq!(located("DB"), "arn:aws:ssm:us-east-1:123456789012:parameter/shop/db");
    assert_eq!(located("KEY"), "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/tokens:api::");
}

#[test]
fn a_key_of_the_server_in_another_place_is_sent_there() {
    Given::project(&format!("{MINIMAL}\nhosting = \"server\"\ndrain = 5\n")).fails_with(
        "
        error: unknown key `hosting`
          --> project.toml:3:1
          help: write it under `[stages.<name>]`
        error: unknown key `drain`
          --> project.toml:4:1
          help: write it under `[server]`",
    );
}

#[test]
fn stages_that_share_a_load_balancer_say_the_same_of_it() {
    let given = |of_live: &str| {
        Given::project(&format!(
            "{MINIMAL}[server]\nhttp = true\n[stages.prod]\nhosting = \"server\"\n[stages.live]\nhosting = \"server\"\n{of_live}"
        ))
        .function("hello", "{}")
    };
    given("[stages.live.server]\ntasks = 3\n").at("prod");
    // In another region it is another load balancer.
    given("region = \"eu-central-1\"\n[stages.live.server]\nsubnets = [\"subnet-01\"]\n").at("prod");
    prod_fails(
        given("[stages.live.server]\nsubnets = [\"subnet-01\"]\n"),
        "error: stages prod and live share the project's load balancer, and have another `subnets` each
  --> project.toml:9:1
  help: set `subnets` under [server] alone
",
    );
}
