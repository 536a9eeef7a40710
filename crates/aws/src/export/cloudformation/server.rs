//! What answers a hosted stage, as resources of a template: the way to its tasks, task definition, service, scaling and keys.

use std::collections::BTreeMap;

use mdo_model::project::{FunctionName, KeyName, Tasks};
use mdo_model::stack::{HEALTH_COUNT, HEALTH_INTERVAL, Key, Server};
use serde_json::{Map, Value, json};

use super::balancer::{MAKES_SHARED, SECRETS, SUBNETS, VPC, dns_name};
use super::{Template, filled_in, tag_list};
use crate::export::server::{
    Filled, Hosting, Keys, VOLUME, architecture, container, environment, frozen_stage,
};
use crate::export::{set, text};
use crate::hosted::cluster::{ON_DEMAND, SPOT};
use crate::hosted::rules;
use crate::hosted::scaling::{self, COOLDOWN};
use crate::hosted::service::{FAILURES, GRACE};
use crate::hosted::target::{self, DRAIN, HEALTH_TIMEOUT, PORT};
use crate::hosted::task::{CONTAINER, is_ours};

const IMAGE: &str = "Image";
const HAS_IMAGE: &str = "HasImage";
const PUBLIC_ADDRESSES: &str = "PublicAddresses";
const RULE_PRIORITY: &str = "RulePriority";
const GROUP: &str = "TaskGroup";
const TARGET: &str = "TargetGroup";
const RULE: &str = "Rule";
const LOG_GROUP: &str = "ServerLogGroup";
const TASK: &str = "TaskDefinition";
const SERVICE: &str = "Service";
const SCALABLE: &str = "ScalableTarget";

/// What a value has to look like to stand between the quotes of a text of JSON.
const WITHIN_JSON: &str = r#"^[^"\\\x00-\x1f]*(\\(["\\/bfnrt]|u[0-9A-Fa-f]{4})[^"\\\x00-\x1f]*)*$"#;

impl Template<'_> {
    /// What answers the stage.
    pub(super) fn server(
        &mut self,
        hosting: &Hosting<'_>,
        keys: &BTreeMap<KeyName, Key>,
        domain: Option<&str>,
    ) {
        let server = hosting.server;
        self.image(server);
        self.way(server);
        let mut log_group = json!({"LogGroupName": self.names.server_log_group()});
        set(&mut log_group, "RetentionInDays", server.log_retention_days);
        set(&mut log_group, "Tags", tag_list(&server.tags));
        self.resource(LOG_GROUP, "AWS::Logs::LogGroup", log_group);
        self.task(server, keys);
        self.service(server);
        if let Tasks { min, max, cpu: Some(cpu) } = server.tasks {
            self.scaling(min, max, cpu);
        }
        let (scheme, path) = hosting.url_around(&self.names.stage);
        let mut url = match domain {
            Some(domain) => json!({"Value": format!("{scheme}{domain}{path}")}),
            None => json!({"Value": {"Fn::Join": ["", [scheme, dns_name(), path]]}}),
        };
        // Of a load balancer that another stack has made, that one says the name.
        set(&mut url, "Condition", domain.is_none().then_some(MAKES_SHARED));
        self.outputs.insert("Url".to_owned(), url);
    }

    fn image(&mut self, server: &Server) {
        if !server.image.is_empty() {
            return self.parameter(IMAGE, "The image, by its digest", Some(&server.image));
        }
        let what = "The image, by its digest: REPOSITORY@sha256:…. Without one the stack makes all but the server, and with it the \
                    repository to push the image to";
        self.parameter(IMAGE, what, Some(""));
        let condition = json!({"Fn::Not": [{"Fn::Equals": [{"Ref": IMAGE}, ""]}]});
        self.conditions.insert(HAS_IMAGE.to_owned(), condition);
    }

    /// A resource that is nothing without the image.
    fn running(&mut self, id: &str, kind: &str, properties: Value) -> &mut Value {
        let is_awaited = self.conditions.contains_key(HAS_IMAGE);
        let resource = self.resource(id, kind, properties);
        if is_awaited {
            resource["Condition"] = json!(HAS_IMAGE);
        }
        resource
    }

    /// The way from the load balancer to the tasks.
    fn way(&mut self, server: &Server) {
        let names = self.names;
        let mut properties = json!({
            "GroupName": names.service(),
            "GroupDescription": target::group_description(names),
            "VpcId": {"Ref": VPC},
            "SecurityGroupIngress": [{
                "IpProtocol": "tcp",
                "FromPort": PORT,
                "ToPort": PORT,
                "SourceSecurityGroupId": self.balancer_group(),
            }],
        });
        set(&mut properties, "Tags", tag_list(&server.tags));
        self.resource(GROUP, "AWS::EC2::SecurityGroup", properties);
        let mut properties = json!({
            "Name": names.target_group(),
            "TargetType": "ip",
            "Protocol": "HTTP",
            "Port": PORT,
            "VpcId": {"Ref": VPC},
            "HealthCheckProtocol": "HTTP",
            "HealthCheckPath": server.health,
            "HealthCheckIntervalSeconds": HEALTH_INTERVAL,
            "HealthCheckTimeoutSeconds": HEALTH_TIMEOUT,
            "HealthyThresholdCount": HEALTH_COUNT,
            "UnhealthyThresholdCount": HEALTH_COUNT,
            "Matcher": {"HttpCode": "200"},
            "TargetGroupAttributes": [{"Key": DRAIN, "Value": server.drain.to_string()}],
        });
        set(&mut properties, "Tags", tag_list(&server.tags));
        self.resource(TARGET, "AWS::ElasticLoadBalancingV2::TargetGroup", properties);
        let priority = json!({
            "Type": "Number",
            "Description": "The place of the stage among the rules of the load balancer: another one for each stage",
            "Default": 1,
        });
        self.parameters.insert(RULE_PRIORITY.to_owned(), priority);
        let mut properties = json!({
            "ListenerArn": self.front(),
            "Priority": {"Ref": RULE_PRIORITY},
            "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": rules::paths(&names.stage)}}],
            "Actions": [{"Type": "forward", "TargetGroupArn": {"Ref": TARGET}}],
        });
        set(&mut properties, "Tags", tag_list(&server.tags));
        self.resource(RULE, "AWS::ElasticLoadBalancingV2::ListenerRule", properties);
    }

    fn task(&mut self, server: &Server, keys: &BTreeMap<KeyName, Key>) {
        let environment = environment(server, |name, key| self.stands_for(name, key));
        let keys: Keys = keys.iter().map(|(name, key)| (name.clone(), self.stored_key(name, key))).collect();
        let stage = frozen_stage(server, &self.names.stage, &environment, &keys);
        let text = stage.to_string();
        let filled = Filled {
            image: json!({"Ref": IMAGE}),
            stage: if text.contains("${") { json!({"Fn::Sub": text}) } else { json!(text) },
            log_group: json!({"Ref": LOG_GROUP}),
            region: json!({"Ref": "AWS::Region"}),
        };
        let mut container = capitalised(container(server, filled));
        text::change(&mut container, "ValueFrom", &|arn| filled_in(&text::placed(arn)));
        let mut properties = json!({
            "Family": self.names.service(),
            "NetworkMode": "awsvpc",
            "RequiresCompatibilities": [ON_DEMAND],
            "Cpu": server.size.cpu.to_string(),
            "Memory": server.size.memory.to_string(),
            "RuntimePlatform": {"CpuArchitecture": architecture(server), "OperatingSystemFamily": "LINUX"},
            "ExecutionRoleArn": self.execution_role(),
            "ContainerDefinitions": [container],
        });
        set(&mut properties, "TaskRoleArn", server.task_role.as_ref());
        set(&mut properties, "Volumes", is_ours(server).then(|| json!([{"Name": VOLUME}])));
        set(&mut properties, "Tags", tag_list(&server.tags));
        self.running(TASK, "AWS::ECS::TaskDefinition", properties);
    }

    /// What stands for the value of a variable within the text of the stage's document.
    fn stands_for(&mut self, function: &FunctionName, key: &str) -> String {
        let referred = self.referred.get(function).and_then(|all| all.get(key));
        if let Some(referred) = referred.filter(|referred| referred.by_function) {
            return referred.reference.to_string().replace("${", "${!");
        }
        let parameter = self.variable(function, key);
        let entry = &mut self.parameters[&parameter];
        entry["AllowedPattern"] = json!(WITHIN_JSON);
        let how = r#"must be as it stands between the quotes of a text of JSON: \" for a quote, \\ for a backslash, \n for a new line"#;
        entry["ConstraintDescription"] = json!(how);
        format!("${{{parameter}}}")
    }

    /// A key that API Gateway keeps and the servers know by its digest: what stands for its id, and for the digest.
    fn stored_key(&mut self, name: &KeyName, key: &Key) -> (String, String) {
        // What the files ask for does not end, and no usage plan has it.
        let Key { enabled, linked: _, ends: _, tags } = key;
        let value = self.id(&["key", name.as_str(), "value"]);
        self.secret(&value, &format!("The value of key {name}: 20 characters or more"), None);
        self.parameters[&value]["MinLength"] = json!(20);
        let digest = self.id(&["key", name.as_str(), "sha256"]);
        self.parameter(&digest, &format!("The SHA-256 of the value of key {name}, in hexadecimal"), None);
        self.parameters[&digest]["AllowedPattern"] = json!("^[0-9a-f]{64}$");
        let mut properties =
            json!({"Name": self.names.key(name), "Enabled": enabled, "Value": {"Ref": value}});
        set(&mut properties, "Tags", tag_list(tags));
        let id = self.id(&["key", name.as_str()]);
        self.resource(&id, "AWS::ApiGateway::ApiKey", properties);
        (format!("${{{id}}}"), format!("${{{digest}}}"))
    }

    fn service(&mut self, server: &Server) {
        let mut addresses = json!({
            "Type": "String",
            "Description": "Whether tasks have public addresses: ENABLED in public subnets, DISABLED behind a NAT gateway",
            "AllowedValues": ["ENABLED", "DISABLED"],
        });
        // Of subnets that the files name, only AWS knows.
        set(&mut addresses, "Default", server.subnets.is_none().then_some("ENABLED"));
        self.parameters.insert(PUBLIC_ADDRESSES.to_owned(), addresses);
        let own = json!({"Fn::GetAtt": [GROUP, "GroupId"]});
        let groups: Vec<Value> =
            std::iter::once(own).chain(server.security_groups.iter().map(|id| json!(id))).collect();
        let breaker = json!({
            "Enable": server.rolls_back,
            "Rollback": server.rolls_back,
            "ThresholdConfiguration": {"Type": "COUNT", "Value": FAILURES},
        });
        let mut properties = json!({
            "Cluster": self.cluster(),
            "ServiceName": self.names.service(),
            "TaskDefinition": {"Ref": TASK},
            "CapacityProviderStrategy": [
                {"CapacityProvider": if server.spot { SPOT } else { ON_DEMAND }, "Weight": 1},
            ],
            "NetworkConfiguration": {"AwsvpcConfiguration": {
                "Subnets": {"Ref": SUBNETS},
                "SecurityGroups": groups,
                "AssignPublicIp": {"Ref": PUBLIC_ADDRESSES},
            }},
            "LoadBalancers": [
                {"TargetGroupArn": {"Ref": TARGET}, "ContainerName": CONTAINER, "ContainerPort": PORT},
            ],
            "DeploymentConfiguration": {
                "DeploymentCircuitBreaker": breaker,
                "MinimumHealthyPercent": 100,
                "MaximumPercent": 200,
                "Strategy": "ROLLING",
            },
            "HealthCheckGracePeriodSeconds": GRACE,
            "PropagateTags": "SERVICE",
        });
        // Where it scales, every change of the stack would put the number back; scaling brings it to its least at once.
        let fixed = server.tasks.cpu.is_none().then_some(server.tasks.min);
        set(&mut properties, "DesiredCount", fixed);
        set(&mut properties, "Tags", tag_list(&server.tags));
        let after: Vec<&str> =
            [RULE, SECRETS].into_iter().filter(|id| self.resources.contains_key(*id)).collect();
        let resource = self.running(SERVICE, "AWS::ECS::Service", properties);
        // ECS takes no target group that no listener leads to.
        resource["DependsOn"] = json!(after);
    }

    fn scaling(&mut self, min: u16, max: u16, cpu: u8) {
        let service = format!("service/{}/${{{SERVICE}.Name}}", self.names.cluster());
        let properties = json!({
            "ServiceNamespace": "ecs",
            "ResourceId": {"Fn::Sub": service},
            "ScalableDimension": "ecs:service:DesiredCount",
            "MinCapacity": min,
            "MaxCapacity": max,
        });
        let kind = "AWS::ApplicationAutoScaling::ScalableTarget";
        self.running(SCALABLE, kind, properties);
        let (out, in_again) = COOLDOWN;
        let properties = json!({
            "PolicyName": scaling::POLICY,
            "PolicyType": "TargetTrackingScaling",
            "ScalingTargetId": {"Ref": SCALABLE},
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": cpu,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
                "ScaleOutCooldown": out,
                "ScaleInCooldown": in_again,
            },
        });
        let kind = "AWS::ApplicationAutoScaling::ScalingPolicy";
        self.running("ScalingPolicy", kind, properties);
    }
}

/// What ECS's API says, as CloudFormation does: with a capital at the beginning of every key, but for the keys of the log driver's options.
fn capitalised(value: Value) -> Value {
    let capital = |key: String| {
        let mut letters = key.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    match value {
        Value::Object(entries) => {
            let each = entries.into_iter().map(|(key, value)| {
                let value = if key == "options" { value } else { capitalised(value) };
                (capital(key).unwrap_or_default(), value)
            });
            Value::Object(each.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(capitalised).collect(),
        other => other,
    }
}
