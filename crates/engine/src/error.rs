//! What can go wrong at a provider, with the way out.

use std::fmt;

use mdo_model::stack::ResourceId;

/// What somebody has to decide on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// There are no credentials, or they are expired or wrong.
    Credentials,
    /// The credentials do not allow the action.
    Permission,
    /// The provider cannot be reached.
    Network,
    /// What is asked for is not there.
    NotFound,
    /// A resource of our name is somebody else's.
    NotOurs,
    /// The request is not acceptable as it is.
    Invalid,
    /// Somebody else changed the resource at the same time.
    Conflict,
    /// Something that this needs did not come about.
    Skipped(ResourceId),
    /// The user interrupted the run before this was begun.
    Interrupted,
    /// Anything else.
    Other,
}

/// A failure at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What somebody has to decide on.
    pub kind: ErrorKind,
    /// What failed, on what, and why, as a lower-case fragment.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
    /// The provider's own code and request id, for support.
    pub reference: Option<String>,
    /// The provider's own code alone, for who decides on it.
    pub code: Option<Box<str>>,
}

impl Error {
    /// A failure of a kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None, reference: None, code: None }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the provider's own code and request id.
    #[must_use]
    pub fn with_reference(mut self, reference: impl Into<String>) -> Self {
        self.reference = Some(reference.into());
        self
    }

    /// Adds the provider's own code, for who decides on it.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Box<str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Whether the provider's own code is this one.
    pub fn is_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Says what was being done when it happened.
    #[must_use]
    pub fn while_doing(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.reference {
            Some(reference) => write!(f, " ({reference})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::new(ErrorKind::Other, error.to_string())
    }
}
