//! What the integration tests stand on: the real mdo on a project of its own, an emulated AWS, an independent client of it,
//! and a recording proxy.
//!
//! Everything that needs the emulator lives in the one test binary `aws`, so that `cargo test` starts one server.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test binary uses the part that it needs, and a test may panic"
)]

pub mod account;
pub mod autoscaling;
pub mod browser;
pub mod client;
pub mod command;
pub mod contract;
pub mod disturbance;
pub mod emulator;
pub mod fault;
pub mod hosted;
pub mod http;
pub mod iam;
pub mod ministack;
pub mod moto;
pub mod operations;
pub mod podman;
pub mod project;
pub mod proxy;
pub mod python;
pub mod python_server;
pub mod recording;
pub mod rounds;
pub mod running;
pub mod serving;
pub mod strict;
pub mod uv;
pub mod venv;
pub mod workflow;
