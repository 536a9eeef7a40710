//! Definitions as documents, and the way back.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_apigateway::types::{
    Integration, IntegrationResponse, IntegrationType, Method as LiveMethod, Resource,
};
use mdo_model::project::{AccountId, Names, Security};
use mdo_model::stack::{Api, ApiRoute};
use serde_json::{Value, json};

use super::{Integrations, body, deployed, read};

fn names() -> Names {
    Names { project: "ml_api".parse().unwrap(), stage: "dev".parse().unwrap() }
}

fn account() -> AccountId {
    "123456789012".parse().unwrap()
}

fn integrations<'a>(names: &'a Names, account: &'a AccountId) -> Integrations<'a> {
    Integrations { partition: "aws", region: "us-east-1", account, names }
}

fn api(cors: bool, routes: &[(&str, &str, Security, u32)]) -> Api {
    let routes = routes.iter().map(|(route, function, security, timeout_ms)| {
        let function = function.parse().unwrap();
        ((*route).to_owned(), ApiRoute { function, security: *security, timeout_ms: *timeout_ms })
    });
    Api { description: "Samples".to_owned(), routes: routes.collect(), cors, foreign: BTreeMap::new() }
}

fn document(api: &Api) -> Value {
    body(api, &integrations(&names(), &account()))
}

fn observed(resources: &[Resource], recorded: Option<&str>) -> Api {
    read(resources, &integrations(&names(), &account()), "Samples".to_owned(), recorded)
}

/// What API Gateway makes of a document, as `GetResources` tells it.
fn imported(document: &Value) -> Vec<Resource> {
    let mut resources = vec![Resource::builder().path("/").build()];
    for (path, item) in document["paths"].as_object().unwrap() {
        let mut resource = Resource::builder().path(path);
        for (name, operation) in item.as_object().unwrap() {
            let name = match name.as_str() {
                "x-amazon-apigateway-any-method" => "ANY".to_owned(),
                name => name.to_ascii_uppercase(),
            };
            resource = resource.resource_methods(&name, method(&name, operation));
        }
        resources.push(resource.build());
    }
    resources
}

fn method(name: &str, operation: &Value) -> LiveMethod {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let texts = |value: &Value| -> Option<HashMap<String, String>> {
        let entries = value.as_object()?.iter();
        Some(entries.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect())
    };
    let integration = &operation["x-amazon-apigateway-integration"];
    let kind = integration["type"].as_str().unwrap().to_ascii_uppercase();
    let answer = &integration["responses"]["default"];
    let responses = text(&answer["statusCode"]).map(|status| {
        let response = IntegrationResponse::builder()
            .status_code(&status)
            .set_response_parameters(texts(&answer["responseParameters"]));
        HashMap::from([(status, response.build())])
    });
    let integration = Integration::builder()
        .r#type(IntegrationType::from(kind.as_str()))
        .set_http_method(text(&integration["httpMethod"]))
        .set_uri(text(&integration["uri"]))
        .set_request_templates(texts(&integration["requestTemplates"]))
        .set_integration_responses(responses)
        .timeout_in_millis(i32::try_from(integration["timeoutInMillis"].as_i64().unwrap_or(29_000)).unwrap());
    let scheme = operation["security"][0].as_object().and_then(|scheme| scheme.keys().next().cloned());
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    LiveMethod::builder()
        .http_method(name)
        .authorization_type(if scheme.as_deref() == Some("sigv4") { "AWS_IAM" } else { "NONE" })
        .api_key_required(scheme.as_deref() == Some("api_key"))
        .set_request_parameters(Some(
            parameters
                .map(|parameter| {
                    (format!("method.request.path.{}", parameter["name"].as_str().unwrap()), true)
                })
                .collect(),
        ))
        .method_integration(integration.build())
        .build()
}

#[test]
fn one_keyed_route_is_this_document() {
    let api = api(false, &[("GET /sample_producer", "sample_producer", Security::Key, 29_000)]);
    assert_eq!(
        document(&api),
        json!({
            "openapi": "3.0.1",
            "info": { "title": "ml_api", "description": "Samples", "version": "mdo-1" },
            "paths": {
                "/sample_producer": {
                    "get": {
                        "responses": {},
                        "security": [{ "api_key": [] }],
                        "x-amazon-apigateway-integration": {
                            "type": "aws_proxy",
                            "httpMethod": "POST",
                            "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:ml_api_sample_producer:${stageVariables.alias}/invocations",
                            "passthroughBehavior": "when_no_match",
                            "timeoutInMillis": 29_000,
                        },
                    },
                },
            },
            "components": {
                "securitySchemes": {
                    "api_key": { "type": "apiKey", "name": "x-api-key", "in": "header" },
                },
            },
            "x-amazon-apigateway-api-key-source": "HEADER",
        })
    );
}

#[test]
fn cors_answers_preflights_and_marks_errors() {
    let document = document(&api(
        true,
        &[
            ("GET /samples", "a", Security::Open, 29_000),
            ("POST /samples", "a", Security::Open, 29_000),
            ("OPTIONS /own", "a", Security::Open, 29_000),
        ],
    ));
    assert_eq!(
        document["paths"]["/samples"]["options"],
        json!({
            "responses": {
                "200": {
                    "description": "preflight",
                    "headers": {
                        "Access-Control-Allow-Headers": { "schema": { "type": "string" } },
                        "Access-Control-Allow-Methods": { "schema": { "type": "string" } },
                        "Access-Control-Allow-Origin": { "schema": { "type": "string" } },
                    },
                },
            },
            "x-amazon-apigateway-integration": {
                "type": "mock",
                "requestTemplates": { "application/json": "{\"statusCode\":200}" },
                "passthroughBehavior": "when_no_match",
                "responses": {
                    "default": {
                        "statusCode": "200",
                        "responseParameters": {
                            "method.response.header.Access-Control-Allow-Headers":
                                "'Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token'",
                            "method.response.header.Access-Control-Allow-Methods": "'GET,OPTIONS,POST'",
                            "method.response.header.Access-Control-Allow-Origin": "'*'",
                        },
                    },
                },
            },
        })
    );
    assert_eq!(document["paths"]["/own"]["options"]["x-amazon-apigateway-integration"]["type"], "aws_proxy");
    let origin = json!({
        "responseParameters": { "gatewayresponse.header.Access-Control-Allow-Origin": "'*'" },
    });
    assert_eq!(
        document["x-amazon-apigateway-gateway-responses"],
        json!({ "DEFAULT_4XX": origin, "DEFAULT_5XX": origin })
    );
}

#[test]
fn a_keyed_any_route_still_answers_preflights() {
    let document = document(&api(true, &[("ANY /files/{id}/{proxy+}", "a", Security::Key, 50)]));
    let item = &document["paths"]["/files/{id}/{proxy+}"];
    let parameter =
        |name: &str| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } });
    assert_eq!(
        item["x-amazon-apigateway-any-method"]["parameters"],
        json!([parameter("id"), parameter("proxy")])
    );
    let answers = &item["options"]["x-amazon-apigateway-integration"]["responses"]["default"];
    assert_eq!(
        answers["responseParameters"]["method.response.header.Access-Control-Allow-Methods"],
        "'DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT'"
    );
    assert_eq!(item["options"].get("security"), None);
}

#[test]
fn the_same_definition_gives_the_same_bytes() {
    let routes = [
        ("POST /b", "b", Security::Iam, 1000),
        ("ANY /", "a", Security::Open, 29_000),
        ("GET /b", "b", Security::Key, 29_000),
    ];
    let mut reversed = routes;
    reversed.reverse();
    assert_eq!(document(&api(true, &routes)).to_string(), document(&api(true, &reversed)).to_string());
}

#[test]
fn every_definition_comes_back_as_it_was() {
    let paths = ["/", "/a", "/a/{id}", "/a/{id}/b", "/files/{proxy+}"];
    let methods = ["ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
    let securities = [Security::Key, Security::Open, Security::Iam];
    for seed in 0_u32..500 {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        let mut pick = |bound: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize % bound
        };
        let cors = pick(2) == 1;
        let mut wanted = api(cors, &[]);
        for _ in 0..=pick(6) {
            let route = format!("{} {}", methods[pick(8)], paths[pick(5)]);
            let function = ["a", "sample_producer"][pick(2)].parse().unwrap();
            let timeout_ms = 50 + u32::try_from(pick(28_951)).unwrap();
            wanted.routes.insert(route, ApiRoute { function, security: securities[pick(3)], timeout_ms });
        }
        let found = observed(&imported(&document(&wanted)), Some(&wanted.digest()));
        assert_eq!(found, wanted, "seed {seed}");
        assert_eq!(found.digest(), wanted.digest());
    }
}

#[test]
fn what_mdo_would_not_write_is_foreign() {
    let mut resources = imported(&document(&api(false, &[("GET /a", "a", Security::Open, 29_000)])));
    let http = Integration::builder().r#type(IntegrationType::HttpProxy).uri("https://example.com").build();
    let other = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:other:dev/invocations";
    let stranger =
        Integration::builder().r#type(IntegrationType::AwsProxy).http_method("POST").uri(other).build();
    resources.push(
        Resource::builder()
            .path("/b")
            .resource_methods("GET", LiveMethod::builder().method_integration(http).build())
            .resource_methods("POST", LiveMethod::builder().build())
            .resource_methods("PUT", LiveMethod::builder().method_integration(stranger).build())
            .build(),
    );
    let found = observed(&resources, None);
    assert_eq!(found.routes.keys().collect::<Vec<_>>(), ["GET /a"]);
    let foreign = [
        ("GET /b", "integration of type HTTP_PROXY".to_owned()),
        ("POST /b", "no integration".to_owned()),
        ("PUT /b", format!("calls {other}")),
    ];
    assert_eq!(found.foreign, foreign.map(|(key, why)| (key.to_owned(), why)).into());
}

#[test]
fn a_changed_method_is_foreign_or_differs() {
    let wanted = api(false, &[("GET /a", "a", Security::Key, 29_000)]);
    let tampered = |change: fn(LiveMethod) -> LiveMethod| {
        let mut resources = imported(&document(&wanted));
        for resource in &mut resources {
            for method in resource.resource_methods.iter_mut().flatten().map(|(_, method)| method) {
                *method = change(method.clone());
            }
        }
        observed(&resources, Some(&wanted.digest()))
    };
    let open = tampered(|mut method| {
        method.api_key_required = Some(false);
        method
    });
    assert_eq!(open.routes["GET /a"].security, Security::Open);
    let custom = tampered(|mut method| {
        method.authorization_type = Some("CUSTOM".to_owned());
        method
    });
    assert_eq!(custom.foreign["GET /a"], "authorization CUSTOM with a key");
    let validated = tampered(|mut method| {
        method.request_validator_id = Some("abc".to_owned());
        method
    });
    assert_eq!(validated.foreign["GET /a"], "request validator");
}

#[test]
fn a_missing_or_changed_preflight_is_a_difference() {
    let wanted =
        api(true, &[("GET /a", "a", Security::Open, 29_000), ("GET /b", "a", Security::Open, 29_000)]);
    let mut resources = imported(&document(&wanted));
    resources.retain(|resource| resource.path() != Some("/b"));
    resources.extend(imported(&document(&api(false, &[("GET /b", "a", Security::Open, 29_000)]))));
    let found = observed(&resources, Some(&wanted.digest()));
    assert!(!found.cors);
    assert_eq!(found.foreign["OPTIONS /a"], "answers preflights for GET,OPTIONS");
}

#[test]
fn what_is_deployed_is_certain_only_while_the_api_is_as_recorded() {
    assert_eq!(deployed(Some("abc"), "abc"), "abc");
    assert_eq!(deployed(Some("abc"), "def"), "abc, changed since");
    assert_eq!(deployed(None, "def"), "unknown");
}
