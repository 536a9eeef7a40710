//! The command line as a user meets it on this machine: what each verb prints, refuses, keeps and answers.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod annotations;
mod builds;
mod check;
mod completions;
mod consent;
mod console;
mod container;
mod contract;
mod deploy_local;
mod derivatives;
mod dev;
mod doctor;
mod engine;
mod errors;
mod events;
mod explain;
mod export;
mod image;
mod init;
mod invoke;
mod key;
mod logs;
mod manual;
mod own_folder;
mod pipeline;
mod plan;
mod policy;
mod prune;
mod reference;
mod release;
mod runtimes;
mod secrets;
mod status;
mod talk;
mod usage;
mod warm;
