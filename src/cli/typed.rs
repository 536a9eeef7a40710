//! The command line as it was typed, for messages that say how to go on.

use std::path::Path;

use super::assigned;

/// The command as it can be typed again, without the value of any variable.
pub(super) fn command() -> String {
    let arguments = std::env::args_os().skip(1);
    let words = arguments.map(|argument| shell_word(&argument.to_string_lossy()));
    assigned::hide(&std::iter::once("mdo".to_owned()).chain(words).collect::<Vec<_>>().join(" "))
}

/// How this program can be called again: by name when the shell finds it, by path otherwise.
pub(super) fn program() -> String {
    let name = "mdo".to_owned();
    let Ok(own) = std::env::current_exe() else {
        return name;
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("mdo")).find(|path| path.is_file());
    if found.and_then(|path| path.canonicalize().ok()) == own.canonicalize().ok() {
        return name;
    }
    let here = std::env::current_dir().unwrap_or_default();
    let near = own.strip_prefix(here).map(|path| Path::new(".").join(path));
    shell_word(&near.unwrap_or(own).display().to_string())
}

/// A text as one word of a shell's command line.
pub(super) fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:=-".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
