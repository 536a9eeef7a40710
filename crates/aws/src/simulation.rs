//! Whether IAM would allow a deploy: asked of its own simulation, which sees boundaries and the organisation's policies too.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};
use futures::future::try_join_all;
use mdo_engine::{Cause, Error, Permissions};
use mdo_model::project::Settings;

use crate::AwsProvider;
use crate::policy::{Part, Place, Scope, Statement};

#[async_trait]
impl Permissions for AwsProvider {
    async fn lacking(&self, settings: &Settings) -> Result<BTreeSet<String>, Error> {
        let Some(principal) = self.principal().await? else { return Ok(BTreeSet::new()) };
        let place = Place { region: self.aws.region.clone(), account: self.aws.account()?.to_string() };
        let scope = Scope::of(std::slice::from_ref(settings), false, [place].into());
        let document = scope.map(|scope| scope.policy(&[Part::Deploy]));
        let statements = document.as_ref().map(|document| document.statements()).unwrap_or_default();
        let denied = try_join_all(statements.iter().map(|statement| self.denied(&principal, statement)));
        Ok(denied.await?.into_iter().flatten().collect())
    }
}

impl AwsProvider {
    /// The user or the role that calls; `None` for the account itself, which may do anything.
    async fn principal(&self) -> Result<Option<String>, Error> {
        let answer =
            self.aws.call("sts:GetCallerIdentity", "", || self.aws.sts.get_caller_identity().send()).await?;
        let arn = answer.arn().unwrap_or_default();
        let Some((_, role)) = arn.split_once(":assumed-role/") else {
            return Ok(Some(arn.to_owned()).filter(|arn| !arn.ends_with(":root")));
        };
        // A session does not tell the path of its role.
        let role = role.split('/').next().unwrap_or_default();
        let found =
            self.aws.call("iam:GetRole", role, || self.aws.iam.get_role().role_name(role).send()).await;
        match found {
            Ok(answer) => Ok(answer.role().map(|role| role.arn().to_owned())),
            Err(error) if error.cause == Cause::Denied => {
                Ok(Some(format!("arn:{}:iam::{}:role/{role}", self.aws.partition, self.aws.account()?)))
            }
            Err(error) => Err(error),
        }
    }

    /// The actions of a statement that are denied. One whose policies ask for what a simulation does not know is not.
    async fn denied(&self, principal: &str, statement: &Statement) -> Result<Vec<String>, Error> {
        let context: Vec<ContextEntry> = statement
            .context()
            .into_iter()
            .map(|(key, value)| {
                let entry = ContextEntry::builder().context_key_name(key).context_key_values(value);
                entry.context_key_type(ContextKeyTypeEnum::String).build()
            })
            .collect();
        let answer = self
            .aws
            .call("iam:SimulatePrincipalPolicy", principal, || {
                self.aws
                    .iam
                    .simulate_principal_policy()
                    .policy_source_arn(principal)
                    .set_action_names(Some(statement.actions().cloned().collect()))
                    .set_resource_arns(Some(statement.resources().cloned().collect()))
                    .set_context_entries(Some(context.clone()))
                    .send()
            })
            .await?;
        let denied = answer.evaluation_results().iter().filter(|result| {
            // A statement has resources of several kinds, of which an action needs its own.
            let decisions = result.resource_specific_results().iter();
            let is_allowed_somewhere = decisions
                .map(|each| each.eval_resource_decision())
                .chain([result.eval_decision()])
                .any(|decision| *decision == PolicyEvaluationDecisionType::Allowed);
            !is_allowed_somewhere && result.missing_context_values().is_empty()
        });
        Ok(denied.map(|result| result.eval_action_name().to_owned()).collect())
    }
}
