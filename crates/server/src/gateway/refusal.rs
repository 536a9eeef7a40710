//! What the front answers when a function does not: API Gateway's status codes and error bodies.

use hyper::StatusCode;

use super::meter::Exceeded;

/// A request that no function answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No key, a wrong key, or a stage that is not there.
    Forbidden,
    /// No such path or method, or a signature is missing.
    MissingAuthenticationToken,
    /// The rate or burst of the usage plan.
    TooManyRequests,
    /// The quota of the usage plan.
    LimitExceeded,
    /// The request is larger than API Gateway or Lambda takes.
    RequestTooLong,
    /// The API may not call the function, or there is none.
    NoPermission,
    /// The function failed, or its answer is not a proxy response.
    BadGateway,
    /// The function took longer than the integration timeout.
    TimedOut,
}

impl Refusal {
    /// The status.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Forbidden | Self::MissingAuthenticationToken => StatusCode::FORBIDDEN,
            Self::TooManyRequests | Self::LimitExceeded => StatusCode::TOO_MANY_REQUESTS,
            Self::RequestTooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoPermission => StatusCode::INTERNAL_SERVER_ERROR,
            Self::BadGateway => StatusCode::BAD_GATEWAY,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The whole body.
    pub(super) fn body(self) -> &'static str {
        match self {
            Self::Forbidden => r#"{"message":"Forbidden"}"#,
            Self::MissingAuthenticationToken => r#"{"message":"Missing Authentication Token"}"#,
            Self::TooManyRequests => r#"{"message":"Too Many Requests"}"#,
            Self::LimitExceeded => r#"{"message":"Limit Exceeded"}"#,
            Self::RequestTooLong => r#"{"message":"Request Too Long"}"#,
            Self::NoPermission | Self::BadGateway => r#"{"message":"Internal server error"}"#,
            Self::TimedOut => r#"{"message":"Endpoint request timed out"}"#,
        }
    }

    /// The value of `x-amzn-ErrorType`.
    pub(super) fn error_type(self) -> &'static str {
        match self {
            Self::Forbidden => "ForbiddenException",
            Self::MissingAuthenticationToken => "MissingAuthenticationTokenException",
            Self::TooManyRequests => "TooManyRequestsException",
            Self::LimitExceeded => "LimitExceededException",
            Self::RequestTooLong => "RequestTooLargeException",
            Self::NoPermission | Self::BadGateway | Self::TimedOut => "InternalServerErrorException",
        }
    }
}

impl From<Exceeded> for Refusal {
    fn from(exceeded: Exceeded) -> Self {
        match exceeded {
            Exceeded::Throttle => Self::TooManyRequests,
            Exceeded::Quota => Self::LimitExceeded,
        }
    }
}
