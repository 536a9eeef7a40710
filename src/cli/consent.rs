//! Whether something may be deleted: one rule for every verb, on AWS and on this machine.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use mdo_model::stack::{Change, Kind, Plan};

use super::session::Session;
use crate::output::{self, Failure, exit_code};

/// What the user has agreed to already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Consent {
    /// `--yes`.
    pub yes: bool,
}

impl Consent {
    /// Asks before a plan deletes something. Where nobody can be asked, `--yes` has to say it.
    ///
    /// # Errors
    /// When the stage is protected, when nobody agrees, and when nobody can be asked.
    pub(super) async fn to_delete(self, session: &Session, plan: &Plan) -> Result<(), Failure> {
        if !self.is_needed(session, plan)? {
            return Ok(());
        }
        let question = format!("Delete {} at {}?", described(plan), stage_of(session));
        if agrees(&question).await? { Ok(()) } else { Err(left_alone(session)) }
    }

    /// Asks before a stage goes with all that it holds: who agrees types its name.
    ///
    /// # Errors
    /// As [`Consent::to_delete`].
    pub(super) async fn to_destroy(self, session: &Session, plan: &Plan) -> Result<(), Failure> {
        if !self.is_needed(session, plan)? {
            return Ok(());
        }
        let question = format!("Delete {} at {}?", counted(plan), stage_of(session));
        match answer(format!("{question} Type the stage's name: ")).await? {
            typed if typed == session.settings.stage.as_str() => Ok(()),
            _ => Err(left_alone(session)),
        }
    }

    /// Asks before what nothing runs with any more goes, of whichever stage: it is no stage's, so that none protects it.
    ///
    /// # Errors
    /// When nobody agrees, and when nobody can be asked.
    pub(super) async fn to_prune(self, session: &Session, plan: &Plan) -> Result<(), Failure> {
        if self.yes || plan.deletions().next().is_none() {
            return Ok(());
        }
        let what = counted(plan);
        if !is_interactive() {
            return Err(Failure::with_help(
                exit_code::USAGE,
                format!("this would delete {what}"),
                "pass --yes where there is no terminal to ask at; nothing was changed",
            ));
        }
        let project = place(session, plan.names.project.as_str());
        if agrees(&format!("Delete {what} of {project}?")).await? {
            return Ok(());
        }
        Err(Failure::new(exit_code::FAILED, format!("{what} were left; nothing was changed")))
    }

    /// Whether somebody has to be asked, and can be.
    fn is_needed(self, session: &Session, plan: &Plan) -> Result<bool, Failure> {
        if plan.losses().next().is_none() {
            return Ok(false);
        }
        let stage = &session.settings.stage;
        if session.settings.protected {
            return Err(Failure::with_help(
                exit_code::USAGE,
                format!("this would delete {} at stage {stage}, which is protected", named(plan)),
                format!(
                    "to allow it, take `protect = true` out of [stages.{stage}] in project.toml; nothing was changed"
                ),
            ));
        }
        if !self.yes && !is_interactive() {
            return Err(Failure::with_help(
                exit_code::USAGE,
                format!("this would delete {} at stage {stage}", named(plan)),
                "pass --yes where there is no terminal to ask at; nothing was changed",
            ));
        }
        Ok(!self.yes)
    }
}

pub(super) fn left_alone(session: &Session) -> Failure {
    let stage = &session.settings.stage;
    Failure::new(exit_code::FAILED, format!("stage {stage} was left as it is; nothing was changed"))
}

/// The stage, and where it is.
fn stage_of(session: &Session) -> String {
    place(session, session.settings.stage.as_str())
}

/// Where what is called so is: `prod (123456789012, us-east-1)`, or `dev on this machine`.
fn place(session: &Session, name: &str) -> String {
    let site = session.provider.site();
    match (site.account, site.region) {
        (Some(account), Some(region)) => format!("{name} ({account}, {region})"),
        (None, Some(region)) => format!("{name} ({region})"),
        _ => format!("{name} on this machine"),
    }
}

/// The resources by their full names, as in `function shop_echo, key shop-dev-default`.
fn named(plan: &Plan) -> String {
    let name = |change: &Change| format!("{} {}", change.id.kind, change.id.full_name(&plan.names));
    plan.losses().map(name).collect::<Vec<_>>().join(", ")
}

/// How many resources are named one by one in a question.
const NAMED: usize = 4;

/// What goes: by name where it is little, `function echo and its logs, key alice`; counted otherwise.
fn described(plan: &Plan) -> String {
    let of_kind = |kind: Kind| plan.losses().filter(move |change| change.id.kind == kind);
    let has_function = |name: &str| of_kind(Kind::Function).any(|change| change.id.name == name);
    let name = |change: &Change| {
        let name = &change.id.name;
        let with_logs = of_kind(Kind::LogGroup).any(|group| group.id.name == *name);
        match change.id.kind {
            Kind::Function if change.lives_on => Some(format!("the alias of function {name}")),
            Kind::Function if with_logs => Some(format!("function {name} and its logs")),
            Kind::LogGroup if has_function(name) => None,
            Kind::LogGroup => Some(format!("the logs of function {name}")),
            Kind::WarmRule => Some(format!("the warm rule of function {name}")),
            Kind::Role => Some("the role".to_owned()),
            Kind::Permissions => Some("the permissions of the functions".to_owned()),
            Kind::Api => Some("the API".to_owned()),
            kind => Some(format!("{kind} {name}")),
        }
    };
    let names: Vec<String> = plan.losses().filter_map(name).collect();
    if names.len() > NAMED { counted(plan) } else { listed(names) }
}

/// How many of each kind go, as in `2 functions and their logs, 1 key and the role`. The stage itself is not counted.
fn counted(plan: &Plan) -> String {
    let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
    plan.deletions().for_each(|change| *kinds.entry(change.id.kind).or_default() += 1);
    // Where other stages keep a function, only what points at it goes.
    let is_kept = |change: &&Change| change.id.kind == Kind::Function && change.lives_on;
    let aliases = plan.deletions().filter(is_kept).count();
    let functions = kinds.get(&Kind::Function).copied().unwrap_or_default() - aliases;
    let groups = kinds.get(&Kind::LogGroup).copied().unwrap_or_default();
    let number = |count: usize, noun: &str| match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    };
    let mut parts = Vec::new();
    if functions > 0 {
        let logs = match (groups, functions) {
            (0, _) => "",
            (_, 1) => " and its logs",
            _ => " and their logs",
        };
        parts.push(format!("{}{logs}", number(functions, "function")));
    } else if groups > 0 {
        parts.push(format!("the logs of {}", number(groups, "function")));
    }
    if aliases > 0 {
        parts.push(format!("the alias of {}", number(aliases, "function")));
    }
    for kind in [
        Kind::Key,
        Kind::WarmRule,
        Kind::LayerVersion,
        Kind::FunctionVersion,
        Kind::Deployment,
        Kind::Revision,
        Kind::Image,
        Kind::Artifact,
    ] {
        let count = kinds.get(&kind).copied().unwrap_or_default();
        parts.extend((count > 0).then(|| number(count, &kind.to_string())));
    }
    parts.extend(kinds.contains_key(&Kind::Api).then(|| "the API".to_owned()));
    parts.extend(kinds.contains_key(&Kind::Role).then(|| "the role".to_owned()));
    if parts.is_empty() { "the stage".to_owned() } else { listed(parts) }
}

/// `a, b and c`; where a part has an `and` of its own, the last one has a comma before it.
fn listed(mut parts: Vec<String>) -> String {
    let last = parts.pop().unwrap_or_default();
    match parts.iter().any(|part| part.contains(" and ")) {
        _ if parts.is_empty() => last,
        true => format!("{}, and {last}", parts.join(", ")),
        false => format!("{} and {last}", parts.join(", ")),
    }
}

/// Whether the user, who sits at a terminal, says yes to a question. No answer is none.
pub(super) async fn agrees(question: &str) -> Result<bool, Failure> {
    let answer = answer(format!("{question} [y/N] ")).await?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// What the user, who sits at a terminal, answers; nothing at the end of the input.
async fn answer(prompt: String) -> Result<String, Failure> {
    // Elsewhere, so that a signal is noticed meanwhile.
    let answer = tokio::task::spawn_blocking(move || ask(&prompt)).await.map_err(anyhow::Error::from)??;
    Ok(answer.unwrap_or_default())
}

/// What a person types; `None` at the end of the input.
pub(super) fn ask(prompt: &str) -> Result<Option<String>, Failure> {
    output::prompt(prompt);
    let mut line = String::new();
    if std::io::stdin().read_line(&mut line)? == 0 {
        output::message("");
        return Ok(None);
    }
    Ok(Some(line.trim().to_owned()))
}

/// Whether a person can be asked.
pub(super) fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
