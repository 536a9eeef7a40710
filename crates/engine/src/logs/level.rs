//! How serious a line of a log is, as far as it says so itself.

use std::str::FromStr;

use serde::Serialize;

/// How serious something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For who looks for a fault.
    Debug,
    /// Anything that says nothing else.
    #[default]
    Info,
    /// Worth looking into.
    Warn,
    /// Something went wrong.
    Error,
}

impl FromStr for Level {
    type Err = ();

    /// The words that logging libraries have for levels, in any case.
    fn from_str(word: &str) -> Result<Self, ()> {
        match word.to_ascii_lowercase().as_str() {
            "trace" | "debug" => Ok(Self::Debug),
            "info" | "information" | "notice" => Ok(Self::Info),
            "warn" | "warning" => Ok(Self::Warn),
            "error" | "fatal" | "critical" | "panic" => Ok(Self::Error),
            _ => Err(()),
        }
    }
}

/// How many words at the beginning of a line may be its level: a time, an id and a name come before it.
const WORDS: usize = 4;

impl Level {
    /// The level that a line says it has: in JSON by its `level`, in text by one of its first words.
    pub fn of(line: &str) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct Json {
            #[serde(alias = "severity", alias = "lvl")]
            level: String,
        }

        if line.starts_with("Traceback (most recent call last)") || is_panic(line) {
            return Some(Self::Error);
        }
        if line.starts_with('{') {
            return serde_json::from_str::<Json>(line).ok()?.level.parse().ok();
        }
        // A sentence may begin with any of these words; a level is written in capitals, or between brackets.
        let is_marked =
            |word: &str| word.starts_with('[') || word.bytes().all(|byte| byte.is_ascii_uppercase());
        let words = line.split(['\t', ' ']).filter(|word| !word.is_empty()).take(WORDS);
        let bare = |word: &str| word.trim_matches(['[', ']', ':']).to_owned();
        words
            .map(|word| word.trim_end_matches(':'))
            .filter(|word| is_marked(word))
            .find_map(|word| bare(word).parse().ok())
    }
}

/// Whether a line is the first of what a Rust program says when it panics.
pub(super) fn is_panic(line: &str) -> bool {
    line.starts_with("thread '") && line.contains(" panicked at ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_what_a_line_says_in_the_ways_of_the_usual_libraries() {
        let error = [
            "[ERROR]\t2026-11-27T12:00:00.000Z\t8d2f5f27\tboom",
            "2026-11-27T12:00:00.000Z\t8d2f5f27\tERROR\tboom",
            "2026-11-27T12:00:00.000000Z ERROR sample_producer: boom",
            "ERROR: boom",
            "{\"level\":\"error\",\"message\":\"boom\"}",
            "{\"severity\":\"CRITICAL\"}",
            "Traceback (most recent call last):",
            "thread 'main' (12) panicked at src/main.rs:3:5:",
        ];
        for line in error {
            assert_eq!(Level::of(line), Some(Level::Error), "{line}");
        }
        assert_eq!(Level::of("[WARNING] slow"), Some(Level::Warn));
        assert_eq!(Level::of("2026-11-27T12:00:00Z  INFO ready"), Some(Level::Info));
        for line in ["error while reading", "Error handling is hard", "", "{\"level\":3}", "A B C D ERROR"] {
            assert_eq!(Level::of(line), None, "{line}");
        }
        assert!(Level::Error > Level::Warn && Level::Warn > Level::Info && Level::Info > Level::Debug);
    }
}
