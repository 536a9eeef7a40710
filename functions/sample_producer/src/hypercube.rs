//! Which corners of the hypercube the clusters sit on: distinct ones, chosen as scikit-learn chooses them.

use crate::random::RandomState;
use std::collections::HashSet;

/// Above this many dimensions the leftmost ones are drawn bit by bit, without care for distinctness.
pub const CHOSEN_DIMENSIONS: usize = 30;

/// How K distinct numbers below P are chosen; depends on K/P only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Shuffle all P and keep the first K.
    Shuffle,
    /// Draw, and draw again what was already taken.
    Redraw,
    /// Keep the first K, and let later ones replace them.
    Reservoir,
}

impl Choice {
    /// The way for K of 2^`dimensions` corners, `dimensions` at most 30.
    pub fn of(clusters: usize, dimensions: usize) -> Self {
        let ratio = clusters as f64 / (1_u64 << dimensions) as f64;
        if ratio > 0.01 && ratio < 0.99 {
            Self::Shuffle
        } else if ratio < 0.2 {
            Self::Redraw
        } else {
            Self::Reservoir
        }
    }
}

/// K corners of a hypercube, one bit per dimension.
pub struct Corners {
    dimensions: usize,
    /// The bits beyond the thirtieth from the right, row-major, for more than 30 dimensions.
    leftmost: Vec<bool>,
    /// The right 30 (or fewer) dimensions of each corner, first dimension in the highest bit.
    chosen: Vec<u32>,
}

impl Corners {
    /// Draws `clusters` corners of a hypercube with `dimensions` (≥ 1) dimensions, at most 2^`dimensions`.
    pub fn draw(random: &mut RandomState, clusters: usize, dimensions: usize) -> Self {
        let leftmost_dimensions = dimensions.saturating_sub(CHOSEN_DIMENSIONS);
        let leftmost = (0..clusters * leftmost_dimensions).map(|_| random.at_most(1) == 1).collect();
        let chosen = choose(random, clusters, dimensions.min(CHOSEN_DIMENSIONS));
        Self { dimensions, leftmost, chosen }
    }

    /// The coordinates, 0 or 1, of one corner.
    pub fn coordinates(&self, cluster: usize) -> impl Iterator<Item = f64> + '_ {
        let leftmost_dimensions = self.dimensions.saturating_sub(CHOSEN_DIMENSIONS);
        let leftmost = &self.leftmost[cluster * leftmost_dimensions..(cluster + 1) * leftmost_dimensions];
        let chosen = self.chosen[cluster];
        let right = (0..self.dimensions - leftmost_dimensions).rev();
        leftmost
            .iter()
            .map(|bit| f64::from(u8::from(*bit)))
            .chain(right.map(move |position| f64::from(chosen >> position & 1)))
    }
}

/// K distinct numbers below 2^`dimensions`.
fn choose(random: &mut RandomState, clusters: usize, dimensions: usize) -> Vec<u32> {
    let population = 1_u32 << dimensions;
    match Choice::of(clusters, dimensions) {
        Choice::Shuffle => {
            let mut all: Vec<u32> = (0..population).collect();
            random.shuffle(&mut all);
            all.truncate(clusters);
            all.shrink_to_fit();
            all
        }
        Choice::Redraw => {
            let mut taken = HashSet::with_capacity(clusters);
            (0..clusters)
                .map(|_| {
                    loop {
                        let number = random.at_most(population - 1);
                        if taken.insert(number) {
                            return number;
                        }
                    }
                })
                .collect()
        }
        Choice::Reservoir => {
            let mut kept: Vec<u32> = (0..clusters as u32).collect();
            for number in clusters as u32..population {
                let place = random.at_most(number) as usize;
                if let Some(kept) = kept.get_mut(place) {
                    *kept = number;
                }
            }
            kept
        }
    }
}
