//! The program `mdo-server` as a container runs it: what it serves, what it tells, how it ends, and what it refuses to start with.
#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

mod balancer;
mod configuration;
mod container;
mod fixture;
mod log;
mod rolling;
mod sandboxes;
mod stopping;
