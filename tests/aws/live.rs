//! What is really there in an account, read with boto3: nothing here shares code with mdo.

use serde_json::{Value, json};

use crate::support::account::{Account, REGION};
use crate::support::project::TestProject;

/// The stack of the project `shop`, or of another one, at one stage.
pub(crate) struct Live<'a> {
    account: &'a Account,
    project: &'a str,
    stage: &'a str,
}

impl<'a> Live<'a> {
    /// What a project deployed at a stage.
    pub(crate) fn of(project: &'a TestProject, stage: &'a str) -> Live<'a> {
        Live { account: project.account(), project: "shop", stage }
    }

    /// The same for a project of another name.
    #[must_use]
    pub(crate) fn named(self, project: &'a str) -> Live<'a> {
        Live { project, ..self }
    }

    /// One call, which must succeed.
    #[track_caller]
    pub(crate) fn call(&self, service: &str, operation: &str, params: Value) -> Value {
        let result = self.account.aws(service, operation, params);
        result.unwrap_or_else(|error| panic!("{service} {operation}: {error}"))
    }

    pub(crate) fn full_name(&self, function: &str) -> String {
        format!("{}_{function}", self.project)
    }

    /// The configuration, tags and concurrency of what the stage's alias serves.
    pub(crate) fn function(&self, name: &str) -> Value {
        self.call(
            "lambda",
            "get_function",
            json!({"FunctionName": self.full_name(name), "Qualifier": self.stage}),
        )
    }

    /// The version that the stage's alias points at.
    pub(crate) fn version(&self, name: &str) -> String {
        let alias = json!({"FunctionName": self.full_name(name), "Name": self.stage});
        text(&self.call("lambda", "get_alias", alias)["FunctionVersion"])
    }

    /// The environment that the stage's alias serves.
    pub(crate) fn environment(&self, name: &str) -> Value {
        self.function(name)["Configuration"]["Environment"]["Variables"].clone()
    }

    /// The statements of the alias as `(id, principal, source ARN)`, sorted.
    pub(crate) fn statements(&self, name: &str) -> Vec<(String, String, String)> {
        let policy = json!({"FunctionName": self.full_name(name), "Qualifier": self.stage});
        let Ok(answer) = self.account.aws("lambda", "get_policy", policy) else { return Vec::new() };
        let policy: Value = serde_json::from_str(answer["Policy"].as_str().unwrap()).unwrap();
        let mut statements: Vec<_> = policy["Statement"].as_array().unwrap().iter().map(statement).collect();
        statements.sort();
        statements
    }

    /// The ids of every REST API of the account.
    pub(crate) fn apis(&self) -> Vec<String> {
        let answer = self.call("apigateway", "get_rest_apis", json!({}));
        items(&answer["items"]).iter().map(|api| text(&api["id"])).collect()
    }

    /// The id of the one REST API of the account.
    #[track_caller]
    pub(crate) fn api(&self) -> String {
        let apis = self.apis();
        assert_eq!(apis.len(), 1, "one API: {apis:?}");
        apis[0].clone()
    }

    /// The routes of the API as `(method, path, whether it needs a key)`, sorted.
    pub(crate) fn routes(&self) -> Vec<(String, String, bool)> {
        let answer =
            self.call("apigateway", "get_resources", json!({"restApiId": self.api(), "embed": ["methods"]}));
        let mut routes = Vec::new();
        for resource in items(&answer["items"]) {
            for (method, about) in resource["resourceMethods"].as_object().into_iter().flatten() {
                let needs_key = about["apiKeyRequired"] == true;
                routes.push((method.clone(), text(&resource["path"]), needs_key));
            }
        }
        routes.sort();
        routes
    }

    /// The id of the API's resource at a path.
    pub(crate) fn resource(&self, path: &str) -> String {
        let answer = self.call("apigateway", "get_resources", json!({"restApiId": self.api()}));
        let resource = items(&answer["items"]).into_iter().find(|item| item["path"] == path);
        text(&resource.unwrap()["id"])
    }

    /// The API's stage.
    pub(crate) fn api_stage(&self) -> Value {
        self.call("apigateway", "get_stage", json!({"restApiId": self.api(), "stageName": self.stage}))
    }

    /// The usage plan of the stage.
    #[track_caller]
    pub(crate) fn usage_plan(&self) -> Value {
        let name = format!("{}-{}", self.project, self.stage);
        let plans = self.call("apigateway", "get_usage_plans", json!({}));
        let mut plans = items(&plans["items"]);
        plans.retain(|plan| plan["name"] == name);
        assert_eq!(plans.len(), 1, "one usage plan {name}: {plans:?}");
        plans.remove(0)
    }

    /// Every API key of the account with its value.
    pub(crate) fn keys(&self) -> Vec<Value> {
        items(&self.call("apigateway", "get_api_keys", json!({"includeValues": true}))["items"])
    }

    /// The stage's key of this short name, with its value.
    #[track_caller]
    pub(crate) fn key(&self, name: &str) -> Value {
        let full = format!("{}-{}-{name}", self.project, self.stage);
        let mut keys = self.keys();
        keys.retain(|key| key["name"] == full);
        assert_eq!(keys.len(), 1, "one key {full}");
        keys.remove(0)
    }

    /// The names of the keys that the stage's usage plan holds.
    pub(crate) fn linked_keys(&self) -> Vec<String> {
        let plan = json!({"usagePlanId": self.usage_plan()["id"]});
        let mut names: Vec<_> = items(&self.call("apigateway", "get_usage_plan_keys", plan)["items"])
            .iter()
            .map(|key| text(&key["name"]))
            .collect();
        names.sort();
        names
    }

    pub(crate) fn rule_name(&self, function: &str) -> String {
        format!("{}_{function}.{}.warm", self.project, self.stage)
    }

    /// The warm rule of a function.
    pub(crate) fn rule(&self, function: &str) -> Value {
        self.call("events", "describe_rule", json!({"Name": self.rule_name(function)}))
    }

    /// The targets of the warm rule as `(ARN, input)`.
    pub(crate) fn targets(&self, function: &str) -> Vec<(String, String)> {
        let answer = self.call("events", "list_targets_by_rule", json!({"Rule": self.rule_name(function)}));
        items(&answer["Targets"])
            .iter()
            .map(|target| (text(&target["Arn"]), text(&target["Input"])))
            .collect()
    }

    /// The names of every rule of the account.
    pub(crate) fn rules(&self) -> Vec<String> {
        items(&self.call("events", "list_rules", json!({}))["Rules"])
            .iter()
            .map(|rule| text(&rule["Name"]))
            .collect()
    }

    /// The role's inline policy.
    pub(crate) fn role_policy(&self) -> Value {
        let role = format!("{}_lambda_function", self.project);
        let names = self.call("iam", "list_role_policies", json!({"RoleName": role}));
        assert_eq!(items(&names["PolicyNames"]).len(), 1, "one inline policy: {names}");
        let policy = json!({"RoleName": role, "PolicyName": names["PolicyNames"][0]});
        self.call("iam", "get_role_policy", policy)["PolicyDocument"].clone()
    }

    /// The retention of a function's log group, in days.
    pub(crate) fn log_retention(&self, function: &str) -> Value {
        let name = format!("/aws/lambda/{}", self.full_name(function));
        let groups = self.call("logs", "describe_log_groups", json!({"logGroupNamePrefix": name}));
        groups["logGroups"][0]["retentionInDays"].clone()
    }

    /// Gets a path of the API with the stage's default key.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let key = text(&self.key("default")["value"]);
        self.account.call_api(&self.api(), self.stage, path, &[("x-api-key", &key)])
    }

    /// Gets a path of the API without a key.
    pub(crate) fn get_without_key(&self, path: &str) -> u16 {
        self.account.call_api(&self.api(), self.stage, path, &[]).0
    }

    /// What the function `echo` answers over the API with the key.
    #[track_caller]
    pub(crate) fn echo(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// How many things of each kind the account holds, but for what an emulated account is born with.
    pub(crate) fn counts(&self) -> Value {
        let count = |service: &str, operation: &str, list: &str| {
            items(&self.call(service, operation, json!({}))[list]).len()
        };
        json!({
            "functions": count("lambda", "list_functions", "Functions"),
            "apis": self.apis().len(),
            "usage_plans": count("apigateway", "get_usage_plans", "items"),
            "keys": count("apigateway", "get_api_keys", "items"),
            "rules": count("events", "list_rules", "Rules"),
            "roles": count("iam", "list_roles", "Roles"),
            "log_groups": count("logs", "describe_log_groups", "logGroups"),
        })
    }
}

/// The ARN of something of an account.
pub(crate) fn arn(project: &TestProject, service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{}:{resource}", project.account().id())
}

fn statement(statement: &Value) -> (String, String, String) {
    let conditions = statement["Condition"].as_object().into_iter().flatten();
    let source = conditions.flat_map(|(_, keys)| keys.as_object().unwrap().values()).next();
    let principal = statement["Principal"]["Service"].as_str().unwrap_or_default();
    (text(&statement["Sid"]), principal.to_owned(), source.map(text).unwrap_or_default())
}

pub(crate) fn items(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
