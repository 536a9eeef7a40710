//! Tags of the project's own: on everything that mdo makes, and nobody else's touched.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::live::{Live, text};
use crate::support::account::REGION;
use crate::support::emulator::Emulator;
use crate::support::hosted::HostedProject;
use crate::support::project::{MANIFEST, TestProject};
use crate::support::proxy::Proxy;

/// Tags as a map, however the service lists them.
fn map(tags: &Value) -> Map<String, Value> {
    match tags {
        Value::Array(list) => {
            let part = |tag: &Value, name: &str| {
                if tag[name].is_null() { tag[name.to_lowercase()].clone() } else { tag[name].clone() }
            };
            list.iter().map(|tag| (text(&part(tag, "Key")), part(tag, "Value"))).collect()
        }
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

/// The resources of a hosted stage that have a tag of this name, as `kind value`.
fn hosted_with(hosted: &HostedProject, name: &str) -> Vec<String> {
    let account = hosted.project.account();
    let call = |service: &str, operation: &str, params: Value| {
        account
            .aws(service, operation, params)
            .unwrap_or_else(|error| panic!("{service} {operation}: {error}"))
    };
    let arn =
        |service: &str, resource: &str| format!("arn:aws:{service}:{REGION}:{}:{resource}", account.id());
    let mut all = Vec::new();
    let mut add = |what: &str, tags: &Value| all.push((what.to_owned(), map(tags)));
    add("role", &call("iam", "list_role_tags", json!({"RoleName": "shop_server"}))["Tags"]);
    let repository = json!({"resourceArn": arn("ecr", "repository/shop")});
    add("repository", &call("ecr", "list_tags_for_resource", repository)["tags"]);
    let group = json!({"resourceArn": arn("logs", "log-group:/mdo/shop/prod")});
    add("log group", &call("logs", "list_tags_for_resource", group)["tags"]);
    let service = call(
        "ecs",
        "describe_services",
        json!({"cluster": "shop", "services": ["shop-prod"], "include": ["TAGS"]}),
    );
    add("service", &service["services"][0]["tags"]);
    let cluster = call("ecs", "describe_clusters", json!({"clusters": ["shop"], "include": ["TAGS"]}));
    add("cluster", &cluster["clusters"][0]["tags"]);
    let task = json!({"taskDefinition": service["services"][0]["taskDefinition"], "include": ["TAGS"]});
    add("task definition", &call("ecs", "describe_task_definition", task)["tags"]);
    let groups = call("ec2", "describe_security_groups", json!({}));
    for group in groups["SecurityGroups"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| text(&one["GroupName"]).starts_with("shop"))
    {
        add("security group", &group["Tags"]);
    }
    let balancer =
        call("elbv2", "describe_load_balancers", json!({}))["LoadBalancers"][0]["LoadBalancerArn"].clone();
    let listener = call("elbv2", "describe_listeners", json!({"LoadBalancerArn": balancer}))["Listeners"][0]
        ["ListenerArn"]
        .clone();
    let target =
        call("elbv2", "describe_target_groups", json!({}))["TargetGroups"][0]["TargetGroupArn"].clone();
    let rules = call("elbv2", "describe_rules", json!({"ListenerArn": listener}));
    let rule =
        rules["Rules"].as_array().unwrap().iter().find(|rule| rule["IsDefault"] == false).unwrap()["RuleArn"]
            .clone();
    for (what, arn) in
        [("load balancer", balancer), ("listener", listener), ("target group", target), ("rule", rule)]
    {
        let found = call("elbv2", "describe_tags", json!({"ResourceArns": [arn]}));
        add(what, &found["TagDescriptions"][0]["Tags"]);
    }
    let mut with: Vec<String> = all
        .into_iter()
        .filter_map(|(what, tags)| Some(format!("{what} {}", text(tags.get(name)?))))
        .collect();
    with.sort();
    with
}

#[test]
fn what_servers_host_bears_them_too() {
    let Some(mut hosted) = HostedProject::with_echo() else { return };
    // The emulator does not show what a key was tagged with later.
    hosted.project.set("echo", "routes", json!([{"route": "GET /echo", "security": "open"}]));
    let plain = hosted.project.read("project.toml");
    let says =
        |hosted: &HostedProject, tags: &str| hosted.project.write("project.toml", &format!("{plain}{tags}"));
    says(&hosted, "[tags]\nteam = \"ml\"\n[stages.prod.tags]\nteam = \"live\"\n");
    hosted.mdo("deploy").succeeds();
    hosted.mdo("plan --exit-code").succeeds();
    let all = |shared: &str, own: &str| {
        let of = |value: &str, kinds: &[&str]| {
            kinds.iter().map(|kind| format!("{kind} {value}")).collect::<Vec<_>>()
        };
        let mut all =
            of(shared, &["cluster", "listener", "load balancer", "repository", "role", "security group"]);
        all.extend(of(
            own,
            &["log group", "rule", "security group", "service", "target group", "task definition"],
        ));
        all.sort();
        all
    };
    assert_eq!(hosted_with(&hosted, "team"), all("ml", "live"));

    // Another value, and none, need no new task.
    says(&hosted, "[tags]\nteam = \"other\"\n");
    hosted.proxy.forget();
    hosted.mdo("deploy").succeeds().says("tags team  live → other");
    let writes = hosted.writes();
    assert!(writes.iter().all(|name| !name.contains("Service") && !name.contains("Register")), "{writes:?}");
    assert_eq!(hosted_with(&hosted, "team"), all("other", "other"));
    says(&hosted, "");
    hosted.mdo("deploy").succeeds();
    assert_eq!((hosted_with(&hosted, "team"), hosted_with(&hosted, "mdo:tags")), (vec![], vec![]));
    hosted.mdo("plan --exit-code").succeeds();

    says(&hosted, "[tags]\nteam = \"ml\"\n");
    hosted.mdo("deploy").succeeds();
    // Nothing is written where nothing changes, in no more rounds than without tags.
    hosted.in_rounds();
    hosted.mdo("deploy").succeeds();
    let recording = hosted.proxy.recording();
    assert!(recording.writes().is_empty() && recording.depth() <= 3, "{:?}", recording.timeline());
}
