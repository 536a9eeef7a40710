//! Managed runtimes on this machine: our clients of the Runtime API, beside Lambda's own where there is one to compare with.
#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod cases;
mod conformance;
mod function;
mod installed;
mod node;
mod node_rows;
mod python;
#[path = "../../../../tests/support/venv.rs"]
#[allow(unreachable_pub, reason = "a part of the tests of mdo, too")]
mod venv;
