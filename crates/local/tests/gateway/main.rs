//! The REST front, whole: a real server, real sockets, and functions of a few lines of Python.
#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod admission;
mod binary;
#[path = "../support/connection.rs"]
mod connection;
mod refusals;
mod requests;
mod running;
mod serving;
#[path = "../support/stack.rs"]
mod stack;
