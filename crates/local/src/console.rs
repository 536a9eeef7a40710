//! The page at `/`: what is served where. It names keys and never shows their values.

use std::fmt::Write;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use mdo_model::project::{Names, Security};

use super::live::ServedStack;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884}\
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2.5rem auto;padding:0 1.25rem}\
h1{font-size:1.3rem;margin:0}h2{font-size:1rem;margin:2rem 0 .4rem}\
p{margin:.2rem 0;opacity:.75}\
table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.35rem .8rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}\
th{font-weight:500;opacity:.7}\
code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}";

/// The page.
pub(super) fn page(names: &Names, stack: &ServedStack, port: u16) -> Response<Full<Bytes>> {
    document(html(names, stack, port))
}

/// A page that says why the page is not shown.
pub(super) fn refusal(reason: &str) -> Response<Full<Bytes>> {
    let reason = escape(reason);
    let mut response = document(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Forbidden</title>\
         <style>{STYLE}</style></head><body><h1>Forbidden</h1><p>{reason}</p></body></html>\n"
    ));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

fn document(html: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(html)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    );
    response
}

fn html(names: &Names, stack: &ServedStack, port: u16) -> String {
    let title = format!("{} · {}", escape(names.project.as_str()), escape(names.stage.as_str()));
    let base = format!("http://127.0.0.1:{port}/{}", names.stage);
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><h1>{title}</h1><p>local stack at <code>{}</code></p>",
        escape(&base)
    );
    let routes = stack.front.definition.iter().flat_map(|definition| &definition.routes);
    table(
        &mut page,
        "Routes",
        &["method", "URL", "function", "security"],
        routes.map(|(route, target)| {
            let path = if route.path() == "/" { "" } else { route.path() };
            vec![
                route.method().as_str().to_owned(),
                format!("{base}{path}"),
                target.function.to_string(),
                security(target.security).to_owned(),
            ]
        }),
    );
    let functions = stack.functions.0.iter();
    table(
        &mut page,
        "Functions",
        &["function", "version"],
        functions.map(|(name, function)| vec![name.to_string(), function.version.to_string()]),
    );
    table(
        &mut page,
        "Keys",
        &["key", "value"],
        stack.front.keys.names().map(|name| {
            vec![name.to_string(), format!("mdo key show {name} --local --stage {}", names.stage)]
        }),
    );
    let rules = stack.warm_rules.iter().filter(|(_, rule)| rule.enabled);
    table(
        &mut page,
        "Warm rules",
        &["function", "rate", "pings"],
        rules.map(|(name, rule)| {
            let rate = rule.rate.map_or_else(|| "another schedule".to_owned(), |rate| rate.to_string());
            vec![name.to_string(), rate, rule.concurrency.to_string()]
        }),
    );
    page.push_str("</body></html>\n");
    page
}

fn table(page: &mut String, title: &str, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let mut rows = rows.peekable();
    // Writing to a string cannot fail.
    let _ = write!(page, "<h2>{title}</h2>");
    if rows.peek().is_none() {
        page.push_str("<p>none</p>");
        return;
    }
    page.push_str("<table><tr>");
    for column in columns {
        let _ = write!(page, "<th>{column}</th>");
    }
    page.push_str("</tr>");
    for row in rows {
        page.push_str("<tr>");
        for cell in row {
            let _ = write!(page, "<td><code>{}</code></td>", escape(&cell));
        }
        page.push_str("</tr>");
    }
    page.push_str("</table>");
}

fn security(security: Security) -> &'static str {
    match security {
        Security::Key => "key",
        Security::Open => "open",
        Security::Iam => "iam (a signature must be there; it is not verified here)",
    }
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
        let mut page = String::new();
        table(&mut page, "T", &["c"], [vec!["<script>".to_owned()]].into_iter());
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"), "{page}");
    }
}
