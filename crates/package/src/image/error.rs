//! Why there is no image.

use std::io;
use std::path::{Path, PathBuf};

use mdo_model::Sha256;
use mdo_model::project::Architecture;

use crate::error::write_help;
use crate::{OwnFolderError, UnpackError};

/// Why an image could not be made, read or written. Each variant names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The program is built for another processor than the image.
    #[error("{what} {} is built for {found}, and the image is for {architecture}", .path.display())]
    Architecture {
        /// What it is: `the server program`.
        what: String,
        /// The program.
        path: PathBuf,
        /// The processor that it is built for.
        found: String,
        /// That of the image.
        architecture: Architecture,
    },
    /// The server program is none.
    #[error("the server program {} is {found}, not a Linux program", .path.display())]
    NotAProgram {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// Something in the image starts only with a file that is not there.
    #[error("{what} needs {needs}, {}", if *.has_base { "which the base has not" } else { "and an image without a base has no such file" })]
    NotInBase {
        /// What needs it: `function sample_producer`.
        what: String,
        /// A path, or the name of a program.
        needs: String,
        /// Whether there is a base.
        has_base: bool,
    },
    /// The base is for another processor.
    #[error("the base is for {found}, and the image is for {architecture}")]
    OtherBase {
        /// The base's.
        found: Architecture,
        /// The image's.
        architecture: Architecture,
    },
    /// The base cannot be used.
    #[error("cannot use {} as the base: {reason}", .path.display())]
    Base {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        reason: String,
        /// What to do about it.
        help: String,
    },
    /// A zip is not the one that it is said to be.
    #[error("the sha256 of {} is {found}, not {declared}", .zip.display())]
    OtherZip {
        /// The zip.
        zip: PathBuf,
        /// Its digest.
        found: Sha256,
        /// The digest that it should have.
        declared: Sha256,
    },
    /// A zip cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// A derivative's folder cannot be called this.
    #[error("`{name}` cannot be the folder of a derivative in an image")]
    DerivativeName {
        /// The name.
        name: String,
    },
    /// Two functions or two derivatives have one folder.
    #[error("two parts of the image are to lie at /{place}")]
    Twice {
        /// The folder.
        place: String,
    },
    /// A layer's blob is no longer what it was.
    #[error("{} is damaged: its digest is not its name", .path.display())]
    Damaged {
        /// The blob.
        path: PathBuf,
    },
    /// The folder `.mdo` cannot be used.
    #[error(transparent)]
    OwnFolder(OwnFolderError),
    /// A file or folder could not be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file or folder could not be written.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Nobody waits for it any more.
    #[error("interrupted")]
    Abandoned,
}

impl ImageError {
    pub(super) fn base(path: &Path, reason: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Base { path: path.to_owned(), reason: reason.into(), help: help.into() }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Architecture { architecture, .. } => {
                format!(
                    "take the program for {architecture}, or build the functions for the program's processor"
                )
            }
            Self::NotAProgram { .. } => "name the program mdo-server, built for Linux".into(),
            Self::NotInBase { has_base: false, .. } => {
                "link it statically, or set `base` under `[server]` in project.toml to an image that has it"
                    .into()
            }
            Self::NotInBase { has_base: true, .. } => "take a base that has it, or link it statically".into(),
            Self::OtherBase { architecture, .. } => format!("take the base for {architecture}"),
            Self::Base { help, .. } => help.clone(),
            Self::OtherZip { .. } => "package it again".into(),
            Self::Unpack(error) => return error.help(),
            Self::DerivativeName { .. } => {
                "letters, digits, `.`, `-` and `_` are allowed, not first a `.`".into()
            }
            Self::Twice { .. } => "give one of them another name".into(),
            Self::Damaged { path } => format!("remove it and run again: rm '{}'", path.display()),
            Self::OwnFolder(error) => error.help(),
            Self::Write { source, .. } => return write_help(source),
            Self::Read { .. } | Self::Abandoned => return None,
        })
    }
}
