//! What files say that functions may do on AWS beyond logging: statements in a plain form, and managed policies by their ARNs.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format;
use super::problem::Problem;

/// What the functions of a stage may do, in one form however the files have grouped it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// The resources, as ARNs or patterns of such, that each action is allowed on.
    pub allow: BTreeMap<String, BTreeSet<String>>,
    /// Managed policies by their ARNs.
    pub policies: BTreeSet<String>,
}

impl Permissions {
    /// Whether nothing is permitted.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.policies.is_empty()
    }

    /// Permits what another one permits as well.
    pub fn extend(&mut self, other: &Self) {
        for (action, resources) in &other.allow {
            self.allow(action, resources);
        }
        self.policies.extend(other.policies.iter().cloned());
    }

    /// Permits an action on resources.
    pub fn allow<'a>(&mut self, action: &str, resources: impl IntoIterator<Item = &'a String>) {
        self.allow.entry(action.to_owned()).or_default().extend(resources.into_iter().cloned());
    }

    /// The statements that come to it: the actions that share the same resources are one.
    pub fn statements(&self) -> Vec<(BTreeSet<&str>, &BTreeSet<String>)> {
        let mut by_resources: BTreeMap<&BTreeSet<String>, BTreeSet<&str>> = BTreeMap::new();
        for (action, resources) in &self.allow {
            by_resources.entry(resources).or_default().insert(action);
        }
        by_resources.into_iter().map(|(resources, actions)| (actions, resources)).collect()
    }
}

/// A statement, or the ARN of a managed policy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum PermissionSetting {
    Policy(PolicyArn),
    Statement(Statement),
}

/// The ARN of a managed policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct PolicyArn(String);

/// What is allowed on what.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Statement {
    /// Actions, such as `s3:GetObject`.
    #[schemars(length(min = 1), extend("items" = {"type": "string", "format": "iam-action"}))]
    pub allow: Vec<String>,
    /// The ARNs of the resources, in which `*` stands for any text.
    #[schemars(length(min = 1), extend("items" = {"type": "string", "format": "resource-arn"}))]
    pub on: Vec<String>,
}

format::format_schema!(
    PolicyArn,
    "PolicyArn",
    "policy-arn",
    "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
);

/// What several settings permit together.
pub(super) fn permissions<'a>(settings: impl IntoIterator<Item = &'a PermissionSetting>) -> Permissions {
    let mut all = Permissions::default();
    for setting in settings {
        match setting {
            PermissionSetting::Policy(PolicyArn(arn)) => drop(all.policies.insert(arn.clone())),
            PermissionSetting::Statement(statement) => {
                statement.allow.iter().for_each(|action| all.allow(action, &statement.on));
            }
        }
    }
    all
}

/// What is wrong with the name of an action: a service's prefix and an operation, in which `*` and `?` stand for others.
pub(super) fn action(text: &str) -> Option<Problem> {
    let valid = text.split_once(':').is_some_and(|(service, operation)| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !service.is_empty()
            && service.chars().all(is_word)
            && !operation.is_empty()
            && operation.chars().all(|c| c.is_ascii_alphanumeric() || c == '*' || c == '?')
    });
    (!valid).then(|| {
        let problem = Problem::new(format!("`{text}` is not an action of IAM: a service and an operation"));
        problem.help("as in `s3:GetObject`, or `s3:Get*` for all that begin so")
    })
}

/// What is wrong with the ARN of a resource, or with a pattern of such.
pub(super) fn resource(text: &str) -> Option<Problem> {
    let valid = text == "*" || (text.starts_with("arn:") && text.split(':').count() >= 6);
    (!valid).then(|| {
        let problem = Problem::new(format!("`{text}` is not the ARN of a resource, nor a pattern of one"));
        problem.help("as in `arn:aws:s3:::bucket/*`; `*` is every resource")
    })
}

/// What is wrong with the ARN of a managed policy. AWS's own ones have `aws` in place of an account.
pub(super) fn policy(text: &str) -> Option<Problem> {
    let valid = match text.splitn(6, ':').collect::<Vec<_>>()[..] {
        ["arn", partition, "iam", "", account, resource] => {
            partition.starts_with("aws")
                && (account == "aws" || account.parse::<super::AccountId>().is_ok())
                && resource.strip_prefix("policy/").is_some_and(|name| !name.is_empty())
        }
        _ => false,
    };
    (!valid).then(|| {
        Problem::new(format!("`{text}` is not the ARN of a managed policy"))
            .help("as in `arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess`")
    })
}
