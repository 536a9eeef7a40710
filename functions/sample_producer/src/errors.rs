//! Why a request is refused, and the JSON:API document that says so.

use serde::Serialize;

/// Whose fault it is, and of which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// scikit-learn refuses the value of a query parameter.
    InvalidParameter,
    /// No query parameter has this name.
    UnknownParameter,
    /// The sample would not fit in the answer, the memory or the time of this function.
    TooLarge,
    /// `N_CLASSES` in the function's environment is missing or unusable.
    InvalidEnvironment,
}

impl Reason {
    /// The HTTP status: 400 for the caller's faults, 500 for the function's own.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidParameter | Self::UnknownParameter | Self::TooLarge => 400,
            Self::InvalidEnvironment => 500,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::InvalidParameter => "invalid_parameter",
            Self::UnknownParameter => "unknown_parameter",
            Self::TooLarge => "too_large",
            Self::InvalidEnvironment => "invalid_environment",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::InvalidParameter => "Invalid query parameter",
            Self::UnknownParameter => "Unknown query parameter",
            Self::TooLarge => "Sample too large",
            Self::InvalidEnvironment => "Invalid N_CLASSES in the environment",
        }
    }
}

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which kind.
    pub reason: Reason,
    /// The query parameter to change; for [`Reason::InvalidEnvironment`] the one whose default is unusable.
    pub parameter: String,
    /// What is wrong, in scikit-learn's or Python's own words where they have them.
    pub detail: String,
}

impl Refusal {
    /// A refusal of one query parameter.
    pub fn new(reason: Reason, parameter: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { reason, parameter: parameter.into(), detail: detail.into() }
    }

    /// The JSON:API error document (<https://jsonapi.org/format/#errors>).
    pub fn document(&self) -> String {
        let document = Document {
            errors: [ErrorObject {
                status: self.reason.status().to_string(),
                code: self.reason.code(),
                title: self.reason.title(),
                detail: &self.detail,
                source: match self.reason {
                    Reason::InvalidEnvironment => None,
                    _ => Some(Source { parameter: &self.parameter }),
                },
            }],
        };
        // Texts only: nothing in it can fail to serialise.
        serde_json::to_string(&document).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Document<'a> {
    errors: [ErrorObject<'a>; 1],
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    status: String,
    code: &'static str,
    title: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source<'a>>,
}

#[derive(Serialize)]
struct Source<'a> {
    parameter: &'a str,
}
