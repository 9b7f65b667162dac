//! Page headers, looked at before a column chunk is read.

use std::fs::File;

use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::ChunkReader;

use super::compact::{Stop, Walk, Watcher};
use super::layout::PAGE_HEADER;
use super::{MAX_PAGE_BYTES, TableError, TableFault};

/// Bytes that are read to find a header; those with long statistics take another try.
const HEADER_BYTES: u64 = 256;

/// What the pages of a column chunk amount to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Pages {
    /// Decompressed bytes of the largest.
    pub(super) largest: u64,
    /// Values by the headers of all data pages.
    pub(super) n_values: u64,
}

/// A column chunk and the file it is in.
#[derive(Clone, Copy)]
pub(super) struct Chunk<'a> {
    pub(super) file: &'a File,
    pub(super) n_bytes: u64,
    pub(super) row_group: usize,
    pub(super) metadata: &'a ColumnChunkMetaData,
}

impl Chunk<'_> {
    fn column(&self) -> String {
        self.metadata.column_path().string()
    }

    /// First byte and the one behind the last, which are within the file.
    fn range(&self) -> Result<(u64, u64), TableFault> {
        let start = self.metadata.dictionary_page_offset().unwrap_or(self.metadata.data_page_offset());
        let range = match (u64::try_from(start), u64::try_from(self.metadata.compressed_size())) {
            (Ok(start), Ok(length)) => start.checked_add(length).map(|end| (start, end)),
            _ => None,
        };
        range.filter(|(_, end)| *end <= self.n_bytes).ok_or_else(|| TableFault::Chunk {
            column: self.column(),
            row_group: self.row_group,
            n_bytes: self.n_bytes,
        })
    }

    /// Goes from header to header through the chunk.
    pub(super) fn pages(&self) -> Result<Pages, TableError> {
        let (mut at, end) = self.range()?;
        let mut pages = Pages::default();
        while at < end {
            let damaged = || TableFault::Page { column: self.column(), row_group: self.row_group, at };
            let (header, length) = self.header(at, end)?.ok_or_else(damaged)?;
            let n_bytes = header.largest();
            if n_bytes > MAX_PAGE_BYTES {
                let (column, limit) = (self.column(), MAX_PAGE_BYTES);
                return Err(TableFault::PageSize { column, n_bytes, limit }.into());
            }
            pages.largest = pages.largest.max(n_bytes);
            pages.n_values += u64::try_from(header.n_values).map_err(|_| damaged())?;
            let compressed = u64::try_from(header.compressed).map_err(|_| damaged())?;
            at = (at + length).checked_add(compressed).filter(|next| *next <= end).ok_or_else(damaged)?;
        }
        Ok(pages)
    }

    /// The header at `at` and its length, or `None` where there is none.
    fn header(&self, at: u64, end: u64) -> Result<Option<(Header, u64)>, ParquetError> {
        let mut n_bytes = HEADER_BYTES;
        loop {
            let n_read = n_bytes.min(end - at);
            let bytes = self.file.get_bytes(at, usize::try_from(n_read)?)?;
            let mut walk = Walk::new(&bytes, Header::default());
            match walk.structure(PAGE_HEADER) {
                Ok(()) => return Ok(Some((walk.watcher, walk.at as u64))),
                Err(Stop::Ends) if n_read < end - at => n_bytes *= 16,
                Err(Stop::Ends | Stop::Malformed) => return Ok(None),
            }
        }
    }
}

/// What a header says, as far as it decides about memory.
#[derive(Debug, Default)]
struct Header {
    uncompressed: i64,
    compressed: i64,
    /// Of a data page.
    n_values: i64,
}

impl Header {
    /// Bytes of the page before or after decompression, whichever is more.
    fn largest(&self) -> u64 {
        u64::try_from(self.uncompressed.max(self.compressed)).unwrap_or(0)
    }
}

impl Watcher for Header {
    fn number(&mut self, path: &[i16], value: i64) {
        match path {
            [2] => self.uncompressed = value,
            [3] => self.compressed = value,
            // Both versions of data pages; a dictionary's values are not the column's.
            [5 | 8, 1] => self.n_values = value,
            _ => {}
        }
    }
}
