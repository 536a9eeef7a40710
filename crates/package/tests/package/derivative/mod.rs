//! Derivatives: wheels made by hand in, trees and zips out; uv and Python are real, the network is not needed.

mod building;
mod checking;
mod locking;
mod locking_projects;
mod opening;
mod project;
mod refusing;
mod scikit_learn;
mod splitting;
#[path = "../../../../../tests/support/uv.rs"]
mod uv;
mod wheel;
