//! The natural logarithm that the Gaussian generator needs, to the same bits on every machine.
//!
//! It does not call the C library, whose `log` differs in the last bit between processors. The algorithm is the
//! published one of ARM's optimized-routines (table of 128 intervals and a short polynomial), with the fused
//! operations that glibc's FMA variant performs.

mod table;

use table::{INTERVALS, LN2_HIGH, LN2_LOW, NEAR_ONE, SMALL};

const LOWEST_NEAR_ONE: f64 = 1.0 - 1.0 / 16.0;
const TWO_POW_27: f64 = 134_217_728.0;
/// The bits of 0.6875, where the table's first interval begins.
const FIRST_INTERVAL: u64 = 0x3fe6_0000_0000_0000;
const EXPONENT_BITS: u64 = 0xfff << 52;

/// ln(x) for a normal x in (0, 1); other arguments are out of scope.
///
/// Equal to glibc's (≥ 2.28, FMA) `log` on 20 million arguments of the polar method.
#[inline(always)]
pub fn ln(x: f64) -> f64 {
    debug_assert!(x.is_normal() && x > 0.0 && x < 1.0, "ln is for normal numbers in (0, 1)");
    if x >= LOWEST_NEAR_ONE { ln_near_one(x) } else { ln_by_table(x) }
}

#[inline(always)]
fn ln_near_one(x: f64) -> f64 {
    let b = &NEAR_ONE;
    let r = x - 1.0;
    let r2 = r * r;
    let r3 = r * r2;
    let low = r2.mul_add(b[3], r.mul_add(b[2], b[1]));
    let middle = r2.mul_add(b[6], r.mul_add(b[5], b[4]));
    let high = r3.mul_add(b[10], r2.mul_add(b[9], r.mul_add(b[8], b[7])));
    let polynomial = high.mul_add(r3, middle).mul_add(r3, low);

    let split = r.mul_add(TWO_POW_27, r);
    let r_high = (-TWO_POW_27).mul_add(r, split);
    let r_low = r - r_high;
    let square = r_high * r_high;
    let sum = square.mul_add(b[0], r);
    let rest = square.mul_add(b[0], r - sum);
    let rest = (b[0] * r_low).mul_add(r + r_high, rest);
    polynomial.mul_add(r3, rest) + sum
}

#[inline(always)]
fn ln_by_table(x: f64) -> f64 {
    let a = &SMALL;
    let bits = x.to_bits();
    let offset = bits.wrapping_sub(FIRST_INTERVAL);
    let interval = (offset >> 45) as usize % INTERVALS.len();
    let exponent = (offset.cast_signed() >> 52) as f64;
    let significand = f64::from_bits(bits.wrapping_sub(offset & EXPONENT_BITS));
    let (inverse, log) = INTERVALS[interval];

    let r = significand.mul_add(inverse, -1.0);
    let whole = exponent.mul_add(LN2_HIGH, log);
    let sum = whole + r;
    let rest = exponent.mul_add(LN2_LOW, (whole - sum) + r);
    let r2 = r * r;
    let rest = r2.mul_add(a[0], rest);
    let polynomial = r.mul_add(a[4], a[3]).mul_add(r2, r.mul_add(a[2], a[1]));
    (r * r2).mul_add(polynomial, rest) + sum
}
