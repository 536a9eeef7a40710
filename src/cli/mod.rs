//! The command line: one file per verb, each with its arguments (their doc comments are the help) and its `run`.

mod abandoned;
mod add;
mod adoption;
mod alarms;
mod applying;
mod arguments;
mod assigned;
mod attached;
mod canary;
mod check;
mod checks;
mod closed_runtimes;
mod completions;
mod connect;
mod consent;
mod consulting;
mod convert;
mod deploy;
mod derivative;
mod derivatives;
mod destroy;
mod dev;
mod dockerfile;
mod doctor;
mod engine;
mod explain;
mod export;
mod fetch;
mod foreign_policies;
mod history;
mod hosting;
mod image;
mod imaging;
mod ingredients;
mod init;
mod interpreters;
mod interrupt;
mod invoke;
mod key;
mod list;
mod logs;
mod lookup;
mod man;
mod names;
mod origin;
mod oversized;
mod packaging;
mod plan;
mod planning;
mod policy;
mod promote;
mod prune;
mod renamed;
mod replace;
mod rollback;
mod saved;
mod schema;
mod session;
mod status;
mod trial;
mod typed;
mod undoing;
mod unknown;
mod warm;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::CompleteEnv;

use self::interrupt::Interrupt;
use crate::output::{self, Failure, exit_code};

/// Turns a folder of functions into a keyed, warm HTTP API, on AWS and on this machine.
#[derive(Debug, Parser)]
#[command(name = "mdo", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    talk: output::TalkArgs,
}

const EXAMPLES: &str = "Examples:
  mdo init --name ml_api                 a project with a function, ready to run
  mdo dev -s N_CLASSES=2                 the whole stack on this machine
  mdo plan --stage prod                  what a deploy would change
  mdo deploy -s N_CLASSES=2              create or update everything on AWS
  mdo invoke sample_producer '{}'        the console's Test button
  mdo warm sample_producer --rate 5m     keep a function warm

Exit codes:
    0  done
    1  failed
    2  usage or configuration; nothing was changed
    3  changes pending (plan --exit-code)
    4  credentials, permission or network
    5  partly applied, or a trial was aborted by an alarm
  130  interrupted";

/// The project's own environment file for `mdo dev`.
const DEV_ENVIRONMENT: &str = ".env";

/// The environment variable by which a shell asks for completions.
const COMPLETE: &str = "MDO_COMPLETE";

/// How long work in the background is given at the end.
const LAST_WORK: Duration = Duration::from_secs(1);

#[derive(Debug, Subcommand)]
enum Verb {
    Init(init::Args),
    Add(add::Args),
    Check(check::Args),
    Dev(dev::Args),
    Plan(plan::Args),
    Deploy(deploy::Args),
    Invoke(invoke::Args),
    Warm(warm::Args),
    Key(key::Args),
    Derivative(derivative::Args),
    Image(image::Args),
    List(list::Args),
    Status(status::Args),
    Logs(logs::Args),
    History(history::Args),
    Rollback(rollback::Args),
    Promote(promote::Args),
    Canary(canary::Args),
    Prune(prune::Args),
    Destroy(destroy::Args),
    Doctor(doctor::Args),
    Explain(explain::Args),
    Policy(policy::Args),
    Export(export::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Parses the command line, runs the verb, and says what came of it.
pub(crate) fn main() -> ExitCode {
    // Ends the process where a shell asks what could follow.
    CompleteEnv::with_factory(Cli::command).var(COMPLETE).complete();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unparsed(error),
    };
    let code = match output::set_talk(&cli.talk, typed::command, cli.verb.is_json()) {
        Ok(()) => run(cli),
        Err(failure) => {
            output::failure(&failure);
            failure.code
        }
    };
    ExitCode::from(ended(code))
}

/// Tells whoever follows the command that it is over, and answers with what code.
fn ended(mut code: u8) -> u8 {
    if let Some(error) = output::lost() {
        output::message(&format!("error: cannot write {error}"));
        code = if code == exit_code::DONE { exit_code::FAILED } else { code };
    }
    output::log_end(code);
    output::events::ended(code);
    code
}

fn run(cli: Cli) -> u8 {
    // Half of the processors: functions and builds need the others, and what a request takes is less than handing it to another thread.
    let threads = std::thread::available_parallelism().map_or(1, |all| all.get().div_ceil(2));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(cli.run());
            // A question that nobody answers any more would be waited for for ever.
            runtime.shutdown_timeout(LAST_WORK);
            result
        }
        Err(error) => Err(error.into()),
    };
    result.unwrap_or_else(|failure| {
        if !failure.is_reported() {
            output::failure(&failure);
        }
        failure.code
    })
}

/// Says what is wrong with the command line, as clap does, but without the value of any variable and, where JSON was asked
/// for, as a document too.
fn unparsed(mut error: clap::Error) -> ExitCode {
    let advice = unknown::advice(&error);
    hide_assigned_value(&mut error);
    if error.use_stderr() {
        let failure = unparsed_failure(&assigned::hide(&error.render().to_string()), advice.clone());
        let is_json = std::env::args_os().any(|argument| argument == "--json");
        output::follow_unparsed(typed::command, is_json);
        if let Some(document) = output::FailureDocument::new(&failure).filter(|_| is_json) {
            output::json(&document);
        }
        output::message(assigned::hide(&error.render().ansi().to_string()).trim_end());
        if let Some(advice) = advice {
            output::message(&format!("\n  help: {advice}"));
        }
        output::annotate_failure(&failure);
        return ExitCode::from(ended(exit_code::USAGE));
    }
    match error.print() {
        // Whoever does not listen any more needs no answer.
        Err(lost) if lost.kind() != std::io::ErrorKind::BrokenPipe => {
            output::message(&format!("error: cannot write standard output: {lost}"));
            ExitCode::from(exit_code::FAILED)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// What clap says, as the other failures: the first paragraph, and of the rest a tip before the usage.
fn unparsed_failure(text: &str, advice: Option<String>) -> Failure {
    let mut paragraphs = text.split("\n\n").map(str::trim);
    let message = paragraphs.next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let help = advice.or_else(|| paragraphs.next().map(|next| next.trim_start_matches("tip: ").to_owned()));
    match help {
        Some(help) => Failure::with_help(exit_code::USAGE, message, help),
        None => Failure::new(exit_code::USAGE, message),
    }
}

/// The value of `-s NAME=value` is a secret: also where NAME is no name, where the `=` is missing, and where the `-s` is.
fn hide_assigned_value(error: &mut clap::Error) {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let argument = text(ContextKind::InvalidArg);
    let (place, given) = match error.kind() {
        ErrorKind::ValueValidation if argument.starts_with("--set") => {
            (ContextKind::InvalidValue, text(ContextKind::InvalidValue))
        }
        ErrorKind::UnknownArgument if argument.contains('=') => (ContextKind::InvalidArg, argument),
        _ => return,
    };
    let name = given.split_once('=').map(|(name, _)| format!("{}=", assigned::name_of(name)));
    error.insert(place, ContextValue::String(format!("{}…", name.unwrap_or_default())));
}

impl Cli {
    async fn run(self) -> Result<u8, Failure> {
        let json = self.verb.is_json();
        let interrupt = Interrupt::default();
        let result = match self.verb {
            Verb::Init(args) => init::run(args),
            Verb::Add(args) => add::run(&args),
            Verb::Check(args) => interrupt.around(check::run(args)).await,
            Verb::Explain(args) => {
                explain::run(&args);
                Ok(())
            }
            Verb::Schema(args) => schema::run(&args),
            Verb::Completions(args) => completions::run(&args),
            Verb::Man(args) => man::run(&args),
            Verb::Dev(args) => interrupt.around(dev::run(args, &interrupt)).await,
            Verb::Plan(args) => interrupt.around(plan::run(args)).await,
            Verb::Deploy(args) => interrupt.around(deploy::run(args, &interrupt)).await,
            Verb::Invoke(args) => interrupt.around(invoke::run(args)).await,
            Verb::Warm(args) => interrupt.around(warm::run(args, &interrupt)).await,
            Verb::Key(args) => interrupt.around(key::run(args, &interrupt)).await,
            Verb::Derivative(args) => interrupt.around(derivative::run(args)).await,
            Verb::Image(args) => interrupt.around(image::run(args, &interrupt)).await,
            Verb::List(args) => interrupt.around(list::run(args)).await,
            Verb::Status(args) => interrupt.around(status::run(args, &interrupt)).await,
            Verb::Logs(args) => interrupt.around(logs::run(args, &interrupt)).await,
            Verb::History(args) => interrupt.around(history::run(args)).await,
            Verb::Promote(args) => interrupt.around(promote::run(args, &interrupt)).await,
            Verb::Canary(args) => interrupt.around(canary::run(args, &interrupt)).await,
            Verb::Rollback(args) => interrupt.around(rollback::run(args, &interrupt)).await,
            Verb::Prune(args) => interrupt.around(prune::run(args, &interrupt)).await,
            Verb::Doctor(args) => interrupt.around(doctor::run(args)).await,
            Verb::Policy(args) => policy::run(&args),
            Verb::Export(args) => export::run(&args),
            Verb::Destroy(args) => interrupt.around(destroy::run(args, &interrupt)).await,
        };
        let result = result.map_err(|failure| failure.rewritten(assigned::hide));
        if let (true, Err(failure)) = (json, &result)
            && let Some(document) = output::FailureDocument::new(failure)
        {
            output::json(&document);
        }
        result.map(|()| exit_code::DONE)
    }
}

impl Verb {
    /// Whether standard output has to be one JSON document.
    fn is_json(&self) -> bool {
        match self {
            Self::Check(args) => args.json,
            Self::Plan(args) => args.json,
            Self::Deploy(args) => args.json,
            Self::Warm(args) => args.json,
            Self::Key(args) => args.json(),
            Self::Derivative(args) => args.json(),
            Self::Image(args) => args.json,
            Self::List(args) => args.json,
            Self::Status(args) => args.json,
            Self::Logs(args) => args.json,
            Self::History(args) => args.json,
            Self::Promote(args) => args.json,
            Self::Canary(args) => args.json,
            Self::Rollback(args) => args.json,
            Self::Prune(args) => args.json,
            Self::Doctor(args) => args.json,
            Self::Explain(args) => args.json,
            Self::Policy(args) => args.json,
            Self::Destroy(args) => args.json,
            Self::Init(_)
            | Self::Add(_)
            | Self::Dev(_)
            | Self::Export(_)
            | Self::Invoke(_)
            | Self::Schema(_)
            | Self::Completions(_)
            | Self::Man(_) => false,
        }
    }
}
