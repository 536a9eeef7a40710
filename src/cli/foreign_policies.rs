//! Whether a role may go that somebody has given policies by hand: said before anything is deleted, since IAM would refuse it
//! when the rest is gone.

use mdo_engine::{Error, ForeignPolicy, Observed, Scope};
use mdo_model::stack::{Kind, Plan, ResourceId};

use super::session::Session;
use super::typed::shell_word;
use crate::output::{self, Complaint, ErrorCode, Failure, exit_code};

/// A role with what somebody has given it.
pub(super) struct Held {
    pub role: String,
    pub policies: Vec<ForeignPolicy>,
}

/// Refuses a plan that deletes a role with policies of somebody else's.
///
/// # Errors
/// When there is such a role, and when its policies cannot be listed.
pub(super) async fn check(session: &Session, plan: &Plan) -> Result<(), Failure> {
    refuse(&held(session, deleted(plan), Asked::InTheWay).await?)
}

/// As [`check`], for all stages of the project at once: the roles go with the last one, when the others are gone.
///
/// # Errors
/// As [`check`], and when the stack cannot be read.
pub(super) async fn check_all(session: &Session) -> Result<(), Failure> {
    let observed = session.observe(&Scope { thorough: true, ..session.scope(false) }).await?;
    let resources = observed.stack.resources(&session.settings.names());
    refuse(&held(session, resources.keys(), Asked::InTheWay).await?)
}

fn refuse(held: &[Held]) -> Result<(), Failure> {
    let complaints: Vec<Complaint> = held.iter().map(complaint).collect();
    if complaints.is_empty() { Ok(()) } else { Err(Failure { complaints, code: exit_code::USAGE }) }
}

/// Says what [`check`] would refuse, for who only looks at a plan.
pub(super) async fn say(session: &Session, plan: &Plan) {
    match held(session, deleted(plan), Asked::InTheWay).await {
        Ok(all) => all.iter().for_each(|held| output::once(&note(held))),
        Err(error) => output::once(&format!(
            "warning: cannot determine whether the role has policies that mdo did not write: {error}"
        )),
    }
}

/// The roles of a stage that somebody has given policies, for who lists what is live.
///
/// # Errors
/// When their policies cannot be listed.
pub(super) async fn live(session: &Session, observed: &Observed) -> Result<Vec<Held>, Error> {
    let resources = observed.stack.resources(&session.settings.names());
    held(session, resources.keys(), Asked::Given).await
}

/// What a plan deletes for good.
fn deleted(plan: &Plan) -> impl Iterator<Item = &ResourceId> {
    plan.deletions().filter(|change| !change.lives_on).map(|change| &change.id)
}

/// Which policies of a role are asked for.
#[derive(Clone, Copy)]
enum Asked {
    /// Those that somebody has given it.
    Given,
    /// Those of them that stand in the way of its end.
    InTheWay,
}

/// The roles among these resources that somebody has given policies.
async fn held(
    session: &Session,
    ids: impl Iterator<Item = &ResourceId>,
    asked: Asked,
) -> Result<Vec<Held>, Error> {
    let Some(provider) = &session.connection.foreign_policies else { return Ok(Vec::new()) };
    let names = session.settings.names();
    let mut all = Vec::new();
    for id in ids.filter(|id| matches!(id.kind, Kind::Role | Kind::ServerRole)) {
        let policies = match asked {
            Asked::Given => provider.given_by_hand(id.kind).await?,
            Asked::InTheWay => provider.foreign_policies(id.kind).await?,
        };
        if !policies.is_empty() {
            all.push(Held { role: id.full_name(&names), policies });
        }
    }
    Ok(all)
}

fn complaint(held: &Held) -> Complaint {
    let commands: Vec<String> = held.policies.iter().map(|policy| way_out(&held.role, policy)).collect();
    let message =
        format!("this would delete role {}, to which somebody has given {}", held.role, listed(held));
    Complaint::new(ErrorCode::NotOurs, message).on(format!("role {}", held.role)).help(format!(
        "nothing was changed; give the role back what mdo wrote, then run the command again:\n{}",
        commands.join("\n")
    ))
}

fn note(held: &Held) -> String {
    format!(
        "note: role {} has {}, which mdo did not write: a deploy would refuse to delete it until they are taken off",
        held.role,
        listed(held)
    )
}

/// `managed policy A, inline policy B`.
pub(super) fn listed(held: &Held) -> String {
    let one = |policy: &ForeignPolicy| {
        let kind = if policy.arn.is_some() { "managed" } else { "inline" };
        format!("{kind} policy {}", policy.name)
    };
    held.policies.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What takes a policy off a role. The text of an inline one is lost with it, so that it is printed before.
fn way_out(role: &str, policy: &ForeignPolicy) -> String {
    let (role, name) = (shell_word(role), shell_word(&policy.name));
    match &policy.arn {
        Some(arn) => {
            format!("aws iam detach-role-policy --role-name {role} --policy-arn {}", shell_word(arn))
        }
        None => format!(
            "aws iam get-role-policy --role-name {role} --policy-name {name} && \\\n  \
             aws iam delete-role-policy --role-name {role} --policy-name {name}"
        ),
    }
}
