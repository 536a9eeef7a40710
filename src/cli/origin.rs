//! Where a deploy comes from: the commit, who runs it, and a name for the run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

use mdo_engine::Origin;

/// The environment variables that say who runs this: pipelines know that better than their machines do.
const DEPLOYERS: [&str; 4] = ["GITHUB_ACTOR", "GITLAB_USER_LOGIN", "USER", "LOGNAME"];

/// The most letters of a name that are recorded.
const LONGEST: usize = 40;

/// Finds out where a deploy of the project in `root` comes from.
pub(super) fn find(root: &Path) -> Origin {
    let deployer = DEPLOYERS.iter().find_map(|name| Some(word(&std::env::var(name).ok()?)));
    Origin { source: source(root), deployer: deployer.filter(|name| !name.is_empty()), run: run() }
}

/// The commit that the project's folder is at, if it is under git.
fn source(root: &Path) -> Option<String> {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]).current_dir(root);
    let answer = git.stderr(Stdio::null()).output().ok()?;
    let revision = String::from_utf8(answer.stdout).ok()?.trim().to_owned();
    (answer.status.success() && !revision.is_empty()).then_some(revision)
}

/// What no other run of the same second on this machine has: seconds and the process.
fn run() -> String {
    let seconds = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    format!("{seconds:x}-{:x}", std::process::id())
}

/// A name as one word of letters that every provider takes.
fn word(name: &str) -> String {
    let letter =
        |letter: char| if letter.is_ascii_alphanumeric() || "-_.@".contains(letter) { letter } else { '_' };
    name.trim().chars().take(LONGEST).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word() {
        assert_eq!(word(" Ada Lovelace]\n"), "Ada_Lovelace_");
        assert_eq!(word(&"x".repeat(99)).len(), LONGEST);
    }
}
