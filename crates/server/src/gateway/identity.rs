//! The ids of an API and of a request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The ids of one request.
#[derive(Debug)]
pub(super) struct Identity {
    /// A UUID.
    pub(super) request_id: String,
    /// The one that `x-amz-apigw-id` carries.
    pub(super) extended_request_id: String,
    /// The X-Ray trace header.
    pub(super) trace_id: String,
}

impl Identity {
    /// New ids; the caller's trace is followed.
    pub(super) fn new(headers: &HeaderMap, epoch_seconds: i64) -> Self {
        let trace = headers.get("x-amzn-trace-id").and_then(|value| value.to_str().ok());
        let trace = trace.filter(|value| value.contains("Root=")).map(str::to_owned);
        let random = Uuid::new_v4();
        Self {
            request_id: Uuid::new_v4().to_string(),
            extended_request_id: STANDARD.encode(&random.as_bytes()[..11]),
            trace_id: trace.unwrap_or_else(|| {
                let random = random.simple().to_string();
                format!("Root=1-{epoch_seconds:08x}-{}", &random[8..])
            }),
        }
    }
}

/// An id like API Gateway's: `length` small letters and digits, the same for the same parts.
pub(super) fn short_id(parts: &[&str], length: usize) -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let digest = Sha256::digest(parts.join("\n"));
    digest.iter().take(length).map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_are_deterministic() {
        assert_eq!(short_id(&["ml_api"], 10), short_id(&["ml_api"], 10));
        assert_ne!(short_id(&["ml_api"], 10), short_id(&["other"], 10));
        assert_eq!(short_id(&["ml_api"], 10).len(), 10);
    }

    #[test]
    fn a_trace_is_followed() {
        let mut headers = HeaderMap::new();
        assert!(Identity::new(&headers, 0x6543_210f).trace_id.starts_with("Root=1-6543210f-"));
        headers.insert("x-amzn-trace-id", "Root=1-0-0;Sampled=1".parse().unwrap());
        assert_eq!(Identity::new(&headers, 0).trace_id, "Root=1-0-0;Sampled=1");
    }
}
