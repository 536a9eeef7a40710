//! Definitions as documents.

use mdo_model::project::{AccountId, Names, Security};
use mdo_model::stack::{ApiRoute, Definition};
use serde_json::{Value, json};

use super::{Integrations, body};

fn names() -> Names {
    Names { project: "ml_api".parse().unwrap(), stage: "dev".parse().unwrap() }
}

fn account() -> AccountId {
    "123456789012".parse().unwrap()
}

fn integrations<'a>(names: &'a Names, account: &'a AccountId) -> Integrations<'a> {
    Integrations { partition: "aws", region: "us-east-1", account: account.as_str(), names }
}

fn definition(cors: bool, routes: &[(&str, &str, Security, u32)]) -> Definition {
    let routes = routes.iter().map(|(route, function, security, timeout_ms)| {
        let function = function.parse().unwrap();
        (route.parse().unwrap(), ApiRoute { function, security: *security, timeout_ms: *timeout_ms })
    });
    Definition { description: "Samples".to_owned(), routes: routes.collect(), cors, ..Definition::default() }
}

fn document(definition: &Definition) -> Value {
    body(definition, &integrations(&names(), &account()))
}

#[test]
fn one_keyed_route_is_this_document() {
    let wanted = definition(false, &[("GET /sample_producer", "sample_producer", Security::Key, 29_000)]);
    assert_eq!(
        document(&wanted),
        json!({
            "openapi": "3.0.1",
            "info": { "title": "ml_api", "description": "Samples", "version": format!("mdo-1 {}", wanted.digest()) },
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
    let document = document(&definition(
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
    let document = document(&definition(true, &[("ANY /files/{id}/{proxy+}", "a", Security::Key, 50)]));
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
    assert_eq!(
        document(&definition(true, &routes)).to_string(),
        document(&definition(true, &reversed)).to_string()
    );
}

#[test]
fn binary_media_types_are_the_apis_and_a_preflight_stays_text() {
    let types = ["image/png", "*/*"].map(|one| one.parse().unwrap());
    let definition = Definition {
        binary_media_types: types.into(),
        ..definition(true, &[("GET /samples", "a", Security::Open, 29_000)])
    };
    let document = document(&definition);
    assert_eq!(document["x-amazon-apigateway-binary-media-types"], json!(["*/*", "image/png"]));
    let integration =
        |method: &str| document["paths"]["/samples"][method]["x-amazon-apigateway-integration"].clone();
    assert_eq!(integration("options")["contentHandling"], "CONVERT_TO_TEXT");
    assert_eq!(integration("get")["contentHandling"], Value::Null);
}
