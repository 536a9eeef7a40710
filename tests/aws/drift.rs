//! What people change in the console shows in the next plan and is repaired by the next deploy.

use serde_json::{Value, json};

use crate::live::{Live, text};
use crate::support::emulator::Emulator;
use crate::support::project::TestProject;

/// A deployed project that is about to be changed behind mdo's back.
struct Drift {
    project: TestProject,
}

impl Drift {
    fn begin() -> Option<Drift> {
        let project = TestProject::with_echo(Emulator::shared()?.account());
        project.deploys("-s GREETING=hello");
        Some(Drift { project })
    }

    fn live(&self) -> Live<'_> {
        Live::of(&self.project, "dev")
    }

    /// Makes a change in the console, proves that a plan shows it as an update of this resource with this field, and
    /// deploys.
    #[track_caller]
    fn repairs(&self, service: &str, operation: &str, params: Value, resource: &str, field: &str) {
        self.live().call(service, operation, params);
        self.is_repaired(resource, field);
    }

    #[track_caller]
    fn is_repaired(&self, resource: &str, field: &str) {
        let plan = self.project.mdo("plan --json").json();
        let change = &plan["changes"][0];
        let changed: Vec<&Value> =
            plan["changes"].as_array().unwrap().iter().map(|change| &change["resource"]).collect();
        assert_eq!(changed, [resource], "{plan:#}");
        let fields = change["fields"].as_array().unwrap();
        let shows = fields.iter().any(|found| text(&found["path"]).starts_with(field));
        assert!(shows, "no field {field}: {plan:#}");
        self.project.deploys("");
        let (status, body) = self.live().get("echo");
        assert_eq!(status, 200, "{body}");
    }
}

#[test]
fn a_function_changed_in_the_console_is_repaired() {
    let Some(drift) = Drift::begin() else { return };
    let live = drift.live();

    // An edit of $LATEST alone changes nothing that the stage serves.
    live.call(
        "lambda",
        "update_function_configuration",
        json!({"FunctionName": "shop_echo", "MemorySize": 1024}),
    );
    drift.project.is_settled("");

    // Published and put on the stage's alias, it does.
    let version = live.call("lambda", "publish_version", json!({"FunctionName": "shop_echo"}));
    let alias = json!({"FunctionName": "shop_echo", "Name": "dev", "FunctionVersion": version["Version"]});
    drift.repairs("lambda", "update_alias", alias, "function", "memory");
    assert_eq!(live.echo("echo")["memory"], "128");
    assert_eq!(live.environment("echo")["GREETING"], "hello");

    live.call(
        "lambda",
        "update_function_code",
        json!({"FunctionName": "shop_echo", "ZipFile": {"$zip": {"bootstrap": "#!/bin/sh\n"}}, "Publish": true}),
    );
    let alias = json!({"FunctionName": "shop_echo", "Name": "dev", "FunctionVersion": "4"});
    drift.repairs("lambda", "update_alias", alias, "function", "code");

    // An alias of $LATEST would serve whatever is written there next.
    let alias = json!({"FunctionName": "shop_echo", "Name": "dev", "FunctionVersion": "$LATEST"});
    drift.repairs("lambda", "update_alias", alias, "function", "code");
    assert_ne!(live.version("echo"), "$LATEST");

    live.call("lambda", "delete_alias", json!({"FunctionName": "shop_echo", "Name": "dev"}));
    let plan = drift.project.mdo("plan --json").json();
    assert_eq!(plan["changes"][0]["resource"], "function", "{plan:#}");
    drift.project.deploys("-s GREETING=hello");
    assert_eq!(live.echo("echo")["greeting"], "hello");
}

#[test]
fn permissions_and_logs_changed_in_the_console_are_repaired() {
    let Some(drift) = Drift::begin() else { return };
    for (id, field) in [("mdo-api-dev", "invokers"), ("mdo-warm-dev", "invokers")] {
        let statement = json!({"FunctionName": "shop_echo", "Qualifier": "dev", "StatementId": id});
        drift.repairs("lambda", "remove_permission", statement, "function", field);
    }
    let elsewhere = |source: &str| {
        json!({
            "FunctionName": "shop_echo", "Qualifier": "dev", "StatementId": "mdo-warm-dev",
            "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com", "SourceArn": source,
        })
    };
    let statement = json!({"FunctionName": "shop_echo", "Qualifier": "dev", "StatementId": "mdo-warm-dev"});
    drift.live().call("lambda", "remove_permission", statement);
    let source = "arn:aws:events:eu-west-1:123456789012:rule/another";
    drift.repairs("lambda", "add_permission", elsewhere(source), "function", "invokers");
    assert_eq!(drift.live().statements("echo").len(), 2);

    let group = json!({"logGroupName": "/aws/lambda/shop_echo", "retentionInDays": 365});
    drift.repairs("logs", "put_retention_policy", group, "log_group", "retention_days");
    let group = json!({"logGroupName": "/aws/lambda/shop_echo"});
    drift.repairs("logs", "delete_log_group", group, "log_group", "retention_days");
    assert_eq!(drift.live().log_retention("echo"), 30);
    assert_eq!(drift.live().version("echo"), "1");
}

#[test]
fn an_api_that_is_edited_in_the_console_changes_nothing_until_it_is_deployed_and_is_then_repaired() {
    let Some(drift) = Drift::begin() else { return };
    let live = drift.live();
    let api = live.api();
    let method = |operation: &str, more: Value| {
        let mut params = json!({"restApiId": api, "resourceId": live.resource("/echo"), "httpMethod": "GET"});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        live.call("apigateway", operation, params);
    };
    let deploy = || json!({"restApiId": api, "stageName": "dev"});

    // The working definition is scratch paper: what the stage serves is its deployment.
    let off = json!({"patchOperations": [{"op": "replace", "path": "/apiKeyRequired", "value": "false"}]});
    method("update_method", off);
    drift.project.is_settled("");
    assert_eq!(live.get_without_key("echo"), 403);

    drift.repairs("apigateway", "create_deployment", deploy(), "stage", "deployed_by_mdo");
    assert_eq!(live.get_without_key("echo"), 403);

    method("put_method", json!({"httpMethod": "POST", "authorizationType": "NONE"}));
    method("put_integration", json!({"httpMethod": "POST", "type": "MOCK"}));
    drift.repairs("apigateway", "create_deployment", deploy(), "stage", "deployed_by_mdo");
    assert_eq!(live.routes(), [("GET".to_owned(), "/echo".to_owned(), true)]);

    // A deployment of mdo's own, but not the last one: somebody has rolled the stage back.
    let first = live.api_stage()["deploymentId"].clone();
    drift.project.set("echo", "routes", json!(["GET /echo", "GET /second"]));
    drift.project.deploys("");
    let back = json!({
        "restApiId": api, "stageName": "dev",
        "patchOperations": [{"op": "replace", "path": "/deploymentId", "value": first}],
    });
    drift.repairs("apigateway", "update_stage", back, "stage", "deployed_by_mdo");
    assert_eq!(live.echo("second")["function"], "shop_echo");
}

#[test]
fn a_stage_and_its_usage_plan_changed_in_the_console_are_repaired() {
    let Some(drift) = Drift::begin() else { return };
    let live = drift.live();
    let api = live.api();
    let key = live.key("default");

    let variable = json!({
        "restApiId": api, "stageName": "dev",
        "patchOperations": [{"op": "replace", "path": "/variables/alias", "value": "prod"}],
    });
    drift.repairs("apigateway", "update_stage", variable, "stage", "variables");

    let plan = live.usage_plan()["id"].clone();
    let patch = |op: &str, path: &str, value: &str| json!({"usagePlanId": plan, "patchOperations": [{"op": op, "path": path, "value": value}]});
    let throttle = patch("replace", "/throttle/rateLimit", "1000");
    drift.repairs("apigateway", "update_usage_plan", throttle, "stage", "throttle");
    let quota = patch("replace", "/quota/limit", "1");
    drift.repairs("apigateway", "update_usage_plan", quota, "stage", "quota");

    let unlinked = json!({"usagePlanId": plan, "keyId": key["id"]});
    drift.repairs("apigateway", "delete_usage_plan_key", unlinked, "key", "linked");
    assert_eq!(live.key("default")["value"], key["value"]);

    live.call("apigateway", "delete_api_key", json!({"apiKey": key["id"]}));
    drift.project.deploys("");
    assert_eq!(live.get("echo").0, 200);

    let unlinked = patch("remove", "/apiStages", &format!("{api}:dev"));
    live.call("apigateway", "update_usage_plan", unlinked);
    assert_eq!(live.get("echo").0, 403);
    drift.project.deploys("");
    assert_eq!(live.get("echo").0, 200);
    assert_eq!(live.usage_plan()["id"], plan);

    live.call("apigateway", "delete_stage", json!({"restApiId": api, "stageName": "dev"}));
    drift.project.deploys("");
    assert_eq!(live.get("echo").0, 200);
}

#[test]
fn a_key_that_its_owner_has_switched_off_stays_off_until_it_is_enabled() {
    let Some(drift) = Drift::begin() else { return };
    let key = drift.live().key("default");
    let off = json!({
        "apiKey": key["id"], "patchOperations": [{"op": "replace", "path": "/enabled", "value": "false"}],
    });
    drift.live().call("apigateway", "update_api_key", off);
    let output = drift.project.mdo("deploy").succeeds();
    output.says("nothing to do").says("left key default switched off");
    assert_eq!(drift.live().get("echo").0, 403);
    drift.project.mdo("key list").succeeds().says("default  shop-dev-default  disabled");

    drift.project.mdo("key enable default").succeeds().says("Switched on in ");
    assert_eq!(drift.live().get("echo").0, 200);
    drift.project.mdo("key disable default").succeeds().says("Switched off in ");
    drift.project.set_edition("echo", "second");
    drift.project.mdo("deploy").succeeds().says("left key default switched off");
    assert_eq!(drift.live().get("echo").0, 403);
    assert_eq!(drift.live().key("default")["value"], key["value"]);
}

#[test]
fn a_warm_rule_changed_in_the_console_is_repaired() {
    let Some(drift) = Drift::begin() else { return };
    let live = drift.live();
    let name = "shop_echo.dev.warm";
    drift.repairs("events", "disable_rule", json!({"Name": name}), "warm_rule", "enabled");
    assert_eq!(live.rule("echo")["State"], "ENABLED");

    let rate = json!({"Name": name, "ScheduleExpression": "rate(1 hour)"});
    drift.repairs("events", "put_rule", rate, "warm_rule", "rate");
    assert_eq!(live.rule("echo")["ScheduleExpression"], "rate(5 minutes)");

    let target = (live.targets("echo")[0].0.clone(), r#"{"mdo":{"warm":true}}"#.to_owned());
    let id = live.call("events", "list_targets_by_rule", json!({"Rule": name}))["Targets"][0]["Id"].clone();
    drift.repairs("events", "remove_targets", json!({"Rule": name, "Ids": [id]}), "warm_rule", "");
    assert_eq!(live.targets("echo"), std::slice::from_ref(&target));

    let extra = json!({"Id": "mine", "Arn": target.0, "Input": "{}"});
    drift.repairs("events", "put_targets", json!({"Rule": name, "Targets": [extra]}), "warm_rule", "");
    assert_eq!(live.targets("echo"), [target]);

    let id = live.call("events", "list_targets_by_rule", json!({"Rule": name}))["Targets"][0]["Id"].clone();
    live.call("events", "remove_targets", json!({"Rule": name, "Ids": [id]}));
    live.call("events", "delete_rule", json!({"Name": name}));
    drift.project.deploys("");
    assert_eq!(live.rule("echo")["State"], "ENABLED");
}

#[test]
fn a_role_changed_in_the_console_is_repaired() {
    let Some(drift) = Drift::begin() else { return };
    let live = drift.live();
    let policy = live.role_policy();
    let role = "shop_lambda_function";
    let name = live.call("iam", "list_role_policies", json!({"RoleName": role}))["PolicyNames"][0].clone();
    let everything = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
    ]});
    let put = json!({"RoleName": role, "PolicyName": name, "PolicyDocument": everything.to_string()});
    drift.repairs("iam", "put_role_policy", put, "role", "");
    assert_eq!(live.role_policy(), policy);
    drift.repairs("iam", "delete_role_policy", json!({"RoleName": role, "PolicyName": name}), "role", "");
    assert_eq!(live.role_policy(), policy);
}

#[test]
fn an_api_that_is_gone_under_its_usage_plan_is_made_again() {
    let Some(drift) = Drift::begin() else { return };
    let live = drift.live();
    let (plan, key) = (live.usage_plan(), live.key("default"));
    let link = json!({"usagePlanId": plan["id"], "keyId": key["id"]});
    live.call("apigateway", "delete_usage_plan_key", link);
    // AWS deletes no API whose stage a usage plan holds.
    let unlink = json!([{"op": "remove", "path": "/apiStages", "value": format!("{}:dev", live.api())}]);
    live.call(
        "apigateway",
        "update_usage_plan",
        json!({"usagePlanId": plan["id"], "patchOperations": unlink}),
    );
    live.call("apigateway", "delete_rest_api", json!({"restApiId": live.api()}));

    // The function waits for the new API, and the stage, which the usage plan alone is left of, for the function.
    drift.project.deploys("");
    assert_eq!(live.echo("echo")["function"], "shop_echo");
    assert_eq!(
        (live.usage_plan()["id"].clone(), live.key("default")["id"].clone()),
        (plan["id"].clone(), key["id"].clone())
    );
}
