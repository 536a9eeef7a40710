//! What the user wrote ([`project`]), what should be ([`stack`]) and what a container is told of it ([`hosted`]). It reads the
//! project's files and does no other I/O.

pub mod hosted;
mod number;
pub mod project;
pub mod quotas;
mod sha256;
pub mod stack;

pub use number::thousands;
pub use sha256::{InvalidSha256, Sha256};
