//! Why a command ends without success: what is printed, and with which exit code.

use std::fmt::Write as _;

use mdo_engine::{Cause, Error};
use mdo_package::OwnFolderError;

use super::exit_code;

/// A command's end without success.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What is printed to standard error, without a newline at its end; empty when everything has been said.
    pub text: String,
    /// The exit code.
    pub code: u8,
}

impl Failure {
    /// A failure that is one sentence, a lower-case fragment.
    pub(crate) fn new(code: u8, message: impl std::fmt::Display) -> Self {
        Self { text: render("error", &message.to_string(), None), code }
    }

    /// A failure with the way out.
    pub(crate) fn with_help(code: u8, message: impl std::fmt::Display, help: impl std::fmt::Display) -> Self {
        Self { text: render("error", &message.to_string(), Some(&help.to_string())), code }
    }

    /// A failure, with the way out if there is one.
    pub(crate) fn maybe_help(code: u8, message: impl std::fmt::Display, help: Option<String>) -> Self {
        Self { text: render("error", &message.to_string(), help.as_deref()), code }
    }

    /// A failure that was reported already.
    pub(crate) fn reported(code: u8) -> Self {
        Self { text: String::new(), code }
    }

    /// A failure whose text is rendered already, each problem starting with `error:`.
    pub(crate) fn rendered(code: u8, text: impl std::fmt::Display) -> Self {
        Self { text: text.to_string().trim_end().to_owned(), code }
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

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match &error.cause {
            cause if cause.is_access() => exit_code::ACCESS,
            Cause::Interrupted => exit_code::INTERRUPTED,
            Cause::Invalid => exit_code::USAGE,
            _ => exit_code::FAILED,
        };
        Self { text: render("error", &error.to_string(), error.help.as_deref()), code }
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
