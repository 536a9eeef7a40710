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
    pub(super) async fn to_delete(
        self,
        session: &Session,
        plan: &Plan,
        location: &str,
    ) -> Result<(), Failure> {
        let deletions: Vec<&Change> = plan.deletions().collect();
        if deletions.is_empty() {
            return Ok(());
        }
        let stage = &session.settings.stage;
        if session.settings.protected {
            return Err(Failure::with_help(
                exit_code::USAGE,
                format!("stage {stage} is protected, and this would delete {}", named(&deletions, plan)),
                format!("project.toml says `protect = true` under [stages.{stage}]; nothing was changed"),
            ));
        }
        if self.yes {
            return Ok(());
        }
        if !is_interactive() {
            return Err(Failure::with_help(
                exit_code::USAGE,
                format!("this would delete {} at stage {stage}", named(&deletions, plan)),
                "pass --yes where there is no terminal to ask at; nothing was changed",
            ));
        }
        let question = format!("Delete {} at {stage} ({location})?", counted(&deletions));
        if agreed(&question).await? {
            return Ok(());
        }
        Err(Failure::new(exit_code::FAILED, format!("stage {stage} was left as it is; nothing was changed")))
    }
}

/// The resources by their names, as in `function shop_echo, key shop-dev-default`.
fn named(deletions: &[&Change], plan: &Plan) -> String {
    let name = |change: &&Change| format!("{} {}", change.id.kind, change.id.full_name(&plan.names));
    deletions.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// How many of each kind, as in `2 functions, 2 log groups with their logs and 1 key`.
fn counted(deletions: &[&Change]) -> String {
    let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
    deletions.iter().for_each(|change| *kinds.entry(change.id.kind).or_default() += 1);
    let part = |(kind, count): (Kind, usize)| {
        let plural = if count == 1 { "" } else { "s" };
        let with = match (kind, count) {
            (Kind::LogGroup, 1) => " with its logs",
            (Kind::LogGroup, _) => " with their logs",
            _ => "",
        };
        format!("{count} {kind}{plural}{with}")
    };
    let mut parts: Vec<String> = kinds.into_iter().map(part).collect();
    let last = parts.pop().unwrap_or_default();
    if parts.is_empty() { last } else { format!("{} and {last}", parts.join(", ")) }
}

/// Whether the user, who sits at a terminal, agrees.
async fn agreed(question: &str) -> Result<bool, Failure> {
    let prompt = format!("{question} [y/N] ");
    // Elsewhere, so that a signal is noticed meanwhile.
    let answer = tokio::task::spawn_blocking(move || ask(&prompt)).await.map_err(anyhow::Error::from)??;
    Ok(answer.is_some_and(|answer| ["y", "yes"].contains(&answer.to_ascii_lowercase().as_str())))
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
