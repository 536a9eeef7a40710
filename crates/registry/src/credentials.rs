//! Who we are to a registry: a value that cannot be printed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A user and a password, or nobody.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials(Option<(String, String)>);

impl Credentials {
    /// Nobody in particular.
    pub fn anonymous() -> Self {
        Self(None)
    }

    /// A user with his password or token.
    pub fn basic(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self(Some((user.into(), password.into())))
    }

    /// What `Authorization: Basic` is followed by, in standard base64.
    ///
    /// `None` if the text is none of a user and a password.
    pub fn from_base64(text: &str) -> Option<Self> {
        let decoded = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
        let (user, password) = decoded.trim_end_matches('\0').split_once(':')?;
        Some(Self::basic(user, password))
    }

    /// Whether they are nobody's.
    pub fn is_anonymous(&self) -> bool {
        self.0.is_none()
    }

    /// The value of the header `Authorization`.
    pub(crate) fn header(&self) -> Option<String> {
        let (user, password) = self.0.as_ref()?;
        Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_anonymous() { "Credentials(anonymous)" } else { "Credentials(…)" })
    }
}
