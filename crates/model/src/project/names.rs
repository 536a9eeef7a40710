//! What everything is called on a provider: the one place that composes names.

use super::{DerivativeId, FunctionName, KeyName, ProjectName, StageName};

/// The names of one stack's resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The project, which prefixes every name.
    pub project: ProjectName,
    /// The stage.
    pub stage: StageName,
}

impl Names {
    /// The longest name that Lambda, IAM and EventBridge accept, in characters.
    pub const LIMIT: usize = 64;

    /// The role that Lambda assumes for every function of the project.
    pub fn role(&self) -> String {
        format!("{}_lambda_function", self.project)
    }

    /// A function.
    pub fn function(&self, function: &FunctionName) -> String {
        format!("{}_{function}", self.project)
    }

    /// Reads a function's short name back from its name on the provider.
    pub fn function_of(&self, name: &str) -> Option<FunctionName> {
        name.strip_prefix(self.project.as_str())?.strip_prefix('_')?.parse().ok()
    }

    /// The layer of a derivative; further parts of one that is too large for a single layer have their number behind it.
    pub fn layer(&self, derivative: &DerivativeId) -> String {
        self.layer_part(derivative, 1)
    }

    /// The layer of one part of a derivative, from 1.
    pub fn layer_part(&self, derivative: &DerivativeId, part: usize) -> String {
        format!("{}_{}", self.project, Self::part(derivative, part))
    }

    /// One part of a derivative, whichever project's: `sklearn-python3_13-x86_64`, `sklearn-python3_13-x86_64-2`.
    pub fn part(derivative: &DerivativeId, part: usize) -> String {
        match part {
            1 => derivative.to_string(),
            _ => format!("{derivative}-{part}"),
        }
    }

    /// Reads a derivative and the number of its part, from 1, back from the name of a layer.
    pub fn layer_of(&self, name: &str) -> Option<(DerivativeId, usize)> {
        let name = name.strip_prefix(self.project.as_str())?.strip_prefix('_')?;
        let part = || {
            let (first, part) = name.rsplit_once('-')?;
            Some((first.parse().ok()?, part.parse().ok().filter(|part| *part > 1)?))
        };
        name.parse().ok().map(|id| (id, 1)).or_else(part)
    }

    /// The REST API.
    pub fn api(&self) -> String {
        self.project.to_string()
    }

    /// The usage plan of the stage.
    pub fn usage_plan(&self) -> String {
        format!("{}-{}", self.project, self.stage)
    }

    /// An API key of the stage.
    pub fn key(&self, key: &KeyName) -> String {
        format!("{}-{}-{key}", self.project, self.stage)
    }

    /// Reads a key's short name back from its name on the provider.
    pub fn key_of(&self, name: &str) -> Option<KeyName> {
        name.strip_prefix(&self.usage_plan())?.strip_prefix('-')?.parse().ok()
    }

    /// The rule that keeps a function warm. Neither functions nor stages have dots in their names, so that no two of
    /// them share a rule.
    pub fn warm_rule(&self, function: &FunctionName) -> String {
        format!("{}_{function}.{}.warm", self.project, self.stage)
    }

    /// What earlier versions called the same rule. Function `a` at stage `b-c` and function `a-b` at stage `c` shared one.
    pub fn former_warm_rule(&self, function: &FunctionName) -> String {
        format!("{}_{function}-{}-warm", self.project, self.stage)
    }

    /// Reads a function's short name back from the name of its warm rule at this stage, the former one included.
    pub fn warm_rule_of(&self, name: &str) -> Option<FunctionName> {
        let stage = self.stage.as_str();
        let current = || name.strip_suffix(".warm")?.strip_suffix(stage)?.strip_suffix('.');
        let former = || name.strip_suffix("-warm")?.strip_suffix(stage)?.strip_suffix('-');
        self.function_of(current().or_else(former)?)
    }

    /// The log group of a function.
    pub fn log_group(&self, function: &FunctionName) -> String {
        format!("/aws/lambda/{}", self.function(function))
    }

    /// The statement that lets the API's stage call an alias.
    pub fn api_statement(&self) -> String {
        format!("mdo-api-{}", self.stage)
    }

    /// The statement that lets the warm rule call an alias.
    pub fn warm_statement(&self) -> String {
        format!("mdo-warm-{}", self.stage)
    }
}
