//! The OpenAPI 3 document that `ImportRestApi` and `PutRestApi` take.

use mdo_model::project::{Method, Route, Security};
use mdo_model::stack::{ApiRoute, Definition};
use serde_json::{Map, Value, json};

use super::{Integrations, PREFLIGHT_STATUS, PREFLIGHT_TEMPLATE, preflight_headers, preflights};

/// What the version of every definition of mdo begins with.
const VERSION: &str = "mdo-1";

/// The version of a definition. It marks an API as ours from the very call that creates it, before its tag is there, and
/// tells which definition was written last.
pub(crate) fn version(definition: &Definition) -> String {
    format!("{VERSION} {}", definition.digest())
}

/// Whether a version is one that only mdo writes.
pub(crate) fn is_mdos(version: &str) -> bool {
    version.split(' ').next() == Some(VERSION)
}

/// What says where a method leads.
pub(crate) const INTEGRATION: &str = "x-amazon-apigateway-integration";
const KEY_SCHEME: &str = "api_key";
/// How API Gateway itself exports a method with `AWS_IAM` authorization.
const IAM_SCHEME: &str = "sigv4";

/// The document of a definition. The same input gives the same bytes.
pub(crate) fn body(definition: &Definition, integrations: &Integrations<'_>) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut put = |path: &str, method: Method, operation: Value| {
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[method_key(method)] = operation;
    };
    for (route, target) in &definition.routes {
        put(route.path(), route.method(), operation(route, target, integrations));
    }
    if definition.cors {
        for (path, allowed) in preflights(definition.routes.keys()) {
            let mut preflight = preflight(&path, &allowed);
            if !definition.binary_media_types.is_empty() {
                // A template is for text: where every body is binary, the mock would answer 500.
                preflight[INTEGRATION]["contentHandling"] = json!("CONVERT_TO_TEXT");
            }
            put(&path, Method::Options, preflight);
        }
    }
    let mut document = json!({
        "openapi": "3.0.1",
        "info": {
            "title": integrations.names.api(),
            "description": definition.description,
            "version": version(definition),
        },
        "paths": paths,
        "x-amazon-apigateway-api-key-source": "HEADER",
    });
    let schemes = security_schemes(definition);
    if !schemes.is_empty() {
        document["components"] = json!({ "securitySchemes": schemes });
    }
    if !definition.binary_media_types.is_empty() {
        document["x-amazon-apigateway-binary-media-types"] = json!(definition.binary_media_types);
    }
    if definition.cors {
        let with_origin = json!({
            "responseParameters": { "gatewayresponse.header.Access-Control-Allow-Origin": "'*'" },
        });
        document["x-amazon-apigateway-gateway-responses"] =
            json!({ "DEFAULT_4XX": with_origin, "DEFAULT_5XX": with_origin });
    }
    document
}

/// What a path has a method under.
pub(crate) fn method_key(method: Method) -> String {
    match method {
        Method::Any => "x-amazon-apigateway-any-method".to_owned(),
        method => method.as_str().to_ascii_lowercase(),
    }
}

fn operation(route: &Route, target: &ApiRoute, integrations: &Integrations<'_>) -> Value {
    let mut operation = json!({
        "responses": {},
        INTEGRATION: {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": integrations.uri(&target.function),
            "passthroughBehavior": "when_no_match",
            "timeoutInMillis": target.timeout_ms,
        },
    });
    add_parameters(&mut operation, route.path());
    match target.security {
        Security::Key => operation["security"] = json!([{ KEY_SCHEME: [] }]),
        Security::Iam => operation["security"] = json!([{ IAM_SCHEME: [] }]),
        Security::Open => {}
    }
    operation
}

/// A mock integration that answers a preflight request, so that no function runs for it.
fn preflight(path: &str, allowed: &str) -> Value {
    let headers = preflight_headers(allowed);
    let declared: Map<_, _> = headers
        .iter()
        .map(|(name, _)| ((*name).to_owned(), json!({ "schema": { "type": "string" } })))
        .collect();
    let values: Map<_, _> = headers
        .iter()
        .map(|(name, value)| (format!("method.response.header.{name}"), format!("'{value}'").into()))
        .collect();
    let mut operation = json!({
        "responses": { PREFLIGHT_STATUS: { "description": "preflight", "headers": declared } },
        INTEGRATION: {
            "type": "mock",
            "requestTemplates": { "application/json": PREFLIGHT_TEMPLATE },
            "passthroughBehavior": "when_no_match",
            "responses": {
                "default": { "statusCode": PREFLIGHT_STATUS, "responseParameters": values },
            },
        },
    });
    add_parameters(&mut operation, path);
    operation
}

/// Declares the parameters of a path, `{id}` and `{proxy+}`, where it has any.
fn add_parameters(operation: &mut Value, path: &str) {
    let parameters: Vec<_> = path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|inner| inner.strip_suffix('+').unwrap_or(inner))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
}

fn security_schemes(definition: &Definition) -> Map<String, Value> {
    let has = |security| definition.routes.values().any(|route| route.security == security);
    let mut schemes = Map::new();
    if has(Security::Key) {
        schemes
            .insert(KEY_SCHEME.to_owned(), json!({ "type": "apiKey", "name": "x-api-key", "in": "header" }));
    }
    if has(Security::Iam) {
        schemes.insert(
            IAM_SCHEME.to_owned(),
            json!({
                "type": "apiKey",
                "name": "Authorization",
                "in": "header",
                "x-amazon-apigateway-authtype": "awsSigv4",
            }),
        );
    }
    schemes
}
