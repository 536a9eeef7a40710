//! What a token of GitHub is asked about: a repository, a branch, an environment, each checked where it enters.

use std::fmt;
use std::str::FromStr;

/// A repository of GitHub, written `github:OWNER/REPO`.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Repository(String);

impl Repository {
    /// `OWNER/REPO`.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "github:{}", self.0)
    }
}

impl FromStr for Repository {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = || format!("`{text}` is not a repository: write github:OWNER/REPO");
        let name = text.strip_prefix("github:").ok_or_else(wanted)?;
        let (owner, repository) = name.split_once('/').ok_or_else(wanted)?;
        let is_owner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let is_fine = !owner.is_empty()
            && owner.chars().all(is_owner)
            && !repository.is_empty()
            && repository.chars().all(is_name);
        is_fine.then(|| Self(name.to_owned())).ok_or_else(wanted)
    }
}

/// The name of a branch, in which `*` stands for any text.
#[derive(Clone, Debug)]
pub(in crate::cli) struct BranchPattern(String);

impl fmt::Display for BranchPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BranchPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_none = text.is_empty() || text.chars().any(|c| c.is_whitespace() || "~^:?[\\$".contains(c));
        match text.strip_prefix("refs/heads/") {
            Some(name) => Err(format!("`{text}` is a reference: name the branch alone, `{name}`")),
            None if is_none => Err(format!("`{text}` is not the name of a branch")),
            None => Ok(Self(text.to_owned())),
        }
    }
}

/// The name of an environment of GitHub.
#[derive(Clone, Debug)]
pub(in crate::cli) struct EnvironmentName(String);

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EnvironmentName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_none = text.is_empty() || text.chars().any(|c| c.is_control() || "*?:$".contains(c));
        match is_none {
            true => Err(format!("`{text}` is not a name of an environment that a policy can name")),
            false => Ok(Self(text.to_owned())),
        }
    }
}
