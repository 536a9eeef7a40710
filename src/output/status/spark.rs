//! A series as a picture of a few letters.

use mdo_engine::metrics::Series;

/// From little to much.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar for each number, of which the greatest is the highest; a blank where there was nothing. A long series is folded.
pub(super) fn spark(series: &Series, width: usize) -> String {
    let folded = series.folded(width);
    let greatest = folded.greatest().unwrap_or_default();
    let bar = |number: &Option<f64>| match number {
        Some(number) if *number > 0.0 => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is between 1 and 8"
            )]
            let height = (number / greatest * 8.0).ceil() as usize;
            BARS[height.clamp(1, 8) - 1]
        }
        _ => ' ',
    };
    folded.0.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_is_the_highest_and_nothing_is_blank() {
        let series =
            |numbers: &[u32]| Series(numbers.iter().map(|number| Some(f64::from(*number))).collect());
        assert_eq!(spark(&series(&[0, 1, 4, 8, 2]), 24), " ▁▄█▂");
        assert_eq!(spark(&series(&[1, 1, 1, 1]), 2), "██");
        assert_eq!(spark(&Series(vec![None, Some(1000.0), Some(1.0)]), 24), " █▁");
        assert_eq!(spark(&Series::default(), 24), "");
    }
}
