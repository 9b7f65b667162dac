//! One row group, whose pages are looked at as they pass.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use parquet::arrow::arrow_reader::RowGroups;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use super::delta::{self, MaxLevels};
use super::dictionary::{self, TooMany};
use super::levels::{RowLengths, TooLong};
use super::{MAX_ROW_VALUES, TableFault};

/// Where a page reader leaves the fault that made it stop: the decoder above it would make a text of it.
pub(super) type Found = Arc<Mutex<Option<TableFault>>>;

/// The fault that was left, if any.
pub(super) fn take(found: &Found) -> Option<TableFault> {
    found.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// A row group of a file.
pub(super) struct Group {
    pub(super) file: Arc<File>,
    pub(super) metadata: Arc<ParquetMetaData>,
    pub(super) index: usize,
    pub(super) found: Found,
}

impl Group {
    fn row_group(&self) -> &RowGroupMetaData {
        self.metadata.row_group(self.index)
    }
}

impl RowGroups for Group {
    fn num_rows(&self) -> usize {
        usize::try_from(self.row_group().num_rows()).unwrap_or(0)
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let chunk = self.row_group().column(column);
        let pages = SerializedPageReader::new(Arc::clone(&self.file), chunk, self.num_rows(), None)?;
        let levels = MaxLevels {
            repetition: chunk.column_descr().max_rep_level(),
            definition: chunk.column_descr().max_def_level(),
        };
        let lengths = (levels.repetition > 0).then(|| RowLengths::new(levels.repetition));
        let column = chunk.column_path().string();
        let least_bytes = dictionary::least_bytes(chunk.column_descr());
        let found = Arc::clone(&self.found);
        let pages = CheckedPages { pages, levels, least_bytes, lengths, column, found };
        Ok(Box::new(OneChunk(Some(Box::new(pages)))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.row_group()))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The column chunk of the only row group.
struct OneChunk(Option<Box<CheckedPages>>);

impl Iterator for OneChunk {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(|pages| Ok(pages as Box<dyn PageReader>))
    }
}

impl PageIterator for OneChunk {}

struct CheckedPages {
    pages: SerializedPageReader<File>,
    levels: MaxLevels,
    /// Of a value of the dictionary.
    least_bytes: u64,
    /// Of a list column.
    lengths: Option<RowLengths>,
    column: String,
    found: Found,
}

impl CheckedPages {
    fn check(&mut self, page: &Page) -> std::result::Result<(), TableFault> {
        let column = || self.column.clone();
        let counted =
            dictionary::check(page, self.least_bytes).and_then(|()| delta::check(page, self.levels));
        counted.map_err(|TooMany { n_values, limit }| TableFault::PageValues {
            column: column(),
            n_values,
            limit,
        })?;
        let added = self.lengths.as_mut().map_or(Ok(()), |lengths| lengths.add(page));
        added.map_err(|TooLong| TableFault::RowLength { column: column(), limit: MAX_ROW_VALUES })
    }
}

impl PageReader for CheckedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        if let Some(Err(fault)) = page.as_ref().map(|page| self.check(page)) {
            *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault.clone());
            return Err(ParquetError::External(Box::new(fault)));
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

impl Iterator for CheckedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
