//! What servers that host a stage are made of, for a snapshot: repository, load balancer, way to the tasks, service.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::snapshot::{Reader, Snapshot, sorted};
use crate::live::{items, text};

/// What ECS, ECR and ELB may number, name or date as they like, besides what every service may.
const VOLATILE: [&str; 16] = [
    "CanonicalHostedZoneId",
    "CreatedTime",
    "createdAt",
    "deployments",
    "events",
    "lastUpdatedAt",
    "pendingCount",
    "pendingTasksCount",
    "registeredAt",
    "registeredBy",
    "registryId",
    "revision",
    "runningCount",
    "runningTasksCount",
    "statistics",
    "updatedAt",
];

/// What ids are called in a snapshot.
#[derive(Default)]
struct Words(Vec<(String, String)>);

impl Words {
    fn learn(&mut self, id: &Value, word: String) {
        let id = text(id);
        if !id.is_empty() {
            self.0.push((id, word));
        }
    }

    /// A value with words in place of ids, without what differs from run to run.
    fn plain(&self, reader: &Reader<'_>, value: Value) -> Value {
        let mut written = without(value).to_string();
        // The longer one first: a listener's id begins as its load balancer's.
        let mut words: Vec<_> = self.0.iter().collect();
        words.sort_by_key(|(id, _)| std::cmp::Reverse(id.len()));
        for (id, word) in words {
            written = written.replace(id.as_str(), word);
        }
        reader.plain(serde_json::from_str(&written).unwrap(), &[])
    }
}

/// Adds everything to a snapshot.
pub(super) fn read(reader: &Reader<'_>, snapshot: &mut Snapshot) {
    let mut words = Words::default();
    let groups = security_groups(reader, &mut words);
    repositories(reader, &mut words, snapshot);
    let balancers = reader.list("elbv2", "describe_load_balancers", json!({}), "LoadBalancers");
    let targets = reader.list("elbv2", "describe_target_groups", json!({}), "TargetGroups");
    for balancer in &balancers {
        let name = text(&balancer["LoadBalancerName"]);
        words.learn(&balancer["LoadBalancerArn"], format!("BALANCER {name}"));
        words.learn(&balancer["DNSName"], format!("HOST {name}"));
    }
    for target in &targets {
        words.learn(&target["TargetGroupArn"], format!("TARGETS {}", text(&target["TargetGroupName"])));
    }
    let rules: Vec<Value> =
        balancers.into_iter().flat_map(|one| balancer(reader, &mut words, one, snapshot)).collect();
    for rule in rules {
        snapshot.add("server", "rule", words.plain(reader, rule));
    }
    for target in targets {
        let arn = json!({"TargetGroupArn": target["TargetGroupArn"]});
        let attributes = reader.list("elbv2", "describe_target_group_attributes", arn, "Attributes");
        let tags = elb_tags(reader, &target["TargetGroupArn"]);
        let target = with(target, &[("Attributes", sorted(attributes)), ("Tags", tags)]);
        snapshot.add("server", "target group", words.plain(reader, target));
    }
    for group in groups {
        let kind = if text(&group["GroupName"]).ends_with("-lb") { "load_balancer" } else { "server" };
        snapshot.add(kind, "security group", words.plain(reader, group));
    }
    services(reader, &words, snapshot);
}

/// Every security group but that of its VPC.
fn security_groups(reader: &Reader<'_>, words: &mut Words) -> Vec<Value> {
    let mut groups = reader.list("ec2", "describe_security_groups", json!({}), "SecurityGroups");
    groups.retain(|group| group["GroupName"] != "default");
    for group in &mut groups {
        words.learn(&group["GroupId"], format!("GROUP {}", text(&group["GroupName"])));
        for list in ["Tags", "IpPermissions", "IpPermissionsEgress"] {
            group[list] = sorted(items(&group[list]));
        }
    }
    groups
}

fn repositories(reader: &Reader<'_>, words: &mut Words, snapshot: &mut Snapshot) {
    for repository in reader.list("ecr", "describe_repositories", json!({}), "repositories") {
        let name = json!({"repositoryName": repository["repositoryName"]});
        let policy = reader.account.aws("ecr", "get_lifecycle_policy", name.clone()).unwrap_or_default();
        let policy: Value = serde_json::from_str(&text(&policy["lifecyclePolicyText"])).unwrap_or_default();
        let arn = json!({"resourceArn": repository["repositoryArn"]});
        let tags = sorted(reader.list("ecr", "list_tags_for_resource", arn, "tags"));
        words.learn(&repository["repositoryUri"], "REPOSITORY".to_owned());
        let name = text(&repository["repositoryName"]);
        let repository = with(repository, &[("Lifecycle", policy), ("Tags", tags)]);
        snapshot.add("repository", &name, words.plain(reader, repository));
    }
}

/// A load balancer with its listeners; answers the rules that lead to tasks.
fn balancer(
    reader: &Reader<'_>,
    words: &mut Words,
    mut balancer: Value,
    snapshot: &mut Snapshot,
) -> Vec<Value> {
    let arn = json!({"LoadBalancerArn": balancer["LoadBalancerArn"]});
    let zones = items(&balancer["AvailabilityZones"]);
    balancer["AvailabilityZones"] = sorted(zones);
    let attributes = reader.list("elbv2", "describe_load_balancer_attributes", arn.clone(), "Attributes");
    let tags = elb_tags(reader, &balancer["LoadBalancerArn"]);
    let mut leading = Vec::new();
    for mut listener in reader.list("elbv2", "describe_listeners", arn, "Listeners") {
        words.learn(&listener["ListenerArn"], format!("LISTENER {}", listener["Port"]));
        let arn = json!({"ListenerArn": listener["ListenerArn"]});
        for mut rule in reader.list("elbv2", "describe_rules", arn, "Rules") {
            if rule["IsDefault"] != true {
                rule["Tags"] = elb_tags(reader, &rule["RuleArn"]);
                rule["RuleArn"] = Value::Null;
                leading.push(rule);
            }
        }
        listener["Tags"] = elb_tags(reader, &listener["ListenerArn"]);
        snapshot.add("load_balancer", "listener", words.plain(reader, listener));
    }
    let balancer = with(balancer, &[("Attributes", sorted(attributes)), ("Tags", tags)]);
    snapshot.add("load_balancer", "itself", words.plain(reader, balancer));
    leading
}

fn elb_tags(reader: &Reader<'_>, arn: &Value) -> Value {
    let tags = reader.list("elbv2", "describe_tags", json!({"ResourceArns": [arn]}), "TagDescriptions");
    sorted(tags.first().map(|tags| items(&tags["Tags"])).unwrap_or_default())
}

fn services(reader: &Reader<'_>, words: &Words, snapshot: &mut Snapshot) {
    let revisions = json!({"status": "ACTIVE"});
    if !reader.list("ecs", "list_task_definitions", revisions, "taskDefinitionArns").is_empty() {
        snapshot.add("server", "revisions", json!({"some": true}));
    }
    for arn in reader.list("ecs", "list_clusters", json!({}), "clusterArns") {
        let asked = json!({"clusters": [arn], "include": ["TAGS", "SETTINGS"]});
        for cluster in reader.list("ecs", "describe_clusters", asked, "clusters") {
            snapshot.add("server", "cluster", words.plain(reader, named(cluster)));
        }
        let listed = reader.list("ecs", "list_services", json!({"cluster": arn}), "serviceArns");
        if listed.is_empty() {
            continue;
        }
        let asked = json!({"cluster": arn, "services": listed, "include": ["TAGS"]});
        for mut service in reader.list("ecs", "describe_services", asked, "services") {
            let revision = json!({"taskDefinition": service["taskDefinition"], "include": ["TAGS"]});
            let found = reader.call("ecs", "describe_task_definition", revision);
            let mut task = with(found["taskDefinition"].clone(), &[("tags", found["tags"].clone())]);
            task["taskDefinitionArn"] = Value::Null;
            service["taskDefinition"] = Value::Null;
            snapshot.add("server", "task definition", words.plain(reader, frozen(reader, named(task))));
            snapshot.add("server", "service", words.plain(reader, named(service)));
        }
    }
    let target = json!({"ServiceNamespace": "ecs", "ResourceIds": ["service/shop/shop-prod"]});
    for target in
        reader.list("application-autoscaling", "describe_scalable_targets", target, "ScalableTargets")
    {
        let policies = json!({"ServiceNamespace": "ecs", "ResourceId": target["ResourceId"]});
        let policies =
            reader.list("application-autoscaling", "describe_scaling_policies", policies, "ScalingPolicies");
        let target = with(target, &[("Policies", sorted(policies))]);
        snapshot.add("server", "scaling", words.plain(reader, target));
    }
}

/// What the container is told, in which each key is either the live one or not.
fn frozen(reader: &Reader<'_>, mut task: Value) -> Value {
    let asked = json!({"includeValues": true});
    let keys: BTreeMap<String, String> = reader
        .list("apigateway", "get_api_keys", asked, "items")
        .iter()
        .map(|key| (text(&key["id"]), digest(&text(&key["value"]))))
        .collect();
    for container in task["containerDefinitions"].as_array_mut().into_iter().flatten() {
        let told = text(&container["environment"]["MDO_STAGE"]);
        let Ok(mut told) = serde_json::from_str::<Value>(&told) else { continue };
        for key in told["keys"].as_object_mut().into_iter().flatten().map(|(_, key)| key) {
            let is_live = keys.get(&text(&key["id"])).is_some_and(|live| *live == text(&key["sha256"]));
            *key = json!(if is_live { "the live one" } else { "another one" });
        }
        container["environment"]["MDO_STAGE"] = told;
    }
    task
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn with(mut value: Value, more: &[(&str, Value)]) -> Value {
    for (name, part) in more {
        value[*name] = part.clone();
    }
    value
}

/// A value in which lists of names and values are objects.
fn named(value: Value) -> Value {
    let pair = |item: &Value| {
        let name = ["name", "key"].into_iter().find_map(|key| item[key].as_str())?;
        (item.as_object()?.len() == 2).then(|| Some((name.to_owned(), item.get("value")?.clone())))?
    };
    match value {
        Value::Array(all) => match all.iter().map(pair).collect::<Option<serde_json::Map<_, _>>>() {
            Some(pairs) if !pairs.is_empty() => Value::Object(pairs),
            _ => all.into_iter().map(named).collect(),
        },
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, named(value))).collect(),
        plain => plain,
    }
}

fn without(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(name, _)| !VOLATILE.contains(&name.as_str()))
            .map(|(name, value)| (name, without(value)))
            .collect(),
        Value::Array(all) => all.into_iter().map(without).collect(),
        plain => plain,
    }
}
