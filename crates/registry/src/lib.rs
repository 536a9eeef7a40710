//! Speaks the OCI distribution protocol: fetches an image by digest, pushes one; it knows no AWS and no project.

mod authorization;
mod body;
mod client;
mod credentials;
mod docker_config;
mod error;
mod exchange;
mod fetch;
mod patience;
mod push;
mod reference;

use std::sync::Arc;
use std::time::Duration;

use mdo_model::Sha256;

pub use client::Client;
pub use credentials::Credentials;
pub use docker_config::DockerConfig;
pub use error::Error;
pub use exchange::Registry;
pub use fetch::{Fetched, Platform};
pub use patience::Patience;
pub use push::Pushed;
pub use reference::{InvalidReference, Reference, Repository};

/// What happens while an image travels.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A blob need not travel: the other side has it.
    There {
        /// The blob.
        digest: Sha256,
        /// Its size in bytes.
        size: u64,
    },
    /// So much of a blob has travelled. After a loss it begins again.
    Bytes {
        /// The blob.
        digest: Sha256,
        /// In bytes.
        done: u64,
        /// The blob's size in bytes.
        total: u64,
    },
    /// A try failed, and another one follows.
    Waiting {
        /// Why, in words.
        why: String,
        /// How long until then.
        wait: Duration,
    },
}

/// Who is told what happens.
pub type Observe = Arc<dyn Fn(Event) + Send + Sync>;
