//! What people see of a function's text: its files by the names under which the user knows them, and lines as lines.
//!
//! A function runs from an unpacked copy of its package, and its traces name the copy. On Lambda they name `/var/task`; here they name the
//! folder that the user edits. That holds for log lines and error documents, never for answers.

use std::path::Path;

use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What a path is written with in a URL: `pathToFileURL` of Node.js.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// How Lambda indents the lines of a trace, for which CloudWatch would drop blanks.
const NO_BREAK_SPACE: char = '\u{a0}';

/// How Python and Node.js begin to say that a file is not there; its name follows in quotes.
const MISSING: [&str; 2] = ["No such file or directory", "no such file or directory"];
/// The longest text between that and the name: Node.js tells the call, `, copyfile '`.
const LONGEST_CALL: usize = 16;

/// What to write in place of the unpacked copy's folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// Texts, each with what is shown instead: a longer one is before one that is a part of it.
    replaced: Vec<(String, String)>,
}

impl Shown {
    /// Shows `folder` in place of `code`; without one, what is written is shown.
    pub(super) fn new(code: &Path, folder: Option<&Path>) -> Self {
        let Some(folder) = folder else { return Self::default() };
        let shown = folder.display().to_string();
        // Node.js tells the path without links.
        let real = code.canonicalize().ok();
        let codes =
            [Some(code), real.as_deref()].into_iter().flatten().map(|code| code.display().to_string());
        let codes: Vec<String> = codes.collect();
        let urls = codes.iter().map(|code| format!("file://{}", utf8_percent_encode(code, PATH)));
        let replaced = urls.chain(codes.iter().cloned()).map(|code| (code, shown.clone())).collect();
        Self { replaced }
    }

    /// The lines of a line of the log: Lambda's runtimes separate the lines of one event by carriage returns.
    pub(super) fn lines(&self, line: &[u8]) -> Vec<String> {
        let text = self.text(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned());
        if !text.contains('\r') {
            return vec![text];
        }
        let indented = |line: &str| {
            let rest = line.trim_start_matches(NO_BREAK_SPACE);
            let indent = line.chars().count() - rest.chars().count();
            format!("{}{rest}", " ".repeat(indent))
        };
        text.split('\r').map(indented).collect()
    }

    /// An error document of the function.
    pub(super) fn document(&self, document: Bytes) -> Bytes {
        match std::str::from_utf8(&document) {
            Ok(text) if self.replaced.iter().any(|(from, _)| text.contains(from)) => {
                self.text(text.to_owned()).into()
            }
            _ => document,
        }
    }

    fn text(&self, mut text: String) -> String {
        for (from, to) in &self.replaced {
            if text.contains(from) {
                text = replaced(&text, from, to);
            }
        }
        text
    }
}

/// A text with one path in place of another, but where it says that a file is missing: the user's folder may have it, and the package not.
fn replaced(text: &str, from: &str, to: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut last = 0;
    for (at, _) in text.match_indices(from) {
        let before = &text[last..at];
        let is_missing = MISSING.iter().any(|missing| {
            let rest = before.rfind(missing).map(|start| &before[start + missing.len()..]);
            rest.is_some_and(|rest| {
                rest.len() <= LONGEST_CALL && rest.ends_with('\'') && !rest.contains('\n')
            })
        });
        shown += before;
        shown += if is_missing { from } else { to };
        last = at + from.len();
    }
    shown + &text[last..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_by_the_names_that_the_user_knows() {
        let shown = Shown::new(Path::new("/home/a b/.mdo/code/5ca1"), Some(Path::new("functions/sample")));
        for (written, seen) in [
            (
                "File \"/home/a b/.mdo/code/5ca1/sample.py\", line 3",
                "File \"functions/sample/sample.py\", line 3",
            ),
            ("at file:///home/a%20b/.mdo/code/5ca1/index.mjs:3:9", "at functions/sample/index.mjs:3:9"),
            ("/home/a b/.mdo/code/other", "/home/a b/.mdo/code/other"),
        ] {
            assert_eq!(shown.lines(written.as_bytes()), [seen]);
            assert_eq!(shown.document(Bytes::from(written)), seen);
            assert_eq!(Shown::new(Path::new("/x"), None).lines(written.as_bytes()), [written]);
        }
    }

    #[test]
    fn a_file_that_is_missing_is_that_of_the_package() {
        let shown = Shown::new(Path::new("/code/5ca1"), Some(Path::new("functions/sample")));
        for (written, seen) in [
            (
                "ENOENT: no such file or directory, open '/code/5ca1/a.json' at /code/5ca1/index.mjs:3:9",
                "ENOENT: no such file or directory, open '/code/5ca1/a.json' at functions/sample/index.mjs:3:9",
            ),
            (
                "[Errno 2] No such file or directory: '/code/5ca1/a.json'",
                "[Errno 2] No such file or directory: '/code/5ca1/a.json'",
            ),
            ("cannot read '/code/5ca1/a.json'", "cannot read 'functions/sample/a.json'"),
        ] {
            assert_eq!(shown.lines(written.as_bytes()), [seen]);
            assert_eq!(shown.document(Bytes::from(written)), seen);
        }
    }

    #[test]
    fn the_lines_of_one_event_are_lines() {
        let shown = Shown::default();
        let line = "[ERROR] ValueError: no\rTraceback:\r\u{a0}\u{a0}File \"x.py\"\r\r";
        assert_eq!(
            shown.lines(line.as_bytes()),
            ["[ERROR] ValueError: no", "Traceback:", "  File \"x.py\"", ""]
        );
        assert_eq!(shown.lines("\u{a0}kept\r".as_bytes()), ["\u{a0}kept"]);
    }
}
