//! `mdo export openapi` against what API Gateway makes of it: the API that a deploy makes.

use serde_json::{Value, json};

use crate::support::account::{Account, REGION};
use crate::support::emulator::Emulator;
use crate::support::project::{MANIFEST, TestProject};

/// The methods of an API with their integrations, by path.
fn methods(account: &Account, api: &Value) -> Value {
    let asked = json!({"restApiId": api, "embed": ["methods"], "limit": 500});
    let answer = account.aws("apigateway", "get_resources", asked).unwrap();
    let items = answer["items"].as_array().unwrap();
    let method =
        |item: &Value| (item["path"].as_str().unwrap().to_owned(), essence(&item["resourceMethods"]));
    items.iter().map(method).collect::<serde_json::Map<_, _>>().into()
}

/// What is not an id.
fn essence(methods: &Value) -> Value {
    let fields = |method: &Value| {
        let integration = &method["methodIntegration"];
        json!([
            method["apiKeyRequired"],
            method["authorizationType"],
            integration["type"],
            integration["uri"],
            integration["timeoutInMillis"],
        ])
    };
    let all = methods.as_object().into_iter().flatten();
    all.map(|(name, method)| (name.clone(), fields(method))).collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn an_exported_document_imports_as_the_api_that_a_deploy_makes() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    project.write("project.toml", &format!("{MANIFEST}[api]\ncors = true\n"));
    let routes = json!(["GET /echo", {"route": "POST /echo/{id}", "security": "iam"}, {"route": "ANY /open", "security": "open"}]);
    project.set("echo", "routes", routes);
    project.deploys("");
    let account = project.account();
    let document =
        project.mdo(&format!("export openapi --region {REGION} --account {}", account.id())).exits(0).stdout;
    let deployed = account.aws("apigateway", "get_rest_apis", json!({})).unwrap();
    let [deployed] = deployed["items"].as_array().unwrap().as_slice() else { panic!("{deployed}") };
    let imported = account.aws("apigateway", "import_rest_api", json!({"body": document})).unwrap();
    assert_eq!(imported["name"], "shop");
    let found = methods(account, &imported["id"]);
    assert_eq!(found["/echo"]["GET"][0], true, "{found:#}");
    assert_eq!(found, methods(account, &deployed["id"]));
}

#[test]
fn a_document_of_a_hosted_stage_imports_with_every_route_led_to_its_load_balancer() {
    let Some(emulator) = Emulator::shared() else { return };
    let project = TestProject::with_echo(emulator.account());
    let server = "[server]\nhttp = true\n[stages.prod]\nhosting = \"server\"\n";
    project.write("project.toml", &format!("{MANIFEST}[api]\ncors = true\n{server}"));
    project.set(
        "echo",
        "routes",
        json!(["GET /echo", {"route": "ANY /a/{id}/{proxy+}", "security": "open"}]),
    );
    let document = project.mdo("export openapi --stage prod").exits(0).stdout;
    let account = project.account();
    let imported = account.aws("apigateway", "import_rest_api", json!({"body": document})).unwrap();
    let found = methods(account, &imported["id"]);
    let to = |path: &str| format!("http://${{stageVariables.host}}/prod{path}");
    assert_eq!(found["/echo"]["GET"], json!([true, "NONE", "HTTP_PROXY", to("/echo"), 29000]), "{found:#}");
    assert_eq!(
        found["/a/{id}/{proxy+}"]["ANY"],
        json!([false, "NONE", "HTTP_PROXY", to("/a/{id}/{proxy}"), 29000]),
        "{found:#}"
    );
    assert_eq!(found["/echo"]["OPTIONS"][2], "MOCK");
}
