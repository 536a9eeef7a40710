//! The files of an image that somebody else has made: in a folder, or in a tar.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::tar_read::{self, Kind, Seeking};

/// The most bytes of a manifest, an index or a configuration.
const MOST_TEXT: u64 = 4 * 1024 * 1024;

/// An OCI layout in a folder, or a tar that holds one or a docker-archive.
pub(super) struct Source {
    path: PathBuf,
    /// Where each file begins and how long it is, in bytes; links by what they lead to. None for a folder.
    index: Option<BTreeMap<String, Place>>,
}

enum Place {
    Here {
        at: u64,
        size: u64,
    },
    /// `docker save` writes a layer once, and links to it.
    Link(String),
}

impl Source {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if fs::metadata(path)?.is_dir() {
            return Ok(Self { path: path.to_owned(), index: None });
        }
        let mut index = BTreeMap::new();
        let mut tar = Seeking(BufReader::new(File::open(path)?));
        tar_read::entries(&mut tar, |entry, _| {
            let place = match &entry.kind {
                Kind::File => Place::Here { at: entry.at, size: entry.size },
                Kind::Link(to) => Place::Link(beside(&entry.name, to)),
                Kind::Folder | Kind::Other => return Ok(()),
            };
            index.insert(entry.name.clone(), place);
            Ok(())
        })?;
        if index.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a tar archive"));
        }
        Ok(Self { path: path.to_owned(), index: Some(index) })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A whole short file, `None` if there is none of this name.
    pub(super) fn text(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let mut text = Vec::new();
        match self.file(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?.take(MOST_TEXT + 1).read_to_end(&mut text)?,
        };
        if text.len() as u64 > MOST_TEXT {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("{name} is larger than 4 MB")));
        }
        Ok(Some(text))
    }

    /// A file.
    pub(super) fn file(&self, name: &str) -> io::Result<Box<dyn Read>> {
        let Some(index) = &self.index else {
            // The names come from the image.
            let is_within = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
            let path = is_within.then(|| self.path.join(name)).ok_or_else(|| missing(name))?;
            return match File::open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing(name)),
                file => Ok(Box::new(BufReader::new(file?))),
            };
        };
        let place = match index.get(name) {
            Some(Place::Link(to)) => index.get(to),
            place => place,
        };
        let Some(Place::Here { at, size }) = place else { return Err(missing(name)) };
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(*at))?;
        Ok(Box::new(BufReader::new(file.take(*size))))
    }
}

fn missing(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("it has no {name}"))
}

/// What a link in an archive leads to, as a name in the archive.
fn beside(name: &str, link: &str) -> String {
    let mut parts: Vec<_> = name.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
