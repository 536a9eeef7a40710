//! What the permissions of a project are narrowed to: its names, its stages, its accounts and regions.

use std::collections::BTreeSet;

use mdo_model::project::{AccountId, Names, Reference, Settings, StageName, partition};
use mdo_model::stack::Kind;
use serde_json::{Value, json};

use super::group::{Group, On, Only, When};
use super::uses::Uses;
use crate::ownership::PROJECT_TAG;

/// What stands in an ARN for an account or a region that nothing names.
pub const ANY: &str = "*";

/// A project at its stages, as far as permissions go.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The names of what its stages share.
    names: Names,
    /// The only stages; `None` stands for whichever somebody will name.
    stages: Option<BTreeSet<StageName>>,
    places: BTreeSet<Place>,
    uses: Uses,
}

/// An account and a region in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The region, or [`ANY`].
    pub region: String,
    /// The account, or [`ANY`].
    pub account: String,
}

impl Place {
    /// Where the settings of a stage say that it is; else `region` and `account`, or anywhere.
    pub fn of(settings: &Settings, region: Option<&str>, account: Option<&AccountId>) -> Self {
        let region = settings.region.as_deref().or(region).unwrap_or(ANY);
        let account = account.or(settings.account.as_ref()).map_or(ANY, AccountId::as_str);
        Self { region: region.to_owned(), account: account.to_owned() }
    }

    /// The partition of its ARNs.
    pub fn partition(&self) -> &'static str {
        partition(&self.region)
    }
}

impl Scope {
    /// The scope of a project: `stages` are what its files say at each stage, `is_any` says that other stages may come as well.
    ///
    /// Nothing when there is no stage.
    pub fn of(stages: &[Settings], is_any: bool, places: BTreeSet<Place>) -> Option<Self> {
        let names = stages.first()?.names();
        let named = stages.iter().map(|settings| settings.stage.clone()).collect();
        Some(Self { names, stages: (!is_any).then_some(named), places, uses: Uses::of(stages) })
    }

    /// Whether the project has nothing to deploy.
    pub fn is_empty(&self) -> bool {
        self.uses.kinds.is_empty()
    }

    pub(super) fn needs(&self, group: &Group) -> bool {
        match group.when {
            When::Always => true,
            When::Kind(kind) => self.uses.kinds.contains(&kind),
            When::KnowsHosting => self.uses.knows_hosting,
            When::Vpc => self.uses.has_vpc,
            When::ManagedPolicies => !self.uses.policies.is_empty(),
            When::Boundary => !self.uses.boundaries.is_empty(),
        }
    }

    /// The ARNs that a permission is needed on, but for those of API Gateway, see [`Scope::gateway`].
    pub(super) fn arns(&self, on: On) -> Vec<String> {
        let (project, uses) = (&self.names.project, &self.uses);
        let named = |text: &str| vec![text.to_owned()];
        match on {
            On::Everything => named(ANY),
            On::Functions => self.each("lambda", &[format!("function:{project}_*")]),
            On::Aliases => {
                self.each("lambda", &self.by_stage(|stage| vec![format!("function:{project}_*:{stage}")]))
            }
            On::OwnLayers => self.each("lambda", &[format!("layer:{project}_*")]),
            On::Layers => {
                let own = uses.kinds.contains(&Kind::Derivative).then(|| self.arns(On::OwnLayers));
                let others =
                    uses.layers.iter().filter_map(|arn| Some(format!("{}:*", arn.rsplit_once(':')?.0)));
                own.into_iter().flatten().chain(others).collect()
            }
            // Some of Logs' actions are asked about with `:*` behind the name, which the first pattern has.
            On::LogGroups => {
                let of_functions = || self.each("logs", &[format!("log-group:/aws/lambda/{project}_*")]);
                let of_functions = uses.kinds.contains(&Kind::Function).then(of_functions);
                of_functions.into_iter().flatten().chain(self.arns(On::ServerLogs)).collect()
            }
            On::ServerLogs => {
                let group = |names: &Names| format!("log-group:{}", names.server_log_group());
                self.each("logs", &self.by_server(|names| ["", ":*"].map(|end| group(names) + end).into()))
            }
            On::Rules => {
                let rules = self.by_stage(|stage| match stage {
                    ANY => vec![format!("rule/{project}_*")],
                    stage => vec![
                        format!("rule/{project}_*.{stage}.warm"),
                        format!("rule/{project}_*-{stage}-warm"),
                    ],
                });
                self.each("events", &rules)
            }
            On::Role => self.roles(&self.names.role()),
            On::PassedRoles => {
                let own = uses.own_role.then(|| self.arns(On::Role));
                own.into_iter().flatten().chain(uses.roles.clone()).collect()
            }
            On::LinkedRoles(_) => self.roles("aws-service-role/*"),
            // Its paths are the operations'.
            On::Gateway => Vec::new(),
            On::Artifacts => self.objects(&uses.artifacts),
            On::Bucket => {
                let buckets = uses.artifacts.iter().filter_map(|objects| objects.split('/').next());
                self.objects(&buckets.map(str::to_owned).collect())
            }
            On::Zips => self.objects(&uses.zips),
            On::Parameters => self.kept(|one| matches!(one, Reference::Parameter(_))),
            On::Secrets => self.kept(|one| matches!(one, Reference::Managed { .. })),
            On::KmsKeys => uses.kms_keys.iter().cloned().collect(),
            On::ServerRole => self.roles(&self.names.server_role()),
            On::PassedTaskRoles => {
                let own = self.arns(On::ServerRole).into_iter();
                own.chain(uses.task_roles.clone()).collect()
            }
            On::Repository => self.each("ecr", &[format!("repository/{}", self.names.repository())]),
            On::LoadBalancing => self.each(
                "elasticloadbalancing",
                &self.by_server(|names| {
                    let balancer = names.load_balancer();
                    ["loadbalancer", "listener-rule"]
                        .map(|kind| format!("{kind}/app/{balancer}/*"))
                        .into_iter()
                        .chain([format!("targetgroup/{}/*", names.target_group())])
                        .collect()
                }),
            ),
            On::Listeners => self.each(
                "elasticloadbalancing",
                &self.by_server(|names| vec![format!("listener/app/{}/*", names.load_balancer())]),
            ),
            On::Networks => self.each("ec2", &["security-group/*".to_owned(), "vpc/*".to_owned()]),
            On::SecurityGroups => self.each("ec2", &["security-group/*".to_owned()]),
            On::Cluster => self.each("ecs", &[format!("cluster/{}", self.names.cluster())]),
            On::Services => {
                self.each("ecs", &self.by_stage(|stage| vec![format!("service/{project}/{project}-{stage}")]))
            }
            On::Tasks => self.each("ecs", &[format!("task/{project}/*")]),
            On::TaskDefinitions => {
                self.each("ecs", &self.by_stage(|stage| vec![format!("task-definition/{project}-{stage}:*")]))
            }
            On::ScalableTargets => self.each("application-autoscaling", &["scalable-target/*".to_owned()]),
            On::Alarms => self.each("cloudwatch", &[format!("alarm:TargetTracking-service/{project}/*")]),
        }
    }

    /// The ARN of a path of API Gateway, which names no account; `/restapis/*/stages/*` for the scope's stages alone.
    pub(super) fn gateway(&self, path: &str) -> Vec<String> {
        let paths = match path.strip_suffix("/stages/*") {
            Some(api) => self.by_stage(|stage| vec![format!("{api}/stages/{stage}")]),
            None => vec![path.to_owned()],
        };
        let arn = |place: &Place| {
            let start = format!("arn:{}:apigateway:{}::", place.partition(), place.region);
            paths.iter().map(move |path| format!("{start}{path}")).collect::<Vec<_>>()
        };
        self.places.iter().flat_map(arn).collect()
    }

    /// The condition of a statement in IAM's terms.
    pub(super) fn condition(&self, group: &Group) -> Option<Value> {
        let project = self.names.project.as_str();
        let tag = format!("aws:ResourceTag/{PROJECT_TAG}");
        Some(match (group.only, group.on) {
            (_, On::LinkedRoles(services)) => json!({"StringEquals": {"iam:AWSServiceName": services}}),
            (Only::Always, _) => return None,
            (Only::PassedTo(service), _) => json!({"StringEquals": {"iam:PassedToService": service}}),
            (Only::ToOurCallers, _) => json!({
                "StringEqualsIfExists": {"lambda:Principal": ["apigateway.amazonaws.com", "events.amazonaws.com"]}
            }),
            (Only::OwnGateway, _) => json!({
                "StringEqualsIfExists": {"apigateway:Resource/ApiName": project, tag: project}
            }),
            (Only::NamedPolicy, _) => json!({"ArnEquals": {"iam:PolicyARN": self.uses.policies}}),
            (Only::WithinBoundary, _) if self.uses.boundaries.is_empty() => return None,
            (Only::NamedBoundary | Only::WithinBoundary, _) => {
                json!({"StringEquals": {"iam:PermissionsBoundary": self.uses.boundaries}})
            }
            (Only::Tagged, _) => json!({"StringEquals": {tag: project}}),
            (Only::WithNewGroup, _) => json!({"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}}),
            (Only::InCluster, _) => json!({"ArnEquals": {"ecs:cluster": self.arns(On::Cluster)}}),
            (Only::Scaling, _) => {
                json!({"StringEquals": {"application-autoscaling:service-namespace": "ecs"}})
            }
        })
    }

    /// One pattern, or several, for each stage; one for all where any stage may come.
    fn by_stage(&self, pattern: impl Fn(&str) -> Vec<String>) -> Vec<String> {
        match &self.stages {
            None => pattern(ANY),
            Some(stages) => stages.iter().flat_map(|stage| pattern(stage.as_str())).collect(),
        }
    }

    /// What the stages have that servers answer: the files name every one of them.
    fn by_server(&self, of: impl Fn(&Names) -> Vec<String>) -> Vec<String> {
        let all: BTreeSet<String> = self.uses.hosted.iter().flat_map(of).collect();
        all.into_iter().collect()
    }

    fn each(&self, service: &str, resources: &[String]) -> Vec<String> {
        let arns = |place: &Place| {
            let start = format!("arn:{}:{service}:{}:{}:", place.partition(), place.region, place.account);
            resources.iter().map(move |resource| format!("{start}{resource}")).collect::<Vec<_>>()
        };
        self.places.iter().flat_map(arns).collect()
    }

    /// A role, which is in no region.
    fn roles(&self, name: &str) -> Vec<String> {
        let arn = |place: &Place| format!("arn:{}:iam::{}:role/{name}", place.partition(), place.account);
        let arns: BTreeSet<String> = self.places.iter().map(arn).collect();
        arns.into_iter().collect()
    }

    /// Where values of variables are kept.
    fn kept(&self, is_meant: impl Fn(&Reference) -> bool) -> Vec<String> {
        let references = || self.uses.references.iter().filter(|reference| is_meant(reference));
        let arns = |place: &Place| {
            let (partition, region, account) =
                (place.partition(), place.region.clone(), place.account.clone());
            references().map(move |one| one.arn(partition, &region, &account)).collect::<Vec<_>>()
        };
        let all: BTreeSet<String> = self.places.iter().flat_map(arns).collect();
        all.into_iter().collect()
    }

    fn objects(&self, objects: &BTreeSet<String>) -> Vec<String> {
        let partitions: BTreeSet<&str> = self.places.iter().map(Place::partition).collect();
        let arns = |partition| objects.iter().map(move |object| format!("arn:{partition}:s3:::{object}"));
        partitions.into_iter().flat_map(arns).collect()
    }
}
