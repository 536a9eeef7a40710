//! `mdo doctor`: looks at whatever a deploy needs, and says what to do about what is missing.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use mdo_engine::{Cause, Error, Origin, QuotaUse};
use mdo_model::project::{Interpreter, Project, Settings};
use mdo_package::{Bytes, OwnFolder, derivative, find_interpreter};

use super::arguments::StackArgs;
use super::checks::Checks;
use super::connect::{Location, connect};
use super::engine::{Engine, Purpose};
use super::session::{self, Session};
use crate::output::{self, CheckState, Failure, exit_code};

/// From so many seconds on AWS refuses what is signed with another time than its own.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html>
const CLOCK_LIMIT: u64 = 5 * 60;

/// From so many seconds on a clock that goes on like that is worth a word.
const CLOCK_IS_OFF: u64 = 60;

/// From this part of a quota on, in percent, it is worth a word.
const NEARLY_FULL: u64 = 80;

/// Check the project, this machine and the account, and say what to do about what is wrong
///
/// Nothing is changed. Exits with 0 when a deploy can go, 4 when credentials, permissions or the network stand in the way, and 1 when
/// something else does.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  mdo doctor
  mdo doctor --stage prod --json
  mdo doctor --local                     without the account")]
pub(super) struct Args {
    #[command(flatten)]
    place: StackArgs,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let mut checks = Checks::default();
    checks.ok("mdo", env!("CARGO_PKG_VERSION"));
    match project(&args.place) {
        Err(failure) => checks.failed("project", &failure, CheckState::Failed, exit_code::FAILED),
        Ok((project, settings)) => {
            look_at_project(&project, &settings, &mut checks);
            look_at_machine(&settings, &mut checks);
            look_at_own_folder(&settings, &mut checks).await;
            if !args.place.local {
                look_at_account(&args.place, &mut checks).await;
            }
        }
    }
    checks.finish(args.json)
}

fn project(place: &StackArgs) -> Result<(Project, Settings), Failure> {
    let project = Project::load(&Project::find(&session::current_folder()?)?)?;
    let stage = place.stage.clone().unwrap_or_else(|| project.default_stage().clone());
    let settings = project.resolve(&stage, &place.overrides())?;
    Ok((project, settings))
}

fn look_at_project(project: &Project, settings: &Settings, checks: &mut Checks) {
    let functions = output::count(settings.functions.len(), "function");
    checks.ok("project", format!("{} at stage {}, {functions}", project.name(), settings.stage));
    checks.warned("project", project.warnings(session::today()));
}

/// The programs that the project needs here.
fn look_at_machine(settings: &Settings, checks: &mut Checks) {
    let runtimes: BTreeSet<&str> =
        settings.functions.values().map(|function| function.configuration.runtime.as_str()).collect();
    for (runtime, interpreter) in runtimes.iter().filter_map(|name| Some((name, Interpreter::of(name)?))) {
        match find_interpreter(interpreter, &settings.root) {
            Ok(program) => checks.ok(runtime, program.display().to_string()),
            // A deploy needs none.
            Err(missing) => {
                checks.add(
                    runtime,
                    CheckState::Warning,
                    missing.to_string(),
                    Some(missing.help().to_string()),
                );
            }
        }
    }
    if !settings.derivatives.is_empty() {
        match derivative::find_uv() {
            Ok(program) => checks.ok("uv", program.display().to_string()),
            Err(error) => checks.failed("uv", &error.into(), CheckState::Failed, exit_code::FAILED),
        }
    }
    if settings.knows_hosting {
        match Engine::find(Purpose::Run) {
            Ok(engine) => checks.ok("container engine", engine.name()),
            // An image is made and pushed without one.
            Err(failure) => {
                checks.failed("container engine", &failure, CheckState::Warning, exit_code::FAILED)
            }
        }
    }
}

/// Whether `.mdo` can be written, and what is kept there read.
async fn look_at_own_folder(settings: &Settings, checks: &mut Checks) {
    let own = OwnFolder::of(&settings.root);
    let written = own.folder("").and_then(|_| own.write("doctor", b""));
    if let Err(error) = written {
        checks.failed(".mdo", &error.into(), CheckState::Failed, exit_code::FAILED);
        return;
    }
    let _ = std::fs::remove_file(own.path().join("doctor"));
    let stages = async {
        let local = connect(Location::Local, settings, Box::new(Origin::default)).await?;
        local.provider.stages().await
    };
    match stages.await {
        Ok(stages) => {
            let size = Bytes(size_of(own.path()));
            checks.ok(".mdo", format!("{size}, {}", output::count(stages.len(), "local stage")));
        }
        Err(error) => checks.failed(".mdo", &error.into(), CheckState::Failed, exit_code::FAILED),
    }
}

/// How much the files below a folder take, in bytes. Links are not followed.
fn size_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => size_of(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

async fn look_at_account(place: &StackArgs, checks: &mut Checks) {
    let session = match Session::open_live(place).await {
        Ok(session) => session,
        Err(failure) => return checks.failed("credentials", &failure, CheckState::Failed, exit_code::FAILED),
    };
    let location = session.provider.location().await;
    // Where the clock is wrong, no credentials are good.
    if let Some(ahead) = session.connection.clock.as_ref().and_then(|clock| clock.ahead()) {
        look_at_clock(ahead, checks);
    }
    match location {
        Ok(location) => checks.ok("credentials", location),
        Err(error) => {
            return checks.failed("credentials", &error.into(), CheckState::Failed, exit_code::FAILED);
        }
    }
    match session.observe(&session.scope(false)).await {
        Ok(observed) => {
            let live = observed.stack.resources(&session.settings.names()).len();
            checks.ok(
                "permissions",
                format!("everything at the stage can be read, {}", output::count(live, "resource")),
            );
        }
        Err(error) => checks.failed("permissions", &error, CheckState::Failed, exit_code::FAILED),
    }
    if let Some(permissions) = &session.connection.permissions {
        look_at_permissions(permissions.lacking(&session.settings).await, checks);
    }
    let Some(quotas) = &session.connection.quotas else { return };
    match quotas.quotas().await {
        Ok(quotas) => quotas.iter().for_each(|quota| look_at_quota(quota, checks)),
        Err(error) => checks.failed("quotas", &error.into(), CheckState::Warning, exit_code::FAILED),
    }
}

/// What a deploy may write is known by IAM's own simulation alone, which not everybody may ask.
fn look_at_permissions(lacking: Result<BTreeSet<String>, Error>, checks: &mut Checks) {
    match lacking {
        Ok(lacking) if lacking.is_empty() => checks.ok("permissions", "a deploy may write what it needs"),
        Ok(lacking) => {
            let actions: Vec<String> = lacking.into_iter().map(|action| format!("`{action}`")).collect();
            let message = format!("a deploy lacks {}", actions.join(", "));
            let help = "allow what is missing: `mdo policy --deployer` prints all that a deploy needs";
            let failure = Failure::with_help(exit_code::ACCESS, message, help);
            checks.failed("permissions", &failure, CheckState::Failed, exit_code::FAILED);
        }
        Err(error) if error.cause == Cause::Denied => {
            let why = "what a deploy may write cannot be known: `iam:SimulatePrincipalPolicy` is not allowed";
            checks.ok("permissions", why);
        }
        Err(error) => {
            checks.failed("permissions", &error.into(), CheckState::Warning, exit_code::FAILED);
        }
    }
}

/// `ahead` is by how many seconds this machine's clock is ahead.
fn look_at_clock(ahead: i64, checks: &mut Checks) {
    let (seconds, way) = (ahead.unsigned_abs(), if ahead < 0 { "behind" } else { "ahead of" });
    let off = humantime::format_duration(Duration::from_secs(seconds));
    let detail = match seconds {
        // Answers take their time.
        0..=5 => "as AWS's".to_owned(),
        _ => format!("{off} {way} AWS's"),
    };
    let help = "let the system set this machine's clock, by NTP";
    match seconds {
        CLOCK_LIMIT.. => {
            let failure = Failure::with_help(
                exit_code::ACCESS,
                format!("{detail}: AWS refuses requests that are five minutes off"),
                help,
            );
            checks.failed("clock", &failure, CheckState::Failed, exit_code::FAILED);
        }
        CLOCK_IS_OFF.. => checks.add("clock", CheckState::Warning, detail, Some(help.to_owned())),
        _ => checks.ok("clock", detail),
    }
}

fn look_at_quota(quota: &QuotaUse, checks: &mut Checks) {
    let QuotaUse { name, used, limit, is_bytes } = quota;
    let told = |amount: u64| if *is_bytes { Bytes(amount).to_string() } else { output::thousands(amount) };
    let detail =
        format!("{} of {} {}", told(*used), told(*limit), if *is_bytes { "" } else { name.as_str() });
    let (name, detail) = (if *is_bytes { name.as_str() } else { "quota" }, detail.trim_end().to_owned());
    let percent = used.saturating_mul(100) / (*limit).max(1);
    if percent < NEARLY_FULL {
        checks.ok(name, detail);
    } else {
        let help = if *is_bytes {
            "mdo prune removes versions that nothing runs with"
        } else {
            "remove what is not needed any more"
        };
        checks.add(name, CheckState::Warning, detail, Some(help.to_owned()));
    }
}
