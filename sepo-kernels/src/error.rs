//! What can be wrong with a layout, a row list or the scores of a selection

/// An input that a checked type or a selection refuses, with the numbers that show why
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// Offsets hold one entry more than there are segments, so they are never empty
    #[error("offsets are empty")]
    OffsetsEmpty,
    /// The first segment must start at zero
    #[error("the first offset is {first}, not 0")]
    OffsetsStart {
        /// the first offset
        first: usize,
    },
    /// A segment ends before it starts
    #[error("segment {segment} ends at {end}, before its start {start}")]
    OffsetsDecrease {
        /// index of the segment
        segment: usize,
        /// its first position
        start: usize,
        /// one past its last position
        end: usize,
    },
    /// The last offset is not the number of values
    #[error("offsets end at {end}, but there are {n_values} values")]
    OffsetsEnd {
        /// the last offset
        end: usize,
        /// values that the segments should cover
        n_values: usize,
    },
    /// There must be one entry a segment
    #[error("{n_entries} entries for {n_segments} segments")]
    SegmentEntries {
        /// segments that the offsets describe
        n_segments: usize,
        /// entries given
        n_entries: usize,
    },
    /// A parent must stand before its children
    #[error("segment {segment} has parent {parent}, which does not come before it")]
    ParentNotBefore {
        /// index of the segment
        segment: usize,
        /// the parent it names
        parent: usize,
    },
    /// Flat indices are 32 bits wide
    #[error("{n_values} values are more than 32-bit indices can name")]
    TooMany {
        /// values given
        n_values: usize,
    },
    /// Every row needs a hidden row and a target
    #[error("{n_hidden_rows} hidden rows for {n_targets} targets")]
    RowEntries {
        /// hidden rows given
        n_hidden_rows: usize,
        /// targets given
        n_targets: usize,
    },
    /// A row reads a hidden row that does not exist
    #[error("row {row} reads hidden row {hidden_row} of {n_hidden}")]
    HiddenRowOutOfRange {
        /// index of the row
        row: usize,
        /// the hidden row it names
        hidden_row: u32,
        /// hidden rows there are
        n_hidden: usize,
    },
    /// Hidden rows must not decrease from row to row
    #[error("row {row} reads hidden row {hidden_row} after {previous}")]
    HiddenRowsDecrease {
        /// index of the row
        row: usize,
        /// the hidden row of the row before
        previous: u32,
        /// the hidden row it names
        hidden_row: u32,
    },
    /// A target is not a token of the vocabulary
    #[error("row {row} has target {target}, the vocabulary ends at {vocab}")]
    TargetOutOfVocab {
        /// index of the row
        row: usize,
        /// the target it names
        target: u32,
        /// size of the vocabulary
        vocab: usize,
    },
    /// More values wanted of a segment than it has
    #[error("{count} values wanted of segment {segment}, which has {length}")]
    CountTooLarge {
        /// index of the segment
        segment: usize,
        /// values wanted
        count: usize,
        /// values it has
        length: usize,
    },
    /// A score that is not a number has no rank
    #[error("the score at position {position} of segment {segment} is not a number")]
    ScoreNotANumber {
        /// index of the segment
        segment: usize,
        /// position within the segment
        position: usize,
    },
}

/// Checks that `offsets` start at 0 and do not decrease; returns the number of segments
pub(crate) fn check_offsets(offsets: &[usize]) -> Result<usize, KernelError> {
    match offsets.first() {
        None => return Err(KernelError::OffsetsEmpty),
        Some(&first) if first != 0 => return Err(KernelError::OffsetsStart { first }),
        Some(_) => {}
    }
    for (segment, bounds) in offsets.windows(2).enumerate() {
        if bounds[1] < bounds[0] {
            return Err(KernelError::OffsetsDecrease { segment, start: bounds[0], end: bounds[1] });
        }
    }
    Ok(offsets.len() - 1)
}
