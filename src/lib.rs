//! mdo turns a folder of functions into a keyed, warm HTTP API, on AWS and on this machine.
//!
//! The parts are used by the `mdo` binary, its tests and its benchmarks; they are not a stable library.

pub mod apply;
pub mod cli;
pub mod output;
pub mod package;
pub mod project;
pub mod provider;
pub mod stack;
