//! The line of a lock that says what it was made from, by which a stale lock is told without asking anybody.

use mdo_model::Sha256;

use super::requirements;
use super::wanted::UV_LOCK;

/// How the line begins.
const MADE_FROM: &str = "# mdo: ";

/// What the line says.
#[derive(Clone, Debug)]
pub(super) struct Origin<'a> {
    /// The minor version of the oldest Python.
    pub python: u8,
    /// The file that said what is wanted.
    pub file: &'a str,
    /// The digest of that file.
    pub wanted: &'a str,
    /// The digest of the `uv.lock` that the versions come from, if there was one.
    pub versions: Option<&'a str>,
    /// The digest of what was locked. Locks of early versions have none.
    pub packages: Option<&'a str>,
}

impl<'a> Origin<'a> {
    /// What a lock says of itself.
    pub(super) fn of(lock: &'a str) -> Option<Self> {
        lock.lines().find_map(Self::read)
    }

    fn read(line: &'a str) -> Option<Self> {
        let mut fields = line.strip_prefix(MADE_FROM)?.trim_end().split(", ");
        let python = fields.next()?.strip_prefix("python 3.")?.parse().ok()?;
        let mut digests =
            fields.filter_map(|field| Some((field.split_once(' ')?.0, field.rsplit(' ').next()?)));
        let (file, wanted) = digests.next()?;
        let (mut versions, mut packages) = (None, None);
        for (what, digest) in digests {
            match what {
                UV_LOCK => versions = Some(digest),
                _ => packages = Some(digest),
            }
        }
        Some(Self { python, file, wanted, versions, packages })
    }

    /// The line, without a newline at its end.
    pub(super) fn line(
        python: &str,
        (file, wanted): (&str, Sha256),
        versions: Option<Sha256>,
        packages: Sha256,
    ) -> String {
        let versions = versions.map_or_else(String::new, |digest| format!(", {UV_LOCK} sha256 {digest}"));
        format!("{MADE_FROM}python {python}, {file} sha256 {wanted}{versions}, packages sha256 {packages}")
    }

    /// Whether a lock holds what mdo wrote.
    pub(super) fn is_of(&self, lock: &str) -> bool {
        self.packages.is_none_or(|digest| digest == digest_of_packages(lock).to_string())
    }
}

/// The digest of what a lock pins, whatever its comments and line ends.
pub(super) fn digest_of_packages(lock: &str) -> Sha256 {
    Sha256::of(requirements::logical_lines(lock).join("\n").as_bytes())
}
