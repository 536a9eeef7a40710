//! What can go wrong at a provider: why, in words and as a [`Cause`], with the way out.

use std::fmt;

use mdo_model::stack::ResourceId;

/// Why something failed, as far as somebody decides on it. It is decided once, where the answer of a service is first
/// read; nobody reads it out of a message again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The credentials were good and have expired.
    Expired,
    /// There are no credentials, or they are wrong, or of another account.
    Credentials,
    /// The credentials do not allow the action.
    Denied,
    /// A fresh role, or a grant of it, has not got around yet: waiting helps.
    RoleNotReady,
    /// The resource is still at work on an earlier change, or in use: waiting helps.
    Busy,
    /// A resource of this name, or this link between two, is there already.
    Exists,
    /// What is asked for is not there.
    Gone,
    /// A part of a resource is not there; the resource itself may be.
    PartGone,
    /// The resource is no longer at the revision that the change was made for.
    Stale,
    /// Somebody else is changing the resource at this moment.
    Concurrent,
    /// The provider went on refusing so many calls.
    Throttled,
    /// A limit of the user's own stands in the way, such as a reserved concurrency of zero.
    Capped,
    /// The provider cannot be reached, or does not answer.
    Unreachable,
    /// The request is not acceptable as it is.
    Invalid,
    /// A resource of our name is somebody else's.
    NotOurs,
    /// Something that this needs did not come about.
    Skipped(ResourceId),
    /// The user interrupted the run before this was done.
    Interrupted,
    /// Anything else.
    Other,
}

impl Cause {
    /// Whether who calls has no access: no credentials, no permission, no network.
    pub fn is_access(&self) -> bool {
        matches!(self, Self::Expired | Self::Credentials | Self::Denied | Self::Unreachable)
    }

    /// Whether somebody else was at the same thing at the same time, so that the same command may well succeed now.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Busy | Self::Exists | Self::Stale | Self::Concurrent)
    }
}

/// What a provider's service itself answered to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The call, as `lambda:CreateFunction`.
    pub operation: String,
    /// What the call was about, by the provider's name for it.
    pub resource: Option<String>,
    /// The service's own code, as `ResourceConflictException`.
    pub code: String,
    /// The id under which the service knows the call.
    pub request_id: Option<String>,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.request_id {
            Some(id) => write!(f, "{}, request {id}", self.code),
            None => f.write_str(&self.code),
        }
    }
}

/// A failure at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What somebody has to decide on.
    pub cause: Cause,
    /// What failed, on what, and why, as a lower-case fragment.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
    /// The provider's own code and request id, for support.
    pub reference: Option<String>,
    /// What a service answered, where one did.
    pub answer: Option<Box<Answer>>,
}

impl Error {
    /// A failure with its cause.
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into(), help: None, reference: None, answer: None }
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

    /// Adds what the service answered, which is its reference too.
    #[must_use]
    pub fn with_answer(mut self, answer: Answer) -> Self {
        self.reference = Some(answer.to_string());
        self.answer = Some(Box::new(answer));
        self
    }

    /// Whether this is why.
    pub fn is(&self, cause: &Cause) -> bool {
        self.cause == *cause
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
        Self::new(Cause::Other, error.to_string())
    }
}
