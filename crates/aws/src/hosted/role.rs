//! The server role: what ECS may do to start a stage's tasks, and who may assume it.

use std::collections::BTreeSet;

use mdo_engine::{Applied, Cause, Error, Run, Scope};
use mdo_model::project::{Names, Tags};
use mdo_model::stack::{Action, Change, Resource, ServerRole};
use serde_json::{Value, json};

use crate::client::Aws;
use crate::iam::{self, Place, cloud_tags, decode, retag, trust};
use crate::ownership::{self, Owner, tag_map};
use crate::unexpected;

/// The name of the inline policy.
pub(crate) const POLICY: &str = "mdo";

/// What stands in the model for documents that mdo would not write.
const EDITED: &str = "(edited by hand)";

/// The role as IAM tells it.
pub(super) struct RoleFound {
    trust: Value,
    policy: Value,
    owner: Owner,
    tags: Tags,
}

impl RoleFound {
    /// Whether it bears tags of the project's own.
    pub(super) fn bears_tags(&self) -> bool {
        !self.tags.is_empty()
    }
}

/// Looks for the role.
pub(super) async fn observe(aws: &Aws, names: &Names, scope: &Scope) -> Result<Option<RoleFound>, Error> {
    let name = names.server_role();
    let role = aws.call("iam:GetRole", &name, || aws.iam.get_role().role_name(&name).send());
    let policy = aws.call("iam:GetRolePolicy", &name, || {
        aws.iam.get_role_policy().role_name(&name).policy_name(POLICY).send()
    });
    let (role, policy) = futures::future::join(role, policy).await;
    let policy = match policy {
        Ok(answer) => decode(answer.policy_document()),
        Err(error) if matches!(error.cause, Cause::Gone | Cause::PartGone) => Value::Null,
        Err(error) => return Err(error),
    };
    let role = match role {
        Ok(answer) => answer.role,
        Err(error) if error.is(&Cause::Gone) => None,
        Err(error) => return Err(error),
    };
    let Some(role) = role else { return Ok(None) };
    let owner = ownership::of(role.tags().iter().map(|tag| (tag.key(), tag.value())), &names.project);
    let trust = decode(role.assume_role_policy_document().unwrap_or_default());
    let tags = Tags::recorded(role.tags().iter().map(|tag| (tag.key(), tag.value())));
    let checked = owner.check("role", &name, scope.adopt);
    let checked = checked.map(|()| Some(RoleFound { trust, policy, owner, tags }));
    ownership::found(checked, scope)
}

/// The role in the model's terms, once the account is known.
pub(super) fn read(aws: &Aws, names: &Names, found: &RoleFound) -> Result<ServerRole, Error> {
    let secrets = ["Secrets", "Parameters"].into_iter().flat_map(|sid| resources(&found.policy, sid));
    let service = found.trust["Statement"][0]["Principal"]["Service"].as_str().unwrap_or_default();
    let mut role = ServerRole {
        trusted_service: service.to_owned(),
        secrets: secrets.collect(),
        owned: found.owner == Owner::Us,
        tags: found.tags.clone(),
    };
    let is_ours = trust(&role.trusted_service) == found.trust
        && permissions(names, &role, iam::place(aws)?) == found.policy;
    if !is_ours {
        EDITED.clone_into(&mut role.trusted_service);
    }
    Ok(role)
}

/// The resources of a statement.
fn resources(policy: &Value, sid: &str) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().into_iter().flatten();
    let statement = statements.filter(|statement| statement["Sid"] == sid);
    let listed = statement.flat_map(|statement| statement["Resource"].as_array().into_iter().flatten());
    listed.filter_map(|resource| resource.as_str().map(str::to_owned)).collect()
}

/// The inline policy. Roles are global: in whichever region the stage is, it is for the project's repository and logs.
pub(crate) fn permissions(names: &Names, role: &ServerRole, place: Place<'_>) -> Value {
    let Place { partition, account } = place;
    let repository = format!("arn:{partition}:ecr:*:{account}:repository/{}", names.repository());
    let groups = format!("arn:{partition}:logs:*:{account}:log-group:/mdo/{}/*:*", names.project);
    let mut statements = vec![
        statement("Registry", &["ecr:GetAuthorizationToken"], json!("*")),
        statement(
            "Image",
            &["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            json!(repository),
        ),
        statement("Logs", &["logs:CreateLogStream", "logs:PutLogEvents"], json!(groups)),
    ];
    statements.extend(secrets(role));
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// The statements for the secrets that tasks are given; none where they are given none.
pub(crate) fn secrets(role: &ServerRole) -> Vec<Value> {
    let (managed, parameters): (Vec<&String>, Vec<&String>) =
        role.secrets.iter().partition(|arn| arn.split(':').nth(2) == Some("secretsmanager"));
    let mut statements = Vec::new();
    if !managed.is_empty() {
        statements.push(statement("Secrets", &["secretsmanager:GetSecretValue"], json!(managed)));
    }
    if !parameters.is_empty() {
        statements.push(statement("Parameters", &["ssm:GetParameters"], json!(parameters)));
    }
    statements
}

fn statement(sid: &str, actions: &[&str], resource: Value) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource})
}

/// What the role says of itself.
pub(crate) fn description(names: &Names) -> String {
    format!("What starts the servers of {}, made by mdo", names.project)
}

/// Makes one change of the role real.
pub(super) async fn apply(
    aws: &Aws,
    names: &Names,
    change: &Change,
    run: &Run<'_>,
) -> Result<Applied, Error> {
    match (change.action, &change.after) {
        (Action::Create, Some(Resource::ServerRole(wanted))) => create(aws, names, wanted).await?,
        (Action::Update, Some(Resource::ServerRole(wanted))) => update(aws, names, wanted, change).await?,
        (Action::Delete, _) => {
            run.all_usable(change).await?;
            delete(aws, names).await?;
        }
        _ => return Err(unexpected(change)),
    }
    Ok(Applied::default())
}

async fn create(aws: &Aws, names: &Names, wanted: &ServerRole) -> Result<(), Error> {
    let name = names.server_role();
    let (trust, tags) =
        (trust(&wanted.trusted_service).to_string(), cloud_tags(tag_map(names, &wanted.tags))?);
    let created = aws
        .call("iam:CreateRole", &name, || {
            aws.iam
                .create_role()
                .role_name(&name)
                .assume_role_policy_document(&trust)
                .description(description(names))
                .set_tags(Some(tags.clone()))
                .send()
        })
        .await;
    match created {
        // Another deploy of the project has been quicker.
        Err(error) if error.is(&Cause::Exists) => {
            let role = aws.call("iam:GetRole", &name, || aws.iam.get_role().role_name(&name).send()).await?;
            let tags = role.role().map(|role| role.tags()).unwrap_or_default();
            let tags = tags.iter().map(|tag| (tag.key(), tag.value()));
            ownership::of(tags, &names.project).check("role", &name, false)?;
        }
        answer => drop(answer?),
    }
    put_policy(aws, names, wanted).await
}

async fn update(aws: &Aws, names: &Names, wanted: &ServerRole, change: &Change) -> Result<(), Error> {
    let name = names.server_role();
    // What the role may do first: whoever has edited that has seldom edited whom it trusts, which is then written as it was.
    put_policy(aws, names, wanted).await?;
    if change.touches("trusted_service") {
        let trust = trust(&wanted.trusted_service).to_string();
        aws.call("iam:UpdateAssumeRolePolicy", &name, || {
            aws.iam.update_assume_role_policy().role_name(&name).policy_document(&trust).send()
        })
        .await?;
    }
    if change.touches("owned") {
        let tags = cloud_tags(tag_map(names, &Tags::default()))?;
        aws.call("iam:TagRole", &name, || {
            aws.iam.tag_role().role_name(&name).set_tags(Some(tags.clone())).send()
        })
        .await?;
    }
    if let Some(Resource::ServerRole(before)) = &change.before {
        retag(aws, &name, &before.tags, &wanted.tags).await?;
    }
    Ok(())
}

async fn put_policy(aws: &Aws, names: &Names, wanted: &ServerRole) -> Result<(), Error> {
    let name = names.server_role();
    let document = permissions(names, wanted, iam::place(aws)?).to_string();
    aws.call("iam:PutRolePolicy", &name, || {
        aws.iam.put_role_policy().role_name(&name).policy_name(POLICY).policy_document(&document).send()
    })
    .await
    .map(drop)
}

/// Deletes the role. What is not there is no error; policies of somebody else's keep it, by IAM's own rule.
async fn delete(aws: &Aws, names: &Names) -> Result<(), Error> {
    let name = names.server_role();
    let policy = aws.call("iam:DeleteRolePolicy", &name, || {
        aws.iam.delete_role_policy().role_name(&name).policy_name(POLICY).send()
    });
    unless_gone(policy.await)?;
    let role = aws.call("iam:DeleteRole", &name, || aws.iam.delete_role().role_name(&name).send());
    match unless_gone(role.await) {
        Err(error) if error.is(&Cause::Busy) => Err(error.with_help(
            "somebody has added policies to the role: remove them from it, then run the command again",
        )),
        done => done,
    }
}

fn unless_gone<T>(answer: Result<T, Error>) -> Result<(), Error> {
    match answer {
        Err(error) if !error.is(&Cause::Gone) => Err(error),
        _ => Ok(()),
    }
}
