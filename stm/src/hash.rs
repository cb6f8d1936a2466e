//! Spreading the addresses of cells, for filters and tables.

use crate::sync::IS_MODEL;

/// Spreads an address. Cells are at least three words apart.
#[inline]
pub(crate) fn hash(address: usize) -> u64 {
    if IS_MODEL {
        // Addresses differ from one execution of a model to the next, and all else must be the same.
        return 0;
    }
    // Fibonacci hashing: the multiplier is 2^64 divided by the golden ratio. The high bits are good ones; tables take
    // the low ones, so they are mixed in.
    let product = (address as u64 >> 3).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ product >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn low_and_high_bits_differ_at_any_stride() {
        for shift in 3..20 {
            let hashes = (1..=64_usize).map(|index| hash(index << shift));
            let low: HashSet<u64> = hashes.clone().map(|hash| hash & 0xFF).collect();
            let high: HashSet<u64> = hashes.map(|hash| hash >> 56).collect();
            assert!(low.len() > 32 && high.len() > 32, "stride {}: {} low, {} high", 1 << shift, low.len(), high.len());
        }
    }
}
