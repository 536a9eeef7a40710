//! A live API, read back from its resources and methods into the model.

use std::collections::BTreeMap;

use aws_sdk_apigateway::types::{
    ConnectionType, Integration, IntegrationType, Method as LiveMethod, Resource, ResponseTransferMode,
};
use mdo_model::project::{Route, Security};
use mdo_model::stack::{Api, ApiRoute};

use super::{Integrations, PREFLIGHT_STATUS, PREFLIGHT_TEMPLATE, preflight_headers, preflights};

/// API Gateway's integration timeout where a method names none, in milliseconds.
const DEFAULT_TIMEOUT_MS: u32 = 29_000;

/// What `GetResources` with embedded methods tells about an API.
///
/// Methods that mdo would not write are `foreign`. `recorded` is the digest of what was deployed last: it decides
/// whether CORS is on for an API in which every path has an `OPTIONS` route, so that no preflight tells.
pub(crate) fn read(
    resources: &[Resource],
    integrations: &Integrations<'_>,
    description: String,
    recorded: Option<&str>,
) -> Api {
    let mut api = Api { description, routes: BTreeMap::new(), cors: false, foreign: BTreeMap::new() };
    let mut answered = BTreeMap::new();
    for resource in resources {
        let path = resource.path().unwrap_or_default();
        for (name, method) in resource.resource_methods().into_iter().flatten() {
            let key = format!("{name} {path}");
            if let Some(allowed) = preflight(name, method) {
                answered.insert(path.to_owned(), allowed);
            } else if key.parse::<Route>().is_err() {
                api.foreign.insert(key, "not a route that mdo can have".to_owned());
            } else {
                match route(method, integrations) {
                    Ok(route) => drop(api.routes.insert(key, route)),
                    Err(why) => drop(api.foreign.insert(key, why)),
                }
            }
        }
    }
    let routes: Vec<_> = api.parsed_routes().map(|(route, _)| route).collect();
    let expected = preflights(routes.iter());
    if expected.is_empty() && answered.is_empty() {
        api.cors = true;
        api.cors = recorded == Some(api.digest().as_str());
    } else if expected == answered {
        api.cors = true;
    } else {
        for (path, allowed) in answered {
            api.foreign.insert(format!("OPTIONS {path}"), format!("answers preflights for {allowed}"));
        }
    }
    api
}

/// What is deployed on a stage, as far as that is certain: the recorded digest if the API is still what was recorded.
///
/// Where the API differs, somebody may have deployed what it is now; the answer then equals no digest, so that a plan
/// deploys anew.
pub(crate) fn deployed(recorded: Option<&str>, live: &str) -> String {
    match recorded {
        Some(recorded) if recorded == live => recorded.to_owned(),
        Some(recorded) => format!("{recorded}, changed since"),
        None => "unknown".to_owned(),
    }
}

/// The route that a method is, or what mdo would not write about it.
fn route(method: &LiveMethod, integrations: &Integrations<'_>) -> Result<ApiRoute, String> {
    let integration = method.method_integration().ok_or("no integration")?;
    match &integration.r#type {
        Some(IntegrationType::AwsProxy) => {}
        Some(other) => return Err(format!("integration of type {}", other.as_str())),
        None => return Err("integration of no type".to_owned()),
    }
    let uri = integration.uri().unwrap_or_default();
    let function = integrations.function(uri).ok_or_else(|| format!("calls {uri}"))?;
    let keyed = method.api_key_required().unwrap_or_default();
    let security = match (method.authorization_type().unwrap_or("NONE"), keyed) {
        ("NONE", true) => Security::Key,
        ("NONE", false) => Security::Open,
        ("AWS_IAM", false) => Security::Iam,
        (other, true) => return Err(format!("authorization {other} with a key")),
        (other, false) => return Err(format!("authorization {other}")),
    };
    match oddity(method, integration) {
        Some(oddity) => Err(oddity.to_owned()),
        None => {
            let timeout = u32::try_from(integration.timeout_in_millis()).ok().filter(|timeout| *timeout > 0);
            Ok(ApiRoute { function, security, timeout_ms: timeout.unwrap_or(DEFAULT_TIMEOUT_MS) })
        }
    }
}

/// A setting that changes what a request meets and that mdo never makes.
fn oddity(method: &LiveMethod, integration: &Integration) -> Option<&'static str> {
    let foreign_parameter =
        |(name, _): (&String, &bool)| !name.starts_with("method.request.path.") && !name.is_empty();
    let buffered = |mode: &ResponseTransferMode| *mode == ResponseTransferMode::Buffered;
    let oddities = [
        (integration.http_method().is_some_and(|method| method != "POST"), "integration with another method"),
        (integration.credentials().is_some_and(|arn| !arn.is_empty()), "integration with credentials"),
        (integration.request_parameters().is_some_and(|all| !all.is_empty()), "integration with parameters"),
        (integration.request_templates().is_some_and(|all| !all.is_empty()), "integration with templates"),
        (integration.content_handling().is_some(), "integration that converts content"),
        (
            integration.connection_type().is_some_and(|kind| *kind != ConnectionType::Internet),
            "integration through a VPC link",
        ),
        (integration.response_transfer_mode().is_some_and(|mode| !buffered(mode)), "streamed responses"),
        (method.authorizer_id().is_some_and(|id| !id.is_empty()), "authorizer"),
        (!method.authorization_scopes().is_empty(), "authorization scopes"),
        (method.request_validator_id().is_some_and(|id| !id.is_empty()), "request validator"),
        (method.request_models().is_some_and(|all| !all.is_empty()), "request models"),
        (
            method.request_parameters().is_some_and(|all| all.iter().any(foreign_parameter)),
            "request parameters",
        ),
    ];
    oddities.into_iter().find_map(|(is, what)| is.then_some(what))
}

/// The methods that a method allows, if it is a preflight answer as mdo writes it.
fn preflight(name: &str, method: &LiveMethod) -> Option<String> {
    let integration = method.method_integration()?;
    let template = integration.request_templates()?.get("application/json")?;
    let response = integration.integration_responses()?.get(PREFLIGHT_STATUS)?;
    let values = response.response_parameters()?;
    let value = |header: &str| {
        let value = values.get(&format!("method.response.header.{header}"))?;
        value.strip_prefix('\'')?.strip_suffix('\'')
    };
    let allowed = value("Access-Control-Allow-Methods")?;
    let is_ours = name == "OPTIONS"
        && integration.r#type == Some(IntegrationType::Mock)
        && template == PREFLIGHT_TEMPLATE
        && method.authorization_type().unwrap_or("NONE") == "NONE"
        && !method.api_key_required().unwrap_or_default()
        && preflight_headers(allowed).iter().all(|(name, wanted)| value(name) == Some(wanted));
    is_ours.then(|| allowed.to_owned())
}
