//! The shape of the tables of permissions: what is asked for together, on what, when, and under which condition.

use mdo_model::stack::Kind;

/// What a permission is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What every verb reads first.
    Look,
    /// What `deploy` and the other verbs change that bring a stage forward or back: `rollback`, `promote`, `canary`, `warm`,
    /// `key`, `derivative push`.
    Deploy,
    /// What `logs`, `invoke`, `key usage` and `doctor` do beyond looking.
    Operate,
    /// What `destroy` and `prune` remove, and a deploy of files that no longer ask for it.
    Destroy,
}

/// When a project needs a permission.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    Always,
    /// Where a plan has a resource of this kind.
    Kind(Kind),
    /// Where the project's file has to do with servers, at whichever stage.
    KnowsHosting,
    /// Where a function is in a network of the user's.
    Vpc,
    /// Where functions have managed policies.
    ManagedPolicies,
    /// Where the project's file bounds the role.
    Boundary,
}

/// What a permission is needed on.
#[derive(Clone, Copy, Debug)]
pub(super) enum On {
    /// What IAM cannot narrow: the service knows no resource for the action.
    Everything,
    /// The functions of the project, with their versions and aliases.
    Functions,
    /// The aliases of the functions that are the stages.
    Aliases,
    /// The layers of the project's derivatives, with their versions.
    OwnLayers,
    /// Those, and the layers that function.json names, in any version.
    Layers,
    /// The log groups of functions and of servers.
    LogGroups,
    /// Those of servers alone, with their streams.
    ServerLogs,
    /// The warm rules.
    Rules,
    /// The role of the project's functions.
    Role,
    /// The roles that functions run with.
    PassedRoles,
    /// The paths of API Gateway that the operations go to.
    Gateway,
    /// What goes through the project's bucket.
    Artifacts,
    /// The project's bucket itself.
    Bucket,
    /// The zips on S3 that derivatives are taken from.
    Zips,
    /// The parameters of Systems Manager that hold values of variables.
    Parameters,
    /// The same of Secrets Manager.
    Secrets,
    /// The keys that encrypt the environments of functions.
    KmsKeys,
    /// Service-linked roles of these services.
    LinkedRoles(&'static [&'static str]),
    /// The role that starts tasks.
    ServerRole,
    /// That, and the roles that tasks run with.
    PassedTaskRoles,
    Repository,
    /// The load balancer, the rules of its listeners, and the target groups.
    LoadBalancing,
    Listeners,
    /// Security groups and the VPCs that they are in: neither has a name in its ARN.
    Networks,
    SecurityGroups,
    Cluster,
    Services,
    Tasks,
    TaskDefinitions,
    ScalableTargets,
    /// The alarms that target tracking makes for a service.
    Alarms,
}

/// What else has to hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Only {
    Always,
    /// The role is passed to this service.
    PassedTo(&'static str),
    /// The function is opened to API Gateway and to Events, and to nobody else.
    ToOurCallers,
    /// The API is the project's, and its tag too, as far as AWS says so: an API has its tag only after it was made, and not every
    /// path tells a name.
    OwnGateway,
    /// The managed policy is one that the files name.
    NamedPolicy,
    /// The boundary is the one that the project's file names.
    NamedBoundary,
    /// The role is bounded as the project's file says, where it does.
    WithinBoundary,
    /// The resource has the project's tag.
    Tagged,
    /// The tag is given as the security group is made.
    WithNewGroup,
    /// In the project's cluster.
    InCluster,
    /// For services of ECS.
    Scaling,
}

/// Operations that are allowed together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub part: Part,
    /// What the statement is called, after its part.
    pub sid: &'static str,
    pub when: When,
    pub on: On,
    /// The operations, as mdo sends them.
    pub operations: &'static [&'static str],
    /// Further actions that AWS asks for when they are sent, and that are no calls of mdo's.
    pub beside: &'static [&'static str],
    pub only: Only,
}

impl Group {
    /// A group that any project needs, without conditions.
    pub(super) const fn new(
        part: Part,
        sid: &'static str,
        on: On,
        operations: &'static [&'static str],
    ) -> Self {
        Self { part, sid, when: When::Always, on, operations, beside: &[], only: Only::Always }
    }

    /// For projects that have a resource of this kind.
    pub(super) const fn with(mut self, kind: Kind) -> Self {
        self.when = When::Kind(kind);
        self
    }

    pub(super) const fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }

    pub(super) const fn beside(mut self, actions: &'static [&'static str]) -> Self {
        self.beside = actions;
        self
    }

    pub(super) const fn only(mut self, only: Only) -> Self {
        self.only = only;
        self
    }
}
