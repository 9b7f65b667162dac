//! How large one row may be.

use std::cell::Cell;

use crate::BadReason;

/// Most bytes of one row: of its JSON, or of the texts in it. A book has one or two million.
pub(super) const MAX_ROW_BYTES: usize = 64 << 20;
/// Bytes that a value counts as, whatever it is, beside its text: an id, a message, a field.
const VALUE_BYTES: usize = 16;

/// What a row may still take. A few bytes of JSON, or a single entry of a dictionary that is named again and again, can
/// stand for any amount of memory.
#[derive(Debug)]
pub(super) struct Budget {
    n_bytes: Cell<usize>,
    is_exceeded: Cell<bool>,
}

impl Budget {
    /// Room for one row.
    pub(super) fn new() -> Self {
        Self { n_bytes: Cell::new(MAX_ROW_BYTES), is_exceeded: Cell::new(false) }
    }

    /// Takes the room of a value with so many bytes of text.
    pub(super) fn take(&self, n_bytes: usize) -> Result<(), BadReason> {
        self.take_bytes(n_bytes.saturating_add(VALUE_BYTES))
    }

    /// Takes the room of so many values without text.
    pub(super) fn take_values(&self, n_values: usize) -> Result<(), BadReason> {
        self.take_bytes(n_values.saturating_mul(VALUE_BYTES))
    }

    fn take_bytes(&self, n_bytes: usize) -> Result<(), BadReason> {
        match self.n_bytes.get().checked_sub(n_bytes) {
            Some(left) => {
                self.n_bytes.set(left);
                Ok(())
            }
            None => {
                self.is_exceeded.set(true);
                Err(Self::too_large())
            }
        }
    }

    /// Whether something was refused.
    pub(super) fn is_exceeded(&self) -> bool {
        self.is_exceeded.get()
    }

    /// The reason for a row that is larger.
    pub(super) fn too_large() -> BadReason {
        BadReason::RowTooLarge { limit: MAX_ROW_BYTES }
    }
}

/// A line or an element of an array that is longer than a row may be. It ends the reading: what is not divided into rows is
/// not what its name says.
#[derive(Debug, thiserror::Error)]
#[error("the row that starts on line {line} is longer than {limit} bytes; split it, or take it out")]
pub(super) struct EndlessRow {
    pub(super) line: u64,
    pub(super) limit: usize,
}

impl EndlessRow {
    /// The error for a row that starts on this line.
    pub(super) fn on_line(line: u64) -> std::io::Error {
        std::io::Error::new(std::io::ErrorKind::InvalidData, Self { line, limit: MAX_ROW_BYTES })
    }
}
