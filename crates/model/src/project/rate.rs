//! How often a warm rule fires.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The period of a warm rule: 1 to 10 whole minutes.
///
/// EventBridge has no shorter period than a minute, and an idle sandbox lives on the order of ten minutes, so a
/// longer one keeps nothing warm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    minutes: u8,
}

/// Why a text is not a [`Rate`].
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InvalidRate {
    /// Not a number of minutes at all.
    #[error("`{0}` is not a rate: write it as `5m` or `5 minutes`")]
    Syntax(String),
    /// EventBridge cannot fire more often than every minute.
    #[error("`{0}` is below 1 minute, the shortest period of a CloudWatch rule")]
    TooShort(String),
    /// An idle sandbox is gone before the next ping.
    #[error(
        "`{0}` is above 10 minutes: AWS ends an idle sandbox after about ten minutes, so nothing would stay warm"
    )]
    TooLong(String),
}

impl Rate {
    /// The period in minutes, 1 to 10.
    pub fn minutes(self) -> u8 {
        self.minutes
    }

    /// The schedule expression of EventBridge: `rate(1 minute)`, `rate(5 minutes)`.
    pub fn schedule_expression(self) -> String {
        let unit = if self.minutes == 1 { "minute" } else { "minutes" };
        format!("rate({} {unit})", self.minutes)
    }

    /// Reads back what [`Rate::schedule_expression`] writes; `None` for any other expression.
    pub fn from_schedule_expression(expression: &str) -> Option<Self> {
        expression.strip_prefix("rate(")?.strip_suffix(')')?.parse().ok()
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let syntax = || InvalidRate::Syntax(text.to_owned());
        let trimmed = text.trim();
        let split = trimmed.find(|c: char| !c.is_ascii_digit()).ok_or_else(syntax)?;
        let (number, unit) = trimmed.split_at(split);
        let number: u64 = number.parse().map_err(|_| syntax())?;
        let seconds_per_unit = match unit.trim() {
            "s" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3600,
            "d" | "day" | "days" => 86_400,
            _ => return Err(syntax()),
        };
        let seconds = number.saturating_mul(seconds_per_unit);
        if seconds < 60 {
            return Err(InvalidRate::TooShort(text.to_owned()));
        }
        if seconds > 600 {
            return Err(InvalidRate::TooLong(text.to_owned()));
        }
        if seconds % 60 != 0 {
            return Err(syntax());
        }
        let minutes = u8::try_from(seconds / 60).map_err(|_| syntax())?;
        Ok(Self { minutes })
    }
}

impl TryFrom<String> for Rate {
    type Error = InvalidRate;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        format!("{}m", rate.minutes)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minutes {
            1 => f.write_str("every minute"),
            minutes => write!(f, "every {minutes} minutes"),
        }
    }
}
