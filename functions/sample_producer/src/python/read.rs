//! `int()` and `float()` of a text.

use super::digits::to_ascii;
use super::repr::repr_text;
use std::fmt;

/// Above this many digits Python refuses to read an integer (its default `sys.set_int_max_str_digits`).
const MOST_DIGITS: usize = 4300;

/// An integer of any size: its decimal text, and its value where 128 bits hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integer {
    text: String,
    value: i128,
}

impl Integer {
    /// The value; beyond 128 bits the nearest one that they hold.
    pub fn value(&self) -> i128 {
        self.value
    }

    /// The nearest double, ties to even, infinite where Python raises `OverflowError`.
    pub fn to_float(&self) -> f64 {
        self.text.parse().unwrap_or(f64::NAN)
    }

    fn from_digits(negative: bool, digits: &str) -> Self {
        let digits = digits.trim_start_matches('0');
        let text = match (digits, negative) {
            ("", _) => "0".to_owned(),
            (digits, true) => format!("-{digits}"),
            (digits, false) => digits.to_owned(),
        };
        let value = text.parse().unwrap_or(if negative { i128::MIN } else { i128::MAX });
        Self { text, value }
    }
}

impl From<i128> for Integer {
    fn from(value: i128) -> Self {
        Self { text: value.to_string(), value }
    }
}

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A text that `int()` refuses; displays as the message of Python's `ValueError`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnInteger(String);

impl fmt::Display for NotAnInteger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Python 3.11's `int(text)`: surrounding whitespace, a sign, decimal digits of any script, single underscores
/// between digits.
pub fn int(text: &str) -> Result<Integer, NotAnInteger> {
    let ascii = to_ascii(text);
    let (negative, digits) = split_sign(trim(&ascii));
    let Some(digits) =
        without_underscores(digits).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
    else {
        let quoted: String = repr_text(text).chars().take(200).collect();
        return Err(NotAnInteger(format!("invalid literal for int() with base 10: {quoted}")));
    };
    if digits.len() > MOST_DIGITS {
        return Err(NotAnInteger(format!(
            "Exceeds the limit ({MOST_DIGITS} digits) for integer string conversion: value has {} digits; \
             use sys.set_int_max_str_digits() to increase the limit",
            digits.len()
        )));
    }
    Ok(Integer::from_digits(negative, &digits))
}

/// Python's `float(text)`: also `inf`, `infinity` and `nan` in any case; `None` where Python raises `ValueError`.
pub fn float(text: &str) -> Option<f64> {
    let ascii = to_ascii(text);
    without_underscores(trim(&ascii))?.parse().ok()
}

/// Python's ASCII whitespace; `char::is_ascii_whitespace` has no vertical tab.
fn trim(text: &str) -> &str {
    text.trim_matches(|c| matches!(c, ' ' | '\t'..='\r'))
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// `None` for an empty text or an underscore that does not stand between two digits.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_digit = |place: Option<usize>| place.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let stray = (0..bytes.len())
        .any(|at| bytes[at] == b'_' && !(is_digit(at.checked_sub(1)) && is_digit(Some(at + 1))));
    (!text.is_empty() && !stray).then(|| text.replace('_', ""))
}
