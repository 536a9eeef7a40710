//! A line that a server of a hosted stage has logged, `crates/server/src/hosted/log.rs`, as an event.

use std::sync::Arc;

use mdo_engine::logs::{LogBody, LogReport, LogRequest};
use mdo_model::project::FunctionName;
use serde_json::Value;

/// What a line says.
pub(super) struct ServerLine {
    pub(super) function: Option<FunctionName>,
    pub(super) request_id: Option<Arc<str>>,
    pub(super) body: LogBody,
}

/// Reads a line. What is not of the server's making is text.
pub(super) fn read(line: &str) -> ServerLine {
    let document: Value = serde_json::from_str(line).unwrap_or_default();
    let text = |field: &str| document[field].as_str();
    let body = match text("type") {
        Some("function") => LogBody::Text(text("message").unwrap_or_default().to_owned()),
        Some("request") => LogBody::Request(request(&document)),
        Some("server") => {
            let event = text("event").unwrap_or_default();
            LogBody::Text(match (event, text("detail")) {
                ("log" | "problem", Some(detail)) => detail.to_owned(),
                (_, Some(detail)) => format!("{event}: {detail}"),
                (_, None) => event.to_owned(),
            })
        }
        Some("dropped") => LogBody::Gap(format!("… {} lines dropped", document["lines"])),
        _ => LogBody::Text(line.to_owned()),
    };
    let is_ours = document["type"].is_string();
    ServerLine {
        function: text("function").filter(|_| is_ours).and_then(|name| name.parse().ok()),
        request_id: text("request_id").filter(|_| is_ours).map(Arc::from),
        body,
    }
}

fn request(document: &Value) -> LogRequest {
    let number = |field: &str| document[field].as_f64();
    let text = |field: &str| document[field].as_str().map(str::to_owned);
    let report = number("Duration").map(|duration_ms| LogReport {
        duration_ms,
        billed_ms: None,
        max_memory_mb: document["max_memory_mb"].as_u64(),
        init_ms: number("init_ms"),
        status: (document["Errors"].as_u64() == Some(1)).then(|| "error".to_owned()),
    });
    LogRequest {
        method: text("method").unwrap_or_default(),
        path: text("route").unwrap_or_default(),
        status: document["status"].as_u64().and_then(|status| u16::try_from(status).ok()),
        why: text("why"),
        took_ms: number("duration_ms").unwrap_or_default(),
        key: text("key"),
        throttled: document["Throttles"].as_u64() == Some(1),
        report,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_and_a_functions_line_are_told_apart_from_anything_else() {
        let line = r#"{"time":"2026-11-27T12:00:00.000Z","type":"request","request_id":"r1","method":"GET","route":"/shop","status":200,"duration_ms":3.5,"function":"shop","cold":true,"init_ms":9.0,"max_memory_mb":12,"key":"alice","source_ip":"::1","bytes":3,"Invocations":1,"Errors":0,"Duration":2.5}"#;
        let ServerLine { function, request_id, body } = read(line);
        assert_eq!((function.unwrap().as_str(), request_id.as_deref()), ("shop", Some("r1")));
        let LogBody::Request(request) = body else { panic!("{body:?}") };
        assert_eq!((request.status, request.path.as_str(), request.took_ms), (Some(200), "/shop", 3.5));
        let report = request.report.unwrap();
        assert_eq!((report.duration_ms, report.init_ms, report.status), (2.5, Some(9.0), None));

        let line =
            read(r#"{"time":"x","type":"function","function":"shop","request_id":"r1","message":"hi"}"#);
        assert_eq!(line.body, LogBody::Text("hi".into()));
        for text in ["not JSON", "{\"_aws\":{}}", "{\"function\":\"shop\"}"] {
            let line = read(text);
            assert_eq!((line.function, line.body), (None, LogBody::Text(text.into())));
        }
        let started = read(r#"{"type":"server","event":"listening","detail":"0.0.0.0:8080"}"#);
        assert_eq!(started.body, LogBody::Text("listening: 0.0.0.0:8080".into()));
    }
}
