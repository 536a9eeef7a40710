//! The harness itself: the emulator runs functions behind a keyed API, and each account stands alone.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::account::{Account, REGION};
use crate::support::emulator::Emulator;
use crate::support::proxy::{Fault, Proxy};

const BOOTSTRAP: &str = include_str!("bootstrap.py");

fn call(account: &Account, service: &str, operation: &str, params: Value) -> Value {
    let result = account.aws(service, operation, params);
    result.unwrap_or_else(|error| panic!("{service} {operation}: {error}"))
}

fn create_function(account: &Account, name: &str, environment: Value) -> Value {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"},
    }]});
    let role = json!({"RoleName": "r", "AssumeRolePolicyDocument": trust.to_string()});
    let role = call(account, "iam", "create_role", role)["Role"]["Arn"].clone();
    let created = call(
        account,
        "lambda",
        "create_function",
        json!({
            "FunctionName": name, "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": role, "Timeout": 2,
            "Code": {"ZipFile": {"$zip": {"bootstrap": BOOTSTRAP}}}, "Publish": true,
            "Environment": {"Variables": environment},
        }),
    );
    wait_until_active(account, name);
    created
}

fn wait_until_active(account: &Account, name: &str) {
    for _ in 0..200 {
        let found = call(account, "lambda", "get_function", json!({"FunctionName": name}));
        match found["Configuration"]["State"].as_str() {
            Some("Pending") => std::thread::sleep(Duration::from_millis(50)),
            state => return assert_eq!(state, Some("Active")),
        }
    }
    panic!("{name} is still pending");
}

fn invoke(account: &Account, name: &str, payload: Value) -> (Value, Value) {
    let params = json!({"FunctionName": name, "Payload": payload.to_string(), "LogType": "Tail"});
    let answer = call(account, "lambda", "invoke", params);
    let body = serde_json::from_str(answer["Payload"].as_str().unwrap()).unwrap();
    (answer, body)
}

#[test]
fn a_function_behind_an_api_answers_only_with_a_key() {
    let Some(emulator) = Emulator::shared() else { return };
    let account = emulator.account();
    let function = create_function(&account, "echo", json!({"GREETING": "hello"}));
    assert_eq!(function["Version"], "1");
    call(
        &account,
        "lambda",
        "create_alias",
        json!({"FunctionName": "echo", "Name": "dev", "FunctionVersion": "1"}),
    );

    let arn = format!("arn:aws:lambda:{REGION}:{}:function:echo:${{stageVariables.alias}}", account.id());
    let document = json!({
        "openapi": "3.0.1", "info": {"title": "api", "version": "1"},
        "components": {"securitySchemes": {"api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}}},
        "paths": {"/echo": {"get": {
            "security": [{"api_key": []}], "responses": {},
            "x-amazon-apigateway-integration": {
                "type": "aws_proxy", "httpMethod": "POST",
                "uri": format!("arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"),
            },
        }}},
    });
    let api = call(&account, "apigateway", "import_rest_api", json!({"body": document.to_string()}));
    let id = api["id"].as_str().unwrap();
    let stage = json!({"restApiId": id, "stageName": "dev", "variables": {"alias": "dev"}});
    call(&account, "apigateway", "create_deployment", stage);
    let key = call(&account, "apigateway", "create_api_key", json!({"name": "k", "enabled": true}));
    let plan = json!({"name": "p", "apiStages": [{"apiId": id, "stage": "dev"}]});
    let plan = call(&account, "apigateway", "create_usage_plan", plan);
    let link = json!({"usagePlanId": plan["id"], "keyId": key["id"], "keyType": "API_KEY"});
    call(&account, "apigateway", "create_usage_plan_key", link);

    assert_eq!(account.call_api(id, "dev", "echo", &[]), (403, r#"{"message": "Forbidden"}"#.to_owned()));
    let headers = [("x-api-key", key["value"].as_str().unwrap())];
    let (status, body) = account.call_api(id, "dev", "echo?x=1", &headers);
    assert_eq!(status, 200, "{body}");
    let seen: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(seen["greeting"], "hello");
    assert_eq!(seen["version"], "1");
    assert_eq!(seen["event"]["queryStringParameters"], json!({"x": "1"}));
}

#[test]
fn a_function_that_fails_hangs_or_exits_says_so_and_runs_again() {
    let Some(emulator) = Emulator::shared() else { return };
    let account = emulator.account();
    create_function(&account, "f", json!({}));

    let (answer, body) = invoke(&account, "f", json!({"do": "fail"}));
    assert_eq!(answer["FunctionError"], "Unhandled");
    assert_eq!(body, json!({"errorType": "Told", "errorMessage": "told to fail"}));
    let (_, body) = invoke(&account, "f", json!({"do": "hang"}));
    assert!(body["errorMessage"].as_str().unwrap().ends_with("Task timed out after 2.00 seconds"), "{body}");
    let (_, body) = invoke(&account, "f", json!({"do": "exit"}));
    assert_eq!(body["errorType"], "Runtime.ExitError");
    assert!(body["errorMessage"].as_str().unwrap().ends_with("exit status 3"), "{body}");
    let (answer, body) = invoke(&account, "f", json!({"do": "echo"}));
    assert_eq!((answer["FunctionError"].as_str(), &body["statusCode"]), (None, &json!(200)));
}

#[test]
fn a_function_that_cannot_start_answers_its_own_error() {
    let Some(emulator) = Emulator::shared() else { return };
    let account = emulator.account();
    create_function(&account, "f", json!({"FAIL": "init"}));
    let (answer, body) = invoke(&account, "f", json!({}));
    assert_eq!(answer["FunctionError"], "Unhandled");
    assert_eq!(body, json!({"errorType": "Init", "errorMessage": "told to fail"}));
}

#[test]
fn an_account_sees_nothing_of_another() {
    let Some(emulator) = Emulator::shared() else { return };
    let (one, other) = (emulator.account(), emulator.account());
    create_function(&one, "f", json!({}));
    call(&one, "apigateway", "create_rest_api", json!({"name": "api"}));
    call(&one, "apigateway", "create_api_key", json!({"name": "k"}));
    call(&one, "apigateway", "create_usage_plan", json!({"name": "p"}));
    call(&one, "events", "put_rule", json!({"Name": "warm", "ScheduleExpression": "rate(5 minutes)"}));
    call(&one, "logs", "create_log_group", json!({"logGroupName": "/aws/lambda/g"}));

    for (service, operation, list, seen) in [
        ("lambda", "list_functions", "Functions", 1),
        ("apigateway", "get_rest_apis", "items", 1),
        ("apigateway", "get_api_keys", "items", 1),
        ("apigateway", "get_usage_plans", "items", 1),
        ("events", "list_rules", "Rules", 1),
        ("iam", "list_roles", "Roles", 1),
        ("logs", "describe_log_groups", "logGroups", 1),
    ] {
        let count = |account| {
            let answer = call(account, service, operation, json!({}));
            answer[list].as_array().map_or(0, Vec::len)
        };
        assert_eq!((count(&one), count(&other)), (seen, 0), "{service} {operation}");
    }
    let caller = call(&other, "sts", "get_caller_identity", json!({}));
    assert_eq!(caller["Account"], other.id());
}

#[test]
fn a_proxy_records_what_passes_and_fails_what_it_is_told_to() {
    let Some(emulator) = Emulator::shared() else { return };
    let account = emulator.account();
    let proxy = Proxy::start(emulator.address(), Duration::from_millis(20));
    let through = |service, operation, params| account.aws_through(&proxy.url(), service, operation, params);
    through("sts", "get_caller_identity", json!({})).unwrap();
    through("apigateway", "create_rest_api", json!({"name": "api"})).unwrap();
    through("events", "list_rules", json!({})).unwrap();
    let seen = proxy.recording();
    assert_eq!(seen.names(), ["sts:GetCallerIdentity", "apigateway:CreateRestApi", "events:ListRules"]);
    assert_eq!((seen.depth(), seen.writes().len()), (3, 1));

    proxy.forget();
    proxy.fail_next("GetRestApis", 1, Fault::throttled());
    proxy.fail_next("GetRole", 1, Fault::denied("iam:GetRole"));
    // A read is repeated once by the client of the tests.
    proxy.fail_next("ListRules", 2, Fault::Reset);
    let error = through("apigateway", "get_rest_apis", json!({})).unwrap_err();
    assert!(error.starts_with("TooManyRequestsException"), "{error}");
    let error = through("iam", "get_role", json!({"RoleName": "r"})).unwrap_err();
    assert!(error.contains("not authorized to perform: iam:GetRole"), "{error}");
    let error = through("events", "list_rules", json!({})).unwrap_err();
    assert!(error.starts_with("ConnectionClosedError"), "{error}");
    through("events", "list_rules", json!({})).unwrap();
    let statuses: Vec<u16> = proxy.recording().calls().iter().map(|call| call.status).collect();
    assert_eq!(statuses, [429, 403, 0, 0, 200]);
}

#[test]
fn a_strict_proxy_refuses_a_second_update_until_the_first_has_settled() {
    let Some(emulator) = Emulator::shared() else { return };
    let account = emulator.account();
    create_function(&account, "f", json!({}));
    let proxy = Proxy::start(emulator.address(), Duration::ZERO);
    proxy.be_strict(Duration::from_secs(3600));
    let through = |operation, params| account.aws_through(&proxy.url(), "lambda", operation, params);
    let memory = json!({"FunctionName": "f", "MemorySize": 256});
    through("update_function_configuration", memory.clone()).unwrap();
    let found = through("get_function", json!({"FunctionName": "f"})).unwrap();
    assert_eq!(found["Configuration"]["LastUpdateStatus"], "InProgress");
    let error = through("update_function_configuration", memory.clone()).unwrap_err();
    assert!(error.contains("An update is in progress for resource"), "{error}");
    proxy.be_strict(Duration::ZERO);
    through("update_function_configuration", memory).unwrap();
}
