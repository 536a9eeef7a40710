//! Lets uv choose versions: of a `requirements.in` through `uv pip compile`, of a `pyproject.toml` through `uv lock` and `uv export`.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use mdo_model::project::{PYPROJECT, REQUIREMENTS};

use super::error::DerivativeError;
use super::lock::LockOptions;
use super::origin::Origin;
use super::requirements;
use super::uv::{self, Doing, UvFailure};
use super::wanted::{UV_LOCK, Wanted};
use super::{Observe, Tools};

/// One derivative being locked.
pub(super) struct Resolving<'a> {
    pub name: &'a str,
    pub folder: &'a Path,
    pub options: &'a LockOptions,
    pub tools: &'a Tools<'a>,
    /// Where uv writes what it has chosen.
    pub output: &'a Path,
    /// The lock as it was; empty where there was none.
    pub before: &'a str,
}

/// What uv has chosen.
pub(super) struct Resolved {
    /// In the format of requirements.txt.
    pub text: String,
    /// What was wrong with the lock before, as it reads after its path.
    pub distrusted: Option<&'static str>,
}

impl Resolving<'_> {
    /// Chooses the versions. Those of the lock before stay where they still fit, unless an upgrade is asked for.
    pub(super) fn resolve(&self, wanted: Wanted, observe: Observe) -> Result<Resolved, DerivativeError> {
        match wanted {
            Wanted::Requirements => self.compile(observe),
            Wanted::Pyproject => self.export(observe),
        }
    }

    fn compile(&self, observe: Observe) -> Result<Resolved, DerivativeError> {
        let origin = Origin::of(self.before);
        let is_edited = self.is_edited();
        let is_trusted = !is_edited && origin.is_some_and(|origin| origin.packages.is_some());
        let known = requirements::pinned(self.before);
        let mut kept = if is_trusted { self.before.to_owned() } else { requirements::versions_alone(&known) };
        let version = self.options.runtime.version();
        let mut arguments: Vec<&OsStr> =
            ["pip", "compile", REQUIREMENTS, "--universal", "--generate-hashes", "--no-header", "-q"]
                .map(OsStr::new)
                .to_vec();
        arguments.extend(["--python-version".as_ref(), OsStr::new(&version)]);
        arguments.extend(["--output-file".as_ref(), self.output.as_os_str()]);
        if self.options.upgrade {
            arguments.push("--upgrade".as_ref());
        }
        let mut run = |kept: &str| {
            // uv reads the versions to keep from the file that it writes to.
            fs::write(self.output, kept)
                .map_err(|source| DerivativeError::write(self.name, self.output, source))?;
            self.uv(Wanted::Requirements, &arguments, observe)
        };
        match run(&kept) {
            Err(error) if !kept.is_empty() && error.names(self.output) => {
                kept.clear();
                run(&kept)?;
            }
            done => done?,
        }
        let distrusted = match kept.is_empty() && !requirements::logical_lines(self.before).is_empty() {
            true => Some("cannot be read as a lock: every version is chosen anew"),
            false => is_edited
                .then_some("was edited by hand: its versions stay where they fit, its hashes are new"),
        };
        Ok(Resolved { text: self.chosen()?, distrusted })
    }

    fn export(&self, observe: Observe) -> Result<Resolved, DerivativeError> {
        let (name, folder) = (self.name, self.folder);
        let wanted = Wanted::Pyproject.digest(name, folder)?.to_string();
        let is_as_before =
            Origin::of(self.before).is_some_and(|origin| origin.file == PYPROJECT && origin.wanted == wanted);
        let uv_lock = folder.join(UV_LOCK);
        // A uv.lock of the same pyproject.toml is taken as it is, whichever index this machine has. Where it may be of
        // another one, uv changes no version that still fits.
        if self.options.upgrade || !is_as_before || !uv_lock.exists() {
            let mut arguments: Vec<&OsStr> = vec!["lock".as_ref()];
            if self.options.upgrade {
                arguments.push("--upgrade".as_ref());
            }
            self.uv(Wanted::Pyproject, &arguments, observe).map_err(|error| self.as_to_python(error))?;
        }
        self.check_python(&uv_lock)?;
        let mut arguments: Vec<&OsStr> = ["export", "--frozen", "--format", "requirements-txt"]
            .into_iter()
            .chain(["--no-emit-project", "--no-default-groups", "--no-header", "-q", "--output-file"])
            .map(OsStr::new)
            .collect();
        arguments.push(self.output.as_os_str());
        self.uv(Wanted::Pyproject, &arguments, observe).map_err(|error| self.as_to_python(error))?;
        let text = self.chosen()?;
        if let Some(package) = requirements::without_hash(&text) {
            return Err(DerivativeError::NoHash {
                name: name.to_owned(),
                folder: folder.to_owned(),
                package,
            });
        }
        let distrusted = self.is_edited().then_some("was edited by hand: it is written anew from uv.lock");
        Ok(Resolved { text, distrusted })
    }

    fn is_edited(&self) -> bool {
        Origin::of(self.before).is_some_and(|origin| !origin.is_of(self.before))
    }

    fn uv(&self, wanted: Wanted, arguments: &[&OsStr], observe: Observe) -> Result<(), DerivativeError> {
        uv::run(self.name, Doing::Lock(wanted), self.folder, arguments, self.tools, observe)
    }

    fn chosen(&self) -> Result<String, DerivativeError> {
        fs::read_to_string(self.output)
            .map_err(|source| DerivativeError::read(self.name, self.output, source))
    }

    /// uv refuses a Python that pyproject.toml does not allow. It was not the runtime's own, or the runtime is not allowed.
    fn as_to_python(&self, error: DerivativeError) -> DerivativeError {
        match error {
            DerivativeError::Uv { failure: UvFailure::OtherPython(range), .. } => {
                match allows(&range, self.options.runtime.minor()) {
                    true => DerivativeError::NoRuntimePython {
                        name: self.name.to_owned(),
                        needs: "locking its pyproject.toml",
                        runtime: self.options.runtime,
                        found: None,
                    },
                    false => self.refused(range),
                }
            }
            error => error,
        }
    }

    fn check_python(&self, uv_lock: &Path) -> Result<(), DerivativeError> {
        let text = fs::read_to_string(uv_lock).unwrap_or_default();
        let range = text.lines().find_map(|line| line.strip_prefix("requires-python = "));
        let range = range.map(|range| range.trim().trim_matches('"'));
        match range {
            Some(range) if !allows(range, self.options.runtime.minor()) => {
                Err(self.refused(range.to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn refused(&self, range: String) -> DerivativeError {
        DerivativeError::OtherPython {
            name: self.name.to_owned(),
            folder: self.folder.to_owned(),
            runtime: self.options.runtime,
            range,
        }
    }
}

/// Whether a range such as `>=3.12, <3.14` holds a release of Python 3 of this minor version.
fn allows(range: &str, minor: u8) -> bool {
    let minor = u32::from(minor);
    range.split(',').map(str::trim).all(|clause| {
        let version = clause.trim_start_matches(['<', '>', '=', '!', '~', ' ']);
        let operator = &clause[..clause.len() - version.len()];
        let mut numbers = version.split('.');
        let major = numbers.next().and_then(|number| number.parse::<u32>().ok());
        let bound = numbers.next().and_then(|number| number.parse::<u32>().ok());
        let patch = numbers.next();
        let (Some(major), Some(bound)) = (major, bound) else {
            // Of `<4` or `==3.*` only the first number decides.
            return match (operator.trim(), major) {
                ("<", Some(major)) => major > 3,
                (">" | "!=", Some(major)) => major != 3,
                _ => true,
            };
        };
        if major != 3 {
            return (major > 3) == operator.starts_with('<');
        }
        let is_within = patch.is_some_and(|patch| patch != "*" && patch != "0");
        match operator.trim() {
            ">=" | ">" => bound <= minor,
            "<=" => minor <= bound,
            "<" => minor < bound || (minor == bound && is_within),
            "!=" => minor != bound || patch.is_some_and(|patch| patch != "*"),
            "~=" if patch.is_none() => bound <= minor,
            _ => minor == bound,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::allows;

    #[test]
    fn a_range_holds_a_minor_version_of_which_it_holds_any_release() {
        let held = |range: &str| (11..=14).filter(|minor| allows(range, *minor)).collect::<Vec<_>>();
        assert_eq!(held(">=3.12"), [12, 13, 14]);
        assert_eq!(held(">=3.12.3, <3.14"), [12, 13]);
        assert_eq!(held(">3.12,<=3.13"), [12, 13]);
        assert_eq!(held("<3.13.2"), [11, 12, 13]);
        assert_eq!(held("==3.12.*"), [12]);
        assert_eq!(held("~=3.12"), [12, 13, 14]);
        assert_eq!(held("~=3.12.1"), [12]);
        assert_eq!(held(">=3.11, !=3.12.*, <4"), [11, 13, 14]);
        assert_eq!(held(">=3"), [11, 12, 13, 14]);
        assert_eq!(held("<3"), Vec::<u8>::new());
        assert_eq!(held(">=4.0"), Vec::<u8>::new());
    }
}
