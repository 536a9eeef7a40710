//! What the hosted stages of a project share, as resources of a template: the stack of one of them makes it, and exports what the others'
//! stacks import.

use std::collections::BTreeSet;

use mdo_model::project::{Entry, Tags};
use mdo_model::stack::{LoadBalancer, Repository, ServerRole};
use serde_json::{Value, json};

use super::{Template, filled_in, tag_list};
use crate::export::server::Hosting;
use crate::export::set;
use crate::export::text::{self, ACCOUNT, ANYWHERE, PARTITION};
use crate::hosted::cluster::{ON_DEMAND, SPOT};
use crate::hosted::listeners::{self, NOT_THERE, TLS_POLICY};
use crate::hosted::load_balancer::{self, DROPS_HEADERS, EVERYBODY, IDLE_TIMEOUT, PORTS};
use crate::hosted::{repository, role};
use crate::iam;

const ROLE: &str = "ServerRole";
/// What lets tasks have the secrets of the stage.
pub(super) const SECRETS: &str = "ServerRoleSecrets";
const GROUP: &str = "LoadBalancerGroup";
const BALANCER: &str = "LoadBalancer";
const LISTENER: &str = "Listener";
const CLUSTER: &str = "Cluster";

/// The parameter that names the stack which has made what stages share.
const SHARED_STACK: &str = "SharedStack";

/// Whether this stack makes what stages share.
pub(super) const MAKES_SHARED: &str = "MakesShared";

/// Where load balancer and tasks are.
pub(super) const VPC: &str = "Vpc";
pub(super) const SUBNETS: &str = "Subnets";

impl Template<'_> {
    /// Everything that the project's hosted stages share.
    pub(super) fn shared_hosting(&mut self, hosting: &Hosting<'_>) {
        let project = &self.names.project;
        let what = format!(
            "The name of the stack of another stage of {project}, which has made what its hosted stages share (role, repository, load \
             balancer, cluster). Without one this stack makes it"
        );
        self.parameter(SHARED_STACK, &what, Some(""));
        let own = json!({"Fn::Equals": [{"Ref": SHARED_STACK}, ""]});
        self.conditions.insert(MAKES_SHARED.to_owned(), own);
        self.network(hosting);
        self.server_role(hosting.role);
        self.repository(hosting.repository);
        self.balancer(hosting.balancer);
        let mut cluster =
            json!({"ClusterName": self.names.cluster(), "CapacityProviders": [ON_DEMAND, SPOT]});
        set(&mut cluster, "Tags", tag_list(&hosting.balancer.tags));
        self.shared(CLUSTER, "AWS::ECS::Cluster", cluster);
    }

    fn shared(&mut self, id: &str, kind: &str, properties: Value) -> &mut Value {
        let resource = self.resource(id, kind, properties);
        resource["Condition"] = json!(MAKES_SHARED);
        resource
    }

    fn network(&mut self, hosting: &Hosting<'_>) {
        let vpc = json!({"Type": "AWS::EC2::VPC::Id", "Description": "The VPC of the subnets"});
        self.parameters.insert(VPC.to_owned(), vpc);
        let mut subnets = json!({
            "Type": "List<AWS::EC2::Subnet::Id>",
            "Description": "The subnets of load balancer and tasks, one in each of two availability zones or more",
        });
        match &hosting.balancer.subnets {
            Some(named) => {
                let named: Vec<&str> = named.iter().map(String::as_str).collect();
                subnets["Default"] = json!(named.join(","));
            }
            None => {
                subnets["Description"] = json!(
                    "The subnets of load balancer and tasks: the public ones of the default VPC, one in each availability zone"
                );
            }
        }
        self.parameters.insert(SUBNETS.to_owned(), subnets);
    }

    fn server_role(&mut self, wanted: &ServerRole) {
        let names = self.names;
        // What this stage needs alone is this stack's own: another one may have made the role.
        let everybodys = ServerRole { secrets: BTreeSet::new(), ..wanted.clone() };
        let mut policy = role::permissions(names, &everybodys, ANYWHERE);
        text::change(&mut policy, text::RESOURCE, &filled_in);
        let mut properties = json!({
            "RoleName": names.server_role(),
            "Description": role::description(names),
            "AssumeRolePolicyDocument": iam::trust(&wanted.trusted_service),
            "Policies": [{"PolicyName": role::POLICY, "PolicyDocument": policy}],
        });
        set(&mut properties, "Tags", tag_list(&wanted.tags));
        self.shared(ROLE, "AWS::IAM::Role", properties);
        let secrets = role::secrets(wanted);
        if secrets.is_empty() {
            return;
        }
        let mut secrets = json!(secrets);
        text::change(&mut secrets, text::RESOURCE, &|arn| filled_in(&text::placed(arn)));
        let properties = json!({
            "RoleName": {"Fn::If": [MAKES_SHARED, {"Ref": ROLE}, names.server_role()]},
            "PolicyName": iam::stage_policy_name(names),
            "PolicyDocument": {"Version": "2012-10-17", "Statement": secrets},
        });
        self.resource(SECRETS, "AWS::IAM::RolePolicy", properties);
    }

    fn repository(&mut self, wanted: &Repository) {
        let names = self.names;
        let lifecycle = repository::lifecycle_of(names, wanted.untagged_days);
        let mut properties = json!({
            "RepositoryName": names.repository(),
            "ImageTagMutability": if wanted.immutable { "IMMUTABLE" } else { "MUTABLE" },
            "LifecyclePolicy": {"LifecyclePolicyText": lifecycle.to_string()},
        });
        set(&mut properties, "Tags", tag_list(&wanted.tags));
        self.shared("Repository", "AWS::ECR::Repository", properties);
    }

    fn balancer(&mut self, wanted: &LoadBalancer) {
        let names = self.names;
        let tags = tag_list(&wanted.tags);
        let door =
            |port: u16| json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": EVERYBODY});
        let mut properties = json!({
            "GroupName": names.load_balancer_group(),
            "GroupDescription": load_balancer::group_description(names),
            "VpcId": {"Ref": VPC},
            "SecurityGroupIngress": PORTS.map(door),
        });
        set(&mut properties, "Tags", tags.as_ref());
        self.shared(GROUP, "AWS::EC2::SecurityGroup", properties);
        let mut properties = json!({
            "Name": names.load_balancer(),
            "Type": "application",
            "Scheme": if wanted.internet_facing { "internet-facing" } else { "internal" },
            "Subnets": {"Ref": SUBNETS},
            "SecurityGroups": [{"Fn::GetAtt": [GROUP, "GroupId"]}],
            "LoadBalancerAttributes": [
                {"Key": IDLE_TIMEOUT, "Value": wanted.idle_timeout.to_string()},
                {"Key": DROPS_HEADERS, "Value": wanted.drops_invalid_headers.to_string()},
            ],
        });
        set(&mut properties, "Tags", tags);
        self.shared(BALANCER, "AWS::ElasticLoadBalancingV2::LoadBalancer", properties);
        let (front, other) = listeners::wanted(wanted.entry.as_ref().unwrap_or(&Entry::Http));
        self.listener(LISTENER, &front, &wanted.tags);
        if let Some(other) = other {
            self.listener("RedirectListener", &other, &wanted.tags);
        }
        for (name, value) in [
            (LISTENER, json!({"Ref": LISTENER})),
            (GROUP, json!({"Fn::GetAtt": [GROUP, "GroupId"]})),
            ("DnsName", dns_name()),
        ] {
            let export = json!({"Name": {"Fn::Sub": format!("${{AWS::StackName}}-{name}")}});
            let output = json!({"Condition": MAKES_SHARED, "Value": value, "Export": export});
            self.outputs.insert(name.to_owned(), output);
        }
    }

    fn listener(&mut self, id: &str, wanted: &listeners::Wanted, tags: &Tags) {
        let listeners::Wanted { port, certificate, redirects } = wanted;
        let action = match redirects {
            true => json!({
                "Type": "redirect",
                "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
            }),
            false => json!({
                "Type": "fixed-response",
                "FixedResponseConfig": {
                    "StatusCode": "403", "ContentType": "application/json", "MessageBody": NOT_THERE,
                },
            }),
        };
        let mut properties = json!({
            "LoadBalancerArn": {"Ref": BALANCER},
            "Port": port,
            "Protocol": if certificate.is_some() { "HTTPS" } else { "HTTP" },
            "DefaultActions": [action],
        });
        set(&mut properties, "SslPolicy", certificate.as_ref().map(|_| TLS_POLICY));
        let certificates = certificate.as_ref().map(|arn| json!([{"CertificateArn": arn}]));
        set(&mut properties, "Certificates", certificates);
        set(&mut properties, "Tags", tag_list(tags));
        self.shared(id, "AWS::ElasticLoadBalancingV2::Listener", properties);
    }

    /// The listener that has the stages' rules.
    pub(super) fn front(&self) -> Value {
        own_or_imported(json!({"Ref": LISTENER}), LISTENER)
    }

    /// The security group of the load balancer.
    pub(super) fn balancer_group(&self) -> Value {
        own_or_imported(json!({"Fn::GetAtt": [GROUP, "GroupId"]}), GROUP)
    }

    pub(super) fn cluster(&self) -> Value {
        json!({"Fn::If": [MAKES_SHARED, {"Ref": CLUSTER}, self.names.cluster()]})
    }

    /// The ARN of the role that starts tasks.
    pub(super) fn execution_role(&self) -> Value {
        let arn = format!("arn:{PARTITION}:iam::{ACCOUNT}:role/{}", self.names.server_role());
        json!({"Fn::If": [MAKES_SHARED, {"Fn::GetAtt": [ROLE, "Arn"]}, filled_in(&arn)]})
    }
}

/// The name in the DNS of the load balancer that this stack makes.
pub(super) fn dns_name() -> Value {
    json!({"Fn::GetAtt": [BALANCER, "DNSName"]})
}

/// What this stack has made, or what the stack of another stage exports.
fn own_or_imported(own: Value, name: &str) -> Value {
    let imported = json!({"Fn::ImportValue": {"Fn::Sub": format!("${{{SHARED_STACK}}}-{name}")}});
    json!({"Fn::If": [MAKES_SHARED, own, imported]})
}
