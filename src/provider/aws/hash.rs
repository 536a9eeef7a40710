//! SHA-256 digests as Lambda writes them (base64) and as the model does (hexadecimal), and base64 for log tails.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The hexadecimal digits of a digest that Lambda writes in base64.
pub(super) fn hex_of_base64(text: &str) -> Option<String> {
    Some(STANDARD.decode(text).ok()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The base64 of a digest that the model writes in hexadecimal digits.
pub(super) fn base64_of_hex(digits: &str) -> Option<String> {
    let byte = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    Some(STANDARD.encode(bytes?))
}

/// The text that is in base64, as far as it is text.
pub(super) fn text_of_base64(text: &str) -> String {
    STANDARD.decode(text).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_go_both_ways() {
        let base64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let hex = hex_of_base64(base64).expect("base64");
        assert!(hex.starts_with("e3b0c44298fc1c14"));
        assert_eq!(base64_of_hex(&hex).as_deref(), Some(base64));
        assert_eq!(base64_of_hex("abc"), None);
    }
}
