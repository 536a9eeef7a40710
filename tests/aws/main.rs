//! Tests against an emulated AWS. They are one binary, so that a run of `cargo test` starts one server.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod adoption;
mod alarms;
mod answers;
mod apart;
mod changes;
mod commands;
mod contract;
mod derivatives;
mod destroy;
mod doctor;
mod drift;
mod environment;
mod export;
mod faults;
mod first_deploy;
mod foreign_policies;
mod functions;
mod guide;
mod hosting;
mod live;
mod logs;
mod movement;
mod ownership;
mod packages;
mod permissions;
mod pipeline;
mod policy;
mod recording;
mod secrets;
mod smoke;
mod stages;
mod status;
mod tags;
mod trials;
mod trouble;
