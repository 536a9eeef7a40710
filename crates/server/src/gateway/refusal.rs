//! What the front answers when a function does not: API Gateway's status codes and error bodies, and why, for the log.

use std::borrow::Cow;

use bytes::Bytes;
use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};

/// A request that no function answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Something in the request's head is not acceptable.
    BadRequest,
    /// No key, a wrong key, or a stage that is not there.
    Forbidden,
    /// No such path or method, or a signature is missing.
    MissingAuthenticationToken,
    /// The body did not come in time.
    RequestTimeout,
    /// The request line is too long.
    UriTooLong,
    /// The headers are too large.
    HeadersTooLarge,
    /// The rate or burst of the usage plan.
    TooManyRequests,
    /// The quota of the usage plan.
    LimitExceeded,
    /// The request is larger than API Gateway or Lambda takes.
    RequestTooLong,
    /// The API may not call the function, there is none, or it is as busy as it may be.
    NotCalled,
    /// The function's body is marked as Base64 and is none.
    NotDecoded,
    /// The function failed, or its answer is not a proxy response.
    BadGateway,
    /// There is no room for the body at the moment.
    Unavailable,
    /// The function took longer than the integration timeout.
    TimedOut,
}

/// A refusal and its reason.
#[derive(Debug)]
pub(super) struct Declined {
    pub(super) refusal: Refusal,
    /// For the log, as a fragment. Clients are not told.
    pub(super) why: Cow<'static, str>,
}

impl Refusal {
    /// Gives the reason.
    pub(super) fn because(self, why: impl Into<Cow<'static, str>>) -> Declined {
        Declined { refusal: self, why: why.into() }
    }

    /// The whole answer. With `cors`, pages of other origins may read it.
    pub(super) fn response(self, cors: bool) -> Response<Bytes> {
        let (status, message, error_type) = self.words();
        // Answers recorded on AWS have a blank where an integration failed: `Content-Length` is 36 for a 502 and 41 for a 504, but 23
        // for `Forbidden`.
        let blank = if matches!(self, Self::NotCalled | Self::NotDecoded | Self::BadGateway | Self::TimedOut)
        {
            " "
        } else {
            ""
        };
        let mut response = Response::new(Bytes::from(format!(r#"{{"message":{blank}"{message}"}}"#)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("x-amzn-errortype", HeaderValue::from_static(error_type));
        if cors {
            headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
        }
        if self == Self::RequestTimeout {
            headers.insert("connection", HeaderValue::from_static("close"));
        }
        response
    }

    /// The status, the message and the value of `x-amzn-ErrorType`.
    fn words(self) -> (StatusCode, &'static str, &'static str) {
        const INTERNAL: &str = "Internal server error";
        const INTERNAL_TYPE: &str = "InternalServerErrorException";
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "Bad Request", "BadRequestException"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "Forbidden", "ForbiddenException"),
            Self::MissingAuthenticationToken => {
                (StatusCode::FORBIDDEN, "Missing Authentication Token", "MissingAuthenticationTokenException")
            }
            Self::RequestTimeout => {
                (StatusCode::REQUEST_TIMEOUT, "Request Timeout", "RequestTimeoutException")
            }
            Self::UriTooLong => {
                (StatusCode::URI_TOO_LONG, "Request-URI Too Long", "RequestTooLargeException")
            }
            Self::HeadersTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "Request Header Fields Too Large",
                "RequestTooLargeException",
            ),
            Self::TooManyRequests => {
                (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests", "TooManyRequestsException")
            }
            Self::LimitExceeded => {
                (StatusCode::TOO_MANY_REQUESTS, "Limit Exceeded", "LimitExceededException")
            }
            Self::RequestTooLong => {
                (StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long", "RequestTooLargeException")
            }
            Self::NotCalled | Self::NotDecoded => {
                (StatusCode::INTERNAL_SERVER_ERROR, INTERNAL, INTERNAL_TYPE)
            }
            Self::BadGateway => (StatusCode::BAD_GATEWAY, INTERNAL, INTERNAL_TYPE),
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable", "ServiceUnavailableException")
            }
            Self::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "Endpoint request timed out", INTERNAL_TYPE),
        }
    }
}
