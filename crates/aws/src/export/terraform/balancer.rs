//! What the hosted stages of a project share, as Terraform's resources: the configuration of one of them makes it, and the others' look it
//! up.

use std::collections::BTreeSet;

use mdo_model::project::Entry;
use mdo_model::stack::{LoadBalancer, Repository, ServerRole};
use serde_json::{Value, json};

use super::{Configuration, ONE, escaped, filled_in, literal, reference, tag_map};
use crate::export::server::Hosting;
use crate::export::set;
use crate::export::text::{self, ANYWHERE};
use crate::hosted::cluster::{ON_DEMAND, SPOT};
use crate::hosted::listeners::{self, NOT_THERE, TLS_POLICY};
use crate::hosted::load_balancer::{self, EVERYBODY, PORTS};
use crate::hosted::{repository, role};
use crate::iam;

/// The variable that says whether this configuration makes what stages share.
const MAKES_SHARED: &str = "makes_shared";

/// The name of what the servers of a stage have one of.
pub(super) const SERVER: &str = "server";
const BALANCER: &str = "load_balancer";
const FRONT: &str = "front";

impl Configuration<'_> {
    /// Everything that the project's hosted stages share.
    pub(super) fn shared_hosting(&mut self, hosting: &Hosting<'_>) {
        let what = format!(
            "Whether this configuration makes what the hosted stages of {} share (role, repository, load balancer, cluster); one of \
             them does, and the others look it up",
            self.names.project
        );
        self.variable(MAKES_SHARED, json!({"type": "bool", "description": what, "default": true}));
        self.network(hosting.balancer);
        self.server_role(hosting.role);
        self.repository(hosting.repository);
        self.balancer(hosting.balancer);
        self.cluster(hosting.balancer);
    }

    /// What one stage makes and the others find.
    fn shared(&mut self, kind: &str, id: &str, mut properties: Value) {
        properties["count"] = json!(format!("${{var.{MAKES_SHARED} ? 1 : 0}}"));
        self.resource(kind, id, properties);
    }

    /// Looks up what another stage has made.
    fn found(&mut self, kind: &str, id: &str, mut asked: Value) {
        asked["count"] = json!(format!("${{var.{MAKES_SHARED} ? 0 : 1}}"));
        self.data.entry(kind).or_insert_with(|| json!({}))[id] = asked;
    }

    /// A local value: an attribute of what this configuration has made, or of what another one has.
    fn either(&mut self, name: &str, (kind, id): (&str, &str), attribute: &str) {
        let value = format!(
            "${{var.{MAKES_SHARED} ? one({kind}.{id}[*].{attribute}) : one(data.{kind}.{id}[*].{attribute})}}"
        );
        self.locals.insert(name.to_owned(), json!(value));
    }

    fn network(&mut self, balancer: &LoadBalancer) {
        let mut what =
            "The subnets of load balancer and tasks, one in each of two availability zones or more"
                .to_owned();
        if balancer.subnets.is_none() {
            what += ": the public ones of the default VPC";
        }
        let mut subnets = json!({"type": "list(string)", "description": what});
        set(&mut subnets, "default", balancer.subnets.as_ref().map(|ids| escaped(json!(ids))));
        self.variable("subnets", subnets);
        let each = json!({"for_each": "${toset(var.subnets)}", "id": "${each.value}"});
        self.data.insert("aws_subnet".to_owned(), json!({SERVER: each}));
        let vpc = format!("${{data.aws_subnet.{SERVER}[var.subnets[0]].vpc_id}}");
        self.locals.insert("vpc".to_owned(), json!(vpc));
    }

    fn server_role(&mut self, wanted: &ServerRole) {
        let names = self.names;
        let mut properties = json!({
            "name": names.server_role(),
            "description": role::description(names),
            "assume_role_policy": literal(&iam::trust(&wanted.trusted_service).to_string()),
        });
        set(&mut properties, "tags", tag_map(&wanted.tags));
        self.shared("aws_iam_role", SERVER, properties);
        // What this stage needs alone is this configuration's own: another one may have made the role.
        let everybodys = ServerRole { secrets: BTreeSet::new(), ..wanted.clone() };
        let mut policy = escaped(role::permissions(names, &everybodys, ANYWHERE));
        text::change(&mut policy, text::RESOURCE, &filled_in);
        let of_role = format!("${{one(aws_iam_role.{SERVER}[*].id)}}");
        let properties = json!({"name": role::POLICY, "role": of_role, "policy": policy.to_string()});
        self.shared("aws_iam_role_policy", SERVER, properties);
        self.found("aws_iam_role", SERVER, json!({"name": names.server_role()}));
        self.either("server_role", ("aws_iam_role", SERVER), "arn");
        let secrets = role::secrets(wanted);
        if !secrets.is_empty() {
            let mut document = json!({"Version": "2012-10-17", "Statement": secrets});
            text::change(&mut document, text::RESOURCE, &|arn| filled_in(&literal(&text::placed(arn))));
            self.either("server_role_name", ("aws_iam_role", SERVER), "id");
            let properties = json!({
                "name": iam::stage_policy_name(names),
                "role": "${local.server_role_name}",
                "policy": document.to_string(),
            });
            self.resource("aws_iam_role_policy", "secrets", properties);
        }
    }

    fn repository(&mut self, wanted: &Repository) {
        let names = self.names;
        let mut properties = json!({
            "name": names.repository(),
            "image_tag_mutability": if wanted.immutable { "IMMUTABLE" } else { "MUTABLE" },
        });
        set(&mut properties, "tags", tag_map(&wanted.tags));
        self.shared("aws_ecr_repository", ONE, properties);
        let policy = repository::lifecycle_of(names, wanted.untagged_days).to_string();
        let name = format!("${{one(aws_ecr_repository.{ONE}[*].name)}}");
        self.shared("aws_ecr_lifecycle_policy", ONE, json!({"repository": name, "policy": literal(&policy)}));
    }

    fn cluster(&mut self, balancer: &LoadBalancer) {
        let name = self.names.cluster();
        let mut properties = json!({"name": name});
        set(&mut properties, "tags", tag_map(&balancer.tags));
        self.shared("aws_ecs_cluster", ONE, properties);
        let properties = json!({
            "cluster_name": format!("${{one(aws_ecs_cluster.{ONE}[*].name)}}"),
            "capacity_providers": [ON_DEMAND, SPOT],
        });
        self.shared("aws_ecs_cluster_capacity_providers", ONE, properties);
        self.found("aws_ecs_cluster", ONE, json!({"cluster_name": name}));
        self.either("cluster", ("aws_ecs_cluster", ONE), "arn");
    }

    fn balancer(&mut self, wanted: &LoadBalancer) {
        let names = self.names;
        let tags = tag_map(&wanted.tags);
        let mut properties = json!({
            "name": names.load_balancer_group(),
            "description": load_balancer::group_description(names),
            "vpc_id": "${local.vpc}",
        });
        set(&mut properties, "tags", tags.as_ref());
        self.shared("aws_security_group", BALANCER, properties);
        let asked = json!({"name": names.load_balancer_group(), "vpc_id": "${local.vpc}"});
        self.found("aws_security_group", BALANCER, asked);
        self.either("load_balancer_group", ("aws_security_group", BALANCER), "id");
        let own_group = format!("${{one(aws_security_group.{BALANCER}[*].id)}}");
        for port in PORTS {
            let properties = json!({
                "security_group_id": own_group,
                "ip_protocol": "tcp",
                "from_port": port,
                "to_port": port,
                "cidr_ipv4": EVERYBODY,
            });
            self.shared("aws_vpc_security_group_ingress_rule", &format!("{BALANCER}_{port}"), properties);
        }
        self.shared("aws_vpc_security_group_egress_rule", BALANCER, way_out(&own_group));
        let mut properties = json!({
            "name": names.load_balancer(),
            "load_balancer_type": "application",
            "internal": !wanted.internet_facing,
            "subnets": "${var.subnets}",
            "security_groups": [own_group],
            "idle_timeout": wanted.idle_timeout,
            "drop_invalid_header_fields": wanted.drops_invalid_headers,
        });
        set(&mut properties, "tags", tags.as_ref());
        self.shared("aws_lb", ONE, properties);
        self.found("aws_lb", ONE, json!({"name": names.load_balancer()}));
        self.either("dns_name", ("aws_lb", ONE), "dns_name");
        let (front, other) = listeners::wanted(wanted.entry.as_ref().unwrap_or(&Entry::Http));
        for (id, listener) in [(FRONT, Some(&front)), ("redirect", other.as_ref())] {
            let Some(listener) = listener else { continue };
            let mut properties = described(listener);
            set(&mut properties, "tags", tags.as_ref());
            self.shared("aws_lb_listener", id, properties);
        }
        let asked =
            json!({"load_balancer_arn": format!("${{one(data.aws_lb.{ONE}[*].arn)}}"), "port": front.port});
        self.found("aws_lb_listener", FRONT, asked);
        self.either("listener", ("aws_lb_listener", FRONT), "arn");
    }
}

fn described(listener: &listeners::Wanted) -> Value {
    let listeners::Wanted { port, certificate, redirects } = listener;
    let action = match redirects {
        true => json!({
            "type": "redirect",
            "redirect": {"protocol": "HTTPS", "port": "443", "status_code": "HTTP_301"},
        }),
        false => json!({
            "type": "fixed-response",
            "fixed_response": {
                "status_code": "403", "content_type": "application/json", "message_body": NOT_THERE,
            },
        }),
    };
    let mut properties = json!({
        "load_balancer_arn": format!("${{one(aws_lb.{ONE}[*].arn)}}"),
        "port": port,
        "protocol": if certificate.is_some() { "HTTPS" } else { "HTTP" },
        "default_action": action,
    });
    set(&mut properties, "ssl_policy", certificate.as_ref().map(|_| TLS_POLICY));
    set(&mut properties, "certificate_arn", certificate.as_deref().map(literal));
    properties
}

/// What lets a security group send to everybody. AWS gives every new one such a rule, and Terraform takes it away.
pub(super) fn way_out(group: &str) -> Value {
    json!({"security_group_id": group, "ip_protocol": "-1", "cidr_ipv4": EVERYBODY})
}

/// The id of the security group of the tasks.
pub(super) fn task_group() -> String {
    reference("aws_security_group", SERVER, "id")
}
