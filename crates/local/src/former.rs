//! State as earlier versions of mdo wrote it, made into what this one reads: keys keep their values.

use serde_json::{Map, Value, json};

/// Makes format 1 into format 2: there the definition was the API's, and a log group a number of its function. What is not
/// as format 1 has it stays as it is, for who reads it to refuse.
pub(super) fn upgrade(mut state: Value) -> Value {
    let log_groups: Map<_, _> = members(&mut state, "functions").map(log_group).collect();
    members(&mut state, "keys").for_each(|(_, key)| set(key, "resource", "linked", json!(true)));
    // The next deploy gives each rule the name that it has now.
    members(&mut state, "warm_rules").for_each(|(_, rule)| insert(rule, "name", json!("")));
    let stage = state.get_mut("stage").map(Value::take).and_then(stage);
    let api = state.get("api").filter(|api| !api.is_null()).map(|_| json!({"owned": true}));
    insert(&mut state, "log_groups", log_groups.into());
    insert(&mut state, "stage", stage.unwrap_or_default());
    insert(&mut state, "api", api.unwrap_or_default());
    insert(&mut state, "format", json!(2));
    state
}

fn log_group((name, function): (&String, &mut Value)) -> (String, Value) {
    let version = function["alias"].to_string();
    let days = function["versions"][&version]["function"]["log_retention_days"].clone();
    (name.clone(), json!({"retention_days": days}))
}

/// The stage with the definition that was deployed on it; `None` where none was.
fn stage(mut former: Value) -> Option<Value> {
    let deployed = former.get_mut("deployed")?.take();
    let mut stage = former.get_mut("resource")?.take();
    for field in ["description", "routes", "cors"] {
        insert(&mut stage, field, deployed.get(field)?.clone());
    }
    stage.as_object_mut()?.remove("definition");
    insert(&mut stage, "deployed_by_mdo", json!(true));
    Some(stage)
}

fn members<'a>(value: &'a mut Value, key: &str) -> impl Iterator<Item = (&'a String, &'a mut Value)> {
    value.get_mut(key).and_then(Value::as_object_mut).into_iter().flatten()
}

fn set(value: &mut Value, outer: &str, inner: &str, to: Value) {
    if let Some(outer) = value.get_mut(outer) {
        insert(outer, inner, to);
    }
}

fn insert(value: &mut Value, key: &str, to: Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert(key.to_owned(), to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StoredStack;

    #[test]
    fn a_stack_of_format_1_keeps_its_functions_its_routes_and_the_values_of_its_keys() {
        let function = json!({
            "description": "", "runtime": "provided.al2023", "handler": "bootstrap", "architecture": "x86_64",
            "memory": 128, "timeout": 30, "ephemeral_storage": 512, "environment": {"A1": "x"},
            "role": "ml_api_lambda_function", "vpc": null, "layers": [], "tracing": "passthrough",
            "deadletter_arn": null, "kms_arn": null, "concurrency": null, "code": null,
            "log_retention_days": 30, "invokers": ["api"], "owned": true,
        });
        let route = json!({"function": "f", "security": "key", "timeout_ms": 29000});
        let former = json!({
            "format": 1,
            "role": null,
            "functions": {"f": {"alias": 2, "versions": {"2": {"function": function, "published": "now"}}}},
            "api": {"description": "D", "routes": {"GET /f": route}, "cors": false},
            "stage": {
                "resource": {"definition": "abc", "variables": {"alias": "dev"}, "throttle": null, "quota": null},
                "deployed": {"description": "D", "routes": {"GET /f": route}, "cors": false},
            },
            "keys": {"default": {"resource": {"enabled": true}, "id": "k", "value": "hush-hush"}},
            "warm_rules": {"f": {"rate": "5m", "concurrency": 1, "enabled": true, "input": {}}},
        });
        let state: StoredStack = serde_json::from_value(upgrade(former)).expect("a state");
        let stack = state.stack();
        assert_eq!(stack.stage.expect("a stage").definition.routes.len(), 1);
        assert_eq!(stack.log_groups.values().next().expect("a group").retention_days, Some(30));
        let key = state.keys.values().next().expect("a key");
        assert_eq!((key.value.reveal(), key.resource.opens()), ("hush-hush", true));
    }
}
