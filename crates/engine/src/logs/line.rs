//! The lines that Lambda itself writes into a function's log, as text or as JSON, and what they mean.
//!
//! Their form: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html>.

use std::sync::Arc;

use serde::Deserialize;

use super::{LogBody, LogReport};

/// A line of the platform's own in JSON.
#[derive(Deserialize)]
struct JsonLine {
    r#type: String,
    record: JsonRecord,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonRecord {
    request_id: Option<String>,
    status: Option<String>,
    error_type: Option<String>,
    #[serde(default)]
    metrics: JsonMetrics,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonMetrics {
    duration_ms: Option<f64>,
    billed_duration_ms: Option<f64>,
    #[serde(rename = "maxMemoryUsedMB")]
    max_memory_used_mb: Option<u64>,
    init_duration_ms: Option<f64>,
}

/// What a line means, where it is one of the platform's own.
pub fn platform_line(line: &str) -> Option<LogBody> {
    let line = line.trim_end();
    let id = |rest: &str| {
        let rest = rest.strip_prefix("RequestId: ")?;
        rest.split(['\t', ' ']).next().filter(|id| !id.is_empty()).map(Arc::from)
    };
    if let Some(rest) = line.strip_prefix("START ") {
        return Some(LogBody::Start(id(rest)?));
    }
    if let Some(rest) = line.strip_prefix("END ") {
        return Some(LogBody::End(id(rest)?));
    }
    if let Some(rest) = line.strip_prefix("REPORT ") {
        return Some(LogBody::Report(id(rest)?, report(line)));
    }
    // The cold start stands in the report as well, and one that went wrong is told with its error.
    if line.starts_with("INIT_START ") || line.starts_with("XRAY TraceId: ") {
        return Some(LogBody::Silent);
    }
    if line.starts_with("{\"") && line.contains("\"platform.") {
        return json(line);
    }
    None
}

fn json(line: &str) -> Option<LogBody> {
    let JsonLine { r#type, record } = serde_json::from_str(line).ok()?;
    match (r#type.as_str(), record.request_id.map(Arc::from)) {
        ("platform.start", Some(id)) => Some(LogBody::Start(id)),
        ("platform.runtimeDone", Some(id)) => Some(LogBody::End(id)),
        ("platform.report", Some(id)) => {
            let status = record.status.filter(|status| status != "success");
            let metrics = record.metrics;
            Some(LogBody::Report(
                id,
                LogReport {
                    duration_ms: metrics.duration_ms.unwrap_or_default(),
                    billed_ms: metrics.billed_duration_ms,
                    max_memory_mb: metrics.max_memory_used_mb,
                    init_ms: metrics.init_duration_ms,
                    status: record.error_type.or(status),
                },
            ))
        }
        ("platform.initStart" | "platform.initRuntimeDone" | "platform.initReport", _) => {
            Some(LogBody::Silent)
        }
        _ => None,
    }
}

/// The field of a REPORT line that begins with a name, such as `Duration:`, without that. Tabs separate the fields.
pub fn report_field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split('\t').find_map(|field| field.trim().strip_prefix(name)).map(str::trim)
}

fn report(line: &str) -> LogReport {
    let field = |name: &str| report_field(line, name);
    let number = |name: &str| field(name)?.split(' ').next()?.parse::<f64>().ok();
    LogReport {
        duration_ms: number("Duration:").unwrap_or_default(),
        billed_ms: number("Billed Duration:"),
        max_memory_mb: field("Max Memory Used:").and_then(|text| text.split(' ').next()?.parse().ok()),
        init_ms: number("Init Duration:"),
        status: field("Status:").map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8d2f5f27-3b5c-4b3e-9a52-0c3a1f0d9d11";

    #[test]
    fn the_lines_of_the_platform_are_told_from_those_of_functions() {
        let start = platform_line(&format!("START RequestId: {ID} Version: 7\n"));
        assert_eq!(start, Some(LogBody::Start(ID.into())));
        assert_eq!(platform_line(&format!("END RequestId: {ID}\n")), Some(LogBody::End(ID.into())));
        assert_eq!(platform_line("INIT_START Runtime Version: provided:al2023.v1\n"), Some(LogBody::Silent));
        for text in ["START of the run", "END", "REPORT", "hello", "{\"type\": 1}", ""] {
            assert_eq!(platform_line(text), None, "{text}");
        }
    }

    #[test]
    fn a_report_has_its_times_its_memory_and_its_failure() {
        let line = format!(
            "REPORT RequestId: {ID}\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 45 MB\tInit Duration: 210.05 ms\t\n"
        );
        let report = LogReport {
            duration_ms: 12.34,
            billed_ms: Some(13.0),
            max_memory_mb: Some(45),
            init_ms: Some(210.05),
            status: None,
        };
        assert_eq!(platform_line(&line), Some(LogBody::Report(ID.into(), report)));
        let timeout = format!("REPORT RequestId: {ID}\tDuration: 3000.00 ms\tStatus: timeout");
        let report =
            LogReport { duration_ms: 3000.0, status: Some("timeout".into()), ..LogReport::default() };
        assert_eq!(platform_line(&timeout), Some(LogBody::Report(ID.into(), report)));
    }

    #[test]
    fn json_says_the_same() {
        let line = format!(
            "{{\"time\":\"2026-11-27T12:00:00.000Z\",\"type\":\"platform.report\",\"record\":{{\"requestId\":\"{ID}\",\"status\":\"success\",\"metrics\":{{\"durationMs\":1.5,\"billedDurationMs\":2,\"maxMemoryUsedMB\":33}}}}}}"
        );
        let report = LogReport {
            duration_ms: 1.5,
            billed_ms: Some(2.0),
            max_memory_mb: Some(33),
            ..LogReport::default()
        };
        assert_eq!(platform_line(&line), Some(LogBody::Report(ID.into(), report)));
        let start = format!(
            "{{\"type\":\"platform.start\",\"record\":{{\"requestId\":\"{ID}\",\"version\":\"7\"}}}}"
        );
        assert_eq!(platform_line(&start), Some(LogBody::Start(ID.into())));
    }
}
