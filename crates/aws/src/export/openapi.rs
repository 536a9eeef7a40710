//! The API of a stage as an OpenAPI document with API Gateway's extensions.

use mdo_model::project::Names;
use mdo_model::stack::{Definition, Stack};
use serde_json::{Map, Value, json};

use super::server::url_around;
use crate::api_gateway::definition::{self, INTEGRATION, Integrations, method_key};
use crate::policy::Place;

/// What stands for the name of the load balancer where the files give it none.
const HOST: &str = "${stageVariables.host}";

/// The very document that mdo imports into API Gateway.
pub fn openapi(definition: &Definition, names: &Names, place: &Place) -> Value {
    let (region, account) = (&place.region, &place.account);
    definition::body(definition, &Integrations { partition: place.partition(), region, account, names })
}

/// The same routes, led to the load balancer of a hosted stage: it has no functions of Lambda. Without a `domain` the load balancer is at the
/// stage variable `host`.
pub fn openapi_to_servers(
    definition: &Definition,
    names: &Names,
    stack: &Stack,
    domain: Option<&str>,
) -> Value {
    let nowhere = Integrations { partition: "", region: "", account: "", names };
    let mut document = definition::body(definition, &nowhere);
    let (scheme, stage) = url_around(stack.load_balancer.as_ref(), &names.stage);
    let base = format!("{scheme}{}{stage}", domain.unwrap_or(HOST));
    for (route, target) in &definition.routes {
        let operation = &mut document["paths"][route.path()][method_key(route.method())];
        let mut integration = json!({
            "type": "http_proxy",
            "httpMethod": route.method().as_str(),
            "uri": format!("{base}{}", route.path().replace("+}", "}")),
            "passthroughBehavior": "when_no_match",
            "timeoutInMillis": target.timeout_ms,
        });
        let parameters: Map<String, Value> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|parameter| parameter["name"].as_str())
            .map(|name| {
                (format!("integration.request.path.{name}"), json!(format!("method.request.path.{name}")))
            })
            .collect();
        if !parameters.is_empty() {
            integration["requestParameters"] = parameters.into();
        }
        operation[INTEGRATION] = integration;
    }
    document
}
