//! Names that are checked once, where they enter: of a project, a function, a stage, a key, an account.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text is not the name that it was given as.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{text}` is not {kind}: {rule}")]
pub struct InvalidName {
    text: String,
    kind: &'static str,
    rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// What a valid name looks like, for error messages and schemas.
            pub const RULE: &'static str = $rule;

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidName { text: text.to_owned(), kind: $kind, rule: $rule })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// The name of a project; it prefixes every name on AWS.
    ProjectName,
    "a project name",
    "1 to 32 letters, digits, `_` and `-`, starting with a letter",
    |text| (1..=32).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
);

name!(
    /// The name of a function, which is the name of its folder.
    FunctionName,
    "a function name",
    "1 to 48 letters, digits, `_` and `-`, starting with a letter",
    |text| (1..=48).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
);

name!(
    /// The name of a stage: an API Gateway stage and a Lambda alias at once.
    StageName,
    "a stage name",
    "1 to 32 letters, digits, `_` and `-`, starting with a letter",
    |text| (1..=32).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
);

name!(
    /// The short name of an API key; on AWS `{project}-{stage}-{name}`.
    KeyName,
    "a key name",
    "1 to 64 letters, digits, `_`, `-`, `.` and `@`",
    |text| (1..=64).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.@".contains(c))
);

name!(
    /// The name of a derivative, which is the name of its folder.
    DerivativeName,
    "a derivative name",
    "1 to 48 letters, digits, `_` and `-`, starting with a letter",
    |text| (1..=48).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
);

name!(
    /// The number of an AWS account.
    AccountId,
    "the number of an account",
    "12 digits",
    |text| text.len() == 12 && text.chars().all(|c| c.is_ascii_digit())
);

name!(
    /// The id that API Gateway gave a REST API: the first part of its URL.
    ApiId,
    "the id of a REST API",
    "1 to 32 lower-case letters and digits, as in https://{id}.execute-api.…",
    |text| (1..=32).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
);

impl ProjectName {
    /// A name for when there is nothing to derive one from.
    pub fn example() -> Self {
        Self("ml_api".to_owned())
    }
}
