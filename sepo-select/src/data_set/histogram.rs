//! Keys counted by one half of their bits.

/// Values of a half.
const N_BINS: usize = 1 << 16;

/// How many keys have each value of one half of their bits.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    bins: Vec<u64>,
}

/// The bin in which the last of the highest keys lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Boundary {
    pub(super) bin: u16,
    /// Keys in the bins above.
    pub(super) n_above: u64,
    /// Keys in the bin.
    pub(super) n_within: u64,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self { bins: vec![0; N_BINS] }
    }

    pub(super) fn add(&mut self, half: u16) {
        self.bins[usize::from(half)] += 1;
    }

    pub(super) fn n_keys(&self) -> u64 {
        self.bins.iter().sum()
    }

    /// Where the `count`-th highest key lies; `None` where there are not so many, and for a count of 0.
    pub(super) fn boundary(&self, count: u64) -> Option<Boundary> {
        let mut n_above = 0;
        for (bin, &n_within) in (0..=u16::MAX).rev().zip(self.bins.iter().rev()) {
            if count > 0 && n_above + n_within >= count {
                return Some(Boundary { bin, n_above, n_within });
            }
            n_above += n_within;
        }
        None
    }
}

/// The upper half of a key's bits.
pub(super) fn upper(key: u32) -> u16 {
    half(key >> 16)
}

/// The lower half of a key's bits.
pub(super) fn lower(key: u32) -> u16 {
    half(key & 0xffff)
}

fn half(bits: u32) -> u16 {
    u16::try_from(bits).unwrap_or(u16::MAX)
}
