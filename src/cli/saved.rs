//! A plan in a file: what was reviewed, so that a deploy makes just that, or nothing. No secret is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use mdo_model::project::{Secret, StageName};
use mdo_model::stack::{Change, Plan, Resource};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::replace;
use super::session::Session;
use crate::output::{self, Failure, exit_code};

/// The format that this mdo writes.
const FORMAT: u32 = 1;

/// How often a digest of secrets is made of itself, so that who has the file cannot try out many values in a short time.
const ROUNDS: u32 = 100_000;

/// A plan as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedPlan {
    /// The format.
    mdo_plan: u32,
    project: String,
    /// The stage that it is for.
    pub(super) stage: StageName,
    provider: String,
    /// The account and region; this machine has none.
    location: String,
    /// What digests of secrets begin with, random.
    salt: String,
    changes: Vec<SavedChange>,
}

/// A change as it is kept.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct SavedChange {
    resource: String,
    action: Value,
    /// What differs, by path: before and after. Secrets are hidden.
    fields: BTreeMap<String, (Value, Value)>,
    /// A digest of the secrets before and after, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secrets: Option<String>,
}

impl SavedPlan {
    /// A plan of a session's stage.
    fn new(session: &Session, plan: &Plan, location: &str, salt: String) -> Self {
        let changes = plan.changes.iter().map(|change| SavedChange::new(change, plan, &salt)).collect();
        Self {
            mdo_plan: FORMAT,
            project: plan.names.project.to_string(),
            stage: plan.names.stage.clone(),
            provider: session.provider.name().to_owned(),
            location: location.to_owned(),
            salt,
            changes,
        }
    }

    /// Writes a plan into a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(session: &Session, plan: &Plan, location: &str, file: &Path) -> Result<(), Failure> {
        let saved = Self::new(session, plan, location, uuid::Uuid::new_v4().simple().to_string());
        let text = serde_json::to_string_pretty(&saved).map_err(anyhow::Error::from)?;
        let cannot = |error: std::io::Error| {
            let message = format!("cannot write the plan into {}: {error}", file.display());
            Failure::with_help(
                exit_code::FAILED,
                message,
                "name a file in a folder that is there, with some space left",
            )
        };
        // It is for who planned, though no secret is in it.
        replace::write_whole(file, &format!("{text}\n"), Some(Permissions::from_mode(0o600))).map_err(cannot)
    }

    /// Reads a plan from a file.
    ///
    /// # Errors
    /// When it cannot be read, or is no plan.
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let shown = file.display();
        let help = "write one: mdo plan --out FILE";
        let text = std::fs::read_to_string(file).map_err(|error| {
            Failure::with_help(exit_code::USAGE, format!("cannot read the plan in {shown}: {error}"), help)
        })?;
        let document: Value = serde_json::from_str(&text).unwrap_or_default();
        match document["mdo_plan"].as_u64() {
            Some(format) if format > u64::from(FORMAT) => {
                let message = format!("the plan in {shown} was written by a newer mdo (format {format})");
                Err(Failure::with_help(
                    exit_code::USAGE,
                    message,
                    "use that mdo, or plan again with this one",
                ))
            }
            Some(_) => serde_json::from_value(document).map_err(|error| {
                Failure::with_help(exit_code::USAGE, format!("the plan in {shown} is damaged: {error}"), help)
            }),
            None => Err(Failure::with_help(exit_code::USAGE, format!("{shown} holds no plan of mdo"), help)),
        }
    }

    /// Refuses what is not just what was reviewed, and says in what it differs.
    ///
    /// # Errors
    /// When the plan, or where it would be made real, is another one.
    pub(super) fn check(&self, session: &Session, plan: &Plan, location: &str) -> Result<(), Failure> {
        let now = Self::new(session, plan, location, self.salt.clone());
        let place = |plan: &Self| format!("{} at stage {} ({})", plan.project, plan.stage, plan.location);
        if place(self) != place(&now) || self.provider != now.provider {
            let message = format!("the plan is for {}, and this is {}", place(self), place(&now));
            return Err(Failure::with_help(exit_code::USAGE, message, "plan again; nothing was changed"));
        }
        let differences = differences(&self.changes, &now.changes);
        if differences.is_empty() {
            return Ok(());
        }
        output::message("what would be changed is not what was planned:");
        differences.iter().for_each(|line| output::message(&format!("  {line}")));
        Err(Failure::with_help(
            exit_code::FAILED,
            format!("stage {} or the files have moved on since the plan was made", self.stage),
            "plan and review again, with the same -s, -E and --unset for both commands; nothing was changed",
        ))
    }
}

impl SavedChange {
    fn new(change: &Change, plan: &Plan, salt: &str) -> Self {
        // Secrets are hidden in them already.
        let fields = change
            .fields
            .iter()
            .map(|field| (field.path.clone(), (field.before.clone(), field.after.clone())));
        Self {
            resource: format!("{} {}", change.id.kind, change.id.full_name(&plan.names)),
            action: serde_json::to_value(change.action).unwrap_or_default(),
            fields: fields.collect(),
            secrets: digest(change, salt),
        }
    }
}

/// A digest of what a change has of secrets, before and after; `None` where it has none.
fn digest(change: &Change, salt: &str) -> Option<String> {
    let mut digest = Sha256::new();
    let mut is_empty = true;
    let mut add = |place: &str, environment: &BTreeMap<String, Secret>| {
        for (name, value) in environment {
            is_empty = false;
            for part in [place, name, value.reveal()] {
                digest.update((part.len() as u64).to_be_bytes());
                digest.update(part);
            }
        }
    };
    for (place, resource) in [("before", &change.before), ("after", &change.after)] {
        match resource {
            Some(Resource::Function(function)) => {
                add(place, &function.configuration.environment);
                if let Some(canary) = &function.canary {
                    add(place, &canary.next.configuration.environment);
                }
            }
            Some(Resource::Server(server)) => {
                server.functions.values().for_each(|function| add(place, &function.environment));
            }
            _ => {}
        }
    }
    if is_empty {
        return None;
    }
    let mut sum = digest.finalize();
    for _ in 0..ROUNDS {
        sum = Sha256::new().chain_update(salt).chain_update(sum).finalize();
    }
    Some(format!("{sum:x}"))
}

/// In what two lists of changes differ, a line for each.
fn differences(planned: &[SavedChange], now: &[SavedChange]) -> Vec<String> {
    let by_name = |changes: &'_ [SavedChange]| -> BTreeMap<String, usize> {
        changes.iter().enumerate().map(|(at, change)| (change.resource.clone(), at)).collect()
    };
    let (before, after) = (by_name(planned), by_name(now));
    let mut lines = Vec::new();
    for (name, at) in &before {
        let change = &planned[*at];
        let verb = change.action.as_str().unwrap_or_default();
        match after.get(name).map(|at| &now[*at]) {
            None => lines.push(format!("{name}: {verb} was planned, and nothing is to do any more")),
            Some(other) if other.action != change.action => {
                let other = other.action.as_str().unwrap_or_default();
                lines.push(format!("{name}: {verb} was planned, and now it would be {other}"));
            }
            Some(other) => {
                let paths: BTreeSet<&String> = change.fields.keys().chain(other.fields.keys()).collect();
                let differing =
                    paths.into_iter().filter(|path| change.fields.get(*path) != other.fields.get(*path));
                let differing: Vec<&str> = differing.map(String::as_str).collect();
                if !differing.is_empty() {
                    lines.push(format!("{name}: {} differ", differing.join(", ")));
                } else if change.secrets != other.secrets {
                    lines.push(format!("{name}: values of the environment differ"));
                }
            }
        }
    }
    for (name, at) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        let verb = now[*at].action.as_str().unwrap_or_default();
        lines.push(format!("{name}: {verb} was not planned"));
    }
    lines
}
