//! Tags of the project's own: on everything that mdo makes, and nobody else's touched.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::live::{Live, text};
use crate::support::account::REGION;
use crate::support::emulator::Emulator;
use crate::support::project::{MANIFEST, TestProject};
use crate::support::proxy::Proxy;

/// Tags as a map, however the service lists them.
fn map(tags: &Value) -> Map<String, Value> {
    match tags {
        Value::Array(list) => list.iter().map(|tag| (text(&tag["Key"]), tag["Value"].clone())).collect(),
        tags => tags.as_object().cloned().unwrap_or_default(),
    }
}

struct Tagged<'a> {
    live: Live<'a>,
    account: &'a str,
    stage: &'a str,
}

impl Tagged<'_> {
    fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{REGION}:{}:{resource}", self.account)
    }

    fn named(&self, operation: &str, name: &str) -> Value {
        let listed = self.live.call("apigateway", operation, json!({}));
        let items = listed["items"].as_array().unwrap();
        items
            .iter()
            .find(|item| item["name"] == name)
            .unwrap_or_else(|| panic!("no {name}: {listed:#}"))
            .clone()
    }

    /// The tags of each resource, by what it is.
    fn all(&self) -> Vec<(&'static str, Map<String, Value>)> {
        let (live, stage) = (&self.live, self.stage);
        let role = live.call("iam", "list_role_tags", json!({"RoleName": "shop_lambda_function"}));
        let function =
            live.call("lambda", "list_tags", json!({"Resource": self.arn("lambda", "function:shop_echo")}));
        let group = self.arn("logs", "log-group:/aws/lambda/shop_echo");
        let group = live.call("logs", "list_tags_for_resource", json!({"resourceArn": group}));
        let rule = self.arn("events", &format!("rule/{}", live.rule_name("echo")));
        let rule = live.call("events", "list_tags_for_resource", json!({"ResourceARN": rule}));
        vec![
            ("role", map(&role["Tags"])),
            ("function", map(&function["Tags"])),
            ("log group", map(&group["tags"])),
            ("api", map(&self.named("get_rest_apis", "shop")["tags"])),
            ("rule", map(&rule["Tags"])),
            ("stage", map(&live.api_stage()["tags"])),
            ("usage plan", map(&self.named("get_usage_plans", &format!("shop-{stage}"))["tags"])),
            ("key", map(&self.named("get_api_keys", &format!("shop-{stage}-default"))["tags"])),
        ]
    }

    /// Each resource with the value of one of its tags.
    fn values(&self, name: &str) -> Vec<(&'static str, Option<String>)> {
        let value = |tags: Map<String, Value>| tags.get(name).map(text);
        self.all().into_iter().map(|(what, tags)| (what, value(tags))).collect()
    }
}

const SHARED: [&str; 4] = ["role", "function", "log group", "api"];

#[test]
fn everything_bears_the_tags_of_the_files_and_keeps_those_of_others() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let account = project.account().id().to_owned();
    let at = |stage| Tagged { live: Live::of(&project, stage), account: &account, stage };
    let (dev, prod) = (at("dev"), at("prod"));
    let says = |tags: &str| project.write("project.toml", &format!("{MANIFEST}{tags}"));
    let both = |value: &str| -> Vec<(&str, Option<String>)> {
        dev.all().iter().map(|(what, _)| (*what, Some(value.to_owned()))).collect()
    };

    // What is new has them from the start, each stage its own.
    says("[tags]\nteam = \"ml\"\n\"Cost Center\" = \"42\"\n[stages.prod.tags]\nteam = \"live\"\n");
    project.deploys("");
    assert_eq!((dev.values("team"), dev.values("Cost Center")), (both("ml"), both("42")));
    project.deploys("--stage prod");
    project.is_settled("");
    for (what, value) in prod.values("team") {
        let wanted = if SHARED.contains(&what) { "ml" } else { "live" };
        assert_eq!(value.as_deref(), Some(wanted), "{what}");
    }

    // Nothing is written where nothing changes, in no more rounds than without tags.
    let proxy = Proxy::in_rounds(emulator.address());
    project.mdo("deploy").through(&proxy).succeeds();
    let calls = proxy.recording();
    assert!(calls.writes().is_empty() && calls.depth() <= 3, "{:#?}", calls.timeline());

    // Others tag too, and whoever edits ours is set right.
    let function = dev.arn("lambda", "function:shop_echo");
    let stranger = json!({"Resource": function, "Tags": {"aws-cost": "x", "team": "nobody"}});
    dev.live.call("lambda", "tag_resource", stranger);
    let role = json!({"RoleName": "shop_lambda_function", "TagKeys": ["team"]});
    dev.live.call("iam", "untag_role", role);
    let group = dev.arn("logs", "log-group:/aws/lambda/shop_echo");
    dev.live.call("logs", "untag_resource", json!({"resourceArn": group, "tagKeys": ["team"]}));
    let plan = project.mdo("plan").succeeds();
    plan.says("tags team  nobody → ml").says("3 to update");
    let before = dev.live.version("echo");
    project.deploys("");
    assert_eq!((dev.values("team"), dev.live.version("echo")), (both("ml"), before.clone()));

    // What leaves the files leaves the resources, also where no tag is left.
    says("[tags]\n\"Cost Center\" = \"43\"\n");
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    project.mdo("deploy").through(&proxy).succeeds();
    let calls = proxy.recording();
    assert!(
        calls.names().iter().all(|name| !name.contains("Update") && !name.contains("Deployment")
            || name.contains("GetDeployments")),
        "{:#?}",
        calls.names()
    );
    project.is_settled("");
    let none: Vec<_> = dev.values("team").into_iter().filter(|(_, value)| value.is_some()).collect();
    assert_eq!((none, dev.values("Cost Center")), (vec![], both("43")));
    project.deploys("--stage prod");
    says("[stages.dev.tags]\nown = \"1\"\n");
    project.deploys("");
    let own: Vec<_> = dev.values("own").into_iter().filter_map(|(what, value)| value.map(|_| what)).collect();
    assert_eq!(own, ["rule", "stage", "usage plan", "key"]);
    says("");
    project.deploys("");
    project.deploys("--stage prod");
    for tagged in [&dev, &prod] {
        for (what, tags) in tagged.all() {
            let strangers: Vec<&String> = tags.keys().filter(|name| !name.starts_with("mdo:")).collect();
            assert_eq!(strangers.is_empty(), what != "function", "{what}: {strangers:?}");
            assert!(!tags.contains_key("mdo:tags"), "{what}: {tags:?}");
        }
    }
    assert_eq!(
        (map(&dev.live.function("echo")["Tags"])["aws-cost"].clone(), dev.live.version("echo")),
        (json!("x"), before)
    );
}
