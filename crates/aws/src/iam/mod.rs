//! The project's role: observed by its inline policy, created and updated. How it is deleted stands in `removal`.

mod elsewhere;
mod policies;
mod policy;
mod removal;
mod stage_policy;

use std::collections::BTreeSet;

use mdo_engine::{Applied, Cause, Error, Run, Scope};
use mdo_model::project::{Names, Tags};
use mdo_model::stack::{Change, Resource, Role};
use serde_json::Value;

use self::elsewhere::REGIONS_TAG;
use self::policy as iam_policy;
pub(crate) use self::policy::{Place, permissions as role_policy, trust};
pub(crate) use self::removal::{delete, foreign, foreign_to, given_by_hand};
pub(crate) use self::stage_policy::{
    allowed, apply as apply_permissions, name as stage_policy_name, observe as permissions,
};
use crate::client::Aws;
use crate::ownership::{self, Owner, Retagging, retagging, tag_map};
use aws_sdk_iam::types::Tag;

/// The name of the inline policy, by which a role is known to be mdo's without reading its tags.
pub(crate) const POLICY: &str = "mdo";

/// Regions by their names.
pub(crate) type Regions = BTreeSet<String>;

/// A role as IAM tells it, as far as `observe` needs it.
pub(crate) enum RoleFound {
    Absent,
    /// Its inline policy; an empty document where it has none.
    Found(Value),
}

/// Looks for the project's role.
pub(crate) async fn observe(aws: &Aws, names: &Names, scope: &Scope) -> Result<RoleFound, Error> {
    let role = names.role();
    let answer = aws
        .call("iam:GetRolePolicy", &role, || {
            aws.iam.get_role_policy().role_name(&role).policy_name(POLICY).send()
        })
        .await;
    match answer {
        Ok(answer) => Ok(RoleFound::Found(decode(answer.policy_document()))),
        Err(error) if error.is(&Cause::Gone) => Ok(RoleFound::Absent),
        Err(error) if error.is(&Cause::PartGone) => match owner(aws, names).await? {
            None => Ok(RoleFound::Absent),
            Some(owner) => {
                let checked = owner.check("role", &role, scope.adopt).map(|()| Some(Value::Null));
                Ok(ownership::found(checked, scope)?.map_or(RoleFound::Absent, RoleFound::Found))
            }
        },
        Err(error) => Err(error),
    }
}

/// The role in the model's terms, once the account is known, and the regions that the policy of an earlier mdo lists.
pub(crate) fn read(aws: &Aws, found: &RoleFound) -> Result<Option<(Role, Regions)>, Error> {
    Ok(match found {
        RoleFound::Absent => None,
        RoleFound::Found(document) => Some(iam_policy::read(document, place(aws)?)),
    })
}

/// Whose account, and in which partition, a role is.
pub(crate) fn place(aws: &Aws) -> Result<Place<'_>, Error> {
    Ok(Place { partition: aws.partition, account: aws.account()?.as_str() })
}

/// Whose the role is; `None` when there is none.
async fn owner(aws: &Aws, names: &Names) -> Result<Option<Owner>, Error> {
    let role = get(aws, names).await?;
    let tags = |role: &aws_sdk_iam::types::Role| {
        ownership::of(role.tags().iter().map(|tag| (tag.key(), tag.value())), &names.project)
    };
    Ok(role.as_ref().map(tags))
}

/// What of the role its policy does not tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Apart {
    /// The ARN of the policy that bounds what it may do, if one does.
    pub boundary: Option<String>,
    /// Its tags of the project's own.
    pub tags: Tags,
}

/// Reads what of the role its policy does not tell.
pub(crate) async fn read_apart(aws: &Aws, names: &Names) -> Result<Apart, Error> {
    let Some(role) = get(aws, names).await? else { return Ok(Apart::default()) };
    let tags = Tags::recorded(role.tags().iter().map(|tag| (tag.key(), tag.value())));
    Ok(Apart { tags, boundary: role.permissions_boundary.and_then(|one| one.permissions_boundary_arn) })
}

async fn get(aws: &Aws, names: &Names) -> Result<Option<aws_sdk_iam::types::Role>, Error> {
    let role = names.role();
    match aws.call("iam:GetRole", &role, || aws.iam.get_role().role_name(&role).send()).await {
        Ok(answer) => Ok(answer.role),
        Err(error) if error.is(&Cause::Gone) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The policy document of an answer, which IAM percent-encodes.
pub(crate) fn decode(document: &str) -> Value {
    let mut bytes = Vec::with_capacity(document.len());
    let mut rest = document.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| tail.get(..2)).flatten();
        let escaped = escaped.and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) => {
                bytes.push(escaped);
                rest = &tail[2..];
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Creates the role; functions may use it before its policy is there.
pub(crate) async fn create(
    aws: &Aws,
    names: &Names,
    wanted: &Role,
    change: &Change,
    run: &Run<'_>,
) -> Result<Applied, Error> {
    let role = names.role();
    let trust = trust(&wanted.trusted_service).to_string();
    let tags: Vec<_> = tags(aws, names, Regions::new(), &wanted.tags)?;
    let created = aws
        .call("iam:CreateRole", &role, || {
            aws.iam
                .create_role()
                .role_name(&role)
                .assume_role_policy_document(&trust)
                .set_permissions_boundary(wanted.boundary.clone())
                .description(description(names))
                .set_tags(Some(tags.clone()))
                .send()
        })
        .await;
    match created {
        // Another deploy of the project has been quicker.
        Err(error) if error.is(&Cause::Exists) => {
            owner(aws, names).await?.ok_or(error)?.check("role", &role, false)?;
        }
        answer => drop(answer?),
    }
    run.announce(&change.id);
    put_policy(aws, names, wanted).await?;
    Ok(Applied::default())
}

/// What the role says of itself.
pub(crate) fn description(names: &Names) -> String {
    format!("Lambda's role for the functions of {}, made by mdo", names.project)
}

/// Puts the role's policies back to what is wanted, and takes an adopted role over.
pub(crate) async fn update(
    aws: &Aws,
    names: &Names,
    wanted: &Role,
    regions: Regions,
    change: &Change,
) -> Result<Applied, Error> {
    let role = names.role();
    // To write what is there already would be no part of the change, and count as one.
    if ["trusted_service", "log_groups", "grants"].iter().any(|field| change.touches(field)) {
        put_policy(aws, names, wanted).await?;
    }
    if let Some(boundary) = wanted.boundary.as_ref().filter(|_| change.touches("boundary")) {
        aws.call("iam:PutRolePermissionsBoundary", &role, || {
            aws.iam.put_role_permissions_boundary().role_name(&role).permissions_boundary(boundary).send()
        })
        .await?;
    }
    if change.touches("trusted_service") || change.touches("log_groups") {
        let trust = trust(&wanted.trusted_service).to_string();
        let tags = tags(aws, names, regions, &wanted.tags)?;
        aws.call("iam:UpdateAssumeRolePolicy", &role, || {
            aws.iam.update_assume_role_policy().role_name(&role).policy_document(&trust).send()
        })
        .await?;
        aws.call("iam:TagRole", &role, || {
            aws.iam.tag_role().role_name(&role).set_tags(Some(tags.clone())).send()
        })
        .await?;
    }
    if let Some(Resource::Role(before)) = &change.before {
        retag(aws, &role, &before.tags, &wanted.tags).await?;
    }
    Ok(Applied::default())
}

async fn put_policy(aws: &Aws, names: &Names, wanted: &Role) -> Result<(), Error> {
    let role = names.role();
    let document = iam_policy::permissions(wanted, place(aws)?).to_string();
    aws.call("iam:PutRolePolicy", &role, || {
        aws.iam.put_role_policy().role_name(&role).policy_name(POLICY).policy_document(&document).send()
    })
    .await
    .map(drop)
}

/// The tags of the role, with the regions that it is known to be used in.
fn tags(aws: &Aws, names: &Names, mut regions: Regions, own: &Tags) -> Result<Vec<Tag>, Error> {
    regions.insert(aws.region.clone());
    let regions = regions.into_iter().collect::<Vec<_>>().join(" ");
    cloud_tags(tag_map(names, own).into_iter().chain([(REGIONS_TAG.to_owned(), regions)]))
}

pub(crate) fn cloud_tags(tags: impl IntoIterator<Item = (String, String)>) -> Result<Vec<Tag>, Error> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build();
    let tags: Result<_, _> = tags.into_iter().map(tag).collect();
    tags.map_err(|error| Error::new(Cause::Other, error.to_string()))
}

/// Makes a role have these tags of the project's own in place of those.
pub(crate) async fn retag(aws: &Aws, role: &str, live: &Tags, wanted: &Tags) -> Result<(), Error> {
    let Some(Retagging { on, off }) = retagging(live, wanted) else { return Ok(()) };
    let on = cloud_tags(on)?;
    if !on.is_empty() {
        aws.call("iam:TagRole", role, || {
            aws.iam.tag_role().role_name(role).set_tags(Some(on.clone())).send()
        })
        .await?;
    }
    if !off.is_empty() {
        aws.call("iam:UntagRole", role, || {
            aws.iam.untag_role().role_name(role).set_tag_keys(Some(off.clone())).send()
        })
        .await?;
    }
    Ok(())
}

fn ignore_absent<T>(answer: Result<T, Error>) -> Result<(), Error> {
    match answer {
        Err(error) if !error.is(&Cause::Gone) => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_percent_encoded_policy_is_decoded() {
        assert_eq!(decode("%7B%22a%22%3A%20%22%2Faws%2F%2A%22%7D"), json!({"a": "/aws/*"}));
        assert_eq!(decode(r#"{"a": 1}"#), json!({"a": 1}));
        assert_eq!(decode("100%"), Value::Null);
    }
}
