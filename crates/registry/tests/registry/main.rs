//! The protocol, told through the public functions: against Debian's `docker-registry`, and against registries made by hand that
//! behave as badly as real ones.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot set its stage fails")]

mod debian;
mod fetching;
mod hand_made;
mod image;
mod logins;
mod names;
mod pushing;
mod trouble;
