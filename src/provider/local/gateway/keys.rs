//! The API keys of a stage, compared in constant time.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::project::{KeyName, Secret};

/// A key that was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Its short name.
    pub(super) name: KeyName,
    /// Its id.
    pub(super) id: String,
}

/// The enabled keys of a stage.
#[derive(Debug, Default)]
pub(in crate::provider::local) struct KeyRing {
    keys: Vec<(Known, [u8; 32])>,
}

impl KeyRing {
    /// A ring of enabled keys.
    pub(super) fn new<'a>(keys: impl Iterator<Item = (&'a KeyName, &'a str, &'a Secret)>) -> Self {
        let keys = keys.map(|(name, id, value)| {
            (Known { name: name.clone(), id: id.to_owned() }, digest(value.reveal().as_bytes()))
        });
        Self { keys: keys.collect() }
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

    /// The names.
    pub(in crate::provider::local) fn names(&self) -> impl Iterator<Item = &KeyName> {
        self.keys.iter().map(|(known, _)| &known.name)
    }
}

fn digest(value: &[u8]) -> [u8; 32] {
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
