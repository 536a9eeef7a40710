//! The product of rows with a matrix that is drawn on the way.
//!
//! scikit-learn leaves these products to a BLAS whose order of operations depends on the processor. Here every
//! element is `acc = 0; for k ascending: acc = fma(x[k], matrix[k][j], acc)`, on every machine.

use crate::random::RandomState;

/// Rows inside a row-major table: `count` rows, the first value of the first one at `start`, `stride` values apart.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// The whole table.
    pub values: &'a [f64],
    /// Where the first row starts in `values`.
    pub start: usize,
    /// The distance from one row's start to the next one's.
    pub stride: usize,
    /// How many rows.
    pub count: usize,
}

/// `rows · M`, row-major with `columns` columns, where M is `inner` × `columns` of uniforms in [-1, 1).
///
/// M is drawn row by row and never held as a whole. It is drawn even where there are no rows.
pub fn with_drawn_matrix(random: &mut RandomState, rows: Rows<'_>, inner: usize, columns: usize) -> Vec<f64> {
    let mut product = vec![0.0; rows.count * columns];
    let mut matrix_row = vec![0.0; columns];
    for k in 0..inner {
        for value in &mut matrix_row {
            *value = random.symmetric();
        }
        add_outer(&mut product, rows, k, &matrix_row);
    }
    product
}

fn add_outer(product: &mut [f64], rows: Rows<'_>, k: usize, matrix_row: &[f64]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("fma") && std::arch::is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "speed; see the comment")]
        // SAFETY: the processor has been asked for both features that the function needs.
        unsafe {
            add_outer_fma(product, rows, k, matrix_row)
        };
        return;
    }
    add_outer_portable(product, rows, k, matrix_row);
}

/// The same operations with the same results, compiled to the processor's own fused multiply-add.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "fma,avx2")]
fn add_outer_fma(product: &mut [f64], rows: Rows<'_>, k: usize, matrix_row: &[f64]) {
    add_outer_portable(product, rows, k, matrix_row);
}

#[inline(always)]
fn add_outer_portable(product: &mut [f64], rows: Rows<'_>, k: usize, matrix_row: &[f64]) {
    for (i, sums) in product.chunks_exact_mut(matrix_row.len()).enumerate() {
        let x = rows.values[rows.start + i * rows.stride + k];
        for (sum, factor) in sums.iter_mut().zip(matrix_row) {
            *sum = x.mul_add(*factor, *sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Rows, add_outer, add_outer_portable};
    use crate::random::RandomState;

    #[test]
    fn the_fused_instructions_give_the_same_sums_as_the_portable_ones() {
        let mut random = RandomState::new(11);
        let mut gaussians = |count| {
            let mut values = vec![0.0; count];
            random.fill_gaussian(&mut values);
            values
        };
        let (values, matrix_row, before) = (gaussians(50), gaussians(7), gaussians(70));
        let rows = Rows { values: &values, start: 0, stride: 5, count: 10 };
        let (mut dispatched, mut portable) = (before.clone(), before);
        add_outer(&mut dispatched, rows, 3, &matrix_row);
        add_outer_portable(&mut portable, rows, 3, &matrix_row);
        assert_eq!(dispatched, portable);
    }
}
