//! The embedded Lambda runtime, with functions that speak the Runtime API in a few lines of Python.
#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod events;
mod failures;
mod fixture;
mod logs;
mod sandboxes;
mod strangers;
