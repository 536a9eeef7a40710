//! Everything that an account holds, read with boto3, without what differs from run to run: ids, times, version numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::hosting;
use crate::live::{items, text};
use crate::support::account::Account;

/// What a run may number, name or date as it likes.
const VOLATILE: [&str; 24] = [
    "AliasArn",
    "Code",
    "CodeSize",
    "CreateDate",
    "FunctionVersion",
    "LastModified",
    "LastUpdateStatus",
    "RevisionId",
    "RoleId",
    "RoleLastUsed",
    "RuntimeVersionConfig",
    "Sid",
    "State",
    "Version",
    "cacheNamespace",
    "createdDate",
    "creationTime",
    "deploymentId",
    "id",
    "lastUpdatedDate",
    "parentId",
    "rootResourceId",
    "storedBytes",
    "value",
];

/// What the routes of a stage are looked for at, as deployed: every route of every sequence, and one that none has.
const PROBES: [(&str, &str); 5] =
    [("GET", "/echo"), ("GET", "/paint"), ("POST", "/new"), ("POST", "/none"), ("GET", "/none")];

/// The value that keys are given whose value has to last.
pub(super) const KNOWN_VALUE: &str = "the-same-value-before-and-after";

/// What an API is called that others still refer to.
const GONE: &str = "GONE";

/// The resources of an account by kind and name, each with everything that there is of that name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Snapshot(BTreeMap<String, Vec<Value>>);

impl Snapshot {
    /// Reads an account.
    pub(super) fn of(account: &Account) -> Snapshot {
        let reader = Reader { account };
        let mut snapshot = Snapshot::default();
        reader.roles(&mut snapshot);
        let layers = reader.layers(&mut snapshot);
        reader.functions(&layers, &mut snapshot);
        reader.apis(&mut snapshot);
        reader.rules(&mut snapshot);
        reader.log_groups(&mut snapshot);
        if account.emulator().has_servers() {
            hosting::read(&reader, &mut snapshot);
        }
        snapshot
    }

    /// Whether the account holds nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What belongs to one resource of a plan: of this kind and full name.
    pub(super) fn part(&self, kind: &str, name: &str) -> Snapshot {
        let belongs = |key: &str| match kind {
            "stage" => key.starts_with("stage ") || key.starts_with("usage_plan "),
            // Managed policies are the role's, and no more than one stage has any.
            "permissions" => key == format!("{kind} {name}") || key.starts_with("attached "),
            // One stage at most is hosted.
            "server" | "load_balancer" => key.starts_with(&format!("{kind} ")),
            _ => key == format!("{kind} {name}"),
        };
        let own = self.0.iter().filter(|(key, _)| belongs(key));
        Snapshot(own.map(|(key, all)| (key.clone(), all.clone())).collect())
    }

    /// The same without what says how others are, such as the plans that a key is linked to.
    pub(super) fn on_its_own(&self) -> Snapshot {
        let own = |value: &Value| {
            let mut value = value.clone();
            for reference in ["plans", "apiStages", "deployed"] {
                value.as_object_mut().unwrap().remove(reference);
            }
            serde_json::from_str(&value.to_string().replace(GONE, "API1")).unwrap()
        };
        let all = self.0.iter().map(|(key, all)| (key.clone(), all.iter().map(own).collect()));
        Snapshot(all.collect())
    }

    /// In what this differs from what is wanted, a line for each; nothing if it does not.
    pub(super) fn difference(&self, wanted: &Snapshot) -> String {
        let mut lines = String::new();
        let none = Vec::new();
        let keys: BTreeSet<&String> = self.0.keys().chain(wanted.0.keys()).collect();
        for key in keys {
            let (found, asked) = (self.0.get(key).unwrap_or(&none), wanted.0.get(key).unwrap_or(&none));
            if found.len() != asked.len() {
                let _ = writeln!(lines, "{key}: {} instead of {}", found.len(), asked.len());
            } else if found != asked {
                for (found, asked) in found.iter().zip(asked) {
                    differ(key, found, asked, &mut lines);
                }
            }
        }
        lines
    }

    pub(super) fn add(&mut self, kind: &str, name: &str, value: Value) {
        let all = self.0.entry(format!("{kind} {name}")).or_default();
        all.push(value);
        all.sort_by_key(Value::to_string);
    }
}

fn differ(path: &str, found: &Value, asked: &Value, lines: &mut String) {
    match (found, asked) {
        (Value::Object(found), Value::Object(asked)) => {
            let keys: BTreeSet<&String> = found.keys().chain(asked.keys()).collect();
            for key in keys {
                let (found, asked) = (found.get(key), asked.get(key));
                let null = Value::Null;
                differ(&format!("{path}.{key}"), found.unwrap_or(&null), asked.unwrap_or(&null), lines);
            }
        }
        _ if found == asked => {}
        _ => {
            let _ = writeln!(lines, "{path}: {found} instead of {asked}");
        }
    }
}

pub(super) struct Reader<'a> {
    pub account: &'a Account,
}

impl Reader<'_> {
    pub(super) fn call(&self, service: &str, operation: &str, params: Value) -> Value {
        let result = self.account.aws(service, operation, params);
        result.unwrap_or_else(|error| panic!("{service} {operation}: {error}"))
    }

    pub(super) fn list(&self, service: &str, operation: &str, params: Value, list: &str) -> Vec<Value> {
        items(&self.call(service, operation, params)[list])
    }

    fn roles(&self, snapshot: &mut Snapshot) {
        for mut role in self.list("iam", "list_roles", json!({}), "Roles") {
            let name = json!({"RoleName": role["RoleName"]});
            role["Tags"] = sorted(self.list("iam", "list_role_tags", name.clone(), "Tags"));
            let whole = self.call("iam", "get_role", name.clone())["Role"].clone();
            role["PermissionsBoundary"] = whole["PermissionsBoundary"].clone();
            let full = text(&role["RoleName"]);
            for policy in self.list("iam", "list_role_policies", name.clone(), "PolicyNames") {
                let named = json!({"RoleName": full, "PolicyName": policy});
                let document = self.call("iam", "get_role_policy", named)["PolicyDocument"].clone();
                match text(&policy) {
                    // Those of the stages are resources of their own.
                    stages if stages.starts_with("mdo-") => {
                        let document = json!({"document": document});
                        snapshot.add("permissions", &format!("{full}/{stages}"), self.plain(document, &[]));
                    }
                    own => role["Policies"][own] = document,
                }
            }
            let attached = self.list("iam", "list_attached_role_policies", name, "AttachedPolicies");
            if !attached.is_empty() {
                snapshot.add("attached", &full, json!({"policies": sorted(attached)}));
            }
            let name = full;
            let kind = if name.ends_with("_server") { "server_role" } else { "role" };
            snapshot.add(kind, &name, self.plain(role, &[]));
        }
    }

    /// Layers, and of each version the name and the description.
    ///
    /// To publish is not idempotent: who has no answer publishes again, so that two versions alike are as good as one.
    fn layers(&self, snapshot: &mut Snapshot) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::new();
        for layer in self.list("lambda", "list_layers", json!({}), "Layers") {
            let name = json!({"LayerName": layer["LayerName"]});
            let mut described = BTreeSet::new();
            for version in self.list("lambda", "list_layer_versions", name, "LayerVersions") {
                described.insert(text(&version["Description"]));
                let seen = json!({"name": layer["LayerName"], "description": version["Description"]});
                all.insert(text(&version["LayerVersionArn"]), seen);
            }
            snapshot.add("derivative", &text(&layer["LayerName"]), json!({"versions": described}));
        }
        all
    }

    fn functions(&self, layers: &BTreeMap<String, Value>, snapshot: &mut Snapshot) {
        let apis = self.api_ids();
        for function in self.list("lambda", "list_functions", json!({}), "Functions") {
            let name = json!({"FunctionName": function["FunctionName"]});
            let whole = self.call("lambda", "get_function", name.clone());
            let mut seen = json!({"Tags": whole["Tags"], "Concurrency": whole["Concurrency"], "aliases": {}});
            for alias in self.list("lambda", "list_aliases", name, "Aliases") {
                let at = json!({"FunctionName": function["FunctionName"], "Qualifier": alias["Name"]});
                let mut served = self.call("lambda", "get_function", at.clone())["Configuration"].clone();
                let attached = items(&served["Layers"]);
                let attached = attached.iter().map(|layer| layers.get(&text(&layer["Arn"])));
                served["Layers"] = json!(attached.collect::<Vec<_>>());
                served["is a version"] = json!(served["Version"] != "$LATEST");
                let policy = self.account.aws("lambda", "get_policy", at).unwrap_or_default();
                let policy: Value = serde_json::from_str(&text(&policy["Policy"])).unwrap_or_default();
                let statements = items(&policy["Statement"]).into_iter().map(|mut one| {
                    one.as_object_mut().unwrap().remove("Sid");
                    one
                });
                served["Statements"] = sorted(statements.collect());
                served["on trial"] = self.on_trial(&function["FunctionName"], &alias, &mut seen["Tags"]);
                seen["aliases"][text(&alias["Name"])] = served;
            }
            snapshot.add("function", &text(&function["FunctionName"]), self.plain(seen, &apis));
        }
    }

    /// What else an alias sends requests to, with its share, and in the tag that tells of it, a word for the version's number.
    fn on_trial(&self, function: &Value, alias: &Value, tags: &mut Value) -> Value {
        let mut all = Vec::new();
        for (version, share) in
            alias["RoutingConfig"]["AdditionalVersionWeights"].as_object().into_iter().flatten()
        {
            let at = json!({"FunctionName": function, "Qualifier": version});
            let mut tried = self.call("lambda", "get_function", at)["Configuration"].take();
            tried
                .as_object_mut()
                .unwrap()
                .retain(|key, _| ["CodeSha256", "Environment"].contains(&key.as_str()));
            all.push(json!({"share": share, "version": tried}));
            let tag = &mut tags[format!("mdo:canary:{}", text(&alias["Name"]))];
            if let Some(percent) = text(tag).strip_prefix(&format!("{version}:")) {
                *tag = json!(format!("VERSION:{percent}"));
            }
        }
        json!(all)
    }

    fn apis(&self, snapshot: &mut Snapshot) {
        let ids = self.api_ids();
        for mut api in self.list("apigateway", "get_rest_apis", json!({}), "items") {
            let id = text(&api["id"]);
            let embedded = json!({"restApiId": id, "embed": ["methods"]});
            for resource in self.list("apigateway", "get_resources", embedded, "items") {
                api["routes"][text(&resource["path"])] = resource["resourceMethods"].clone();
            }
            api["Tags"] = self.tags(&format!("/restapis/{id}"));
            snapshot.add("api", &text(&api["name"]), self.plain(api, &ids));
            for mut stage in self.list("apigateway", "get_stages", json!({"restApiId": id}), "item") {
                let name = text(&stage["stageName"]);
                stage["Tags"] = self.tags(&format!("/restapis/{id}/stages/{name}"));
                // A hosted stage and the other emulator are for what hosting does.
                let probes = PROBES.iter().filter(|_| !self.account.emulator().has_servers());
                for (method, path) in probes {
                    let answer = self.account.request_api(method, &id, &name, path, &[], b"");
                    stage["deployed"][format!("{method} {path}")] = json!([answer.status(), answer.text()]);
                }
                snapshot.add("stage", &name, self.plain(stage, &ids));
            }
        }
        let mut plans_of: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for plan in self.list("apigateway", "get_usage_plans", json!({}), "items") {
            let keys = json!({"usagePlanId": plan["id"]});
            for key in self.list("apigateway", "get_usage_plan_keys", keys, "items") {
                plans_of.entry(text(&key["id"])).or_default().push(plan["name"].clone());
            }
            snapshot.add("usage_plan", &text(&plan["name"]), self.plain(plan, &ids));
        }
        for mut key in self.list("apigateway", "get_api_keys", json!({"includeValues": true}), "items") {
            key["has the value that is known"] = json!(text(&key["value"]) == KNOWN_VALUE);
            // When it ends is another time each time.
            if let Some(moment) = text(&key["description"]).strip_prefix("mdo: ends ") {
                assert!(!moment.is_empty());
                key["description"] = json!("mdo: ends TIME");
            }
            key["plans"] = sorted(plans_of.remove(&text(&key["id"])).unwrap_or_default());
            key.as_object_mut().unwrap().remove("stageKeys");
            snapshot.add("key", &text(&key["name"]), self.plain(key, &ids));
        }
        for (key, plans) in plans_of {
            snapshot.add("key of a plan without a key", &key, json!(plans));
        }
    }

    fn rules(&self, snapshot: &mut Snapshot) {
        for mut rule in self.list("events", "list_rules", json!({}), "Rules") {
            let targets = json!({"Rule": rule["Name"]});
            rule["Targets"] = sorted(self.list("events", "list_targets_by_rule", targets, "Targets"));
            let tags = json!({"ResourceARN": rule["Arn"]});
            rule["Tags"] = sorted(self.list("events", "list_tags_for_resource", tags, "Tags"));
            snapshot.add("warm_rule", &text(&rule["Name"]), self.plain(rule, &[]));
        }
    }

    fn log_groups(&self, snapshot: &mut Snapshot) {
        for mut group in self.list("logs", "describe_log_groups", json!({}), "logGroups") {
            let tags = json!({"resourceArn": text(&group["arn"]).trim_end_matches(":*")});
            group["Tags"] = self.call("logs", "list_tags_for_resource", tags)["tags"].clone();
            let name = text(&group["logGroupName"]);
            let (kind, name) = match name.starts_with("/aws/lambda/") {
                true => ("log_group", name.as_str()),
                false => ("server", "log group"),
            };
            snapshot.add(kind, name, self.plain(group, &[]));
        }
    }

    fn tags(&self, path: &str) -> Value {
        let arn = format!("arn:aws:apigateway:eu-west-1::{path}");
        self.account.aws("apigateway", "get_tags", json!({"resourceArn": arn})).unwrap_or_default()["tags"]
            .take()
    }

    fn api_ids(&self) -> Vec<String> {
        let apis = self.list("apigateway", "get_rest_apis", json!({}), "items");
        apis.iter().map(|api| text(&api["id"])).collect()
    }

    /// A value without what is volatile in it, and with words in place of the account's and the APIs' ids.
    pub(super) fn plain(&self, value: Value, apis: &[String]) -> Value {
        let mut written = lasting(value).to_string().replace(self.account.id(), "ACCOUNT");
        for (index, id) in apis.iter().enumerate() {
            written = written.replace(id, &format!("API{}", index + 1));
        }
        written = without_gone(&written);
        // Whichever deploy made a version: of several that want the same, one is as good as another.
        written = without_records(&written);
        serde_json::from_str(&written).unwrap()
    }
}

/// A text in which all that mdo records with versions is one word.
fn without_records(text: &str) -> String {
    let mut parts = text.split("[mdo ");
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.split_once(']').map_or("", |(_, rest)| rest);
        written += &format!("[mdo STAGE]{rest}");
    }
    written
}

/// Whether a field says that there is no network, which the emulator does after an update and not after a creation.
fn is_no_network(name: &str, value: &Value) -> bool {
    name == "VpcConfig" && value["VpcId"] == "" && value["SubnetIds"] == json!([])
}

/// A text in which an API that is no more has always the same name.
fn without_gone(text: &str) -> String {
    let start = "execute-api:eu-west-1:ACCOUNT:";
    let mut parts = text.split(start);
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (api, rest) = part.split_once('/').unwrap_or((part, ""));
        written += &format!("{start}{}/{rest}", if api.starts_with("API") { api } else { GONE });
    }
    written
}

fn lasting(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(name, value)| !VOLATILE.contains(&name.as_str()) && !value.is_null())
            .filter(|(name, value)| !is_no_network(name, value))
            .map(|(name, value)| (name, lasting(value)))
            .collect(),
        Value::Array(all) => all.into_iter().map(lasting).collect(),
        plain => plain,
    }
}

pub(super) fn sorted(mut values: Vec<Value>) -> Value {
    values.sort_by_key(Value::to_string);
    Value::Array(values)
}
