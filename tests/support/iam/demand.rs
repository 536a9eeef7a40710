//! What a request demands of IAM: actions on resources, with what conditions may ask about it.

use std::collections::BTreeMap;

use super::asked::Asked;
use crate::support::account::REGION;
use crate::support::operations::REGISTRY;
use crate::support::recording::Call;

/// One action on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Demand {
    pub action: String,
    pub resource: String,
    /// The condition keys of the request.
    pub context: BTreeMap<String, String>,
}

impl Demand {
    fn new(action: impl Into<String>, resource: impl Into<String>) -> Demand {
        Demand { action: action.into(), resource: resource.into(), context: BTreeMap::new() }
    }

    fn with(mut self, key: &str, value: impl Into<String>) -> Demand {
        self.context.insert(key.to_owned(), value.into());
        self
    }
}

/// What a request demands in an account. `project` is the tag of the security groups, which have no name in their ARNs.
pub fn demands(call: &Call, account: &str, project: &str) -> Vec<Demand> {
    let asked = Asked::of(call);
    let place = Place { account, project, asked: &asked, name: &call.operation.name };
    match call.operation.service.as_str() {
        "lambda" => place.lambda(),
        "apigateway" => place.gateway(call),
        "iam" => place.iam(),
        "logs" => place.logs(),
        "events" => place.events(),
        "s3" => place.s3(),
        "ecs" => place.ecs(),
        "ecr" => place.ecr(),
        "elasticloadbalancing" => place.balancing(),
        "ec2" => place.ec2(),
        "application-autoscaling" => place.scaling(),
        "ssm" => place.parameters(),
        "secretsmanager" => place.managed_secret(),
        // Metrics have no resource, and alarms that are made of others are told for all of them alone.
        "monitoring" => vec![place.own("cloudwatch", "*")],
        REGISTRY => place.registry(),
        // Who one is, everybody may ask.
        "sts" => Vec::new(),
        other => panic!("nobody knows what a call to {other} demands: {}", call.path),
    }
}

struct Place<'a> {
    account: &'a str,
    project: &'a str,
    asked: &'a Asked,
    name: &'a str,
}

impl Place<'_> {
    fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{REGION}:{}:{resource}", self.account)
    }

    fn own(&self, service: &str, resource: &str) -> Demand {
        let resource = if resource == "*" { "*".to_owned() } else { self.arn(service, resource) };
        Demand::new(format!("{service}:{}", self.name), resource)
    }

    fn linked_role(&self, service: &str, name: &str) -> Demand {
        let role = format!("arn:aws:iam::{}:role/aws-service-role/{service}/{name}", self.account);
        Demand::new("iam:CreateServiceLinkedRole", role).with("iam:AWSServiceName", service)
    }

    fn pass(&self, role: &str, service: &str) -> Demand {
        Demand::new("iam:PassRole", role).with("iam:PassedToService", service)
    }

    fn lambda(&self) -> Vec<Demand> {
        let asked = self.asked;
        let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
        let mut all = match path.as_slice() {
            [_, "functions"] if self.name == "CreateFunction" => {
                vec![self.own("lambda", &format!("function:{}", asked.text("FunctionName")))]
            }
            [_, "functions", name, ..] => {
                let qualifier = asked.query("Qualifier").map(|one| format!(":{one}")).unwrap_or_default();
                let mut demand = self.own("lambda", &format!("function:{name}{qualifier}"));
                if self.name == "Invoke" {
                    demand.action = "lambda:InvokeFunction".to_owned();
                }
                vec![demand]
            }
            [_, "tags", arn @ ..] => vec![Demand::new(format!("lambda:{}", self.name), arn.join("/"))],
            [_, "layers", name, "versions"] if self.name == "PublishLayerVersion" => {
                vec![self.own("lambda", &format!("layer:{name}"))]
            }
            [_, "layers", name, "versions", number] => {
                vec![self.own("lambda", &format!("layer:{name}:{number}"))]
            }
            _ => vec![self.own("lambda", "*")],
        };
        if self.name == "AddPermission" {
            all = all.into_iter().map(|one| one.with("lambda:Principal", asked.text("Principal"))).collect();
        }
        if asked.has("Tags") && self.name == "CreateFunction" {
            all.push(Demand::new("lambda:TagResource", all[0].resource.clone()));
        }
        if asked.has("Role") {
            all.push(self.pass(asked.text("Role"), "lambda.amazonaws.com"));
        }
        for layer in asked.json["Layers"].as_array().into_iter().flatten() {
            all.push(Demand::new("lambda:GetLayerVersion", layer.as_str().unwrap()));
        }
        for code in [&asked.json, &asked.json["Code"], &asked.json["Content"]] {
            if let (Some(bucket), Some(key)) = (code["S3Bucket"].as_str(), code["S3Key"].as_str()) {
                all.push(Demand::new("s3:GetObject", format!("arn:aws:s3:::{bucket}/{key}")));
            }
        }
        all
    }

    /// The HTTP method on the path.
    fn gateway(&self, call: &Call) -> Vec<Demand> {
        let path = self.asked.path.join("/");
        // The ARN of what is tagged is one segment of the path.
        let path = match path.split_once("tags/") {
            Some(("", arn)) => format!("tags/{}", arn.replace(':', "%3A").replace('/', "%2F")),
            _ => path,
        };
        let arn = format!("arn:aws:apigateway:{REGION}::/{path}");
        let mut all = vec![
            Demand::new(format!("apigateway:{}", call.method), arn)
                .with("aws:ResourceTag/mdo:project", self.project),
        ];
        if self.name == "ImportRestApi" {
            all.push(self.linked_role("ops.apigateway.amazonaws.com", "AWSServiceRoleForAPIGateway"));
        }
        all
    }

    fn iam(&self) -> Vec<Demand> {
        let role = format!("arn:aws:iam::{}:role/{}", self.account, self.asked.field("RoleName"));
        let tags = self.name == "CreateRole" && self.asked.has_field("Tags.");
        let named = Demand::new(format!("iam:{}", self.name), role.clone());
        let mut all = vec![match self.asked.has_field("PolicyArn") {
            true => named.with("iam:PolicyARN", self.asked.field("PolicyArn")),
            false => named,
        }];
        all.extend(tags.then(|| Demand::new("iam:TagRole", role)));
        all
    }

    fn logs(&self) -> Vec<Demand> {
        let asked = self.asked;
        let group = format!("log-group:{}", asked.text("logGroupName"));
        match self.name {
            "DescribeLogGroups" => vec![self.own("logs", "*")],
            "TagResource" | "UntagResource" | "ListTagsForResource" => {
                vec![Demand::new(format!("logs:{}", self.name), asked.text("resourceArn"))]
            }
            "GetLogEvents" => {
                vec![self.own("logs", &format!("{group}:log-stream:{}", asked.text("logStreamName")))]
            }
            "CreateLogGroup" if asked.has("tags") => {
                vec![self.own("logs", &group), Demand::new("logs:TagResource", self.arn("logs", &group))]
            }
            _ => vec![self.own("logs", &group)],
        }
    }

    fn events(&self) -> Vec<Demand> {
        let asked = self.asked;
        let name = if asked.has("Rule") { asked.text("Rule") } else { asked.text("Name") };
        let rule = format!("rule/{name}");
        match self.name {
            "ListRules" => vec![self.own("events", "*")],
            "TagResource" | "UntagResource" | "ListTagsForResource" => {
                vec![Demand::new(format!("events:{}", self.name), asked.text("ResourceARN"))]
            }
            "PutRule" if asked.has("Tags") => {
                vec![self.own("events", &rule), Demand::new("events:TagResource", self.arn("events", &rule))]
            }
            _ => vec![self.own("events", &rule)],
        }
    }

    fn parameters(&self) -> Vec<Demand> {
        let names = self.asked.json["Names"].as_array().unwrap();
        let name = |name: &serde_json::Value| name.as_str().unwrap().trim_start_matches('/').to_owned();
        names.iter().map(|one| self.own("ssm", &format!("parameter/{}", name(one)))).collect()
    }

    fn managed_secret(&self) -> Vec<Demand> {
        vec![self.own("secretsmanager", &format!("secret:{}-a1b2c3", self.asked.text("SecretId")))]
    }

    fn s3(&self) -> Vec<Demand> {
        let action = match self.name {
            "HeadObject" | "GetObject" => "GetObject",
            // Which of the two it is the query tells.
            "DeleteObject" if self.asked.query("uploadId").is_some() => "AbortMultipartUpload",
            "ListObjectsV2" => "ListBucket",
            "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => "PutObject",
            other => other,
        };
        vec![Demand::new(format!("s3:{action}"), format!("arn:aws:s3:::{}", self.asked.path.join("/")))]
    }

    fn ecs(&self) -> Vec<Demand> {
        let asked = self.asked;
        let cluster = [asked.text("clusterName"), asked.text("cluster")];
        let cluster = cluster.into_iter().find(|one| !one.is_empty()).unwrap_or_default();
        let service = [asked.text("serviceName"), asked.text("service"), first(asked, "services")];
        let service = service.into_iter().find(|one| !one.is_empty()).unwrap_or_default();
        let of_service = format!("service/{cluster}/{service}");
        let in_cluster =
            |demand: Demand| demand.with("ecs:cluster", self.arn("ecs", &format!("cluster/{cluster}")));
        let mut all = match self.name {
            "CreateCluster" | "DeleteCluster" => vec![self.own("ecs", &format!("cluster/{cluster}"))],
            "DescribeClusters" => vec![self.own("ecs", &format!("cluster/{}", first(asked, "clusters")))],
            "ListServices" | "ListTasks" => vec![in_cluster(self.own("ecs", "*"))],
            "DescribeTasks" => {
                let task = first(asked, "tasks").rsplit('/').next().unwrap();
                vec![self.own("ecs", &format!("task/{cluster}/{task}"))]
            }
            "TagResource" | "UntagResource" => {
                vec![Demand::new(format!("ecs:{}", self.name), asked.text("resourceArn"))]
            }
            "RegisterTaskDefinition" => {
                vec![self.own("ecs", &format!("task-definition/{}:1", asked.text("family")))]
            }
            name if name.contains("TaskDefinition") => vec![self.own("ecs", "*")],
            _ => vec![self.own("ecs", &of_service)],
        };
        if asked.has("tags") && self.name != "TagResource" {
            all.push(Demand::new("ecs:TagResource", all[0].resource.clone()));
        }
        for key in ["executionRoleArn", "taskRoleArn"] {
            if asked.has(key) {
                all.push(self.pass(asked.text(key), "ecs-tasks.amazonaws.com"));
            }
        }
        if self.name == "CreateCluster" {
            all.push(self.linked_role("ecs.amazonaws.com", "AWSServiceRoleForECS"));
        }
        all
    }

    fn ecr(&self) -> Vec<Demand> {
        let asked = self.asked;
        let repository = [asked.text("repositoryName"), first(asked, "repositoryNames")];
        let repository = repository.into_iter().find(|one| !one.is_empty()).unwrap_or_default();
        let resource = format!("repository/{repository}");
        match self.name {
            "GetAuthorizationToken" => vec![self.own("ecr", "*")],
            "TagResource" | "UntagResource" | "ListTagsForResource" => {
                vec![Demand::new(format!("ecr:{}", self.name), asked.text("resourceArn"))]
            }
            "CreateRepository" if asked.has("tags") => {
                vec![self.own("ecr", &resource), Demand::new("ecr:TagResource", self.arn("ecr", &resource))]
            }
            _ => vec![self.own("ecr", &resource)],
        }
    }

    /// What the registry asks ECR about a request to it.
    fn registry(&self) -> Vec<Demand> {
        let actions: &[&str] = match self.name {
            "HeadManifest" | "GetManifest" => &["BatchGetImage"],
            "HeadBlob" => &["BatchCheckLayerAvailability"],
            "BeginUpload" => &["InitiateLayerUpload"],
            "PutBlob" => &["UploadLayerPart", "CompleteLayerUpload"],
            "PutManifest" => &["PutImage"],
            // An upload goes on at the address that its beginning was answered with.
            _ => &["UploadLayerPart"],
        };
        let repository = self.asked.path.get(1).map(String::as_str).unwrap_or_default();
        let arn = self.arn("ecr", &format!("repository/{repository}"));
        actions.iter().map(|action| Demand::new(format!("ecr:{action}"), arn.clone())).collect()
    }

    fn balancing(&self) -> Vec<Demand> {
        let asked = self.asked;
        let named =
            |kind: &str| self.arn("elasticloadbalancing", &format!("{kind}/{}/1", asked.field("Name")));
        let resource = match self.name {
            name if name.starts_with("Describe") => "*".to_owned(),
            "CreateLoadBalancer" => named("loadbalancer/app"),
            "CreateTargetGroup" => named("targetgroup"),
            name => {
                let fields: &[&str] = match name {
                    "AddTags" | "RemoveTags" => &["ResourceArns.member.1"],
                    name if name.contains("Listener") && name != "CreateListener" => &["ListenerArn"],
                    "CreateRule" => &["ListenerArn"],
                    name if name.contains("Rule") => &["RuleArn"],
                    _ => &["LoadBalancerArn", "TargetGroupArn"],
                };
                fields.iter().map(|field| asked.field(field)).find(|one| !one.is_empty()).unwrap().to_owned()
            }
        };
        let mut all = vec![Demand::new(format!("elasticloadbalancing:{}", self.name), resource.clone())];
        if asked.has_field("Tags.") && self.name.starts_with("Create") {
            let made = match self.name {
                "CreateRule" => format!("{}/1", resource.replace(":listener/", ":listener-rule/")),
                _ => resource,
            };
            all.push(Demand::new("elasticloadbalancing:AddTags", made));
        }
        if self.name == "CreateLoadBalancer" {
            let service = "elasticloadbalancing.amazonaws.com";
            all.push(self.linked_role(service, "AWSServiceRoleForElasticLoadBalancing"));
            let looks = ["AccountAttributes", "InternetGateways", "SecurityGroups", "Subnets", "Vpcs"];
            all.extend(looks.map(|what| Demand::new(format!("ec2:Describe{what}"), "*")));
        }
        all
    }

    fn ec2(&self) -> Vec<Demand> {
        let asked = self.asked;
        let group = format!("security-group/{}", asked.field("GroupId"));
        let tagged = |demand: Demand| demand.with("aws:ResourceTag/mdo:project", self.project);
        match self.name {
            name if name.starts_with("Describe") => vec![self.own("ec2", "*")],
            "CreateSecurityGroup" => {
                let tag = Demand::new("ec2:CreateTags", self.arn("ec2", "security-group/sg-1"));
                vec![
                    self.own("ec2", "security-group/sg-1"),
                    self.own("ec2", &format!("vpc/{}", asked.field("VpcId"))),
                    tag.with("ec2:CreateAction", "CreateSecurityGroup"),
                ]
            }
            "CreateTags" | "DeleteTags" => {
                vec![tagged(self.own("ec2", &format!("security-group/{}", asked.field("ResourceId.1"))))]
            }
            _ => vec![tagged(self.own("ec2", &group))],
        }
    }

    fn scaling(&self) -> Vec<Demand> {
        let service = "application-autoscaling";
        if self.name.starts_with("Describe") {
            return vec![self.own(service, "*")];
        }
        let key = "application-autoscaling:service-namespace";
        let own = self.own(service, "scalable-target/1").with(key, self.asked.text("ServiceNamespace"));
        let mut all = vec![own];
        if self.name == "RegisterScalableTarget" {
            let service = "ecs.application-autoscaling.amazonaws.com";
            all.push(self.linked_role(service, "AWSServiceRoleForApplicationAutoScaling_ECSService"));
        }
        if self.name == "PutScalingPolicy" {
            let alarm = format!("alarm:TargetTracking-{}-AlarmHigh-1", self.asked.text("ResourceId"));
            let alarms = ["PutMetricAlarm", "DescribeAlarms", "DeleteAlarms"];
            let arn = self.arn("cloudwatch", &alarm);
            all.extend(alarms.map(|action| Demand::new(format!("cloudwatch:{action}"), arn.clone())));
        }
        all
    }
}

/// The first text of a list of the JSON.
fn first<'a>(asked: &'a Asked, key: &str) -> &'a str {
    asked.json[key][0].as_str().unwrap_or_default()
}
