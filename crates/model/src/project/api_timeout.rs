//! How long API Gateway waits for a function.

use std::str::FromStr;

use serde::Deserialize;
use thiserror::Error;

/// The integration timeout of the API: 50 ms to 29 s, written as `29s` or `500ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct ApiTimeout {
    milliseconds: u32,
}

/// Why a text is not an [`ApiTimeout`].
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum InvalidApiTimeout {
    /// Not a number of seconds or milliseconds.
    #[error("`{0}` is not a timeout: write it as `29s` or `500ms`")]
    Syntax(String),
    /// API Gateway does not wait so briefly or so long.
    #[error("`{0}` is not a timeout of API Gateway: 50 ms to 29 s")]
    Range(String),
}

impl ApiTimeout {
    /// The timeout in milliseconds, 50 to 29,000.
    pub(super) fn milliseconds(self) -> u32 {
        self.milliseconds
    }
}

impl FromStr for ApiTimeout {
    type Err = InvalidApiTimeout;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let syntax = || InvalidApiTimeout::Syntax(text.to_owned());
        let trimmed = text.trim();
        let split = trimmed.find(|c: char| !c.is_ascii_digit()).ok_or_else(syntax)?;
        let (number, unit) = trimmed.split_at(split);
        let number: u32 = number.parse().map_err(|_| syntax())?;
        let milliseconds = match unit.trim() {
            "s" => number.saturating_mul(1000),
            "ms" => number,
            _ => return Err(syntax()),
        };
        if (50..=29_000).contains(&milliseconds) {
            Ok(Self { milliseconds })
        } else {
            Err(InvalidApiTimeout::Range(text.to_owned()))
        }
    }
}

impl TryFrom<String> for ApiTimeout {
    type Error = InvalidApiTimeout;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
