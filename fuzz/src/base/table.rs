//! Parquet and Arrow files with pairs in every format, in many encodings.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, DictionaryArray, Int32Array, Int64Array, LargeStringArray, ListArray, RecordBatch,
    StringArray, StringViewArray, StructArray, UInt32Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields, Int32Type, Schema};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

/// One Parquet file a format, encoding and compression.
pub fn parquet_files() -> Vec<Vec<u8>> {
    let compressions = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::ZSTD(Default::default()),
        Compression::GZIP(Default::default()),
        Compression::LZ4_RAW,
        Compression::BROTLI(Default::default()),
    ];
    let mut files = Vec::new();
    for (i, batch) in batches().iter().enumerate() {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for (j, &compression) in compressions.iter().enumerate() {
                let properties = WriterProperties::builder()
                    .set_writer_version(version)
                    .set_compression(compression)
                    .set_dictionary_enabled((i + j) % 2 == 0)
                    .set_statistics_enabled(if j == 0 {
                        EnabledStatistics::None
                    } else {
                        EnabledStatistics::Page
                    })
                    .set_data_page_row_count_limit(2)
                    .set_max_row_group_row_count(Some(if j == 1 { 2 } else { 100 }))
                    .build();
                files.push(parquet_file(batch, properties));
            }
        }
    }
    for encoding in [Encoding::DELTA_BYTE_ARRAY, Encoding::DELTA_LENGTH_BYTE_ARRAY] {
        let properties =
            WriterProperties::builder().set_dictionary_enabled(false).set_encoding(encoding).build();
        files.push(parquet_file(&texts(), properties));
    }
    let deltas =
        WriterProperties::builder().set_dictionary_enabled(false).set_encoding(Encoding::DELTA_BINARY_PACKED);
    files.push(parquet_file(&ids(), deltas.build()));
    files
}

/// One Arrow IPC file and one stream a format and compression.
pub fn arrow_files() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for batch in batches() {
        for compression in [None, Some(CompressionType::ZSTD), Some(CompressionType::LZ4_FRAME)] {
            let options =
                || IpcWriteOptions::default().try_with_compression(compression).expect("compiled in");
            let mut bytes = Vec::new();
            let mut writer = FileWriter::try_new_with_options(&mut bytes, &batch.schema(), options())
                .expect("a valid schema");
            (0..2).for_each(|_| writer.write(&batch).expect("a valid batch"));
            writer.finish().expect("memory takes every write");
            drop(writer);
            files.push(std::mem::take(&mut bytes));
            let mut writer = StreamWriter::try_new_with_options(&mut bytes, &batch.schema(), options())
                .expect("a valid schema");
            (0..2).for_each(|_| writer.write(&batch).expect("a valid batch"));
            writer.finish().expect("memory takes every write");
            drop(writer);
            files.push(bytes);
        }
    }
    files
}

fn parquet_file(batch: &RecordBatch, properties: WriterProperties) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).expect("a valid schema");
    writer.write(batch).expect("a valid batch");
    writer.close().expect("memory takes every write");
    bytes
}

fn batches() -> Vec<RecordBatch> {
    vec![texts(), other_texts(), ids(), messages(), sharegpt()]
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns.into_iter().map(|(_, column)| column).collect(),
    )
    .expect("columns of one length")
}

fn strings(values: [&str; 3]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn texts() -> RecordBatch {
    batch(vec![
        ("prompt", strings(["one and one", "one and two", "one"])),
        ("chosen", strings(["two", "three", "a longer answer than the others"])),
        ("rejected", Arc::new(StringArray::from(vec![Some("three"), None, Some("one")]))),
    ])
}

fn other_texts() -> RecordBatch {
    let keyed: DictionaryArray<Int32Type> = ["yes", "no", "yes"].into_iter().collect();
    batch(vec![
        ("prompt", Arc::new(LargeStringArray::from(vec!["a", "b", "c"]))),
        ("chosen", Arc::new(keyed)),
        ("rejected", Arc::new(BinaryArray::from_vec(vec![b"x", b"y", b"no"]))),
        ("text", Arc::new(StringViewArray::from(vec!["short", "a string that is longer than a view", ""]))),
        ("extra", Arc::new(Int64Array::from(vec![1, 2, 3]))),
    ])
}

fn list(values: ArrayRef, lengths: &[usize], nulls: Option<NullBuffer>) -> ArrayRef {
    let field = Arc::new(Field::new("element", values.data_type().clone(), true));
    Arc::new(ListArray::new(field, OffsetBuffer::from_lengths(lengths.iter().copied()), values, nulls))
}

fn ids() -> RecordBatch {
    batch(vec![
        ("prompt_ids", list(Arc::new(Int32Array::from(vec![1, 2, 3])), &[2, 0, 1], None)),
        ("chosen_ids", list(Arc::new(Int64Array::from(vec![1, 2, 3, 4])), &[1, 1, 2], None)),
        (
            "rejected_ids",
            list(Arc::new(UInt32Array::from(vec![9, 8])), &[1, 0, 1], Some(vec![true, false, true].into())),
        ),
    ])
}

fn turns(keys: [&str; 2], who: [&str; 4], lengths: &[usize]) -> ArrayRef {
    let fields = Fields::from(keys.map(|key| Field::new(key, DataType::Utf8, true)).to_vec());
    let what: ArrayRef = Arc::new(StringArray::from(vec!["hello", "hi", "bye", "what"]));
    let columns = vec![Arc::new(StringArray::from(who.to_vec())) as ArrayRef, what];
    list(Arc::new(StructArray::new(fields, columns, None)), lengths, None)
}

fn messages() -> RecordBatch {
    batch(vec![
        ("chosen", turns(["role", "content"], ["user", "assistant", "user", "assistant"], &[2, 2, 0])),
        ("rejected", turns(["role", "content"], ["user", "assistant", "user", "system"], &[2, 1, 1])),
    ])
}

fn sharegpt() -> RecordBatch {
    batch(vec![
        ("conversations", turns(["from", "value"], ["human", "system", "human", "tool"], &[1, 2, 1])),
        ("chosen", turns(["from", "value"], ["gpt", "gpt", "assistant", "gpt"], &[1, 1, 2])),
        ("rejected", strings(["no", "never", "no"])),
        ("system", strings(["", "be kind", "x"])),
    ])
}
