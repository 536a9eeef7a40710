//! Reads a document strictly: what this program does not know is refused by name, and no value is repeated, for it may be a secret.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::FORMAT;

/// Why a text is not the document that it should be, as a fragment. It repeats no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is not JSON.
    #[error("not JSON at line {line}, column {column}")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It is of another format.
    #[error(
        "its format is {found}, this server reads format {FORMAT}: write it with the mdo that this server belongs to"
    )]
    Format {
        /// What it says.
        found: u64,
    },
    /// It is JSON of another form.
    #[error("{why} at line {line}, column {column}")]
    Form {
        /// What is wrong.
        why: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// Its values do not fit together.
    #[error("{0}")]
    Contradiction(String),
}

/// Reads a document of [`FORMAT`].
pub(super) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Unreadable> {
    #[derive(Deserialize)]
    struct AnyFormat {
        format: u64,
    }
    // A document of another format may have keys that this program does not know: the format is the better reason.
    if let Ok(AnyFormat { format }) = serde_json::from_slice(text)
        && format != u64::from(FORMAT)
    {
        return Err(Unreadable::Format { found: format });
    }
    serde_json::from_slice(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            Category::Data => Unreadable::Form { why: form(&error), line, column },
            _ => Unreadable::NotJson { line, column },
        }
    })
}

/// serde's own words may repeat a value: only those that name a key are passed on.
fn form(error: &serde_json::Error) -> String {
    let words = error.to_string();
    let named = |prefix: &str| words.strip_prefix(prefix).and_then(|rest| rest.split('`').next());
    match (named("unknown field `"), named("missing field `")) {
        (Some(key), _) => format!("unknown key `{key}`"),
        (_, Some(key)) => format!("the key `{key}` is missing"),
        _ => "a value is of the wrong kind".to_owned(),
    }
}
