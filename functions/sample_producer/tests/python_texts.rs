//! Numbers and texts as Python 3.11 reads and writes them.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use sample_producer::python::{float, int, json_float, repr_float, repr_text};

#[test]
fn floats_are_written_as_repr_writes_them() {
    for (value, text) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (0.1, "0.1"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (0.000012345, "1.2345e-05"),
        (-0.000099999, "-9.9999e-05"),
        (1.5e-7, "1.5e-07"),
        (1e15, "1000000000000000.0"),
        (9999999999999998.0, "9999999999999998.0"),
        (1e16, "1e+16"),
        (-1.234e17, "-1.234e+17"),
        (1e100, "1e+100"),
        (5e-324, "5e-324"),
        (f64::MAX, "1.7976931348623157e+308"),
        (814761438514405.0 + 0.25, "814761438514405.2"),
        (f64::NAN, "nan"),
        (f64::NEG_INFINITY, "-inf"),
    ] {
        assert_eq!(repr_float(value), text);
    }
}

#[test]
fn json_dumps_writes_what_is_not_json() {
    let mut out = String::new();
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-5] {
        json_float(&mut out, value);
        out.push(' ');
    }
    assert_eq!(out, "NaN Infinity -Infinity 1e-05 ");
}

#[test]
fn integers_are_read_as_int_reads_them() {
    for (text, value) in
        [("2", 2), (" \t\n\u{b}\u{c}\r-7\u{a0}\u{3000}", -7), ("+0_0_7", 7), ("-0", 0), ("٣", 3), ("𝟗1", 91)]
    {
        assert_eq!(int(text).unwrap().value(), value, "{text:?}");
    }
    for text in ["", " ", "+", "--1", "+ 1", "_1", "1_", "1__0", "1.0", "0x1", "1 2", "²", "\u{1c}1", "1\0"]
    {
        assert!(int(text).is_err(), "{text:?}");
    }
    assert_eq!(int("1\u{1f}").unwrap_err().to_string(), "invalid literal for int() with base 10: '1\\x1f'");
    let digits = "1".repeat(4301);
    assert_eq!(
        int(&digits).unwrap_err().to_string(),
        "Exceeds the limit (4300 digits) for integer string conversion: value has 4301 digits; \
         use sys.set_int_max_str_digits() to increase the limit"
    );
}

#[test]
fn floats_are_read_as_float_reads_them() {
    for (text, value) in [
        ("1_0.5_0", 10.5),
        (" .5 ", 0.5),
        ("1.", 1.0),
        ("+1e-5", 1e-5),
        ("٣.٥", 3.5),
        ("Infinity", f64::INFINITY),
        ("-INF", f64::NEG_INFINITY),
        ("1e400", f64::INFINITY),
    ] {
        assert_eq!(float(text), Some(value), "{text:?}");
    }
    assert!(float("NaN").unwrap().is_nan());
    for text in ["", ".", "e5", "1e", "1_.5", "_1", "1__0", "0x1p3", "in f", "1d5"] {
        assert_eq!(float(text), None, "{text:?}");
    }
}

#[test]
fn texts_are_quoted_as_repr_quotes_them() {
    for (text, quoted) in [
        ("abc", "'abc'"),
        ("it's", "\"it's\""),
        ("it's \"it\"", "'it\\'s \"it\"'"),
        ("\\\n\r\t\u{7f}\0", "'\\\\\\n\\r\\t\\x7f\\x00'"),
        ("é\u{301}\u{a0}\u{200b}\u{e0001}", "'é\u{301}\\xa0\\u200b\\U000e0001'"),
    ] {
        assert_eq!(repr_text(text), quoted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]

    #[test]
    fn a_written_float_reads_back_to_the_same_bits(bits: u64) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        let text = repr_float(value);
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits);
        prop_assert_eq!(float(&text).unwrap().to_bits(), bits);
    }

    #[test]
    fn the_form_of_a_written_float_is_python_s(significand in -1e3..1e3_f64, exponent in -30..30_i32) {
        let value = significand * 10_f64.powi(exponent);
        prop_assume!(value != 0.0);
        let text = repr_float(value);
        let positional = (1e-4..1e16).contains(&value.abs());
        prop_assert_eq!(positional, !text.contains('e'));
        prop_assert_eq!(positional, text.contains('.') && !text.contains('e'));
        if let Some((_, exponent)) = text.split_once('e') {
            prop_assert!(exponent.len() >= 3 && exponent.starts_with(['+', '-']));
            prop_assert!(!text.contains(".0e"));
        }
    }

    #[test]
    fn every_small_integer_is_read(value: i64) {
        prop_assert_eq!(int(&value.to_string()).unwrap().value(), i128::from(value));
    }
}
