//! Files in every container, made from rows given as JSON.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made fails the test that asks for it")]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Schema};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use sepo_data::{BadRow, DataError, PairContent, PairRow, PreferencePair, ReadConfig, open_pairs};
use serde_json::Value;

/// Every container, as the ending of a file name.
pub(crate) const CONTAINERS: [&str; 10] = [
    "jsonl",
    "jsonl.gz",
    "jsonl.zst",
    "json",
    "json.gz",
    "parquet",
    "parquet.zst",
    "arrow",
    "feather",
    "arrow.gz",
];

pub(crate) fn strings() -> DataType {
    DataType::Utf8
}

pub(crate) fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

pub(crate) fn message(role: &str, content: &str) -> DataType {
    DataType::Struct([role, content].map(|name| Field::new(name, DataType::Utf8, true)).into_iter().collect())
}

/// An array of `data_type` from JSON values; anything Arrow can cast strings and integers to.
pub(crate) fn array(data_type: &DataType, values: &[Value]) -> ArrayRef {
    let nulls = || NullBuffer::from(values.iter().map(|value| !value.is_null()).collect::<Vec<_>>());
    match data_type {
        DataType::List(item) => {
            let items: Vec<Value> = values.iter().filter_map(Value::as_array).flatten().cloned().collect();
            let lengths = values.iter().map(|value| value.as_array().map_or(0, Vec::len));
            let offsets = OffsetBuffer::from_lengths(lengths);
            let items = array(item.data_type(), &items);
            Arc::new(ListArray::new(Arc::clone(item), offsets, items, Some(nulls())))
        }
        DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            cast(&array(&DataType::List(Arc::clone(item)), values), data_type).unwrap()
        }
        DataType::Struct(fields) => struct_array(fields, values, nulls()),
        _ if values.iter().any(Value::is_i64) => {
            cast(&Int64Array::from_iter(values.iter().map(Value::as_i64)), data_type).unwrap()
        }
        _ => cast(&StringArray::from_iter(values.iter().map(Value::as_str)), data_type).unwrap(),
    }
}

fn struct_array(fields: &Fields, values: &[Value], nulls: NullBuffer) -> ArrayRef {
    let columns = fields.iter().map(|field| {
        let column: Vec<Value> =
            values.iter().map(|value| value.get(field.name()).cloned().unwrap_or(Value::Null)).collect();
        array(field.data_type(), &column)
    });
    Arc::new(StructArray::new(fields.clone(), columns.collect(), Some(nulls)))
}

/// The rows as one record batch with the given columns.
pub(crate) fn batch(columns: &[(&str, DataType)], rows: &[Value]) -> RecordBatch {
    let field = |(name, data_type): &(&str, DataType)| Field::new(*name, data_type.clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let column = |(name, data_type): &(&str, DataType)| {
        let values: Vec<Value> =
            rows.iter().map(|row| row.get(name).cloned().unwrap_or(Value::Null)).collect();
        array(data_type, &values)
    };
    RecordBatch::try_new(schema, columns.iter().map(column).collect()).unwrap()
}

/// Writes the rows in the container that the name of `path` says; Parquet in row groups of two rows.
pub(crate) fn write(path: &Path, columns: &[(&str, DataType)], rows: &[Value]) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let plain = name.trim_end_matches(".gz").trim_end_matches(".zst");
    let bytes = match plain.rsplit_once('.').unwrap().1 {
        "jsonl" => rows.iter().map(|row| format!("{row}\n")).collect::<String>().into_bytes(),
        "json" => serde_json::to_vec_pretty(rows).unwrap(),
        "parquet" => parquet_bytes(&batch(columns, rows)),
        "arrow" => stream_bytes(&batch(columns, rows)),
        "feather" => file_bytes(&batch(columns, rows)),
        other => panic!("no container {other}"),
    };
    fs::write(path, compressed(name, &bytes)).unwrap();
}

pub(crate) fn compressed(name: &str, bytes: &[u8]) -> Vec<u8> {
    if name.ends_with(".gz") {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    } else if name.ends_with(".zst") {
        zstd::stream::encode_all(bytes, 1).unwrap()
    } else {
        bytes.to_vec()
    }
}

pub(crate) fn parquet_bytes(batch: &RecordBatch) -> Vec<u8> {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn stream_bytes(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    for start in (0..batch.num_rows()).step_by(2) {
        writer.write(&batch.slice(start, 2.min(batch.num_rows() - start))).unwrap();
    }
    writer.into_inner().unwrap()
}

fn file_bytes(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

/// The rows of one file.
pub(crate) fn rows(path: &Path) -> Vec<PairRow> {
    rows_with(path, &ReadConfig::default())
}

pub(crate) fn rows_with(path: &Path, config: &ReadConfig) -> Vec<PairRow> {
    try_rows(&[path], config).unwrap()
}

pub(crate) fn try_rows(paths: &[&Path], config: &ReadConfig) -> Result<Vec<PairRow>, DataError> {
    open_pairs(&inputs(paths), config)?.collect()
}

pub(crate) fn inputs(paths: &[&Path]) -> Vec<String> {
    paths.iter().map(|path| path.to_str().unwrap().to_owned()).collect()
}

pub(crate) fn pair(row: &PairRow) -> &PreferencePair {
    match row {
        PairRow::Pair(pair) => pair,
        PairRow::Bad(bad) => panic!("a bad row: {}", bad.reason),
    }
}

pub(crate) fn bad(row: &PairRow) -> &BadRow {
    match row {
        PairRow::Bad(bad) => bad,
        PairRow::Pair(pair) => panic!("not a bad row: {pair:?}"),
    }
}

pub(crate) fn contents(rows: &[PairRow]) -> Vec<PairContent> {
    rows.iter().map(|row| pair(row).content.clone()).collect()
}

/// A file with `lines` in a fresh place.
pub(crate) fn jsonl(dir: &Path, lines: &[&str]) -> PathBuf {
    let path = dir.join("rows.jsonl");
    let mut file = File::create(&path).unwrap();
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
    path
}
