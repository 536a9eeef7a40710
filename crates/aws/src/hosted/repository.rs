//! The repository of the project's images, and the way in for who pushes to it.

use std::collections::HashMap;

use aws_sdk_ecr::types::{ImageTagMutability, Repository as CloudRepository, Tag};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::try_join;
use mdo_engine::{Applied, Cause, Error, Run, Scope};
use mdo_model::project::{Names, Secret, Tags};
use mdo_model::stack::{Action, Change, Kind, Repository, Resource};
use serde_json::{Value, json};

use super::{HostedState, push, server};
use crate::client::Aws;
use crate::ownership::{self, Owner, Retagging, retagging, tag_map};
use crate::unexpected;

/// The repository as it is live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LiveRepository {
    /// Where images are pushed to and pulled from, without tag or digest.
    pub uri: String,
}

/// The way in to the registry for who pushes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Login {
    /// The only host that may see the password.
    pub host: String,
    pub user: String,
    pub password: Secret,
}

/// Looks for the repository: one round, and another where it does not say by its lifecycle whose it is.
pub(super) async fn observe(
    aws: &Aws,
    names: &Names,
    scope: &Scope,
    reads_tags: bool,
) -> Result<Option<(Repository, LiveRepository)>, Error> {
    let name = names.repository();
    let (found, lifecycle) = try_join(find(aws, &name), read_lifecycle(aws, &name)).await?;
    let Some(found) = found else { return Ok(None) };
    // The policy names the project: who has put it there has put the tag there as well.
    let is_ours = lifecycle.as_ref().is_some_and(|policy| *policy == lifecycle_of(names, days(policy)));
    let tags = match is_ours && !reads_tags {
        true => Vec::new(),
        false => read_tags(aws, names, found.repository_arn().unwrap_or_default()).await?,
    };
    let owner = if is_ours { Owner::Us } else { owner(names, &tags) };
    let checked = owner.check("repository", &name, scope.adopt).map(|()| Some(()));
    let repository = Repository {
        immutable: found.image_tag_mutability() == Some(&ImageTagMutability::Immutable),
        untagged_days: lifecycle.as_ref().filter(|_| is_ours).and_then(days),
        owned: owner == Owner::Us,
        tags: own_tags(&tags),
    };
    let live = LiveRepository { uri: found.repository_uri().unwrap_or_default().to_owned() };
    Ok(ownership::found(checked, scope)?.map(|()| (repository, live)))
}

async fn find(aws: &Aws, name: &str) -> Result<Option<CloudRepository>, Error> {
    let answer = aws
        .call("ecr:DescribeRepositories", name, || {
            aws.ecr.describe_repositories().repository_names(name).send()
        })
        .await;
    match answer {
        Err(error) if error.is(&Cause::Gone) => Ok(None),
        answer => Ok(answer?.repositories.unwrap_or_default().into_iter().next()),
    }
}

async fn read_lifecycle(aws: &Aws, name: &str) -> Result<Option<Value>, Error> {
    let answer = aws
        .call("ecr:GetLifecyclePolicy", name, || aws.ecr.get_lifecycle_policy().repository_name(name).send())
        .await;
    match answer {
        Err(error) if error.is(&Cause::Gone) => Ok(None),
        answer => {
            Ok(answer?.lifecycle_policy_text().map(|text| serde_json::from_str(text).unwrap_or_default()))
        }
    }
}

/// The tags of the project's own that the repository bears.
pub(super) async fn read_own_tags(aws: &Aws, names: &Names) -> Result<Tags, Error> {
    let arn = aws.arn("ecr", format_args!("repository/{}", names.repository()))?;
    Ok(own_tags(&read_tags(aws, names, &arn).await?))
}

/// Whose the project's repository is; `None` where there is none.
pub(super) async fn whose(aws: &Aws, names: &Names) -> Result<Option<Owner>, Error> {
    match find(aws, &names.repository()).await? {
        Some(found) => {
            let tags = read_tags(aws, names, found.repository_arn().unwrap_or_default()).await?;
            Ok(Some(owner(names, &tags)))
        }
        None => Ok(None),
    }
}

fn own_tags(tags: &[Tag]) -> Tags {
    Tags::recorded(tags.iter().map(|tag| (tag.key(), tag.value())))
}

fn owner(names: &Names, tags: &[Tag]) -> Owner {
    ownership::of(tags.iter().map(|tag| (tag.key(), tag.value())), &names.project)
}

async fn read_tags(aws: &Aws, names: &Names, arn: &str) -> Result<Vec<Tag>, Error> {
    let name = names.repository();
    let answer = aws
        .call("ecr:ListTagsForResource", &name, || aws.ecr.list_tags_for_resource().resource_arn(arn).send())
        .await?;
    Ok(answer.tags.unwrap_or_default())
}

/// The lifecycle of a repository whose images without a tag go after so many days.
pub(crate) fn lifecycle_of(names: &Names, days: Option<u32>) -> Value {
    json!({"rules": [{
        "rulePriority": 1,
        "description": format!("mdo: images of {}", names.project),
        "selection": {
            "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days,
        },
        "action": {"type": "expire"},
    }]})
}

fn days(lifecycle: &Value) -> Option<u32> {
    let number = lifecycle.pointer("/rules/0/selection/countNumber")?;
    number.as_u64().and_then(|number| number.try_into().ok())
}

/// Makes one change of the repository real.
pub(super) async fn apply(
    aws: &Aws,
    names: &Names,
    state: &HostedState,
    change: &Change,
    run: &Run<'_>,
) -> Result<Applied, Error> {
    let name = names.repository();
    match (change.action, &change.after) {
        (Action::Create, Some(Resource::Repository(wanted))) => {
            let uri = create(aws, names, wanted).await?;
            state.known().repository = Some(LiveRepository { uri });
            run.announce(&change.id);
            put_lifecycle(aws, names, wanted.untagged_days).await?;
            push_again(aws, names, state, change, run).await?;
        }
        (Action::Update, Some(Resource::Repository(wanted))) => {
            if change.touches("owned") {
                tag(aws, names, tag_map(names, &Tags::default())).await?;
            }
            if let Some(Resource::Repository(before)) = &change.before {
                retag(aws, names, &before.tags, &wanted.tags).await?;
            }
            if change.touches("immutable") {
                let mutability = mutability(wanted);
                aws.call("ecr:PutImageTagMutability", &name, || {
                    aws.ecr
                        .put_image_tag_mutability()
                        .repository_name(&name)
                        .image_tag_mutability(mutability.clone())
                        .send()
                })
                .await?;
            }
            if change.touches("untagged_days") {
                put_lifecycle(aws, names, wanted.untagged_days).await?;
            }
        }
        (Action::Delete, _) => {
            run.all_usable(change).await?;
            let answer = aws
                .call("ecr:DeleteRepository", &name, || {
                    aws.ecr.delete_repository().repository_name(&name).force(true).send()
                })
                .await;
            if let Err(error) = answer.map(drop)
                && !error.is(&Cause::Gone)
            {
                return Err(error);
            }
        }
        _ => return Err(unexpected(change)),
    }
    Ok(Applied::default())
}

/// Brings the image into a repository that was deleted while the server that runs it was not: its next task would not start.
async fn push_again(
    aws: &Aws,
    names: &Names,
    state: &HostedState,
    change: &Change,
    run: &Run<'_>,
) -> Result<(), Error> {
    let server = run.plan().changes.iter().find(|change| change.id.kind == Kind::Server);
    match &run.packages().image {
        Some(image) if !server.is_some_and(server::brings_image) => {
            push::push(aws, names, state, run, &change.id, image).await
        }
        _ => Ok(()),
    }
}

/// Creates the repository, and answers where images of it are.
async fn create(aws: &Aws, names: &Names, wanted: &Repository) -> Result<String, Error> {
    let name = names.repository();
    let tags = cloud_tags(tag_map(names, &wanted.tags))?;
    let created = aws
        .call("ecr:CreateRepository", &name, || {
            aws.ecr
                .create_repository()
                .repository_name(&name)
                .image_tag_mutability(mutability(wanted))
                .set_tags(Some(tags.clone()))
                .send()
        })
        .await;
    let found = match created {
        Ok(answer) => answer.repository,
        // Another deploy of the project has been quicker.
        Err(error) if error.is(&Cause::Exists) => match find(aws, &name).await? {
            Some(found) => {
                let tags = read_tags(aws, names, found.repository_arn().unwrap_or_default()).await?;
                owner(names, &tags).check("repository", &name, false)?;
                Some(found)
            }
            None => return Err(error),
        },
        Err(error) => return Err(error),
    };
    let uri = found.and_then(|found| found.repository_uri);
    uri.ok_or_else(|| Error::new(Cause::Other, format!("AWS does not say where repository {name} is")))
}

async fn put_lifecycle(aws: &Aws, names: &Names, days: Option<u32>) -> Result<(), Error> {
    let name = names.repository();
    let policy = lifecycle_of(names, days).to_string();
    aws.call("ecr:PutLifecyclePolicy", &name, || {
        aws.ecr.put_lifecycle_policy().repository_name(&name).lifecycle_policy_text(&policy).send()
    })
    .await
    .map(drop)
}

async fn tag(aws: &Aws, names: &Names, tags: HashMap<String, String>) -> Result<(), Error> {
    let name = names.repository();
    let (arn, tags) = (aws.arn("ecr", format_args!("repository/{name}"))?, cloud_tags(tags)?);
    aws.call("ecr:TagResource", &name, || {
        aws.ecr.tag_resource().resource_arn(&arn).set_tags(Some(tags.clone())).send()
    })
    .await
    .map(drop)
}

/// Makes the repository have these tags of the project's own in place of those.
async fn retag(aws: &Aws, names: &Names, live: &Tags, wanted: &Tags) -> Result<(), Error> {
    let Some(Retagging { on, off }) = retagging(live, wanted) else { return Ok(()) };
    if !on.is_empty() {
        tag(aws, names, on).await?;
    }
    if off.is_empty() {
        return Ok(());
    }
    let name = names.repository();
    let arn = aws.arn("ecr", format_args!("repository/{name}"))?;
    aws.call("ecr:UntagResource", &name, || {
        aws.ecr.untag_resource().resource_arn(&arn).set_tag_keys(Some(off.clone())).send()
    })
    .await
    .map(drop)
}

fn cloud_tags(tags: HashMap<String, String>) -> Result<Vec<Tag>, Error> {
    let each = tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    each.collect::<Result<_, _>>().map_err(|error| Error::new(Cause::Other, error.to_string()))
}

fn mutability(wanted: &Repository) -> ImageTagMutability {
    if wanted.immutable { ImageTagMutability::Immutable } else { ImageTagMutability::Mutable }
}

/// The way in to the account's registry, for twelve hours.
pub(super) async fn log_in(aws: &Aws) -> Result<Login, Error> {
    let answer =
        aws.call("ecr:GetAuthorizationToken", "", || aws.ecr.get_authorization_token().send()).await?;
    let data = answer.authorization_data().first();
    let token = data.and_then(|data| data.authorization_token()).unwrap_or_default();
    let endpoint = data.and_then(|data| data.proxy_endpoint()).unwrap_or_default();
    read_login(token, endpoint)
        .ok_or_else(|| Error::new(Cause::Other, "get authorization token: the answer is none that mdo knows"))
}

fn read_login(token: &str, endpoint: &str) -> Option<Login> {
    let text = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host).trim_end_matches('/');
    let is_whole = !host.is_empty() && !user.is_empty() && !password.is_empty();
    is_whole.then(|| Login { host: host.to_owned(), user: user.to_owned(), password: Secret::new(password) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names { project: "ml_api".parse().expect("a name"), stage: "prod".parse().expect("a stage") }
    }

    #[test]
    fn a_lifecycle_of_ours_is_known_again_whatever_its_days() {
        let policy = lifecycle_of(&names(), Some(7));
        assert_eq!(days(&policy), Some(7));
        assert_eq!(policy, lifecycle_of(&names(), days(&policy)));
        let other = Names { project: "ml".parse().expect("a name"), ..names() };
        assert_ne!(policy, lifecycle_of(&other, days(&policy)));
        assert_eq!(days(&json!({"rules": []})), None);
    }

    #[test]
    fn a_token_is_a_user_and_a_password_for_one_host() {
        let login = read_login(&STANDARD.encode("AWS:pa:ss"), "https://1.dkr.ecr.eu-west-1.amazonaws.com/");
        let wanted = Login {
            host: "1.dkr.ecr.eu-west-1.amazonaws.com".to_owned(),
            user: "AWS".to_owned(),
            password: Secret::new("pa:ss"),
        };
        assert_eq!(login, Some(wanted));
        assert_eq!(read_login("?", "https://x"), None);
        assert_eq!(read_login(&STANDARD.encode("AWS:x"), ""), None);
    }
}
