//! Parquet files that claim what no writer writes, built byte by byte.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, RecordBatch, StringArray, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

/// A Parquet file of these columns.
pub(crate) fn file(columns: Vec<(&str, ArrayRef)>, compression: Compression) -> Vec<u8> {
    let fields = columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let batch =
        RecordBatch::try_new(schema, columns.into_iter().map(|(_, column)| column).collect()).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// Pairs of text, all with the same responses.
pub(crate) fn texts(chosen: &str, n_rows: usize) -> Vec<(&'static str, ArrayRef)> {
    let column = |text: &str| Arc::new(StringArray::from(vec![text; n_rows])) as ArrayRef;
    vec![("prompt", column("p")), ("chosen", column(chosen)), ("rejected", column("b"))]
}

/// One pair of ids with this many chosen ones.
pub(crate) fn ids(n_chosen: usize) -> Vec<(&'static str, ArrayRef)> {
    let column = |n: usize| {
        let values = UInt32Array::from(vec![7; n]);
        let item = Arc::new(Field::new("element", values.data_type().clone(), false));
        Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([n]), Arc::new(values), None)) as ArrayRef
    };
    use arrow::array::Array;
    vec![("prompt_ids", column(1)), ("chosen_ids", column(n_chosen)), ("rejected_ids", column(2))]
}

/// The file with another footer.
pub(crate) fn with_metadata(
    bytes: &[u8],
    change: impl FnOnce(ParquetMetaData) -> ParquetMetaData,
) -> Vec<u8> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&Bytes::copy_from_slice(bytes)).unwrap();
    let mut out = bytes[..footer_start(bytes)].to_vec();
    ParquetMetaDataWriter::new(&mut out, &change(metadata)).finish().unwrap();
    out
}

/// The file with these bytes as its footer.
pub(crate) fn with_footer(bytes: &[u8], footer: &[u8]) -> Vec<u8> {
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [&bytes[..footer_start(bytes)], footer, &length, b"PAR1"].concat()
}

/// The file whose second column is these bytes.
pub(crate) fn with_chunk(bytes: &[u8], chunk: &[u8]) -> Vec<u8> {
    let start = footer_start(bytes);
    let longer = [&bytes[..start], chunk, &bytes[start..]].concat();
    with_metadata(&longer, |metadata| {
        let group = metadata.row_group(0).clone();
        let mut columns = group.columns().to_vec();
        columns[1] = (columns[1].clone().into_builder())
            .set_dictionary_page_offset(None)
            .set_data_page_offset(i64::try_from(start).unwrap())
            .set_total_compressed_size(i64::try_from(chunk.len()).unwrap())
            .build()
            .unwrap();
        let group = group.into_builder().set_column_metadata(columns).build().unwrap();
        metadata.into_builder().set_row_groups(vec![group]).build()
    })
}

/// The header of a data page in plain encoding.
pub(crate) fn page_header(n_uncompressed: i32, n_compressed: i32, n_values: i32) -> Vec<u8> {
    encoded_page_header(0, [n_uncompressed, n_compressed, n_values])
}

/// The header of a data page in the encoding of this number.
pub(crate) fn encoded_page_header(
    encoding: i32,
    [n_uncompressed, n_compressed, n_values]: [i32; 3],
) -> Vec<u8> {
    let mut header = vec![0x15, 0, 0x15];
    header.extend(number(n_uncompressed));
    header.push(0x15);
    header.extend(number(n_compressed));
    header.extend([0x2c, 0x15]);
    header.extend(number(n_values));
    header.push(0x15);
    header.extend(number(encoding));
    header.extend([0x15, 6, 0x15, 6, 0, 0]);
    header
}

/// The header of a dictionary page in plain encoding.
pub(crate) fn dictionary_header([n_uncompressed, n_compressed, n_values]: [i32; 3]) -> Vec<u8> {
    let mut header = vec![0x15, 4, 0x15];
    header.extend(number(n_uncompressed));
    header.push(0x15);
    header.extend(number(n_compressed));
    header.extend([0x4c, 0x15]);
    header.extend(number(n_values));
    header.extend([0x15, 0, 0, 0]);
    header
}

/// A whole number as Thrift's compact protocol writes it.
fn number(value: i32) -> Vec<u8> {
    let mut left = ((value << 1) ^ (value >> 31)).cast_unsigned();
    let mut bytes = Vec::new();
    while left > 0x7f {
        bytes.push(left.to_le_bytes()[0] | 0x80);
        left >>= 7;
    }
    bytes.push(left.to_le_bytes()[0]);
    bytes
}

fn footer_start(bytes: &[u8]) -> usize {
    let end = bytes.len() - 8;
    let length: [u8; 4] = bytes[end..end + 4].try_into().unwrap();
    end - u32::from_le_bytes(length) as usize
}
