//! `NAME=value` typed in the wrong place: the message that says so shows the name, and never the value.

use std::ffi::OsString;

/// The text with the value of every assignment on the command line taken out.
pub(super) fn hide(text: &str) -> String {
    hide_in(text, std::env::args_os().skip(1).filter(|argument| !is_requirement(argument)))
}

/// Whether an argument names a package with its version, as pip does: `numpy==2.5.5`, `numpy>=2`. Nobody has to hide that.
fn is_requirement(argument: &OsString) -> bool {
    let Some((name, version)) = argument.to_str().and_then(|text| text.split_once('=')) else { return false };
    let package = name.trim_end_matches(['<', '>', '!', '~']);
    let compares = package.len() < name.len() || version.starts_with('=');
    let version = version.trim_start_matches('=');
    compares
        && !package.is_empty()
        && version.starts_with(|c: char| c.is_ascii_digit())
        && version.chars().all(|c| c.is_ascii_alphanumeric() || ".*+!,<>=~ ".contains(c))
        && version.len() < 32
}

fn hide_in(text: &str, arguments: impl Iterator<Item = OsString>) -> String {
    let mut shown = text.to_owned();
    for argument in arguments.filter_map(|argument| argument.into_string().ok()) {
        // Also behind a flag and without a blank: `--stage=NAME=value`, `-sNAME=value`.
        let attached = match argument.strip_prefix("--") {
            Some(long) => long.split_once('=').map(|(_, value)| value),
            None => argument.strip_prefix('-').and_then(|short| short.get(1..)),
        };
        for typed in [attached, Some(argument.as_str())].into_iter().flatten() {
            if let Some((name, value)) = typed.split_once('=').filter(|(name, _)| !name.starts_with('-'))
                && !value.is_empty()
            {
                shown = shown.replace(typed, &format!("{}=…", name_of(name)));
            }
        }
    }
    shown
}

/// What of a name may be shown: up to where it is none any more, for there a value may begin.
pub(super) fn name_of(name: &str) -> String {
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    name[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_a_package_is_no_value() {
        for argument in ["six==99.99", "numpy>=2", "numpy~=2.5", "a!=1", "numpy>=2,<3", "x<=1.0"] {
            assert!(is_requirement(&argument.into()), "{argument}");
        }
        for argument in ["TOKEN=hunter2", "TOKEN=", "TOKEN==hunter2", "--stage=TOKEN=1", "six"] {
            assert!(!is_requirement(&argument.into()), "{argument}");
        }
    }

    #[test]
    fn a_value_is_hidden_wherever_its_assignment_was_typed() {
        let hidden = |text, argument: &str| hide_in(text, [OsString::from(argument)].into_iter());
        assert_eq!(hidden("no subcommand 'TOKEN=hunter2'", "TOKEN=hunter2"), "no subcommand 'TOKEN=…'");
        assert_eq!(hidden("'TOKEN=hunter2' is no stage", "--stage=TOKEN=hunter2"), "'TOKEN=…' is no stage");
        assert_eq!(hidden("'TOKEN=hunter2'", "-sTOKEN=hunter2"), "'TOKEN=…'");
        assert_eq!(hidden("'AA\"hunter2=x'", "AA\"hunter2=x"), "'AA=…'");
        assert_eq!(hidden("no stage 'prod!'", "--stage=prod!"), "no stage 'prod!'");
    }
}
