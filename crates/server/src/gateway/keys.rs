//! The API keys of a stage, compared in constant time.

use mdo_model::project::{KeyName, Secret};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// A key that was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Its short name.
    pub(super) name: KeyName,
    /// Its id.
    pub(super) id: String,
    /// Why it opens nothing, though it is known.
    pub(super) closed: Option<&'static str>,
}

/// The SHA-256 of a key's value: enough to recognise it, useless to who reads it.
pub type KeyDigest = [u8; 32];

/// The keys of a stage.
#[derive(Debug, Default)]
pub struct KeyRing {
    keys: Vec<(Known, KeyDigest)>,
}

impl KeyRing {
    /// A ring of enabled keys.
    pub fn new<'a>(keys: impl Iterator<Item = (&'a KeyName, &'a str, &'a Secret)>) -> Self {
        Self::of_digests(keys.map(|(name, id, value)| (name, id, digest(value.reveal().as_bytes()))))
    }

    /// A ring of enabled keys whose values nobody here knows.
    pub fn of_digests<'a>(keys: impl Iterator<Item = (&'a KeyName, &'a str, KeyDigest)>) -> Self {
        let known = |(name, id, digest): (&KeyName, &str, KeyDigest)| {
            (Known { name: name.clone(), id: id.to_owned(), closed: None }, digest)
        };
        Self { keys: keys.map(known).collect() }
    }

    /// Adds keys that open nothing, each with the reason that is told of a request with it.
    pub fn with_closed<'a>(
        mut self,
        keys: impl Iterator<Item = (&'a KeyName, &'a str, &'a Secret, &'static str)>,
    ) -> Self {
        self.keys.extend(keys.map(|(name, id, value, why)| {
            let known = Known { name: name.clone(), id: id.to_owned(), closed: Some(why) };
            (known, digest(value.reveal().as_bytes()))
        }));
        self
    }

    /// The key with a value. Takes as long for any value: every key is compared, by its whole digest.
    pub(super) fn find(&self, value: &[u8]) -> Option<&Known> {
        let given = digest(value);
        let mut found = u64::MAX;
        for (index, (_, digest)) in self.keys.iter().enumerate() {
            let same: Choice = digest.ct_eq(&given);
            found.conditional_assign(&(index as u64), same);
        }
        self.keys.get(usize::try_from(found).ok()?).map(|(known, _)| known)
    }

    /// The names of those that open.
    pub fn names(&self) -> impl Iterator<Item = &KeyName> {
        self.keys.iter().filter(|(known, _)| known.closed.is_none()).map(|(known, _)| &known.name)
    }
}

fn digest(value: &[u8]) -> KeyDigest {
    Sha256::digest(value).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_value_is_recognised() {
        let names: Vec<KeyName> = ["a", "b"].iter().map(|name| name.parse().unwrap()).collect();
        let values = [Secret::new("first"), Secret::new("second")];
        let ring = KeyRing::new(names.iter().zip(&values).map(|(name, value)| (name, "id", value)));
        assert_eq!(ring.find(b"second").unwrap().name.as_str(), "b");
        for wrong in [&b""[..], b"firs", b"first ", b"First"] {
            assert_eq!(ring.find(wrong), None);
        }
        assert_eq!(KeyRing::default().find(b""), None);
    }
}
