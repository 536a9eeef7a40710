//! What the functions of one stage may do: an inline policy of the project's role for each stage, so that no stage takes from another
//! what it needs, and the managed policies that are attached for it.

use std::collections::BTreeSet;

use futures::future::{join_all, try_join_all};
use mdo_engine::{Applied, Cause, Error, Run};
use mdo_model::project::{Names, Permissions};
use mdo_model::stack::{Change, Resource};
use serde_json::{Value, json};

use super::{decode, ignore_absent, policies};
use crate::client::Aws;

/// The statement that names the managed policies which are attached for a stage. It lets a function read what those say, and
/// nothing else: IAM has no other place for a note in a policy.
const ATTACHED: &str = "Attached";

/// The action of [`ATTACHED`].
const READ_POLICY: &str = "iam:GetPolicy";

/// What stands in the model for a statement that mdo would not write.
const EDITED: &str = "(edited by hand)";

/// What stands in the model behind a managed policy that a stage's policy names, and that is not attached.
const NOT_ATTACHED: &str = "(not attached)";

/// What the names of all stages' policies begin with.
pub(super) const PREFIX: &str = "mdo-";

/// What the stage's functions may do; nothing where the role, or its policy for the stage, is absent.
pub(crate) async fn observe(aws: &Aws, names: &Names) -> Result<Option<Permissions>, Error> {
    let Some(mut permissions) = document(aws, names, &name(names)).await? else { return Ok(None) };
    if !permissions.policies.is_empty() {
        // Whoever detaches one by hand leaves it in the policy, as does a run that is cut short.
        let attached = policies::attached(aws, &names.role()).await?;
        let is_attached = |arn: &String| attached.iter().any(|policy| policy.arn == *arn);
        let (attached, named) = permissions.policies.into_iter().partition(is_attached);
        permissions.policies = attached;
        for arn in named as BTreeSet<String> {
            permissions.allow(&format!("{arn} {NOT_ATTACHED}"), []);
        }
    }
    Ok(Some(permissions))
}

/// Makes a change of what the stage's functions may do.
pub(crate) async fn apply(
    aws: &Aws,
    names: &Names,
    change: &Change,
    run: &Run<'_>,
) -> Result<Applied, Error> {
    run.all_usable(change).await?;
    let of = |resource: &Option<Resource>| match resource {
        Some(Resource::Permissions(permissions)) => permissions.clone(),
        _ => Permissions::default(),
    };
    let (before, wanted) = (of(&change.before), of(&change.after));
    let role = names.role();
    let gone: BTreeSet<String> = before.policies.difference(&wanted.policies).cloned().collect();
    let others = match gone.is_empty() {
        true => BTreeSet::new(),
        false => wanted_elsewhere(aws, names).await?,
    };
    // At every moment the stage's policy names all that is attached for the stage: should the rest fail, the next run finds it. And no
    // function goes without what it keeps.
    if change.after.is_some() {
        let policies = wanted.policies.union(&gone).cloned().collect();
        let named = Permissions { policies, ..wanted.clone() };
        // To write what is there already would be no part of the change, and count as one.
        if change.before.is_none() || named != before {
            put(aws, names, &named).await?;
        }
    }
    let added = wanted.policies.difference(&before.policies);
    all(added.map(|arn| attach(aws, &role, arn))).await?;
    all(gone.difference(&others).map(|arn| detach(aws, &role, arn))).await?;
    if change.after.is_none() {
        let policy = name(names);
        ignore_absent(
            aws.call("iam:DeleteRolePolicy", &role, || {
                aws.iam.delete_role_policy().role_name(&role).policy_name(&policy).send()
            })
            .await,
        )?;
    } else if !gone.is_empty() {
        put(aws, names, &wanted).await?;
    }
    Ok(Applied::default())
}

/// Runs writes side by side, each to its end whatever becomes of the others.
async fn all(writes: impl Iterator<Item = impl Future<Output = Result<(), Error>>>) -> Result<(), Error> {
    join_all(writes).await.into_iter().collect()
}

/// Writes the stage's policy.
async fn put(aws: &Aws, names: &Names, permissions: &Permissions) -> Result<(), Error> {
    let (role, policy, document) = (names.role(), name(names), written(permissions).to_string());
    aws.call("iam:PutRolePolicy", &role, || {
        aws.iam.put_role_policy().role_name(&role).policy_name(&policy).policy_document(&document).send()
    })
    .await
    .map(drop)
}

/// The managed policies that other stages want.
async fn wanted_elsewhere(aws: &Aws, names: &Names) -> Result<BTreeSet<String>, Error> {
    let own = name(names);
    let policies = policies::inline(aws, &names.role()).await?;
    attached_for(aws, names, policies.iter().filter(|policy| **policy != own)).await
}

/// The managed policies that are attached for stages, by the stages' policies among these.
pub(super) async fn attached_for(
    aws: &Aws,
    names: &Names,
    inline: impl Iterator<Item = &String>,
) -> Result<BTreeSet<String>, Error> {
    let stages = inline.filter(|policy| policy.starts_with(PREFIX));
    let documents = try_join_all(stages.map(|policy| document(aws, names, policy))).await?;
    Ok(documents.into_iter().flatten().flat_map(|permissions| permissions.policies).collect())
}

async fn document(aws: &Aws, names: &Names, policy: &str) -> Result<Option<Permissions>, Error> {
    let role = names.role();
    let answer = aws
        .call("iam:GetRolePolicy", &role, || {
            aws.iam.get_role_policy().role_name(&role).policy_name(policy).send()
        })
        .await;
    match answer {
        Ok(answer) => Ok(Some(read(&decode(answer.policy_document())))),
        Err(error) if error.is(&Cause::Gone) || error.is(&Cause::PartGone) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn attach(aws: &Aws, role: &str, arn: &str) -> Result<(), Error> {
    aws.call("iam:AttachRolePolicy", arn, || {
        aws.iam.attach_role_policy().role_name(role).policy_arn(arn).send()
    })
    .await
    .map(drop)
}

pub(super) async fn detach(aws: &Aws, role: &str, arn: &str) -> Result<(), Error> {
    ignore_absent(
        aws.call("iam:DetachRolePolicy", arn, || {
            aws.iam.detach_role_policy().role_name(role).policy_arn(arn).send()
        })
        .await,
    )
}

/// The name of the inline policy for a stage.
pub(crate) fn name(names: &Names) -> String {
    format!("{PREFIX}{}", names.stage)
}

/// The document of a stage's policy.
fn written(permissions: &Permissions) -> Value {
    let attached = (!permissions.policies.is_empty()).then(|| {
        json!({
            "Sid": ATTACHED,
            "Effect": "Allow",
            "Action": READ_POLICY,
            "Resource": permissions.policies,
        })
    });
    json!({"Version": "2012-10-17", "Statement": allowed(permissions).chain(attached).collect::<Vec<_>>()})
}

/// The statements of what is allowed.
pub(crate) fn allowed(permissions: &Permissions) -> impl Iterator<Item = Value> {
    let statements = permissions.statements().into_iter();
    statements
        .map(|(actions, resources)| json!({"Effect": "Allow", "Action": actions, "Resource": resources}))
}

/// Reads a stage's policy back. What mdo would not write differs from every desired one.
fn read(document: &Value) -> Permissions {
    let mut permissions = Permissions::default();
    let statements = &document["Statement"];
    for statement in statements.as_array().map_or(std::slice::from_ref(statements), Vec::as_slice) {
        if !read_statement(statement, &mut permissions) {
            permissions.allow(EDITED, []);
        }
    }
    permissions
}

/// Whether it is a statement as mdo writes them.
fn read_statement(statement: &Value, permissions: &mut Permissions) -> bool {
    let Some(keys) = statement.as_object() else { return false };
    let is_known = |key: &String| ["Sid", "Effect", "Action", "Resource"].contains(&key.as_str());
    let (actions, resources) = (texts(&statement["Action"]), texts(&statement["Resource"]));
    if statement["Effect"] != "Allow"
        || !keys.keys().all(is_known)
        || actions.is_empty()
        || resources.is_empty()
    {
        return false;
    }
    if statement["Sid"] == ATTACHED {
        permissions.policies.extend(resources);
        return actions == [READ_POLICY];
    }
    actions.iter().for_each(|action| permissions.allow(action, &resources));
    true
}

/// One text, or a list of such.
fn texts(value: &Value) -> Vec<String> {
    let all = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissions() -> Permissions {
        let mut permissions = Permissions::default();
        let (bucket, all) = (["arn:aws:s3:::bucket/*".to_owned()], ["*".to_owned()]);
        permissions.allow("s3:PutObject", &bucket);
        permissions.allow("s3:GetObject", &bucket);
        permissions.allow("ses:SendEmail", &all);
        permissions.policies.insert("arn:aws:iam::aws:policy/AmazonSQSFullAccess".to_owned());
        permissions
    }

    #[test]
    fn a_policy_is_read_back_as_it_was_written() {
        let document = written(&permissions());
        assert_eq!(
            document,
            json!({
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": ["ses:SendEmail"], "Resource": ["*"]},
                    {
                        "Effect": "Allow",
                        "Action": ["s3:GetObject", "s3:PutObject"],
                        "Resource": ["arn:aws:s3:::bucket/*"],
                    },
                    {
                        "Sid": "Attached",
                        "Effect": "Allow",
                        "Action": "iam:GetPolicy",
                        "Resource": ["arn:aws:iam::aws:policy/AmazonSQSFullAccess"],
                    },
                ],
            })
        );
        assert_eq!(read(&document), permissions());
    }

    #[test]
    fn the_same_in_other_words_is_the_same_and_what_mdo_would_not_write_is_not() {
        let one = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"});
        let mut expected = Permissions::default();
        expected.allow("s3:GetObject", &["arn:aws:s3:::b/*".to_owned()]);
        assert_eq!(read(&json!({"Statement": one})), expected);
        assert_eq!(read(&json!({"Statement": [one.clone(), one.clone()]})), expected);
        let mut edited = one.clone();
        edited["Condition"] = json!({"Bool": {"aws:SecureTransport": "true"}});
        for other in [edited, json!({"Effect": "Deny", "Action": "*", "Resource": "*"}), json!("x")] {
            let found = read(&json!({"Statement": [one.clone(), other]}));
            assert!(found.allow.contains_key(EDITED) && found.allow.contains_key("s3:GetObject"));
        }
    }
}
