//! `mdo export`: what it prints is what other tools take, refers to nothing that is not there, and holds no secret.

mod hosted;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::project::{MANIFEST, TestProject};
use crate::support::workflow::Linters;

/// The settings of a function that has everything which one may have.
fn everything() -> Value {
    json!({
        "description": "Costs ${money} and %{percent}",
        "runtime": "python3.13",
        "handler": "echo.handle",
        "routes": ["GET /a/{id}", {"route": "POST /b", "security": "iam"}, {"route": "ANY /{proxy+}", "security": "open"}],
        "environment": {"TOKEN": "hidden-1", "SAME": "hidden-2"},
        "required_environment": ["NEEDED"],
        "warm": {"rate": "5m", "concurrency": 2},
        "concurrency": 7,
        "memory": 512,
        "timeout": 20,
        "ephemeral_storage": 1024,
        "architecture": "arm64",
        "vpc": {"subnets": ["subnet-12345678"], "security_groups": ["sg-12345678"]},
        "layers": ["arn:aws:lambda:eu-west-1:123456789012:layer:x:1"],
        "tracing": "active",
        "deadletter_arn": "arn:aws:sqs:eu-west-1:123456789012:failed",
        "kms_arn": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "derivatives": ["deps"],
        "permissions": [
            {"allow": ["s3:GetObject"], "on": ["arn:aws:s3:::bucket/${aws:username}/*"]},
            "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
        ],
    })
}

/// A project that uses everything, with names that differ in a character which other tools do not take.
fn full_project() -> TestProject {
    let project = TestProject::local();
    let manifest = format!(
        "{MANIFEST}permissions_boundary = \"arn:aws:iam::123456789012:policy/bound\"\n\
         [api]\ncors = true\ntracing = true\naccess_logs = \"arn:aws:logs:eu-west-1:123456789012:log-group:requests\"\nbinary_media_types = [\"image/png\"]\nthrottle = {{ rate = 2.5, burst = 5 }}\n\
         quota = {{ limit = 1000, period = \"month\" }}\n\
         [derivatives.deps]\nzip = \"s3://big/deps.zip\"\nsha256 = \"{:064}\"\n",
        1
    );
    project.write("project.toml", &manifest);
    project.add_function("a_b", everything());
    let role = "arn:aws:iam::123456789012:role/other";
    let environment = json!({"TOKEN": "hidden-3", "SAME": "hidden-2"});
    project.add_function("a-b", json!({"role": role, "environment": environment}));
    project
}

#[test]
fn an_openapi_document_is_the_one_that_mdo_imports() {
    let project = TestProject::local_with_echo();
    project.mdo("export openapi").exits(2).complains(
        "error: the document names the account of the functions, and nothing says which\n  \
         help: give it with --account, or set `account` in project.toml\n",
    );
    let output = project.mdo("export openapi --account 123456789012 --region eu-west-1").succeeds();
    output.says("needs the stage variable alias=dev");
    let document = output.document();
    let version = document["info"]["version"].clone();
    assert!(version.as_str().unwrap().starts_with("mdo-1 "), "{version}");
    let uri = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:\
               shop_echo:${stageVariables.alias}/invocations";
    let expected = json!({
        "openapi": "3.0.1",
        "info": {"title": "shop", "description": "Echoes", "version": version},
        "paths": {"/echo": {"get": {
            "responses": {},
            "security": [{"api_key": []}],
            "x-amazon-apigateway-integration": {
                "type": "aws_proxy",
                "httpMethod": "POST",
                "uri": uri,
                "passthroughBehavior": "when_no_match",
                "timeoutInMillis": 29000,
            },
        }}},
        "components": {"securitySchemes": {"api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}}},
        "x-amazon-apigateway-api-key-source": "HEADER",
    });
    assert_eq!(output.stdout, format!("{expected:#}\n"));
}

#[test]
fn a_template_of_everything_is_approved_and_holds_no_secret() {
    let project = full_project();
    let output = project.mdo("export cloudformation -s EXTRA=hidden-4 -o template.json").succeeds();
    assert_eq!(output.stdout, "");
    output.says("they are parameters by name");
    let text = project.read("template.json");
    assert!(!text.contains("hidden-"), "{text}");
    let template: Value = serde_json::from_str(&text).unwrap();
    let secrets: Vec<&str> = template["Parameters"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, parameter)| parameter["NoEcho"] == true)
        .map(|(name, _)| name.as_str())
        .collect();
    let expected = [
        "ABEnvironmentTOKEN",
        "ABEnvironmentTOKEN2",
        "EnvironmentEXTRA",
        "EnvironmentNEEDED",
        "EnvironmentSAME",
        "KeyDefaultValue",
    ];
    assert_eq!(secrets, expected);
    let function = &template["Resources"]["ABFunction2"]["Properties"];
    assert_eq!(function["ReservedConcurrentExecutions"], 7);
    assert_eq!(function["Environment"]["Variables"]["SAME"], json!({"Ref": "EnvironmentSAME"}));
    let targets = json!([1, 2].map(|index| json!({
        "Id": format!("warm-{index}"),
        "Arn": {"Ref": "ABAlias2"},
        "Input": r#"{"mdo":{"hold_ms":75,"warm":true}}"#,
    })));
    assert_eq!(template["Resources"]["ABWarmRule"]["Properties"]["Targets"], targets);
    if let Some(linters) = Linters::shared() {
        linters.approve_template(&project.path("template.json"));
    }
}

#[test]
fn a_terraform_configuration_refers_to_what_is_there_alone() {
    let project = full_project();
    let output = project.mdo("export terraform").succeeds();
    assert!(!output.stdout.contains("hidden-"), "{}", output.stdout);
    refers_to_what_is_there(&output.stdout);
    let configuration = output.document();
    let function = &configuration["resource"]["aws_lambda_function"]["a_b"];
    assert_eq!(function["description"], "Costs $${money} and %%{percent}");
    let variables = &function["environment"]["variables"];
    assert_eq!(variables["TOKEN"], "${var.a_b_environment_TOKEN}");
    for variable in ["a_b_environment_TOKEN", "environment_SAME", "environment_NEEDED", "key_default_value"] {
        assert_eq!(configuration["variable"][variable]["sensitive"], true, "{variable}");
    }
    let body = configuration["resource"]["aws_api_gateway_rest_api"]["this"]["body"].as_str().unwrap();
    assert!(body.contains(":function:shop_a_b:$${stageVariables.alias}/invocations"), "{body}");
}

/// Proves that a configuration refers to much, and to nothing that it does not have.
#[track_caller]
fn refers_to_what_is_there(text: &str) {
    let configuration: Value = serde_json::from_str(text).unwrap();
    let references = references(text);
    assert!(references.len() > 20, "{references:?}");
    for reference in &references {
        let parts: Vec<&str> = reference.split('.').collect();
        let found = match parts[..] {
            ["var", name] => &configuration["variable"][name],
            ["local", name] => &configuration["locals"][name],
            ["data", kind, name] | ["data", kind, name, _] => &configuration["data"][kind][name],
            // What a loop is at.
            ["each", "value"] | ["subnet", _] => continue,
            [kind, name] | [kind, name, _] => &configuration["resource"][kind][name],
            _ => &Value::Null,
        };
        assert!(!found.is_null(), "{reference}");
    }
    let resources = configuration["resource"].as_object().unwrap();
    let after = resources.values().flat_map(|all| all.as_object().unwrap().values()).flat_map(|resource| {
        resource["depends_on"].as_array().into_iter().flatten().filter_map(Value::as_str)
    });
    for name in after {
        let (kind, id) = name.split_once('.').unwrap();
        assert!(configuration["resource"][kind][id].is_object(), "{name}");
    }
}

/// What the texts of a configuration refer to, inside calls too.
fn references(text: &str) -> BTreeSet<String> {
    let text = text.replace("$${", "");
    let expressions = text.split("${").skip(1).filter_map(|rest| rest.split('}').next());
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let words = expressions.flat_map(|expression| {
        // The texts in a list are no references.
        let bare = expression.split('"').step_by(2);
        bare.flat_map(|bare| bare.split(|c| !is_name(c))).collect::<Vec<_>>()
    });
    // What begins with a dot is an attribute of each of a list.
    words.filter(|word| word.contains('.') && !word.starts_with('.')).map(str::to_owned).collect()
}

#[test]
fn what_cannot_be_exported_says_why() {
    let project = TestProject::local();
    project.write("project.toml", MANIFEST);
    project.mdo("export terraform").exits(2).says("error: the project has no function to export\n");
    project.mdo("export openapi").exits(2).says("error: stage dev has no route, thus no API\n");
    project.mdo("export pulumi").exits(2).says("[possible values: openapi, cloudformation, terraform]");
    project.add_function("echo", json!({"routes": ["GET /echo"]}));
    project.mdo("export cloudformation -o none/x.json").exits(1).says("error: cannot write none/x.json: ");
    let dashed = project.mdo("export terraform -o -").succeeds();
    assert_eq!(dashed.stdout, project.mdo("export terraform").succeeds().stdout);
}

#[test]
fn what_is_kept_elsewhere_is_referred_to_where_the_other_tool_can() {
    let project = TestProject::local_with_echo();
    let environment = json!({
        "KEY": "secretsmanager:shop/db#pass\"word",
        "LATER": {"secret": "ssm:/shop/later", "resolve": "function"},
        "PARAMETER": "ssm:/shop/token",
        "WHOLE": "secretsmanager:shop/db",
    });
    project.set("echo", "environment", environment);
    let template = project.mdo("export cloudformation").succeeds().document();
    assert_eq!(
        template["Resources"]["EchoFunction"]["Properties"]["Environment"]["Variables"],
        json!({
            "KEY": "{{resolve:secretsmanager:shop/db:SecretString:pass\"word}}",
            "LATER": "ssm:/shop/later",
            "PARAMETER": {"Ref": "EnvironmentPARAMETER"},
            "WHOLE": "{{resolve:secretsmanager:shop/db:SecretString}}",
        })
    );
    let parameter = &template["Parameters"]["EnvironmentPARAMETER"];
    assert_eq!(
        (&parameter["NoEcho"], &parameter["Description"]),
        (
            &json!(true),
            &json!(
                "The value of PARAMETER in the environment of the functions, which is kept in ssm:/shop/token"
            )
        )
    );
    let configuration = project.mdo("export terraform").succeeds().document();
    let (parameter, secret) = ("aws_ssm_parameter__shop_token", "aws_secretsmanager_secret_version_shop_db");
    assert_eq!(
        configuration["resource"]["aws_lambda_function"]["echo"]["environment"]["variables"],
        json!({
            "KEY": format!("${{jsondecode(data.aws_secretsmanager_secret_version.{secret}.secret_string)[\"pass\\\"word\"]}}"),
            "LATER": "ssm:/shop/later",
            "PARAMETER": format!("${{data.aws_ssm_parameter.{parameter}.value}}"),
            "WHOLE": format!("${{data.aws_secretsmanager_secret_version.{secret}.secret_string}}"),
        })
    );
    assert_eq!(configuration["data"]["aws_ssm_parameter"], json!({parameter: {"name": "/shop/token"}}));
    assert_eq!(
        configuration["data"]["aws_secretsmanager_secret_version"],
        json!({secret: {"secret_id": "shop/db"}})
    );
}
