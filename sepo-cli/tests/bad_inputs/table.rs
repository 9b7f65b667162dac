//! Parquet and Arrow files with one thing wrong.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, ListArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Float32Type, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::KeyValue;

use super::support::World;

/// One text column a name, one row a value.
pub(super) fn texts(columns: &[(&str, &[Option<&str>])]) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().map(|(name, _)| Field::new(*name, DataType::Utf8, true)).collect();
    let arrays = columns.iter().map(|(_, values)| Arc::new(StringArray::from(values.to_vec())) as ArrayRef);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays.collect()).unwrap()
}

pub(super) fn write_parquet(world: &World, name: &str, batch: &RecordBatch) {
    let file = File::create(world.path(name)).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

pub(super) fn write_arrow(world: &World, name: &str, batch: &RecordBatch) {
    let file = File::create(world.path(name)).unwrap();
    let mut writer = arrow::ipc::writer::FileWriter::try_new(file, &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
}

/// Writes an artifact anew with other rows, keeping the metadata that `keep` names.
pub(super) fn rewrite(
    world: &World,
    name: &str,
    change: impl Fn(RecordBatch) -> RecordBatch,
    keep: impl Fn(&KeyValue) -> Option<String>,
) {
    let path = world.path(name);
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
    let metadata = builder.metadata().file_metadata().key_value_metadata().unwrap().clone();
    let batches = builder.build().unwrap().map(|batch| change(batch.unwrap()));
    let batches: Vec<RecordBatch> = batches.collect();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batches[0].schema(), None).unwrap();
    for batch in &batches {
        writer.write(batch).unwrap();
    }
    for entry in metadata.iter().filter(|entry| entry.key != "ARROW:schema") {
        if let Some(value) = keep(entry) {
            writer.append_key_value_metadata(KeyValue::new(entry.key.clone(), value));
        }
    }
    writer.close().unwrap();
}

/// All metadata but the checksum of the values.
pub(super) fn unsealed(entry: &KeyValue) -> Option<String> {
    if entry.key.contains("blake3") { None } else { entry.value.clone() }
}

/// All metadata.
pub(super) fn sealed(entry: &KeyValue) -> Option<String> {
    entry.value.clone()
}

/// The batch without a column.
pub(super) fn without(batch: &RecordBatch, column: &str) -> RecordBatch {
    let mut batch = batch.clone();
    batch.remove_column(batch.schema().index_of(column).unwrap());
    batch
}

/// The batch with another column under that name.
pub(super) fn with(batch: &RecordBatch, column: &str, array: ArrayRef) -> RecordBatch {
    let at = batch.schema().index_of(column).unwrap();
    let mut fields: Vec<Field> = batch.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields[at] = Field::new(column, array.data_type().clone(), true);
    let mut columns = batch.columns().to_vec();
    columns[at] = array;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

/// The batch with the first number of a column of float lists replaced.
pub(super) fn with_first(batch: &RecordBatch, column: &str, value: f32) -> RecordBatch {
    let lists = batch.column_by_name(column).unwrap();
    let DataType::List(item) = lists.data_type().clone() else { panic!("{column} holds no lists") };
    let (_, offsets, values, nulls) = lists.as_list::<i32>().clone().into_parts();
    let mut values = values.as_primitive::<Float32Type>().values().to_vec();
    values[0] = value;
    with(batch, column, Arc::new(ListArray::new(item, offsets, Arc::new(Float32Array::from(values)), nulls)))
}
