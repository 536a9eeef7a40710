//! Hides every secret of a run in text that came from outside: a refusal of a service may quote what was sent to it.
//!
//! The rule, by the length of a value:
//!
//! - 8 bytes and more: wherever it stands, also escaped as in JSON (once and twice), XML or a URL, in base64 (by itself or
//!   in the middle of something longer), line by line where it has several, and cut short at the end of a text.
//! - 4 to 7 bytes: where it stands as a word of its own.
//! - less: only behind the name of its variable, for it would stand in every other text.
//!
//! Behind the name of a variable (`NAME=`, `"NAME":`) whatever follows is hidden, be it known or not; so it is behind a name
//! in capitals that nobody knows. Names that mdo prints itself and plain words (`true`, `debug`) are no secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};

use mdo_model::project::Secret;

/// What stands in place of a secret.
pub const HIDDEN: &str = "***";

/// Values of fewer bytes are hidden behind their names only.
const SHORTEST: usize = 4;

/// Values of so many bytes are hidden also in the middle of a word.
const DISTINCT: usize = 8;

/// Values that tell nobody anything.
const PLAIN_WORDS: [&str; 14] = [
    "true", "false", "null", "none", "yes", "no", "on", "off", "trace", "debug", "info", "warn", "warning",
    "error",
];

/// Behind this, Lambda quotes the whole environment.
const MEASURED: &str = "String measured:";

/// Knows every secret value of a run.
#[derive(Debug, Default)]
pub struct Redactor {
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    /// The values in every form in which they may be quoted, by their first byte; longer ones first.
    forms: BTreeMap<u8, Vec<String>>,
    names: BTreeSet<String>,
    public: BTreeSet<String>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Known(hidden)")
    }
}

impl Redactor {
    /// Takes note of a name that mdo prints itself, so that a variable of the same value does not hide it.
    pub fn permit(&self, word: impl Into<String>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.public.insert(word.into());
    }

    /// Takes note of a value that must not be seen.
    pub fn learn(&self, value: &Secret) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.learn(value.reveal());
    }

    /// Takes note of the names and values of an environment.
    pub fn learn_environment(&self, environment: &BTreeMap<String, Secret>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in environment {
            known.names.insert(name.clone());
            known.learn(value.reveal());
        }
    }

    /// The text without any value that is known.
    pub fn clean(&self, text: &str) -> String {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let text = match text.split_once(MEASURED) {
            Some((before, _)) => format!("{before}{MEASURED} {HIDDEN}"),
            None => text.to_owned(),
        };
        known.without_assigned(&known.without_values(&text))
    }
}

impl Known {
    fn learn(&mut self, value: &str) {
        for part in std::iter::once(value).chain(value.lines().filter(|line| line.len() >= DISTINCT)) {
            for form in forms(part.trim()) {
                let is_short = form.len() < SHORTEST;
                let Some(first) = form.bytes().next().filter(|_| !is_short) else { continue };
                let same = self.forms.entry(first).or_default();
                if let Err(place) =
                    same.binary_search_by(|other| (form.len(), other).cmp(&(other.len(), &form)))
                {
                    same.insert(place, form);
                }
            }
        }
    }

    fn is_public(&self, value: &str) -> bool {
        self.public.contains(value) || PLAIN_WORDS.contains(&value.to_ascii_lowercase().as_str())
    }

    fn without_values(&self, text: &str) -> String {
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            match self.value_at(rest, clean.chars().next_back()) {
                Some(length) => {
                    clean.push_str(HIDDEN);
                    rest = &rest[length..];
                }
                None => {
                    clean.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
        }
        clean
    }

    /// How many bytes at the start of a text are a value, or the first part of one that is cut short there.
    fn value_at(&self, rest: &str, before: Option<char>) -> Option<usize> {
        let forms = self.forms.get(rest.as_bytes().first()?)?;
        forms.iter().find_map(|form| {
            if self.is_public(form) {
                return None;
            }
            if let Some(after) = rest.strip_prefix(form.as_str()) {
                let is_word = !before.is_some_and(is_of_word) && !after.starts_with(is_of_word);
                return (form.len() >= DISTINCT || is_word).then_some(form.len());
            }
            let common = common_prefix(rest, form);
            let after = &rest[common..];
            let is_cut = after.is_empty() || after.starts_with("...") || after.starts_with('…');
            (common >= DISTINCT && is_cut).then_some(common)
        })
    }

    /// Hides what is assigned to a variable in a text.
    fn without_assigned(&self, text: &str) -> String {
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic()) {
            let (before, word) = rest.split_at(start);
            clean.push_str(before);
            let end = word.find(|c| !is_of_word(c)).unwrap_or(word.len());
            let (name, after) = word.split_at(end);
            clean.push_str(name);
            rest = after;
            let Some(sign) = self.assignment(name, after) else { continue };
            let (sign, value) = after.split_at(sign);
            let length = assigned(value);
            if length > 0 {
                clean.push_str(sign);
                clean.push_str(HIDDEN);
                rest = &value[length..];
            }
        }
        clean.push_str(rest);
        clean
    }

    /// How long the sign between a variable's name and its value is, quotes included, if that is what follows the name.
    fn assignment(&self, name: &str, after: &str) -> Option<usize> {
        let is_known = self.names.contains(name);
        let is_in_capitals =
            name.len() > 1 && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        if !is_known && !is_in_capitals {
            return None;
        }
        let unquoted = after.trim_start_matches(is_quote);
        let is_quoted = unquoted.len() < after.len();
        let signed = unquoted.trim_start_matches(' ');
        let value = match signed.chars().next()? {
            '=' => &signed[1..],
            ':' if is_known || is_quoted => &signed[1..],
            _ => return None,
        };
        let value = value.trim_start_matches(' ').trim_start_matches(is_quote);
        Some(after.len() - value.len())
    }
}

/// How long the value at the start of a text is: to its closing quote, or to the end of the word.
fn assigned(value: &str) -> usize {
    let ends = |c: char| is_quote(c) || c.is_whitespace() || [',', ';', '}', ')', ']', '&'].contains(&c);
    value.find(ends).unwrap_or(value.len())
}

fn is_quote(c: char) -> bool {
    ['"', '\'', '\\', '`'].contains(&c)
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// How many bytes two texts have in common at their start.
fn common_prefix(one: &str, other: &str) -> usize {
    let same = one.char_indices().zip(other.chars()).take_while(|((_, a), b)| a == b);
    same.last().map_or(0, |((index, c), _)| index + c.len_utf8())
}

/// A value in every form in which it may be quoted.
fn forms(value: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::from([value.to_owned()]);
    if value.len() < SHORTEST {
        return forms;
    }
    let once = in_json(value);
    forms.insert(in_json(&once));
    forms.insert(once);
    forms.insert(in_xml(value));
    forms.insert(in_url(value, false));
    forms.insert(in_url(value, true));
    if value.len() >= DISTINCT {
        for offset in 0..3 {
            let text = in_base64(value.as_bytes(), offset);
            forms.insert(text.replace('+', "-").replace('/', "_"));
            forms.insert(text);
        }
    }
    forms
}

fn in_json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn in_xml(value: &str) -> String {
    value
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&apos;")
}

fn in_url(value: &str, plus: bool) -> String {
    let encoded = value.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        b' ' if plus => "+".to_owned(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

/// The digits of base64 that the bytes alone decide, when so many other bytes stand before them.
fn in_base64(bytes: &[u8], offset: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |index: usize| (bytes[index / 8] >> (7 - index % 8)) & 1;
    // A digit is six bits; the first whole one begins where the foreign bytes' last digit ends.
    let skipped = (6 - offset * 8 % 6) % 6;
    let digits = (bytes.len() * 8 - skipped) / 6;
    let digit = |index: usize| (0..6).fold(0, |digit, place| digit * 2 + bit(skipped + index * 6 + place));
    (0..digits).map(|index| char::from(DIGITS[usize::from(digit(index))])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knowing(variables: &[(&str, &str)]) -> Redactor {
        let redactor = Redactor::default();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value)));
        redactor.learn_environment(&variables.collect());
        redactor
    }

    #[test]
    fn the_refusal_of_a_too_large_environment_keeps_its_words_and_loses_the_environment() {
        let refusal = "Lambda was unable to configure your environment variables because the environment variables you \
                       have provided exceeded the 4KB limit. String measured: {\"A\":\"unknown\"}";
        let clean = Redactor::default().clean(refusal);
        assert!(clean.ends_with("exceeded the 4KB limit. String measured: ***"), "{clean}");
    }

    #[test]
    fn a_value_is_hidden_in_every_form_in_which_it_may_be_quoted() {
        let value = "pa\"ss w<ord/+é";
        let redactor = knowing(&[("TOKEN", value)]);
        let url = "pa%22ss%20w%3Cord%2F%2B%C3%A9";
        for quoted in [value, r#"pa\"ss w<ord/+é"#, r#"pa\\\"ss w<ord/+é"#, "pa&quot;ss w&lt;ord/+é", url]
        {
            assert_eq!(redactor.clean(&format!("got [{quoted}]")), "got [***]", "{quoted}");
        }
    }

    #[test]
    fn a_value_is_hidden_in_base64_at_every_offset() {
        use base64::Engine as _;
        let redactor = knowing(&[("TOKEN", "open sesame!")]);
        for before in ["", "1", "22", "{\"TOKEN\":\""] {
            let text = base64::engine::general_purpose::STANDARD.encode(format!("{before}open sesame!\"}}"));
            let clean = redactor.clean(&text);
            assert!(clean.contains(HIDDEN), "{before}: {text} {clean}");
        }
    }

    #[test]
    fn a_short_value_is_hidden_as_a_word_and_a_shorter_one_behind_its_name() {
        let redactor = knowing(&[("PIN", "4711"), ("Mode", "x")]);
        assert_eq!(redactor.clean("4711, '4711', id 147110"), "***, '***', id 147110");
        assert_eq!(
            redactor.clean("x is Mode=x, {\"Mode\": \"x\"}, Mode: x"),
            "x is Mode=***, {\"Mode\": \"***\"}, Mode: ***"
        );
    }

    #[test]
    fn what_is_assigned_to_a_name_in_capitals_is_hidden_though_nobody_knows_it() {
        let clean = |text: &str| Redactor::default().clean(text);
        assert_eq!(clean("{DB_PASSWORD=one, B2=two}"), "{DB_PASSWORD=***, B2=***}");
        assert_eq!(clean(r#"{\"DB_PASSWORD\":\"one\"}"#), r#"{\"DB_PASSWORD\":\"***\"}"#);
        let plain = "An ARN: arn:aws:lambda:eu-west-1:1:function:f is not valid; KMS: no";
        assert_eq!(clean(plain), plain);
    }

    #[test]
    fn a_value_cut_short_at_the_end_is_hidden() {
        let redactor = knowing(&[("TOKEN", "correct horse battery")]);
        assert_eq!(redactor.clean("value 'correct horse bat"), "value '***");
        assert_eq!(redactor.clean("value correct horse... is bad"), "value ***... is bad");
        assert_eq!(redactor.clean("correct horseradish"), "correct horseradish");
    }

    #[test]
    fn each_line_of_a_long_value_is_hidden() {
        let redactor = knowing(&[("KEY", "-----BEGIN-----\nMIIBsecretsecret\n-----END-----")]);
        assert_eq!(redactor.clean("bad line MIIBsecretsecret"), "bad line ***");
    }

    #[test]
    fn names_that_mdo_prints_itself_and_plain_words_stay() {
        let redactor = knowing(&[("TABLE", "shop_echo"), ("LEVEL", "debug")]);
        redactor.permit("shop_echo");
        assert_eq!(redactor.clean("function shop_echo: debug"), "function shop_echo: debug");
        assert_eq!(redactor.clean("TABLE=shop_echo"), "TABLE=***");
    }

    #[test]
    fn a_redactor_does_not_print_what_it_knows() {
        assert!(!format!("{:?}", knowing(&[("TOKEN", "open sesame")])).contains("sesame"));
    }
}
