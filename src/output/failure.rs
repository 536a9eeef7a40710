//! Why a command ends without success: what is printed, and with which exit code.

use std::fmt::Write as _;

use clap::ValueEnum;
use mdo_engine::{Answer, Cause, Error};
use mdo_model::project::{Place, Problem};
use mdo_package::OwnFolderError;
use schemars::JsonSchema;
use serde::Serialize;

use super::exit_code;

/// A command's end without success.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What is wrong, each on its own; empty when everything has been said.
    pub complaints: Vec<Complaint>,
    /// The exit code.
    pub code: u8,
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Complaint {
    /// Its kind, for programs.
    pub code: ErrorCode,
    /// What failed, on what, and why, as a lower-case fragment.
    pub message: String,
    /// Where it was written.
    pub place: Option<Place>,
    /// What to do about it.
    pub help: Option<String>,
    /// What it is about.
    pub resource: Option<String>,
    /// The provider's own words, for support.
    pub reference: Option<String>,
    /// What a service of the provider answered.
    pub answer: Option<Answer>,
}

/// What kind of error it is. The words are part of mdo's interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(crate) enum ErrorCode {
    /// The command line, or what it asks for, is not acceptable.
    Usage,
    /// A file of the project is not acceptable.
    Configuration,
    /// A function cannot be packaged, or its package would not run.
    Package,
    /// The credentials have expired.
    Expired,
    /// There are no credentials, or they are wrong, or of another account.
    Credentials,
    /// The credentials do not allow the call.
    Denied,
    /// AWS does not yet know a role that was just made.
    RoleNotReady,
    /// The resource is at work on an earlier change, or in use.
    Busy,
    /// A resource of this name exists already.
    Exists,
    /// What is asked for does not exist.
    NotFound,
    /// Somebody else changed the resource at the same time.
    Conflict,
    /// The provider refused too many calls.
    Throttled,
    /// A limit of the user's own stands in the way.
    Capped,
    /// The provider cannot be reached.
    Unreachable,
    /// The provider does not accept the request.
    Invalid,
    /// A resource of this name belongs to somebody else.
    NotOurs,
    /// Something that it needs failed.
    Skipped,
    /// The user interrupted the command.
    Interrupted,
    /// Some changes were made and others were not.
    PartlyApplied,
    /// Anything else.
    Failed,
}

impl Failure {
    /// A failure that is one sentence, a lower-case fragment.
    pub(crate) fn new(code: u8, message: impl std::fmt::Display) -> Self {
        Self { complaints: vec![Complaint::new(ErrorCode::of_exit(code), message)], code }
    }

    /// A failure with the way out.
    pub(crate) fn with_help(code: u8, message: impl std::fmt::Display, help: impl std::fmt::Display) -> Self {
        Self { complaints: vec![Complaint::new(ErrorCode::of_exit(code), message).help(help)], code }
    }

    /// A failure that was reported already.
    pub(crate) fn reported(code: u8) -> Self {
        Self { complaints: Vec::new(), code }
    }

    /// Whether everything has been said.
    pub(crate) fn is_reported(&self) -> bool {
        self.complaints.is_empty()
    }

    /// What is printed to standard error, without a newline at its end.
    pub(crate) fn text(&self) -> String {
        self.complaints.iter().map(Complaint::render).collect::<Vec<_>>().join("\n")
    }

    /// The same failure with its texts changed, to hide a part of them for instance.
    #[must_use]
    pub(crate) fn rewritten(mut self, rewrite: impl Fn(&str) -> String) -> Self {
        for complaint in &mut self.complaints {
            complaint.message = rewrite(&complaint.message);
            complaint.help = complaint.help.as_deref().map(&rewrite);
            complaint.reference = complaint.reference.as_deref().map(&rewrite);
        }
        self
    }
}

impl Complaint {
    /// A complaint without place or help.
    pub(crate) fn new(code: ErrorCode, message: impl std::fmt::Display) -> Self {
        Self {
            code,
            message: message.to_string(),
            place: None,
            help: None,
            resource: None,
            reference: None,
            answer: None,
        }
    }

    /// A problem in what the user wrote.
    pub(crate) fn of_problem(code: ErrorCode, problem: Problem) -> Self {
        Self { place: problem.place, help: problem.help, ..Self::new(code, problem.message) }
    }

    /// The same complaint with the way out.
    #[must_use]
    pub(crate) fn help(self, help: impl std::fmt::Display) -> Self {
        Self { help: Some(help.to_string()), ..self }
    }

    /// The same complaint about a resource.
    #[must_use]
    pub(crate) fn on(self, resource: impl std::fmt::Display) -> Self {
        Self { resource: Some(resource.to_string()), ..self }
    }

    /// What is wrong, with the provider's own words.
    pub(super) fn told(&self) -> String {
        match &self.reference {
            Some(reference) => format!("{} ({reference})", self.message),
            None => self.message.clone(),
        }
    }

    fn render(&self) -> String {
        let mut message = self.told();
        if let Some(place) = &self.place {
            let _ = write!(message, "\n  --> {place}");
        }
        render("error", &message, self.help.as_deref())
    }
}

/// `error: message`, with the way out on a line of its own.
pub(super) fn render(label: &str, message: &str, help: Option<&str>) -> String {
    let mut text = format!("{label}: {message}");
    if let Some(help) = help {
        let _ = write!(text, "\n  help: {}", help.replace('\n', "\n        "));
    }
    text
}

impl ErrorCode {
    fn of_exit(code: u8) -> Self {
        match code {
            exit_code::USAGE => Self::Usage,
            exit_code::INTERRUPTED => Self::Interrupted,
            exit_code::PARTLY_APPLIED => Self::PartlyApplied,
            _ => Self::Failed,
        }
    }
}

impl From<&Cause> for ErrorCode {
    fn from(cause: &Cause) -> Self {
        match cause {
            Cause::Expired => Self::Expired,
            Cause::Credentials => Self::Credentials,
            Cause::Denied => Self::Denied,
            Cause::RoleNotReady => Self::RoleNotReady,
            Cause::Busy => Self::Busy,
            Cause::Exists => Self::Exists,
            Cause::Gone | Cause::PartGone => Self::NotFound,
            Cause::Stale | Cause::Concurrent => Self::Conflict,
            Cause::Throttled => Self::Throttled,
            Cause::Capped => Self::Capped,
            Cause::Unreachable => Self::Unreachable,
            Cause::Invalid => Self::Invalid,
            Cause::NotOurs => Self::NotOurs,
            Cause::Skipped(_) => Self::Skipped,
            Cause::Interrupted => Self::Interrupted,
            Cause::Other => Self::Failed,
        }
    }
}

impl From<Error> for Complaint {
    fn from(error: Error) -> Self {
        Self {
            code: ErrorCode::from(&error.cause),
            message: error.message,
            place: None,
            help: error.help,
            resource: error.answer.as_ref().and_then(|answer| answer.resource.clone()),
            reference: error.reference,
            answer: error.answer.map(|answer| *answer),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error.cause {
            cause if cause.is_access() => exit_code::ACCESS,
            Cause::Interrupted => exit_code::INTERRUPTED,
            Cause::Invalid => exit_code::USAGE,
            _ => exit_code::FAILED,
        };
        Self { complaints: vec![error.into()], code }
    }
}

impl From<OwnFolderError> for Failure {
    fn from(error: OwnFolderError) -> Self {
        Self::with_help(exit_code::FAILED, &error, error.help())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(exit_code::FAILED, format!("{error:#}"))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(exit_code::FAILED, error)
    }
}
