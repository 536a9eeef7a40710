//! The same for a stage that servers answer.

use serde_json::{Value, json};

use super::refers_to_what_is_there;
use crate::support::project::TestProject;
use crate::support::workflow::Linters;

/// A certificate, as `[server]` names it.
const CERTIFICATE: &str =
    "arn:aws:acm:eu-west-1:123456789012:certificate/12345678-1234-1234-1234-123456789012";

/// A project whose hosted stage uses everything, with functions whose names differ in a character which other tools do not take.
fn full_project() -> TestProject {
    let project = TestProject::local();
    let manifest = format!(
        r#"name = "shop"
tags = {{ team = "ml" }}

[api]
cors = true
throttle = {{ rate = 2.5, burst = 5 }}

[server]
cpu = 0.5
memory = 1024
tasks = {{ min = 2, max = 6, cpu = 70 }}
certificate = "{CERTIFICATE}"
domain = "api.example.com"
drain = 45
task_role = "arn:aws:iam::123456789012:role/functions"
secrets = {{ DB = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3:password::", PIN = "arn:aws:ssm:eu-west-1:123456789012:parameter/pin", SIGN = "secretsmanager:shop/db2#token", WORD = "ssm:/shop/word" }}
subnets = ["subnet-12345678", "subnet-87654321"]
security_groups = ["sg-12345678"]
spot = true

[stages.prod]
hosting = "server"
"#
    );
    project.write("project.toml", &manifest);
    let environment = json!({
        "TOKEN": "hidden-1",
        "SAME": "hidden-2",
        "KEPT": "secretsmanager:shop/db#password",
        "LATER": {"secret": "ssm:/shop/later", "resolve": "function"},
    });
    let settings =
        json!({"routes": ["GET /a/{id}"], "environment": environment, "required_environment": ["NEEDED"]});
    project.add_function("a_b", settings);
    project.add_function("a-b", json!({"environment": {"TOKEN": "hidden-3", "SAME": "hidden-2"}}));
    project
}

/// A project whose hosted stage uses next to nothing.
fn plain_project() -> TestProject {
    let project = TestProject::local_with_echo();
    let server =
        "[server]\nhttp = true\n[stages.prod]\nhosting = \"server\"\n[stages.eu]\nhosting = \"server\"\n";
    project.write("project.toml", &format!("name = \"shop\"\n{server}"));
    project
}

fn names(of: &Value) -> Vec<&str> {
    of.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

/// The types of a configuration's resources with their names.
fn resources(configuration: &Value) -> Vec<String> {
    let kinds = configuration["resource"].as_object().unwrap();
    kinds
        .iter()
        .flat_map(|(kind, all)| names(all).into_iter().map(move |name| format!("{kind}.{name}")))
        .collect()
}

#[test]
fn a_template_of_everything_that_hosts_is_approved_and_holds_no_secret() {
    let project = full_project();
    let output =
        project.mdo("export cloudformation --stage prod -s EXTRA=hidden-4 -o template.json").succeeds();
    assert_eq!(
        output.stderr,
        "note: the image is parameter Image, by the digest that it has in the repository shop; `mdo image --stage prod -o FILE` makes it\n\
         note: the values of environment variables are not in the document; they are parameters by name\n\
         note: the value of a key is one of the parameters, and its SHA-256 is another one; `mdo key show NAME --stage prod` prints it\n"
    );
    let text = project.read("template.json");
    assert!(!text.contains("hidden-"), "{text}");
    let template: Value = serde_json::from_str(&text).unwrap();
    let parameters = template["Parameters"].as_object().unwrap();
    let secrets: Vec<&str> =
        parameters.iter().filter(|(_, one)| one["NoEcho"] == true).map(|(name, _)| name.as_str()).collect();
    let expected = [
        "ABEnvironmentTOKEN",
        "ABEnvironmentTOKEN2",
        "EnvironmentEXTRA",
        "EnvironmentKEPT",
        "EnvironmentNEEDED",
        "EnvironmentSAME",
        "KeyDefaultValue",
    ];
    assert_eq!(secrets, expected);
    assert_eq!(parameters["Subnets"]["Default"], "subnet-12345678,subnet-87654321");
    assert_eq!(parameters["PublicAddresses"]["Default"], Value::Null);
    let task = &template["Resources"]["TaskDefinition"]["Properties"];
    let stage = &task["ContainerDefinitions"][0]["Environment"][1];
    assert_eq!(stage["Name"], "MDO_STAGE");
    assert_eq!(
        serde_json::from_str::<Value>(stage["Value"]["Fn::Sub"].as_str().unwrap()).unwrap(),
        json!({
            "format": 1,
            "stage": "prod",
            "environment": {
                "a_b": {
                    "EXTRA": "${EnvironmentEXTRA}",
                    "KEPT": "${EnvironmentKEPT}",
                    "LATER": "ssm:/shop/later",
                    "NEEDED": "${EnvironmentNEEDED}",
                    "SAME": "${EnvironmentSAME}",
                    "TOKEN": "${ABEnvironmentTOKEN2}",
                },
                "a-b": {
                    "EXTRA": "${EnvironmentEXTRA}",
                    "SAME": "${EnvironmentSAME}",
                    "TOKEN": "${ABEnvironmentTOKEN}",
                },
            },
            "secrets": ["DB", "PIN", "SIGN", "WORD"],
            "keys": {"default": {"id": "${KeyDefault}", "sha256": "${KeyDefaultSha256}"}},
            "throttle": {"rate": 2.5, "burst": 5},
            "tasks": 2,
            "memory": 1024,
            "lame_duck": 11,
        })
    );
    let place = "${AWS::Region}:${AWS::AccountId}";
    let token = format!("arn:${{AWS::Partition}}:secretsmanager:{place}:secret:shop/db2");
    let word = json!({"Fn::Sub": format!("arn:${{AWS::Partition}}:ssm:{place}:parameter/shop/word")});
    let container = &task["ContainerDefinitions"][0];
    let secret = |number: usize| container["Secrets"][number]["ValueFrom"].clone();
    assert_eq!(secret(0), "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3:password::");
    assert_eq!(secret(2), json!({"Fn::Sub": format!("{token}:token::")}));
    assert_eq!(secret(3), word);
    let statements = &template["Resources"]["ServerRoleSecrets"]["Properties"]["PolicyDocument"]["Statement"];
    let managed = statements[0]["Resource"].as_array().unwrap();
    assert_eq!(managed.len(), 2, "{managed:?}");
    assert!(managed.contains(&json!({"Fn::Sub": format!("{token}-??????")})), "{managed:?}");
    assert!(
        managed.contains(&json!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3")),
        "{managed:?}"
    );
    assert!(statements[1]["Resource"].as_array().unwrap().contains(&word), "{statements:#}");
    assert_eq!(template["Outputs"]["Url"], json!({"Value": "https://api.example.com/prod"}));
    if let Some(linters) = Linters::shared() {
        linters.approve_template(&project.path("template.json"));
    }
}

#[test]
fn a_hosted_stage_has_nothing_in_a_template_that_it_does_not_use() {
    let project = plain_project();
    project.mdo("export cloudformation --stage prod -o prod.json").succeeds();
    let template: Value = serde_json::from_str(&project.read("prod.json")).unwrap();
    assert_eq!(
        names(&template["Resources"]),
        [
            "Cluster",
            "KeyDefault",
            "Listener",
            "LoadBalancer",
            "LoadBalancerGroup",
            "Repository",
            "Rule",
            "ServerLogGroup",
            "ServerRole",
            "Service",
            "TargetGroup",
            "TaskDefinition",
            "TaskGroup",
        ]
    );
    let expected = [
        "Image",
        "KeyDefaultSha256",
        "KeyDefaultValue",
        "PublicAddresses",
        "RulePriority",
        "SharedStack",
        "Subnets",
        "Vpc",
    ];
    assert_eq!(names(&template["Parameters"]), expected);
    let text = template.to_string();
    for unused in ["Tags", "Certificates", "SslPolicy", "TaskRoleArn", "Secrets"] {
        assert!(!text.contains(&format!("\"{unused}\":")), "{unused}: {text}");
    }
    // Of two stages one makes what they share; each runs nothing before its image is there.
    let shared = |template: &Value| -> Vec<String> {
        let all = template["Resources"].as_object().unwrap();
        let made = all.iter().filter(|(_, resource)| resource["Condition"] == "MakesShared");
        made.map(|(name, _)| name.clone()).collect()
    };
    let of_project = ["Cluster", "Listener", "LoadBalancer", "LoadBalancerGroup", "Repository", "ServerRole"];
    assert_eq!(shared(&template), of_project);
    let other = project.mdo("export cloudformation --stage eu").succeeds().document();
    assert_eq!(shared(&other), of_project);
    for name in of_project {
        assert_eq!(template["Resources"][name], other["Resources"][name], "{name}");
    }
    for name in ["Service", "TaskDefinition"] {
        assert_eq!(template["Resources"][name]["Condition"], "HasImage", "{name}");
    }
    if let Some(linters) = Linters::shared() {
        linters.approve_template(&project.path("prod.json"));
    }
}

#[test]
fn a_terraform_configuration_of_what_hosts_refers_to_what_is_there_alone() {
    let project = full_project();
    let output = project.mdo("export terraform --stage prod").succeeds();
    assert!(!output.stdout.contains("hidden-"), "{}", output.stdout);
    refers_to_what_is_there(&output.stdout);
    let configuration = output.document();
    let stage = &configuration["locals"]["stage"];
    assert_eq!(stage["environment"]["a_b"]["TOKEN"], "${var.a_b_environment_TOKEN}");
    assert_eq!(
        stage["environment"]["a_b"]["KEPT"],
        "${jsondecode(data.aws_secretsmanager_secret_version.aws_secretsmanager_secret_version_shop_db.secret_string)[\"password\"]}"
    );
    let secrets = &configuration["locals"]["container"]["secrets"];
    let place = "${data.aws_region.this.name}:${data.aws_caller_identity.this.account_id}";
    let word = format!("arn:${{data.aws_partition.this.partition}}:ssm:{place}:parameter/shop/word");
    assert_eq!(secrets[3], json!({"name": "WORD", "valueFrom": word}));
    let policy = &configuration["resource"]["aws_iam_role_policy"]["secrets"]["policy"];
    assert!(policy.as_str().unwrap().contains(&word), "{policy}");
    let key = "aws_api_gateway_api_key.key_default";
    assert_eq!(
        stage["keys"]["default"],
        json!({"id": format!("${{{key}.id}}"), "sha256": format!("${{sha256({key}.value)}}")})
    );
    let sensitive = ["a_b_environment_TOKEN", "environment_SAME", "environment_NEEDED", "key_default_value"];
    for variable in sensitive {
        assert_eq!(configuration["variable"][variable]["sensitive"], true, "{variable}");
    }
    let service = &configuration["resource"]["aws_ecs_service"]["server"];
    assert_eq!(service["lifecycle"], json!({"ignore_changes": ["desired_count"]}));
    assert_eq!(service["tags"], json!({"team": "ml"}));

    let plain = plain_project().mdo("export terraform --stage prod").succeeds();
    refers_to_what_is_there(&plain.stdout);
    assert_eq!(
        resources(&plain.document()),
        [
            "aws_api_gateway_api_key.key_default",
            "aws_cloudwatch_log_group.server",
            "aws_ecr_lifecycle_policy.this",
            "aws_ecr_repository.this",
            "aws_ecs_cluster.this",
            "aws_ecs_cluster_capacity_providers.this",
            "aws_ecs_service.server",
            "aws_ecs_task_definition.server",
            "aws_iam_role.server",
            "aws_iam_role_policy.server",
            "aws_lb.this",
            "aws_lb_listener.front",
            "aws_lb_listener_rule.server",
            "aws_lb_target_group.server",
            "aws_security_group.load_balancer",
            "aws_security_group.server",
            "aws_vpc_security_group_egress_rule.load_balancer",
            "aws_vpc_security_group_egress_rule.server",
            "aws_vpc_security_group_ingress_rule.load_balancer_443",
            "aws_vpc_security_group_ingress_rule.load_balancer_80",
            "aws_vpc_security_group_ingress_rule.server",
        ]
    );
    for unused in ["\"tags\"", "certificate_arn", "ssl_policy", "task_role_arn", "secrets", "lifecycle\""] {
        assert!(!plain.stdout.contains(unused), "{unused}: {}", plain.stdout);
    }
}

#[test]
fn an_image_of_the_projects_own_is_a_default_and_needs_no_function() {
    let project = TestProject::local();
    let image = format!("example.com/own/server@sha256:{:064}", 7);
    let server = format!("[server]\nhttp = true\ntasks = 1\nimage = \"{image}\"\nhealth = \"/healthz\"\n");
    project.write("project.toml", &format!("name = \"shop\"\n{server}[stages.prod]\nhosting = \"server\"\n"));
    let output = project.mdo("export cloudformation --stage prod").succeeds();
    assert_eq!(output.stderr, "");
    let template = output.document();
    assert_eq!(template["Parameters"]["Image"]["Default"], image);
    let resources = &template["Resources"];
    assert_eq!(resources["Service"].get("Condition"), None);
    assert_eq!(resources["TargetGroup"]["Properties"]["HealthCheckPath"], "/healthz");
    let task = &resources["TaskDefinition"]["Properties"];
    assert_eq!(task.get("Volumes"), None);
    let container = &task["ContainerDefinitions"][0];
    assert_eq!((container.get("User"), container.get("ReadonlyRootFilesystem")), (None, None));
    let configuration = project.mdo("export terraform --stage prod").succeeds().document();
    assert_eq!(configuration["variable"]["image"]["default"], image);
    project.mdo("export openapi --stage prod").exits(2).complains(
        "error: stage prod runs an image of its own, and mdo does not know what that answers\n  \
         help: export what hosts it: mdo export cloudformation --stage prod\n",
    );
}

#[test]
fn an_openapi_document_of_a_hosted_stage_leads_to_its_load_balancer() {
    let project = full_project();
    project.set("a_b", "routes", json!(["GET /a/{id}", {"route": "ANY /{proxy+}", "security": "open"}]));
    let output = project.mdo("export openapi --stage prod").succeeds();
    assert_eq!(output.stderr, "note: the document leads to the load balancer at api.example.com\n");
    let document = output.document();
    let integration =
        |path: &str, method: &str| document["paths"][path][method]["x-amazon-apigateway-integration"].clone();
    assert_eq!(
        integration("/a/{id}", "get"),
        json!({
            "type": "http_proxy",
            "httpMethod": "GET",
            "uri": "https://api.example.com/prod/a/{id}",
            "requestParameters": {"integration.request.path.id": "method.request.path.id"},
            "passthroughBehavior": "when_no_match",
            "timeoutInMillis": 29000,
        })
    );
    let any = integration("/{proxy+}", "x-amazon-apigateway-any-method");
    assert_eq!(
        (&any["httpMethod"], &any["uri"]),
        (&json!("ANY"), &json!("https://api.example.com/prod/{proxy}"))
    );
    assert_eq!(integration("/a/{id}", "options")["type"], "mock");
    assert!(!output.stdout.contains("lambda"), "{}", output.stdout);

    let plain = plain_project().mdo("export openapi --stage prod").succeeds();
    plain.says("note: the document leads to the load balancer at the stage variable host, which the stage that serves it needs\n");
    let echo = &plain.document()["paths"]["/echo"]["get"];
    assert_eq!(echo["security"], json!([{"api_key": []}]));
    assert_eq!(echo["x-amazon-apigateway-integration"]["uri"], "http://${stageVariables.host}/prod/echo");
}
