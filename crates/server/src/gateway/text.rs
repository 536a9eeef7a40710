//! Percent-encoding and query strings, read as API Gateway reads them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Decodes percent-encoded text; what is not UTF-8 becomes replacement characters.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// The parameters of a query string, in order. A `;` splits as a `&` does.
///
/// See "Important notes for REST APIs" in the API Gateway developer guide.
pub(super) fn query(raw: &str) -> Vec<(String, String)> {
    raw.split(['&', ';'])
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (form(name), form(value))
        })
        .collect()
}

fn form(text: &str) -> String {
    if text.contains('+') { decode(&text.replace('+', " ")).into_owned() } else { decode(text).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_keeps_order_and_empty_values() {
        let read = query("a=1&b=x+y%2B%C3%A9&a=2&c&=d&&e=f=g;h=i");
        let pairs: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected =
            [("a", "1"), ("b", "x y+é"), ("a", "2"), ("c", ""), ("", "d"), ("e", "f=g"), ("h", "i")];
        assert_eq!(pairs, expected);
    }

    #[test]
    fn what_is_not_an_escape_stays() {
        assert_eq!(decode("100%zz%"), "100%zz%");
    }
}
