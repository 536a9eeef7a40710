//! The sizes of tasks that Fargate offers. From AWS's page "Task CPU and memory" for Fargate on Linux, November 2026.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The processor and the memory of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSize {
    /// The processor in units of 1/1024 vCPU.
    pub cpu: u32,
    /// The memory in MB.
    pub memory: u32,
}

/// For each number of CPU units: the least memory, the most, and the step between, in MB.
const SIZES: [(u32, u32, u32, u32); 7] = [
    // 0.25 vCPU comes with 512, 1024 and 2048 MB: see `memories`.
    (256, 512, 2048, 0),
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16_384, 1024),
    (4096, 8192, 30_720, 1024),
    (8192, 16_384, 61_440, 4096),
    (16_384, 32_768, 122_880, 8192),
];

/// The CPU units of one vCPU.
const UNITS: f64 = 1024.0;

impl TaskSize {
    /// The smallest task.
    pub const SMALLEST: Self = Self { cpu: 256, memory: 512 };

    /// Every size that Fargate offers, from the smallest.
    fn all() -> impl Iterator<Item = Self> {
        SIZES.into_iter().flat_map(|(cpu, least, most, step)| {
            memories(least, most, step).map(move |memory| Self { cpu, memory })
        })
    }

    /// The size of `vcpu` processors and `memory` MB.
    ///
    /// # Errors
    /// When Fargate does not offer it: then the nearest size with at least as much of both, or the largest one.
    pub fn new(vcpu: f64, memory: u32) -> Result<Self, Self> {
        let is_this = |size: &Self| f64::from(size.cpu) == vcpu * UNITS && size.memory == memory;
        if let Some(size) = Self::all().find(is_this) {
            return Ok(size);
        }
        let is_enough = |size: &Self| f64::from(size.cpu) >= vcpu * UNITS && size.memory >= memory;
        let largest = Self { cpu: 16_384, memory: 122_880 };
        Err(Self::all().find(is_enough).unwrap_or(largest))
    }

    /// How many vCPUs it has.
    pub fn vcpu(self) -> f64 {
        f64::from(self.cpu) / UNITS
    }
}

impl fmt::Display for TaskSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} vCPU, {} MB", self.vcpu(), self.memory)
    }
}

fn memories(least: u32, most: u32, step: u32) -> Box<dyn Iterator<Item = u32>> {
    match usize::try_from(step) {
        Ok(step) if step > 0 => Box::new((least..=most).step_by(step)),
        _ => Box::new([least, least * 2, most].into_iter()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_that_fargate_has_not_is_answered_by_the_nearest_with_as_much_of_both() {
        for (vcpu, memory, nearest) in [
            (0.25, 768, (256, 1024)),
            (0.25, 1536, (256, 2048)),
            (0.25, 3072, (512, 3072)),
            (0.3, 512, (512, 1024)),
            (1.0, 512, (1024, 2048)),
            (3.0, 8192, (4096, 8192)),
            (8.0, 20_000, (8192, 20_480)),
            (32.0, 512, (16_384, 122_880)),
            (16.0, 999_999, (16_384, 122_880)),
        ] {
            let (cpu, of_memory) = nearest;
            assert_eq!(
                TaskSize::new(vcpu, memory),
                Err(TaskSize { cpu, memory: of_memory }),
                "{vcpu} {memory}"
            );
        }
    }

    #[test]
    fn every_pair_of_aws_page_is_offered() {
        for (vcpu, memory) in [
            (0.25, 512),
            (0.25, 1024),
            (0.25, 2048),
            (0.5, 1024),
            (0.5, 4096),
            (1.0, 2048),
            (1.0, 8192),
            (2.0, 16_384),
            (4.0, 30_720),
            (8.0, 16_384),
            (8.0, 61_440),
            (16.0, 32_768),
            (16.0, 122_880),
        ] {
            let size = TaskSize::new(vcpu, memory).unwrap();
            assert_eq!((size.vcpu(), size.memory), (vcpu, memory));
        }
        assert_eq!(TaskSize::all().count(), 3 + 4 + 7 + 13 + 23 + 12 + 12);
    }
}
