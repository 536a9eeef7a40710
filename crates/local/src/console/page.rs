//! The page: one document, with its style and its script, and nothing from anywhere else.

use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use mdo_model::project::Names;

use super::{Answer, complaint, dress, text};
use crate::state::random;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: [&str; 5] = [
    include_str!("script/dom.js"),
    include_str!("script/overview.js"),
    include_str!("script/function.js"),
    include_str!("script/log.js"),
    include_str!("script/page.js"),
];

/// How many letters the word has that the browser finds at what belongs to the page, and at nothing that was smuggled in.
const NONCE: usize = 24;

/// The page.
pub(super) fn page(names: &Names) -> Answer {
    let title = escape(&format!("{} · {}", names.project, names.stage));
    build(PAGE, &[("{{title}}", &title), ("{{script}}", &SCRIPT.concat())])
}

/// A page for who has no token.
pub(super) fn stranger() -> Answer {
    let reason = "This page is for whoever started mdo dev. Open it with the address that mdo dev has printed, token and all.";
    let mut answer = message("Token needed", reason);
    *answer.status_mut() = StatusCode::UNAUTHORIZED;
    answer
}

/// A page that says why the page is not shown.
pub(crate) fn refusal(reason: &str) -> Answer {
    let mut answer = message("Forbidden", reason);
    *answer.status_mut() = StatusCode::FORBIDDEN;
    answer
}

fn message(title: &str, reason: &str) -> Answer {
    const MESSAGE: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{{title}}</title>\
        <meta name=\"viewport\" content=\"width=device-width\"><style nonce=\"{{nonce}}\">{{style}}</style></head>\
        <body><main><h1>{{title}}</h1><p>{{reason}}</p></main></body></html>\n";
    build(MESSAGE, &[("{{title}}", &escape(title)), ("{{reason}}", &escape(reason))])
}

fn build(page: &str, values: &[(&str, &str)]) -> Answer {
    let Ok(nonce) = random(NONCE) else {
        return complaint(StatusCode::INTERNAL_SERVER_ERROR, "the system has no random numbers");
    };
    let mut page = page.replace("{{nonce}}", &nonce).replace("{{style}}", STYLE);
    for (place, value) in values {
        page = page.replace(place, value);
    }
    let mut answer = text(page);
    dress(&mut answer, "text/html; charset=utf-8");
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    answer.headers_mut().insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    answer
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_escaped() {
        assert_eq!(escape(r#"<a href="x" & 'y'>"#), "&lt;a href=&quot;x&quot; &amp; &#39;y&#39;&gt;");
    }
}
