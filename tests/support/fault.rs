//! How a call fails: an error in the form of the service that is called, a page, or no answer at all.

use serde_json::json;

use super::http::Message;
use super::operations::{Operation, REGISTRY};

/// How a call fails without reaching the emulator.
#[derive(Clone, Debug)]
pub enum Fault {
    /// An error of AWS, in the form of the service that is called.
    Error { status: u16, code: String, message: String, headers: Vec<(String, String)> },
    /// What a load balancer says in place of a service: a page, with this HTTP status.
    Page(u16),
    /// The connection closes without an answer.
    Reset,
}

impl Fault {
    /// An error with this HTTP status, code and message.
    pub fn error(status: u16, code: &str, message: &str) -> Fault {
        Fault::Error { status, code: code.to_owned(), message: message.to_owned(), headers: Vec::new() }
    }

    /// What Lambda and API Gateway answer to too many calls.
    pub fn throttled() -> Fault {
        Fault::error(429, "TooManyRequestsException", "Rate exceeded")
    }

    /// What AWS answers to a caller without the permission.
    pub fn denied(action: &str) -> Fault {
        let message =
            format!("User: arn:aws:iam::000000000000:user/test is not authorized to perform: {action}");
        Fault::error(403, "AccessDeniedException", &message)
    }

    /// Adds a header to an error.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Fault {
        if let Fault::Error { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    pub(super) fn answer(&self, operation: &Operation) -> Option<Message> {
        let (status, code, message, headers) = match self {
            Fault::Error { status, code, message, headers } => (status, code, message, headers),
            Fault::Page(status) => return Some(page(*status)),
            Fault::Reset => return None,
        };
        let (kind, body) = match operation.service.as_str() {
            "iam" | "sts" | "elasticloadbalancing" | "monitoring" => {
                ("text/xml", format!("<ErrorResponse><Error>{}</Error></ErrorResponse>", xml(code, message)))
            }
            "ec2" => {
                let error = format!("<Code>{code}</Code><Message>{message}</Message>");
                ("text/xml", format!("<Response><Errors><Error>{error}</Error></Errors></Response>"))
            }
            "s3" => ("application/xml", format!("<Error>{}</Error>", xml(code, message))),
            REGISTRY => {
                ("application/json", json!({"errors": [{"code": code, "message": message}]}).to_string())
            }
            _ => ("application/json", json!({"__type": code, "message": message}).to_string()),
        };
        let mut all = headers.clone();
        all.push(("Content-Type".to_owned(), kind.to_owned()));
        all.push(("x-amzn-ErrorType".to_owned(), code.clone()));
        Some(Message { start: format!("HTTP/1.1 {status} Error"), headers: all, body: body.into_bytes() })
    }
}

fn page(status: u16) -> Message {
    let title = "<title>Service Temporarily Unavailable</title>";
    Message {
        start: format!("HTTP/1.1 {status} Service Unavailable"),
        headers: vec![("Content-Type".to_owned(), "text/html".to_owned())],
        body: format!("<html><head>{title}</head><body><hr>nginx</body></html>\n").into_bytes(),
    }
}

fn xml(code: &str, message: &str) -> String {
    format!("<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>")
}
