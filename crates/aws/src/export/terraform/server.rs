//! What answers a hosted stage, as Terraform's resources: the way to its tasks, task definition, service, scaling and keys.

use std::collections::BTreeMap;

use mdo_model::project::{FunctionName, KeyName, Tasks};
use mdo_model::stack::{HEALTH_COUNT, HEALTH_INTERVAL, Key, Server};
use serde_json::json;

use super::balancer::{SERVER, task_group, way_out};
use super::{Configuration, ONE, escaped, filled, literal, reference, tag_map};
use crate::export::server::{
    Filled, Hosting, Keys, VOLUME, architecture, container, environment, frozen_stage,
};
use crate::export::set;
use crate::export::text::placed;
use crate::hosted::cluster::{ON_DEMAND, SPOT};
use crate::hosted::rules;
use crate::hosted::scaling::{self, COOLDOWN};
use crate::hosted::service::GRACE;
use crate::hosted::target::{self, HEALTH_TIMEOUT, PORT};
use crate::hosted::task::{CONTAINER, is_ours};

impl Configuration<'_> {
    /// What answers the stage.
    pub(super) fn server(
        &mut self,
        hosting: &Hosting<'_>,
        keys: &BTreeMap<KeyName, Key>,
        domain: Option<&str>,
    ) {
        let server = hosting.server;
        let what = "The image, by its digest: REPOSITORY@sha256:…";
        let mut image = json!({"type": "string", "description": what});
        set(&mut image, "default", Some(literal(&server.image)).filter(|image| !image.is_empty()));
        self.variable("image", image);
        self.way(server);
        let mut properties = json!({"name": self.names.server_log_group()});
        set(&mut properties, "retention_in_days", server.log_retention_days);
        set(&mut properties, "tags", tag_map(&server.tags));
        self.resource("aws_cloudwatch_log_group", SERVER, properties);
        self.task(server, keys);
        self.service(hosting);
        if let Tasks { min, max, cpu: Some(cpu) } = server.tasks {
            self.scaling(min, max, cpu);
        }
        let (scheme, path) = hosting.url_around(&self.names.stage);
        let host = domain.map_or_else(|| "${local.dns_name}".to_owned(), literal);
        self.outputs.insert("url".to_owned(), json!({"value": format!("{scheme}{host}{path}")}));
        self.outputs.insert("dns_name".to_owned(), json!({"value": "${local.dns_name}"}));
    }

    /// The way from the load balancer to the tasks.
    fn way(&mut self, server: &Server) {
        let names = self.names;
        let tags = tag_map(&server.tags);
        let mut properties = json!({
            "name": names.service(),
            "description": target::group_description(names),
            "vpc_id": "${local.vpc}",
        });
        set(&mut properties, "tags", tags.as_ref());
        self.resource("aws_security_group", SERVER, properties);
        let properties = json!({
            "security_group_id": task_group(),
            "ip_protocol": "tcp",
            "from_port": PORT,
            "to_port": PORT,
            "referenced_security_group_id": "${local.load_balancer_group}",
        });
        self.resource("aws_vpc_security_group_ingress_rule", SERVER, properties);
        self.resource("aws_vpc_security_group_egress_rule", SERVER, way_out(&task_group()));
        let mut properties = json!({
            "name": names.target_group(),
            "target_type": "ip",
            "protocol": "HTTP",
            "port": PORT,
            "vpc_id": "${local.vpc}",
            "deregistration_delay": server.drain,
            "health_check": {
                "protocol": "HTTP",
                "path": literal(&server.health),
                "interval": HEALTH_INTERVAL,
                "timeout": HEALTH_TIMEOUT,
                "healthy_threshold": HEALTH_COUNT,
                "unhealthy_threshold": HEALTH_COUNT,
                "matcher": "200",
            },
        });
        set(&mut properties, "tags", tags.as_ref());
        self.resource("aws_lb_target_group", SERVER, properties);
        let mut properties = json!({
            "listener_arn": "${local.listener}",
            "condition": {"path_pattern": {"values": rules::paths(&names.stage)}},
            "action": {"type": "forward", "target_group_arn": reference("aws_lb_target_group", SERVER, "arn")},
        });
        set(&mut properties, "tags", tags);
        self.resource("aws_lb_listener_rule", SERVER, properties);
    }

    fn task(&mut self, server: &Server, keys: &BTreeMap<KeyName, Key>) {
        let environment = environment(server, |name, key| self.stands_for(name, key));
        let keys: Keys = keys.iter().map(|(name, key)| (name.clone(), self.stored_key(name, key))).collect();
        let stage = frozen_stage(server, &self.names.stage, &environment, &keys);
        self.locals.insert("stage".to_owned(), stage);
        let plain = Server {
            secrets: server
                .secrets
                .iter()
                .map(|(name, arn)| (name.clone(), filled(&literal(&placed(arn)))))
                .collect(),
            ..server.clone()
        };
        let filled = Filled {
            image: json!("${var.image}"),
            stage: json!("${jsonencode(local.stage)}"),
            log_group: json!(reference("aws_cloudwatch_log_group", SERVER, "name")),
            region: json!(reference("data.aws_region", ONE, "name")),
        };
        self.locals.insert("container".to_owned(), container(&plain, filled));
        let mut properties = json!({
            "family": self.names.service(),
            "network_mode": "awsvpc",
            "requires_compatibilities": [ON_DEMAND],
            "cpu": server.size.cpu.to_string(),
            "memory": server.size.memory.to_string(),
            "runtime_platform": {"cpu_architecture": architecture(server), "operating_system_family": "LINUX"},
            "execution_role_arn": "${local.server_role}",
            "container_definitions": "${jsonencode([local.container])}",
        });
        set(&mut properties, "task_role_arn", server.task_role.as_deref().map(literal));
        set(&mut properties, "volume", is_ours(server).then(|| json!({"name": VOLUME})));
        set(&mut properties, "tags", tag_map(&server.tags));
        self.resource("aws_ecs_task_definition", SERVER, properties);
    }

    /// What stands for the value of a variable.
    fn stands_for(&mut self, function: &FunctionName, key: &str) -> String {
        match self.referred.get(function).and_then(|all| all.get(key)) {
            Some(referred) => self.looked_up(referred),
            None => format!("${{var.{}}}", self.input(function, key)),
        }
    }

    /// A key that API Gateway keeps and the servers know by its digest: what stands for its id, and for the digest.
    fn stored_key(&mut self, name: &KeyName, key: &Key) -> (String, String) {
        let full = self.names.key(name);
        self.key(name.as_str(), &full, &Key { linked: false, ..key.clone() });
        let id = self.id(&["key", name.as_str()]);
        let kind = "aws_api_gateway_api_key";
        (reference(kind, &id, "id"), format!("${{sha256({kind}.{id}.value)}}"))
    }

    fn service(&mut self, hosting: &Hosting<'_>) {
        let server = hosting.server;
        let mut groups = vec![json!(task_group())];
        groups.extend(server.security_groups.iter().map(|id| escaped(json!(id))));
        let is_public = format!(
            "${{alltrue([for subnet in data.aws_subnet.{SERVER} : subnet.map_public_ip_on_launch])}}"
        );
        let mut after =
            vec![format!("aws_lb_listener_rule.{SERVER}"), format!("aws_iam_role_policy.{SERVER}")];
        if !hosting.role.secrets.is_empty() {
            after.push("aws_iam_role_policy.secrets".to_owned());
        }
        after.push(format!("aws_ecs_cluster_capacity_providers.{ONE}"));
        let mut properties = json!({
            "name": self.names.service(),
            "cluster": "${local.cluster}",
            "task_definition": reference("aws_ecs_task_definition", SERVER, "arn"),
            "desired_count": server.tasks.min,
            "capacity_provider_strategy":
                {"capacity_provider": if server.spot { SPOT } else { ON_DEMAND }, "weight": 1},
            "network_configuration":
                {"subnets": "${var.subnets}", "security_groups": groups, "assign_public_ip": is_public},
            "load_balancer": {
                "target_group_arn": reference("aws_lb_target_group", SERVER, "arn"),
                "container_name": CONTAINER,
                "container_port": PORT,
            },
            "deployment_circuit_breaker": {"enable": server.rolls_back, "rollback": server.rolls_back},
            "deployment_minimum_healthy_percent": 100,
            "deployment_maximum_percent": 200,
            "health_check_grace_period_seconds": GRACE,
            "propagate_tags": "SERVICE",
            // ECS takes no target group that no listener leads to, and starts no task without what its role may do.
            "depends_on": after,
        });
        if server.tasks.cpu.is_some() {
            // Their number is scaling's from then on.
            properties["lifecycle"] = json!({"ignore_changes": ["desired_count"]});
        }
        set(&mut properties, "tags", tag_map(&server.tags));
        self.resource("aws_ecs_service", SERVER, properties);
    }

    fn scaling(&mut self, min: u16, max: u16, cpu: u8) {
        let service = reference("aws_ecs_service", SERVER, "name");
        let properties = json!({
            "service_namespace": "ecs",
            "resource_id": format!("service/{}/{service}", self.names.cluster()),
            "scalable_dimension": "ecs:service:DesiredCount",
            "min_capacity": min,
            "max_capacity": max,
        });
        self.resource("aws_appautoscaling_target", SERVER, properties);
        let target = |attribute| reference("aws_appautoscaling_target", SERVER, attribute);
        let (out, in_again) = COOLDOWN;
        let properties = json!({
            "name": scaling::POLICY,
            "policy_type": "TargetTrackingScaling",
            "service_namespace": target("service_namespace"),
            "resource_id": target("resource_id"),
            "scalable_dimension": target("scalable_dimension"),
            "target_tracking_scaling_policy_configuration": {
                "target_value": cpu,
                "predefined_metric_specification": {"predefined_metric_type": "ECSServiceAverageCPUUtilization"},
                "scale_out_cooldown": out,
                "scale_in_cooldown": in_again,
            },
        });
        self.resource("aws_appautoscaling_policy", SERVER, properties);
    }
}
