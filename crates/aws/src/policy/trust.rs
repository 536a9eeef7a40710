//! The trust policy of a role that a pipeline assumes with the token that GitHub gives it, without a secret.
//!
//! Sources: <https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws> and
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html>.

use serde_json::{Value, json};

/// Who gives the tokens.
pub const ISSUER: &str = "token.actions.githubusercontent.com";

/// Whom the tokens are for, as GitHub's action for AWS asks for them: in China, STS has a name of its own.
/// <https://github.com/aws-actions/configure-aws-credentials>
pub fn audience(partition: &str) -> &'static str {
    if partition == "aws-cn" { "sts.amazonaws.com.cn" } else { "sts.amazonaws.com" }
}

/// Which runs of a repository's workflows are let in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Those on a branch; `*` stands for any text in its name.
    Branch(String),
    /// Those of jobs that name this environment.
    Environment(String),
    /// Those on pull requests from the repository itself.
    PullRequests,
}

impl Subject {
    /// The `sub` of the tokens.
    fn claim(&self, repository: &str) -> String {
        match self {
            Self::Branch(branch) => format!("repo:{repository}:ref:refs/heads/{branch}"),
            Self::Environment(environment) => format!("repo:{repository}:environment:{environment}"),
            Self::PullRequests => format!("repo:{repository}:pull_request"),
        }
    }
}

/// The policy that lets these runs of `OWNER/REPO` assume a role of this account.
pub fn trust(repository: &str, subjects: &[Subject], partition: &str, account: &str) -> Value {
    let audience = audience(partition);
    let claims: Vec<String> = subjects.iter().map(|subject| subject.claim(repository)).collect();
    let (aud, sub) = (format!("{ISSUER}:aud"), format!("{ISSUER}:sub"));
    let condition = match claims.iter().any(|claim| claim.contains('*')) {
        true => json!({"StringEquals": {aud: audience}, "StringLike": {sub: claims}}),
        false => json!({"StringEquals": {aud: audience, sub: claims}}),
    };
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "GitHub",
            "Effect": "Allow",
            "Principal": {"Federated": format!("arn:{partition}:iam::{account}:oidc-provider/{ISSUER}")},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": condition,
        }],
    })
}
