//! What `mdo export` says of a hosted stage, held against what a deploy of the same files asks of AWS, field by field.

mod said;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use self::said::{Calls, Said};
use crate::support::account::REGION;
use crate::support::hosted::HostedProject;

/// A stage with what a stage may have, as far as the emulator takes it.
fn full(account: &str) -> String {
    format!(
        r#"name = "shop"
tags = {{ team = "ml" }}

[server]
cpu = 0.5
memory = 1024
tasks = {{ min = 2, max = 6, cpu = 70 }}
certificate = "arn:aws:acm:{REGION}:{account}:certificate/1"
drain = 45
task_role = "arn:aws:iam::{account}:role/functions"
secrets = {{ DB = "arn:aws:secretsmanager:{REGION}:{account}:secret:db-a1b2c3:password::", PIN = "arn:aws:ssm:{REGION}:{account}:parameter/pin" }}
spot = true

[stages.prod]
hosting = "server"
"#
    )
}

#[test]
fn a_document_of_another_tool_says_what_a_deploy_asks_for() {
    let Some(hosted) = HostedProject::with_echo() else { return };
    let account = hosted.project.account().id().to_owned();
    hosted.project.write("project.toml", &full(&account));
    hosted.mdo("deploy -s GREETING=hello").succeeds();
    let recording = hosted.proxy.recording();
    let key = hosted.mdo("key show default").succeeds().stdout;
    let export = |form: &str| hosted.project.mdo(&format!("export {form} --stage prod -s GREETING=hello"));
    let template = export("cloudformation").succeeds().document();
    let calls = Calls(&recording);

    let mut said = Said::new(&template, &account);
    said.is("Repository", &["LifecyclePolicy"], calls.one("CreateRepository"));
    said.is("ServerRole", &["Policies"], calls.one("CreateRole"));
    said.is("LoadBalancer", &["LoadBalancerAttributes"], calls.one("CreateLoadBalancer"));
    let listener = |port| calls.with("CreateListener", "Port", port);
    said.is("Listener", &[], listener("443"));
    said.is("RedirectListener", &[], listener("80"));
    said.is("TargetGroup", &["TargetGroupAttributes"], calls.one("CreateTargetGroup"));
    said.is("Rule", &[], calls.one("CreateRule"));
    for id in ["LoadBalancerGroup", "TaskGroup"] {
        let name = template["Resources"][id]["Properties"]["GroupName"].as_str().unwrap();
        said.is(id, &[], calls.group(name));
    }
    said.is("Cluster", &[], calls.one("CreateCluster"));
    let mut log_group = calls.one("CreateLogGroup");
    log_group["retentionInDays"] = calls.one("PutRetentionPolicy")["retentionInDays"].clone();
    said.is("ServerLogGroup", &[], log_group);
    let mut key_made = calls.one("CreateApiKey");
    // AWS makes the value of a new one.
    key_made["value"] = json!(key.trim());
    said.is("KeyDefault", &[], key_made);
    let mut task = calls.one("RegisterTaskDefinition");
    // What the image answers is recorded there for mdo alone.
    task["containerDefinitions"][0].as_object_mut().unwrap().remove("dockerLabels");
    said.is("TaskDefinition", &[], task.clone());
    let mut service = calls.one("CreateService");
    // Where it scales, the number is scaling's.
    let desired = service.as_object_mut().unwrap().remove("desiredCount");
    said.is("Service", &[], service.clone());
    said.is("ScalableTarget", &[], calls.one("RegisterScalableTarget"));
    let mut policy = calls.one("PutScalingPolicy");
    for of_target in ["ServiceNamespace", "ResourceId", "ScalableDimension"] {
        policy.as_object_mut().unwrap().remove(of_target);
    }
    said.is("ScalingPolicy", &["ScalingTargetId"], policy);
    let resources = &template["Resources"];
    for (resource, key, operation) in [
        ("LoadBalancer", "LoadBalancerAttributes", "ModifyLoadBalancerAttributes"),
        ("TargetGroup", "TargetGroupAttributes", "ModifyTargetGroupAttributes"),
    ] {
        said.same(resource, &resources[resource]["Properties"][key], &calls.one(operation)["Attributes"]);
    }
    let lifecycle = &resources["Repository"]["Properties"]["LifecyclePolicy"]["LifecyclePolicyText"];
    said.same("lifecycle", lifecycle, &calls.one("PutLifecyclePolicy")["lifecyclePolicyText"]);
    let everybodys = &resources["ServerRole"]["Properties"]["Policies"][0];
    let stages = &resources["ServerRoleSecrets"]["Properties"]["PolicyDocument"]["Statement"];
    let mut all = everybodys["PolicyDocument"].clone();
    all["Statement"].as_array_mut().unwrap().extend(stages.as_array().unwrap().clone());
    let put = calls.one("PutRolePolicy");
    said.same("policy", &all, &put["PolicyDocument"]);
    said.same("policy", &everybodys["PolicyName"], &put["PolicyName"]);

    // Everything of the template has been held against a call, and what stands for a value stands for it everywhere.
    let described: BTreeSet<&str> = resources.as_object().unwrap().keys().map(String::as_str).collect();
    said.seen.insert("ServerRoleSecrets".to_owned());
    assert_eq!(said.seen.iter().map(String::as_str).collect::<BTreeSet<_>>(), described);
    assert_eq!(said.stands_for("EnvironmentGREETING"), "hello");
    assert_eq!(said.stands_for("KeyDefaultValue"), key.trim());
    let digest = said.stands_for("KeyDefaultSha256");
    assert_eq!(digest.len(), 64, "{digest}");
    assert!(said.stands_for("Image").contains("/shop@sha256:"));
    let distinct: BTreeSet<String> = said.values.values().map(Value::to_string).collect();
    assert_eq!(distinct.len(), said.values.len(), "{:#?}", said.values);

    terraform_says(
        &export("terraform").succeeds().document(),
        (&calls, &account),
        (&task, &service, desired),
    );
}

/// The same of a configuration of Terraform, whose words are its own.
fn terraform_says(
    configuration: &Value,
    (calls, account): (&Calls<'_>, &str),
    (task, service, desired): (&Value, &Value, Option<Value>),
) {
    let mut said = Said::new(configuration, account);
    said.same("container", &configuration["locals"]["container"], &task["containerDefinitions"][0]);
    let stage = &task["containerDefinitions"][0]["environment"][1]["value"];
    let stage: Value = serde_json::from_str(stage.as_str().unwrap()).unwrap();
    said.same("stage", &configuration["locals"]["stage"], &stage);
    assert_eq!(said.stands_for("var.environment_GREETING"), "hello");

    let (target, scaling) = (calls.one("CreateTargetGroup"), calls.one("RegisterScalableTarget"));
    let (balancer, rule) = (calls.one("CreateLoadBalancer"), calls.one("CreateRule"));
    let (policy, desired) = (calls.one("PutScalingPolicy"), desired.unwrap());
    let attributes = calls.one("ModifyTargetGroupAttributes");
    let of_balancer = calls.one("ModifyLoadBalancerAttributes");
    let (front, redirect) =
        (calls.with("CreateListener", "Port", "443"), calls.with("CreateListener", "Port", "80"));
    let tracking = "/aws_appautoscaling_policy/server/target_tracking_scaling_policy_configuration";
    let tracked = &policy["TargetTrackingScalingPolicyConfiguration"];
    let role = calls.one("CreateRole");
    let pairs = [
        ("/aws_ecs_task_definition/server/family", &task["family"]),
        ("/aws_ecs_task_definition/server/cpu", &task["cpu"]),
        ("/aws_ecs_task_definition/server/memory", &task["memory"]),
        ("/aws_ecs_task_definition/server/network_mode", &task["networkMode"]),
        ("/aws_ecs_task_definition/server/requires_compatibilities", &task["requiresCompatibilities"]),
        (
            "/aws_ecs_task_definition/server/runtime_platform/cpu_architecture",
            &task["runtimePlatform"]["cpuArchitecture"],
        ),
        ("/aws_ecs_task_definition/server/task_role_arn", &task["taskRoleArn"]),
        ("/aws_ecs_task_definition/server/volume/name", &task["volumes"][0]["name"]),
        ("/aws_ecs_service/server/name", &service["serviceName"]),
        ("/aws_ecs_service/server/desired_count", &desired),
        (
            "/aws_ecs_service/server/health_check_grace_period_seconds",
            &service["healthCheckGracePeriodSeconds"],
        ),
        ("/aws_ecs_service/server/propagate_tags", &service["propagateTags"]),
        (
            "/aws_ecs_service/server/deployment_maximum_percent",
            &service["deploymentConfiguration"]["maximumPercent"],
        ),
        (
            "/aws_ecs_service/server/deployment_minimum_healthy_percent",
            &service["deploymentConfiguration"]["minimumHealthyPercent"],
        ),
        (
            "/aws_ecs_service/server/deployment_circuit_breaker/rollback",
            &service["deploymentConfiguration"]["deploymentCircuitBreaker"]["rollback"],
        ),
        (
            "/aws_ecs_service/server/capacity_provider_strategy/capacity_provider",
            &service["capacityProviderStrategy"][0]["capacityProvider"],
        ),
        (
            "/aws_ecs_service/server/load_balancer/container_name",
            &service["loadBalancers"][0]["containerName"],
        ),
        (
            "/aws_ecs_service/server/load_balancer/container_port",
            &service["loadBalancers"][0]["containerPort"],
        ),
        ("/aws_appautoscaling_target/server/min_capacity", &scaling["MinCapacity"]),
        ("/aws_appautoscaling_target/server/max_capacity", &scaling["MaxCapacity"]),
        ("/aws_appautoscaling_target/server/scalable_dimension", &scaling["ScalableDimension"]),
        ("/aws_appautoscaling_policy/server/name", &policy["PolicyName"]),
        (&format!("{tracking}/target_value"), &tracked["TargetValue"]),
        (&format!("{tracking}/scale_in_cooldown"), &tracked["ScaleInCooldown"]),
        (&format!("{tracking}/scale_out_cooldown"), &tracked["ScaleOutCooldown"]),
        (
            &format!("{tracking}/predefined_metric_specification/predefined_metric_type"),
            &tracked["PredefinedMetricSpecification"]["PredefinedMetricType"],
        ),
        ("/aws_lb/this/name", &balancer["Name"]),
        ("/aws_lb/this/idle_timeout", attribute(&of_balancer, "idle_timeout.timeout_seconds")),
        (
            "/aws_lb/this/drop_invalid_header_fields",
            attribute(&of_balancer, "routing.http.drop_invalid_header_fields.enabled"),
        ),
        ("/aws_lb_listener/front/port", &front["Port"]),
        ("/aws_lb_listener/front/ssl_policy", &front["SslPolicy"]),
        ("/aws_lb_listener/front/certificate_arn", &front["Certificates"][0]["CertificateArn"]),
        (
            "/aws_lb_listener/front/default_action/fixed_response/message_body",
            &front["DefaultActions"][0]["FixedResponseConfig"]["MessageBody"],
        ),
        (
            "/aws_lb_listener/redirect/default_action/redirect/status_code",
            &redirect["DefaultActions"][0]["RedirectConfig"]["StatusCode"],
        ),
        (
            "/aws_lb_listener_rule/server/condition/path_pattern/values",
            &rule["Conditions"][0]["PathPatternConfig"]["Values"],
        ),
        ("/aws_lb_target_group/server/name", &target["Name"]),
        ("/aws_lb_target_group/server/port", &target["Port"]),
        ("/aws_lb_target_group/server/target_type", &target["TargetType"]),
        (
            "/aws_lb_target_group/server/deregistration_delay",
            attribute(&attributes, "deregistration_delay.timeout_seconds"),
        ),
        ("/aws_lb_target_group/server/health_check/path", &target["HealthCheckPath"]),
        ("/aws_lb_target_group/server/health_check/interval", &target["HealthCheckIntervalSeconds"]),
        ("/aws_lb_target_group/server/health_check/timeout", &target["HealthCheckTimeoutSeconds"]),
        ("/aws_lb_target_group/server/health_check/healthy_threshold", &target["HealthyThresholdCount"]),
        ("/aws_lb_target_group/server/health_check/unhealthy_threshold", &target["UnhealthyThresholdCount"]),
        ("/aws_lb_target_group/server/health_check/matcher", &target["Matcher"]["HttpCode"]),
        ("/aws_iam_role/server/name", &role["RoleName"]),
        ("/aws_iam_role/server/assume_role_policy", &role["AssumeRolePolicyDocument"]),
        ("/aws_ecr_lifecycle_policy/this/policy", &calls.one("PutLifecyclePolicy")["lifecyclePolicyText"]),
        (
            "/aws_cloudwatch_log_group/server/retention_in_days",
            &calls.one("PutRetentionPolicy")["retentionInDays"],
        ),
    ];
    for (path, asked) in pairs {
        let value = configuration["resource"].pointer(path).unwrap_or(&Value::Null);
        assert!(!asked.is_null(), "{path}");
        said.same(path, value, asked);
    }
    let document = |name: &str| -> Value {
        let text = &configuration["resource"]["aws_iam_role_policy"][name]["policy"];
        serde_json::from_str(text.as_str().unwrap()).unwrap()
    };
    let mut all = document("server")["Statement"].clone();
    all.as_array_mut().unwrap().extend(document("secrets")["Statement"].as_array().unwrap().clone());
    let text = all.to_string().replace("${data.aws_partition.this.partition}", "aws");
    let all: Value =
        serde_json::from_str(&text.replace("${data.aws_caller_identity.this.account_id}", account)).unwrap();
    let policy = json!({"Version": "2012-10-17", "Statement": all});
    said.same("policy", &policy, &calls.one("PutRolePolicy")["PolicyDocument"]);
}

/// The value of an attribute in a call that sets some.
fn attribute<'a>(asked: &'a Value, key: &str) -> &'a Value {
    let all = asked["Attributes"].as_array().unwrap();
    &all.iter().find(|one| one["Key"] == key).unwrap()["Value"]
}
