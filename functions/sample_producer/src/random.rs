//! NumPy's legacy `RandomState`: the Mersenne Twister, and the draws that `make_classification` makes from it.

use crate::logarithm::ln;
use rand_mt::Mt;

const TWO_POW_26: f64 = 67_108_864.0;
const TWO_POW_53: f64 = 9_007_199_254_740_992.0;

/// A generator whose sequence equals that of `numpy.random.RandomState(seed)`.
pub struct RandomState {
    words: Mt,
    /// The polar method makes Gaussians in pairs; the second one waits here, across all other draws.
    spare: Option<f64>,
}

impl RandomState {
    /// The generator for an integer seed (NumPy seeds arrays differently; those are not offered).
    pub fn new(seed: u32) -> Self {
        Self { words: Mt::new(seed), spare: None }
    }

    /// A double in [0, 1) with 53 random bits; takes two words.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        let high = f64::from(self.words.next_u32() >> 5);
        let low = f64::from(self.words.next_u32() >> 6);
        (high * TWO_POW_26 + low) / TWO_POW_53
    }

    /// A double in [-1, 1); takes two words.
    #[inline]
    pub fn symmetric(&mut self) -> f64 {
        2.0 * self.uniform() - 1.0
    }

    /// An integer in [0, `max`], by rejection under the smallest mask of ones. A `max` of 0 takes no word.
    #[inline]
    pub fn at_most(&mut self, max: u32) -> u32 {
        if max == 0 {
            return 0;
        }
        let mask = u32::MAX >> max.leading_zeros();
        loop {
            let value = self.words.next_u32() & mask;
            if value <= max {
                return value;
            }
        }
    }

    /// Shuffles in place, from the last item down.
    pub fn shuffle(&mut self, items: &mut [u32]) {
        for last in (1..items.len()).rev() {
            let other = self.at_most(last as u32) as usize;
            items.swap(last, other);
        }
    }

    /// Fills `out` with standard Gaussians, by Marsaglia's polar method.
    pub fn fill_gaussian(&mut self, out: &mut [f64]) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("fma") {
            #[expect(unsafe_code, reason = "speed; see the comment")]
            // SAFETY: the processor has been asked for the one feature that the function needs.
            unsafe {
                self.fill_gaussian_fma(out)
            };
            return;
        }
        self.fill_gaussian_portable(out);
    }

    /// The same operations with the same results, compiled to the processor's own fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "fma")]
    fn fill_gaussian_fma(&mut self, out: &mut [f64]) {
        self.fill_gaussian_portable(out);
    }

    #[inline(always)]
    fn fill_gaussian_portable(&mut self, out: &mut [f64]) {
        for value in out {
            *value = match self.spare.take() {
                Some(spare) => spare,
                None => {
                    let (first, second) = self.gaussian_pair();
                    self.spare = Some(second);
                    first
                }
            };
        }
    }

    #[inline(always)]
    fn gaussian_pair(&mut self) -> (f64, f64) {
        loop {
            let x1 = self.symmetric();
            let x2 = self.symmetric();
            let square = x1 * x1 + x2 * x2;
            if square < 1.0 && square != 0.0 {
                let factor = ((-2.0 * ln(square)) / square).sqrt();
                return (factor * x2, factor * x1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RandomState;

    #[test]
    fn the_fused_instructions_give_the_same_gaussians_as_the_portable_ones() {
        let (mut dispatched, mut portable) = ([0.0; 10_001], [0.0; 10_001]);
        RandomState::new(7).fill_gaussian(&mut dispatched);
        RandomState::new(7).fill_gaussian_portable(&mut portable);
        assert_eq!(dispatched.map(f64::to_bits), portable.map(f64::to_bits));
    }

    #[test]
    fn the_second_gaussian_of_a_pair_waits_across_other_draws() {
        let mut random = RandomState::new(0);
        let (mut first, mut second, mut both) = ([0.0], [0.0], [0.0; 2]);
        random.fill_gaussian(&mut first);
        random.uniform();
        random.fill_gaussian(&mut second);
        RandomState::new(0).fill_gaussian(&mut both);
        assert_eq!([first[0], second[0]], both);
        // numpy.random.RandomState(0).standard_normal(2)
        assert_eq!(both, [1.764052345967664, 0.4001572083672233]);
    }

    #[test]
    fn a_bound_of_zero_takes_no_word() {
        let (mut asked, mut untouched) = (RandomState::new(3), RandomState::new(3));
        assert_eq!(asked.at_most(0), 0);
        assert_eq!(asked.uniform().to_bits(), untouched.uniform().to_bits());
    }
}
