//! How long a plan takes at least: the calls that its changes come to, held against the quotas of AWS.

use std::time::Duration;

use mdo_model::stack::{Action, Change, Kind, Plan, Resource};

use crate::pace;

/// The floor of a plan; what a change may need beyond its usual calls is not counted.
pub(crate) fn of(plan: &Plan) -> Duration {
    let calls: Vec<_> = plan.changes.iter().flat_map(calls).map(|operation| (operation, 1)).collect();
    pace::floor(&calls)
}

fn calls(change: &Change) -> Vec<&'static str> {
    match (change.id.kind, change.action) {
        (
            Kind::Role
            | Kind::Permissions
            | Kind::LogGroup
            | Kind::ServerRole
            | Kind::Repository
            | Kind::LoadBalancer
            | Kind::Server,
            _,
        ) => Vec::new(),
        (Kind::Derivative, Action::Delete) => vec!["lambda:ListLayerVersions", "lambda:DeleteLayerVersion"],
        (Kind::Derivative, _) => vec!["lambda:PublishLayerVersion"],
        (Kind::LayerVersion, _) => vec!["lambda:DeleteLayerVersion"],
        (Kind::FunctionVersion, _) => vec!["lambda:DeleteFunction"],
        (Kind::Deployment, _) => vec!["apigateway:DeleteDeployment"],
        (Kind::Revision, _) => vec!["ecs:DeregisterTaskDefinition"],
        (Kind::Image, _) => vec!["ecr:BatchDeleteImage"],
        (Kind::Artifact, _) => vec!["s3:DeleteObject"],
        (Kind::Function, Action::Create) => {
            let invokers = match &change.after {
                Some(Resource::Function(function)) => function.invokers.len(),
                _ => 0,
            };
            let mut calls = vec!["lambda:CreateFunction", "lambda:CreateAlias"];
            calls.extend(std::iter::repeat_n("lambda:AddPermission", invokers));
            calls
        }
        (Kind::Function, Action::Update) => {
            vec!["lambda:UpdateFunctionCode", "lambda:PublishVersion", "lambda:UpdateAlias"]
        }
        (Kind::Function, Action::Delete) => {
            vec!["lambda:DeleteAlias", "lambda:ListAliases", "lambda:DeleteFunction"]
        }
        (Kind::Api, Action::Create) => vec!["apigateway:ImportRestApi"],
        (Kind::Api, Action::Update) => vec!["apigateway:PutRestApi"],
        (Kind::Api, Action::Delete) => vec!["apigateway:DeleteRestApi"],
        (Kind::Stage, Action::Delete) => vec!["apigateway:UpdateUsagePlan", "apigateway:DeleteUsagePlan"],
        (Kind::Stage, _) => vec!["apigateway:CreateDeployment"],
        (Kind::Key, Action::Create) => vec!["apigateway:CreateApiKey", "apigateway:CreateUsagePlanKey"],
        (Kind::Key, Action::Update) => vec!["apigateway:UpdateApiKey"],
        (Kind::Key, Action::Delete) => vec!["apigateway:DeleteApiKey"],
        (Kind::WarmRule, _) => Vec::new(),
    }
}
