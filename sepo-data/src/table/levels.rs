//! How many values a row has, by the repetition levels of a page.

use parquet::basic::Encoding;
use parquet::column::page::Page;

use super::MAX_ROW_VALUES;

/// A row that is longer than is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

/// Counts the values of the current row of a list column, over all its pages.
#[derive(Debug)]
pub(super) struct RowLengths {
    /// Bits of a level.
    width: u32,
    in_row: u64,
}

impl RowLengths {
    /// For a column with levels up to `max_level`, which is not 0.
    pub(super) fn new(max_level: i16) -> Self {
        Self { width: i16::BITS - max_level.leading_zeros(), in_row: 0 }
    }

    /// Counts the values of a page. Levels that end early are the decoder's to complain about.
    pub(super) fn add(&mut self, page: &Page) -> Result<(), TooLong> {
        let n_values = u64::from(page.num_values());
        let bytes: &[u8] = page.buffer();
        match page {
            Page::DataPage { rep_level_encoding: Encoding::RLE, .. } => {
                let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Ok(()) };
                let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
                self.runs(&rest[..length.min(rest.len())], n_values)
            }
            // An encoding that went out of use: taken for one row.
            Page::DataPage { .. } => {
                self.in_row = 0;
                self.more(n_values)
            }
            Page::DataPageV2 { rep_levels_byte_len, .. } => {
                let length = usize::try_from(*rep_levels_byte_len).unwrap_or(usize::MAX);
                self.runs(&bytes[..length.min(bytes.len())], n_values)
            }
            Page::DictionaryPage { .. } => Ok(()),
        }
    }

    fn more(&mut self, n_values: u64) -> Result<(), TooLong> {
        self.in_row += n_values;
        if self.in_row > MAX_ROW_VALUES { Err(TooLong) } else { Ok(()) }
    }

    /// Parquet's hybrid of runs of one level and groups of eight packed ones.
    fn runs(&mut self, mut bytes: &[u8], mut n_left: u64) -> Result<(), TooLong> {
        let n_level_bytes = self.width.div_ceil(8) as usize;
        while n_left > 0 {
            let Some(head) = varint(&mut bytes) else { return Ok(()) };
            if head & 1 == 0 {
                let Some((level, rest)) = bytes.split_at_checked(n_level_bytes) else { return Ok(()) };
                bytes = rest;
                let n_run = (head >> 1).min(n_left);
                n_left -= n_run;
                if level.iter().all(|byte| *byte == 0) {
                    self.in_row = u64::from(n_run > 0).max(self.in_row.min(1));
                } else {
                    self.more(n_run)?;
                }
            } else {
                let n_bytes = (head >> 1).saturating_mul(u64::from(self.width));
                let n_bytes = usize::try_from(n_bytes).unwrap_or(usize::MAX).min(bytes.len());
                let (packed, rest) = bytes.split_at(n_bytes);
                bytes = rest;
                let n_packed = (head >> 1).saturating_mul(8).min(n_left);
                n_left -= n_packed;
                self.packed(packed, n_packed)?;
            }
        }
        Ok(())
    }

    fn packed(&mut self, bytes: &[u8], n_values: u64) -> Result<(), TooLong> {
        let width = self.width as usize;
        // Levels that are not there are the decoder's to complain about.
        let n_values = usize::try_from(n_values).unwrap_or(usize::MAX).min(bytes.len() * 8 / width);
        let is_set = |bit: usize| bytes[bit / 8] >> (bit % 8) & 1 == 1;
        for first in (0..n_values).map(|value| value * width) {
            if (first..first + width).any(is_set) {
                self.more(1)?;
            } else {
                self.in_row = 1;
            }
        }
        Ok(())
    }
}

/// Parquet's unsigned numbers of seven bits a byte; `None` where there is none.
pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
