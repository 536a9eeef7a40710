//! What the description of a layer version of ours records: layers bear no tags.

use std::fmt;

use mdo_model::Sha256;

/// What the description of every layer version of ours begins with.
const MARK: &str = "mdo";

/// What a version is a part of, and what it was built from. More may follow it in the description, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub project: String,
    pub inputs: Sha256,
    /// Which part of how many.
    pub part: usize,
    pub parts: usize,
}

impl Record {
    /// Reads a description; `None` for that of somebody else.
    pub(super) fn read(description: &str) -> Option<Self> {
        let mut words = description.split(' ');
        let (mark, project, inputs) = (words.next()?, words.next()?, words.next()?);
        let (part, parts) = words.next()?.strip_prefix("part=")?.split_once('/')?;
        (mark == MARK).then_some(Self {
            project: project.to_owned(),
            inputs: inputs.parse().ok()?,
            part: part.parse().ok()?,
            parts: parts.parse().ok()?,
        })
    }
}

/// How large a version is, in bytes, as far as its description says: it stands behind the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    /// The files of the whole derivative.
    pub unzipped: Option<u64>,
    /// The zip of this part. Earlier versions do not say it.
    pub zipped: Option<u64>,
}

impl Sizes {
    /// Reads them from a description.
    pub(super) fn read(description: &str) -> Self {
        let number = |key: &str| description.split(' ').find_map(|word| word.strip_prefix(key)?.parse().ok());
        Self { unzipped: number("raw="), zipped: number("size=") }
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.unzipped.map_or(Ok(()), |bytes| write!(f, " raw={bytes}"))?;
        self.zipped.map_or(Ok(()), |bytes| write!(f, " size={bytes}"))
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { project, inputs, part, parts } = self;
        write!(f, "{MARK} {project} {inputs} part={part}/{parts}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_no_other_description_is_one() {
        let project = "x".repeat(32);
        let record = Record { project, inputs: Sha256::of(b"in"), part: 2, parts: 3 };
        let sizes = Sizes { unzipped: Some(262_144_000), zipped: Some(52_428_800) };
        let description = format!("{record} zip={}{sizes}", Sha256::of(b"zip"));
        // Lambda takes no longer one.
        assert!(description.len() <= 256, "{description}");
        assert_eq!(Record::read(&description), Some(record.clone()));
        assert_eq!(Sizes::read(&description), sizes);
        assert_eq!(Sizes::read(&record.to_string()), Sizes::default());
        for foreign in ["", "mdo", "mdo ml_api", "Powertools for Lambda", "mdo ml_api abc part=1/1"] {
            assert_eq!(Record::read(foreign), None, "{foreign}");
        }
    }
}
