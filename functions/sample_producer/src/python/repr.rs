//! `repr()` of a float and of a text, and `json.dumps` of a float.

use std::fmt::Write;

/// Appends what `json.dumps` writes for a float. Python writes NaN and infinities, which are not JSON.
pub fn json_float(out: &mut String, value: f64) {
    if value.is_finite() {
        finite(out, value);
    } else if value.is_nan() {
        out.push_str("NaN");
    } else {
        out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    }
}

/// What `repr` gives for a float.
pub fn repr_float(value: f64) -> String {
    let mut out = String::new();
    if value.is_finite() {
        finite(&mut out, value);
    } else if value.is_nan() {
        out.push_str("nan");
    } else {
        out.push_str(if value > 0.0 { "inf" } else { "-inf" });
    }
    out
}

/// The shortest digits that read back to the same bits. Between 1e-4 and 1e16 ryu writes them as Python does.
fn finite(out: &mut String, value: f64) {
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-4..1e16).contains(&magnitude) {
        out.push_str(text);
    } else {
        scientific(out, text);
    }
}

/// Rewrites ryu's text with a Python exponent: sign always, at least two digits.
fn scientific(out: &mut String, text: &str) {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => ("-", text),
        None => ("", text),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{before}{after}");
    let significant = digits.trim_start_matches('0');
    let leading_zeros = digits.len() - significant.len();
    let significant = significant.trim_end_matches('0');
    let exponent = exponent.parse::<i32>().unwrap_or(0) + before.len() as i32 - 1 - leading_zeros as i32;

    let (first, rest) = significant.split_at(1);
    out.push_str(sign);
    out.push_str(first);
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
    }
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    // Writing to a String cannot fail.
    let _ = write!(out, "e{exponent_sign}{:02}", exponent.unsigned_abs());
}

/// What `repr` gives for a text.
pub fn repr_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        push_character(&mut out, c, quote);
    }
    out.push(quote);
    out
}

fn push_character(out: &mut String, c: char, quote: char) {
    let code = u32::from(c);
    let escape = match c {
        '\\' => "\\\\".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        _ if c == quote => format!("\\{c}"),
        ' '..='~' => c.to_string(),
        _ if is_printable(c) => c.to_string(),
        _ if code < 0x100 => format!("\\x{code:02x}"),
        _ if code < 0x10000 => format!("\\u{code:04x}"),
        _ => format!("\\U{code:08x}"),
    };
    out.push_str(&escape);
}

/// Whether the character is written as itself; `escape_debug` of a text asks nearly the same of all but its first one.
fn is_printable(c: char) -> bool {
    !format!("a{c}").escape_debug().any(|escaped| escaped == '\\')
}
