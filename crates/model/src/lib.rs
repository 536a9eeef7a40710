//! What the user wrote ([`project`]) and what should be ([`stack`]). It reads the project's files and does no other I/O.

mod number;
pub mod project;
pub mod quotas;
mod sha256;
pub mod stack;

pub use number::thousands;
pub use sha256::{InvalidSha256, Sha256};
