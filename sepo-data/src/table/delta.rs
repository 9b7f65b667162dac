//! How many values a page of delta-encoded texts claims, which its decoder makes room for.
//!
//! `DELTA_LENGTH_BYTE_ARRAY` begins with one stream of packed numbers, the lengths, and `DELTA_BYTE_ARRAY` with two, those of
//! prefixes and of suffixes. Each says how many there are, and some bytes can say any number.

use parquet::basic::Encoding;
use parquet::column::page::Page;

use super::dictionary::TooMany;
use super::levels::varint;

/// Most values of such a page: their lengths then take 128 MiB. Writers put some ten thousand in one.
const MAX_VALUES: u64 = 1 << 24;

/// Levels of a column, 0 where it has none.
#[derive(Debug, Clone, Copy)]
pub(super) struct MaxLevels {
    pub(super) repetition: i16,
    pub(super) definition: i16,
}

/// Looks at the counts of a page's streams. What is not structured as they are is the decoder's to complain about.
pub(super) fn check(page: &Page, levels: MaxLevels) -> Result<(), TooMany> {
    behind_streams(page, levels).map(|_| ())
}

/// The bytes of the texts; `None` where the page is not structured that way.
fn behind_streams(page: &Page, levels: MaxLevels) -> Result<Option<&[u8]>, TooMany> {
    let n_streams = match page.encoding() {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
        Encoding::DELTA_BYTE_ARRAY => 2,
        _ => return Ok(None),
    };
    let limit = u64::from(page.num_values()).min(MAX_VALUES);
    let mut bytes = values(page, levels).unwrap_or_default();
    for _ in 0..n_streams {
        let Some(stream) = Stream::begin(&mut bytes) else { return Ok(None) };
        if stream.n_values > limit {
            return Err(TooMany { n_values: stream.n_values, limit });
        }
        let Some(rest) = stream.skip(bytes) else { return Ok(None) };
        bytes = rest;
    }
    Ok(Some(bytes))
}

/// The bytes behind a data page's levels.
fn values(page: &Page, levels: MaxLevels) -> Option<&[u8]> {
    let bytes: &[u8] = page.buffer();
    match page {
        Page::DataPage { num_values, rep_level_encoding, def_level_encoding, .. } => {
            let n = u64::from(*num_values);
            let behind = behind_levels(bytes, levels.repetition, *rep_level_encoding, n)?;
            behind_levels(behind, levels.definition, *def_level_encoding, n)
        }
        Page::DataPageV2 { rep_levels_byte_len, def_levels_byte_len, .. } => {
            let n_bytes = u64::from(*rep_levels_byte_len) + u64::from(*def_levels_byte_len);
            bytes.get(usize::try_from(n_bytes).ok()?..)
        }
        Page::DictionaryPage { .. } => None,
    }
}

fn behind_levels(bytes: &[u8], max_level: i16, encoding: Encoding, n_values: u64) -> Option<&[u8]> {
    if max_level == 0 {
        return Some(bytes);
    }
    if encoding == Encoding::RLE {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        return rest.get(usize::try_from(u32::from_le_bytes(*length)).ok()?..);
    }
    let n_bits = n_values * u64::from(i16::BITS - max_level.leading_zeros());
    bytes.get(usize::try_from(n_bits.div_ceil(8)).ok()?..)
}

/// A stream of `DELTA_BINARY_PACKED` numbers, behind its header.
struct Stream {
    /// Of each block.
    n_miniblocks: usize,
    /// Values of a full one.
    in_miniblock: u64,
    n_values: u64,
}

impl Stream {
    /// Reads the header; `None` where the decoder refuses it before it makes room for anything.
    fn begin(bytes: &mut &[u8]) -> Option<Self> {
        let (in_block, n_miniblocks) = (varint(bytes)?, varint(bytes)?);
        let n_values = varint(bytes)?;
        let _first = varint(bytes)?;
        let in_miniblock = in_block.checked_div(n_miniblocks)?;
        Some(Self { n_miniblocks: usize::try_from(n_miniblocks).ok()?, in_miniblock, n_values })
    }

    /// What stands behind its blocks.
    fn skip<'a>(&self, mut bytes: &'a [u8]) -> Option<&'a [u8]> {
        // The first value stands in the header.
        let mut n_left = self.n_values.saturating_sub(1);
        if self.in_miniblock == 0 && n_left > 0 {
            return None;
        }
        while n_left > 0 {
            let _least = varint(&mut bytes)?;
            let (widths, rest) = bytes.split_at_checked(self.n_miniblocks)?;
            let mut n_bytes = 0_u64;
            // Miniblocks behind the last value have a width, and no bytes.
            for width in widths {
                if n_left == 0 {
                    break;
                }
                n_bytes = n_bytes.checked_add(u64::from(*width).checked_mul(self.in_miniblock)? / 8)?;
                n_left = n_left.saturating_sub(self.in_miniblock);
            }
            bytes = rest.get(usize::try_from(n_bytes).ok()?..)?;
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, ListArray, RecordBatch, StringArray};
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::{DataType, Field};
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::{WriterProperties, WriterVersion};
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use proptest::prelude::*;

    use super::*;

    /// Texts, one missing in five.
    fn texts() -> impl Strategy<Value = Vec<Option<String>>> {
        let text = prop_oneof!["[ab]{0,3}", "[a-z]{0,40}", Just("abcabc".repeat(20))];
        prop::collection::vec(prop::option::weighted(0.8, text), 1..700)
    }

    fn file(column: ArrayRef, encoding: Encoding, version: WriterVersion) -> Vec<u8> {
        let batch = RecordBatch::try_from_iter([("text", column)]).unwrap();
        let properties = WriterProperties::builder()
            .set_writer_version(version)
            .set_dictionary_enabled(false)
            .set_encoding(encoding)
            .set_data_page_row_count_limit(300)
            .set_write_batch_size(50)
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    /// Bytes behind the streams of all pages.
    fn n_behind(bytes: Vec<u8>) -> usize {
        let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
        let descriptor = reader.metadata().row_group(0).column(0).column_descr();
        let levels =
            MaxLevels { repetition: descriptor.max_rep_level(), definition: descriptor.max_def_level() };
        let pages = reader.get_row_group(0).unwrap().get_column_page_reader(0).unwrap();
        let pages: Vec<Page> = pages.map(Result::unwrap).collect();
        pages.iter().map(|page| behind_streams(page, levels).unwrap().unwrap().len()).sum()
    }

    fn in_lists(texts: &[Option<String>]) -> ArrayRef {
        let values = StringArray::from(texts.to_vec());
        let lengths: Vec<usize> = texts.chunks(7).map(<[_]>::len).collect();
        let item = Arc::new(Field::new("element", DataType::Utf8, true));
        Arc::new(ListArray::new(item, OffsetBuffer::from_lengths(lengths), Arc::new(values), None))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn what_stands_behind_the_lengths_are_the_texts(texts in texts(), lists: bool, second: bool) {
            let version = if second { WriterVersion::PARQUET_2_0 } else { WriterVersion::PARQUET_1_0 };
            let column: ArrayRef =
                if lists { in_lists(&texts) } else { Arc::new(StringArray::from(texts.clone())) };
            let bytes = file(Arc::clone(&column), Encoding::DELTA_LENGTH_BYTE_ARRAY, version);
            let n_text: usize = texts.iter().flatten().map(String::len).sum();
            prop_assert_eq!(n_behind(bytes), n_text);
            // Of a text, what it shares with the one before is not repeated; the first of a page has none before.
            let bytes = file(column, Encoding::DELTA_BYTE_ARRAY, version);
            let n_shared: usize = texts
                .iter()
                .flatten()
                .zip(texts.iter().flatten().skip(1))
                .map(|(a, b)| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count())
                .sum();
            let n_behind = n_behind(bytes);
            prop_assert!(n_behind >= n_text - n_shared && n_behind <= n_text, "{} of {}", n_behind, n_text);
            if texts.len() <= 50 {
                prop_assert_eq!(n_behind, n_text - n_shared);
            }
        }
    }
}
