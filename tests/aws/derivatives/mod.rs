//! Derivatives as layers: published once, shared, kept while they are in use, and none of anybody else's touched.
//!
//! Wheels are made by hand and uv looks nowhere else, so that no test needs the network.

mod fetching;
mod layers;
mod oversized;
mod painting;
mod pruning;
mod publishing;
mod removing;
mod scikit_learn;
mod sharing;
mod splitting;
#[path = "../../../crates/package/tests/package/derivative/wheel.rs"]
#[expect(dead_code, reason = "these tests need a part of it")]
mod wheel;

pub(crate) use self::painting::Painting;
pub(crate) use self::pruning::leaves_behind;
use crate::support::uv;
