//! A value that can be compared and handed to a provider, but never printed.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// An environment value or a key value.
///
/// `Debug` hides it, and it serialises as a fingerprint that is salted anew in each process: enough for the generic
/// diff to see that a value changes, useless to a reader. [`Secret::reveal`] is the one way to the value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

/// What a serialised secret starts with.
pub const FINGERPRINT_PREFIX: &str = "secret:";

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the provider that stores it and for `mdo key show`.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    fn fingerprint(&self) -> String {
        static SALT: LazyLock<[u8; 16]> = LazyLock::new(|| {
            let mut salt = [0; 16];
            if let Err(error) = getrandom::fill(&mut salt) {
                // Without a salt nobody knows, a fingerprint could be guessed back into its value.
                panic!("cannot read random numbers from the system: {error}");
            }
            salt
        });
        let digest = Sha256::new().chain_update(*SALT).chain_update(&self.0).finalize();
        format!("{FINGERPRINT_PREFIX}{digest:x}")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.fingerprint())
    }
}
