//! The policies that a role has, whoever gave it them.

use mdo_engine::Error;

use crate::client::Aws;
use crate::pages;

/// A managed policy of a role.
pub(super) struct Attached {
    pub(super) name: String,
    pub(super) arn: String,
}

/// The names of the inline policies of a role.
pub(super) async fn inline(aws: &Aws, role: &str) -> Result<Vec<String>, Error> {
    pages::all(|marker: Option<String>| async move {
        let answer = aws
            .call("iam:ListRolePolicies", role, || {
                aws.iam.list_role_policies().role_name(role).set_marker(marker.clone()).send()
            })
            .await?;
        Ok((Some(answer.policy_names), answer.marker))
    })
    .await
}

/// The managed policies of a role.
pub(super) async fn attached(aws: &Aws, role: &str) -> Result<Vec<Attached>, Error> {
    let listed = pages::all(|marker: Option<String>| async move {
        let answer = aws
            .call("iam:ListAttachedRolePolicies", role, || {
                aws.iam.list_attached_role_policies().role_name(role).set_marker(marker.clone()).send()
            })
            .await?;
        Ok((answer.attached_policies, answer.marker))
    });
    let known = listed
        .await?
        .into_iter()
        .filter_map(|policy| Some(Attached { name: policy.policy_name?, arn: policy.policy_arn? }));
    Ok(known.collect())
}
