//! Every set of resources deleted by hand: one deploy brings all of them back, and makes nothing twice.

use serde_json::{Value, json};

use super::campaign::{self, Case, Shortfalls};
use super::disturbed::{settled_and_destroyed, succeeds};
use super::sequences::{Sequence, Undisturbed};
use super::snapshot::Snapshot;
use crate::live::{Live, items};
use crate::support::emulator::Emulator;
use crate::support::project::TestProject;

const SAMPLE: usize = 8;
const DEPLOY: &str = "deploy --yes --json -s GREETING=hello";

/// What of a stack people delete by hand. Of each group at most one set: who deletes an API deletes its stage as well.
const GROUPS: [&[&[&str]]; 6] = [
    &[&[], &["alias"], &["function"]],
    &[&[], &["API stage"], &["API"]],
    &[&[], &["link of the key"], &["usage plan"], &["key"], &["usage plan", "key"]],
    &[&[], &["targets of the rule"], &["warm rule"]],
    &[&[], &["role"]],
    &[&[], &["log group"]],
];

/// Every set but the empty one.
fn subsets() -> Vec<Vec<&'static str>> {
    let mut all: Vec<Vec<&str>> = vec![Vec::new()];
    for group in GROUPS {
        let with = |parts: &&[&'static str]| {
            all.iter().map(|set| [set.as_slice(), *parts].concat()).collect::<Vec<_>>()
        };
        all = group.iter().flat_map(with).collect();
    }
    all.retain(|set| !set.is_empty());
    all
}

#[test]
fn whatever_is_deleted_by_hand_one_deploy_brings_back_once() {
    let Some(emulator) = Emulator::shared() else { return };
    if !campaign::may_choose("deleted by hand") {
        return;
    }
    let sequence = Sequence::deploying("deploy", |_| {}, DEPLOY);
    let undisturbed = sequence.undisturbed();
    let cases = subsets().into_iter().map(|set| {
        let undisturbed = undisturbed.clone();
        let name = format!("deleted by hand/{}", set.join(", "));
        let sequence = sequence.clone();
        Case::new(name, [""], move || run(emulator, &set, &sequence, &undisturbed))
    });
    campaign::run("sets of resources deleted by hand", cases.collect(), SAMPLE);
}

fn run(
    emulator: &'static Emulator,
    set: &[&str],
    sequence: &Sequence,
    undisturbed: &Undisturbed,
) -> Shortfalls {
    let project = TestProject::with_echo(emulator.account());
    project.mdo(DEPLOY).exits(0);
    let live = Live::of(&project, "dev");
    let before = Identity::of(&live);
    for part in set {
        delete(&live, part);
    }
    let mut shortfalls = Shortfalls::new(String::new());
    succeeds(&project, DEPLOY, &mut shortfalls);
    let healed = Snapshot::of(project.account());
    shortfalls.unless_same(&healed, &undisturbed.after);
    if healed == undisturbed.after {
        let after = Identity::of(&live);
        if !set.contains(&"key") && after.key != before.key {
            shortfalls.add("the key has another value, though nobody deleted it");
        }
        if !set.contains(&"API") && after.api != before.api {
            shortfalls.add("the API is another one, though nobody deleted it");
        }
    }
    settled_and_destroyed(&project, sequence, undisturbed, &mut shortfalls);
    shortfalls
}

/// What clients hold on to: the value of their key, and the API's id in the URL.
struct Identity {
    key: Value,
    api: String,
}

impl Identity {
    fn of(live: &Live<'_>) -> Identity {
        Identity { key: live.key("default")["value"].clone(), api: live.api() }
    }
}

/// Deletes a resource as the console does.
fn delete(live: &Live<'_>, part: &str) {
    let function = json!({"FunctionName": "shop_echo"});
    let role = json!({"RoleName": "shop_lambda_function"});
    let rule = live.rule_name("echo");
    match part {
        "function" => drop(live.call("lambda", "delete_function", function)),
        "alias" => {
            drop(live.call("lambda", "delete_alias", json!({"FunctionName": "shop_echo", "Name": "dev"})));
        }
        "API" => {
            unlink_stage(live);
            drop(live.call("apigateway", "delete_rest_api", json!({"restApiId": live.api()})));
        }
        "API stage" => {
            unlink_stage(live);
            let stage = json!({"restApiId": live.api(), "stageName": "dev"});
            drop(live.call("apigateway", "delete_stage", stage));
        }
        "usage plan" => {
            // AWS refuses to delete a plan that holds a stage, so that people remove that first.
            unlink_stage(live);
            unlink_keys(live);
            drop(live.call(
                "apigateway",
                "delete_usage_plan",
                json!({"usagePlanId": live.usage_plan()["id"]}),
            ));
        }
        "key" => {
            unlink_keys(live);
            drop(live.call("apigateway", "delete_api_key", json!({"apiKey": live.key("default")["id"]})));
        }
        "link of the key" => unlink_keys(live),
        "targets of the rule" => remove_targets(live),
        "warm rule" => {
            remove_targets(live);
            drop(live.call("events", "delete_rule", json!({"Name": rule})));
        }
        "role" => {
            for policy in items(&live.call("iam", "list_role_policies", role.clone())["PolicyNames"]) {
                let named = json!({"RoleName": "shop_lambda_function", "PolicyName": policy});
                live.call("iam", "delete_role_policy", named);
            }
            drop(live.call("iam", "delete_role", role));
        }
        "log group" => {
            let group = json!({"logGroupName": "/aws/lambda/shop_echo"});
            drop(live.call("logs", "delete_log_group", group));
        }
        other => panic!("{other}"),
    }
}

/// Takes the stage out of its plan, if both are there. AWS does so by itself when a stage or its API is deleted; the
/// emulator does not.
fn unlink_stage(live: &Live<'_>) {
    for plan in items(&live.call("apigateway", "get_usage_plans", json!({}))["items"]) {
        for stage in items(&plan["apiStages"]) {
            let path = format!("{}:{}", stage["apiId"].as_str().unwrap(), stage["stage"].as_str().unwrap());
            let patch = json!([{"op": "remove", "path": "/apiStages", "value": path}]);
            let patch = json!({"usagePlanId": plan["id"], "patchOperations": patch});
            live.call("apigateway", "update_usage_plan", patch);
        }
    }
}

/// Takes every key out of the plan, if there is one. AWS does so by itself when a key or its plan is deleted.
fn unlink_keys(live: &Live<'_>) {
    for plan in items(&live.call("apigateway", "get_usage_plans", json!({}))["items"]) {
        let keys = json!({"usagePlanId": plan["id"]});
        for key in items(&live.call("apigateway", "get_usage_plan_keys", keys)["items"]) {
            let link = json!({"usagePlanId": plan["id"], "keyId": key["id"]});
            live.call("apigateway", "delete_usage_plan_key", link);
        }
    }
}

fn remove_targets(live: &Live<'_>) {
    let rule = live.rule_name("echo");
    let targets = items(&live.call("events", "list_targets_by_rule", json!({"Rule": rule}))["Targets"]);
    let ids: Vec<&Value> = targets.iter().map(|target| &target["Id"]).collect();
    live.call("events", "remove_targets", json!({"Rule": rule, "Ids": ids}));
}

#[test]
fn no_set_deletes_a_part_twice() {
    let all = subsets();
    assert_eq!(all.len(), 3 * 3 * 5 * 3 * 2 * 2 - 1);
    assert!(all.iter().all(|set| !(set.contains(&"API") && set.contains(&"API stage"))));
}
