//! An API that somebody made by hand: taken over by its id, with the URL and the keys that its clients have.

use std::time::Duration;

use serde_json::{Value, json};

use crate::live::Live;
use crate::support::account::Account;
use crate::support::emulator::Emulator;
use crate::support::project::TestProject;
use crate::support::proxy::Proxy;

/// An API as the console makes it, with two stages, and a usage plan with a key.
struct ByHand {
    api: String,
    key: String,
}

fn make(account: &Account, operation: &str, params: Value) -> Value {
    account.aws("apigateway", operation, params).unwrap_or_else(|error| panic!("{operation}: {error}"))
}

impl ByHand {
    fn new(account: &Account) -> Self {
        let mut api =
            make(account, "create_rest_api", json!({"name": "guide API", "description": "by hand"}));
        let id = api["id"].take();
        let root = make(account, "get_resources", json!({"restApiId": id}))["items"][0]["id"].clone();
        // The emulator cannot export the method ANY.
        for (path, method) in [("echo", "GET"), ("old", "GET"), ("all", "POST")] {
            let resource = json!({"restApiId": id, "parentId": root, "pathPart": path});
            let resource = make(account, "create_resource", resource)["id"].clone();
            let of = json!({"restApiId": id, "resourceId": resource, "httpMethod": method});
            let with = |more: Value| {
                let mut params = of.clone();
                params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                params
            };
            make(account, "put_method", with(json!({"authorizationType": "NONE", "apiKeyRequired": true})));
            let templates = json!({"application/json": "{\"statusCode\": 200}"});
            make(account, "put_integration", with(json!({"type": "MOCK", "requestTemplates": templates})));
            make(account, "put_method_response", with(json!({"statusCode": "200"})));
            make(account, "put_integration_response", with(json!({"statusCode": "200"})));
        }
        for stage in ["dev", "other"] {
            make(account, "create_deployment", json!({"restApiId": id, "stageName": stage}));
        }
        let stages = json!([{"apiId": id, "stage": "dev"}, {"apiId": id, "stage": "other"}]);
        let plan = make(account, "create_usage_plan", json!({"name": "by hand", "apiStages": stages}));
        let value = "a-key-that-clients-have-had-for-years";
        let key = json!({"name": "theirs", "enabled": true, "value": value});
        let key = make(account, "create_api_key", key);
        let link = json!({"usagePlanId": plan["id"], "keyId": key["id"], "keyType": "API_KEY"});
        make(account, "create_usage_plan_key", link);
        Self { api: id.as_str().unwrap().to_owned(), key: value.to_owned() }
    }

    fn get(&self, account: &Account, stage: &str, path: &str) -> u16 {
        account.call_api(&self.api, stage, path, &[("x-api-key", &self.key)]).0
    }
}

#[test]
fn an_api_that_was_made_by_hand_keeps_its_url_and_its_keys() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let account = project.account();
    let by_hand = ByHand::new(account);
    let id = &by_hand.api;
    assert_eq!((by_hand.get(account, "dev", "old"), by_hand.get(account, "other", "old")), (200, 200));
    let proxy = Proxy::start(account.emulator().address(), Duration::ZERO);

    let plan = project.mdo(&format!("plan --adopt-api {id}")).through(&proxy).exits(0);
    plan.says(&format!(
        "note: REST API {id}, called guide API, becomes shop: its URL stays as clients know it"
    ));
    plan.says("note: keys of usage plan by hand go on opening stage dev");
    plan.says("warning: stage dev answers GET /old, POST /all, which no file has: a deploy takes that away");
    plan.says("takes it over, with the tag mdo:project");
    let document = project.mdo(&format!("plan --adopt-api {id} --json")).exits(0).stdout;
    let document: Value = serde_json::from_str(&document).unwrap();
    let wanted = json!({
        "api": id, "name": "guide API", "lost_routes": ["GET /old", "POST /all"], "usage_plans": ["by hand"],
    });
    assert_eq!(document["takes_over"], wanted, "{document:#}");
    let refused = project.mdo(&format!("deploy --adopt-api {id}")).through(&proxy).exits(2);
    refused
        .says("error: stage dev answers GET /old, POST /all, which no file has, and this would take it away");
    assert_eq!(proxy.recording().writes().len(), 0, "{:?}", proxy.recording().names());
    assert_eq!(by_hand.get(account, "dev", "old"), 200);

    project.mdo(&format!("deploy --adopt-api {id} --yes")).through(&proxy).exits(0).says(id);
    let writes =
        proxy.recording().writes().iter().map(|call| call.operation.name.clone()).collect::<Vec<_>>();
    let of_api = ["UpdateRestApi", "PutRestApi", "CreateDeployment"];
    let count = |name: &str| writes.iter().filter(|write| *write == name).count();
    assert_eq!(of_api.map(count), [1, 1, 1], "{writes:?}");
    assert_eq!(count("ImportRestApi"), 0, "{writes:?}");
    project.is_settled("");
    project.is_settled(&format!("--adopt-api {id}"));
    let live = Live::of(&project, "dev");
    assert_eq!(
        (live.api().as_str(), live.echo("echo")["function"].clone()),
        (id.as_str(), json!("shop_echo"))
    );
    assert_eq!(make(account, "get_rest_api", json!({"restApiId": id}))["name"], "shop");
    assert_eq!((by_hand.get(account, "dev", "echo"), by_hand.get(account, "other", "old")), (200, 200));

    project.mdo("deploy --stage prod --yes").exits(0);
    assert_eq!(Live::of(&project, "prod").api(), *id, "a further stage goes to the same API");
    assert_eq!(by_hand.get(account, "dev", "echo"), 200);
    // What it would take away is not asserted: the emulator exports the working definition, whatever the stage serves.
    project.mdo("plan --stage other").exits(0).says("keys of usage plan by hand go on opening stage other");
    project.mdo("destroy --all --yes").exits(0);
    let plans = make(account, "get_usage_plans", json!({}));
    let names: Vec<_> = plans["items"].as_array().unwrap().iter().map(|plan| &plan["name"]).collect();
    assert_eq!(names, ["by hand"], "what is theirs is left");
    assert_eq!(by_hand.get(account, "other", "old"), 200, "a stage of theirs is left, with its API");
}

#[test]
fn an_api_is_not_taken_over_where_something_would_be_lost() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let account = project.account();
    let absent = project.mdo("plan --adopt-api abcdefghij").exits(1);
    absent.says("error: there is no REST API abcdefghij in eu-west-1").says("the first part of its URL");
    project.mdo("plan --adopt-api https://x").exits(2).says("`https://x` is not the id of a REST API");
    project.mdo("deploy --local --adopt-api abc").exits(2).says("cannot be used with");

    let policy = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    let guarded = make(account, "create_rest_api", json!({"name": "guarded", "policy": policy}));
    let guarded = guarded["id"].as_str().unwrap();
    let refused = project.mdo(&format!("plan --adopt-api {guarded}")).exits(1);
    refused.says("has a resource policy, which mdo would take off it").says("path=/policy,value=''");

    let theirs = json!({"name": "theirs", "tags": {"mdo:project": "other"}});
    let theirs = make(account, "create_rest_api", theirs)["id"].clone();
    let theirs = theirs.as_str().unwrap();
    project.mdo(&format!("plan --adopt-api {theirs}")).exits(1).says("belongs to the project other");

    for id in [guarded, theirs] {
        make(account, "delete_rest_api", json!({"restApiId": id}));
    }
    project.deploys("");
    let own = Live::of(&project, "dev").api();
    let free = make(account, "create_rest_api", json!({"name": "free"}))["id"].clone();
    let free = free.as_str().unwrap();
    let refused = project.mdo(&format!("deploy --adopt-api {free} --yes")).exits(1);
    refused.says("error: the project has a REST API already").says("leave --adopt-api out");
    project.is_settled(&format!("--adopt-api {own}"));
}
