//! The model: what one project owns in one stage, what it should own, and the difference as a plan. Pure: no I/O, no
//! clock, no terminal, no provider.

mod change;
mod cost;
mod desired;
mod diff;
mod hosted;
mod identity;
mod movement;
mod order;
mod plan;
mod prune;
mod recording;
mod resource;

pub use change::{Action, Change};
pub use cost::{
    CostChange, HOURS as HOURS_OF_A_MONTH, HourlyCost, MonthlyCost, PRICES_IN, PRICES_OF, api_cost,
    function_cost,
};
pub use desired::{
    DEFAULT_KEY, Selection, WARM_HOLD_MS, definition, desired, desired_of_any_code, warm_rule,
};
pub use diff::{FieldChange, HIDDEN};
pub use hosted::{
    HEALTH_COUNT, HEALTH_INTERVAL, HostedFunction, LAME_DUCK, LoadBalancer, Repository, Server, ServerRole,
    UNTAGGED_DAYS, hosted,
};
pub use identity::{Kind, ResourceId};
pub use movement::{NotOnTrial, end_canary, function_changes, plan_keys, rollback, rollback_functions};
pub use plan::{Kept, KeptKind, Plan, Summary, destroy, plan};
pub use prune::{
    Artifact, Deployment, DeploymentId, Freed, FunctionVersion, FunctionVersionId, Image, LayerVersion,
    LayerVersionId, LiveVersions, Revision, RevisionId, prune,
};
pub use recording::{AccessLogs, Recording};
pub use resource::{
    Api, ApiRoute, ApiStage, Canary, Definition, Derivative, Function, Invoker, Key, KeyEnd, LogGroup,
    Resource, Role, Stack, WarmRule,
};
