//! Files that are not what they should be: an error that names the place, never a panic.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, Float32Array, Float64Array, ListArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use proptest::prelude::*;
use sepo_data::{
    ArtifactError, ScoredPair, ScoredResponse, ScoresMeta, ScoresReader, ScoresWriter, SelectedPair,
    SelectionMeta, SelectionReader, SelectionWriter, Span,
};

fn list(values: ArrayRef, lengths: &[usize]) -> ArrayRef {
    let field = Field::new("item", values.data_type().clone(), true);
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    Arc::new(ListArray::new(Arc::new(field), offsets, values, None))
}

fn ids(values: &[u32], lengths: &[usize]) -> ArrayRef {
    list(Arc::new(UInt32Array::from(values.to_vec())), lengths)
}

fn weights(values: &[f32], lengths: &[usize]) -> ArrayRef {
    list(Arc::new(Float32Array::from(values.to_vec())), lengths)
}

/// Two rows as another program would write them: nullable columns, other item names, an extra column.
fn foreign_columns() -> Vec<(&'static str, ArrayRef)> {
    vec![
        ("note", Arc::new(UInt64Array::from(vec![0, 0]))),
        ("rejected_weights", weights(&[1.0, 0.25], &[1, 1])),
        ("chosen_weights", weights(&[0.5, 0.0, -1.0], &[2, 1])),
        ("rejected_ids", ids(&[8, 9], &[1, 1])),
        ("chosen_ids", ids(&[5, 6, 7], &[2, 1])),
        ("prompt_ids", ids(&[1], &[1, 0])),
        ("row", Arc::new(UInt64Array::from(vec![10, 11]))),
    ]
}

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>, meta: Option<&str>) {
    let fields: Vec<_> = columns.iter().map(|(n, c)| Field::new(*n, c.data_type().clone(), true)).collect();
    let columns = columns.into_iter().map(|(_, c)| c).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    if let Some(meta) = meta {
        writer.append_key_value_metadata(KeyValue::new("sepo".into(), meta.to_owned()));
    }
    writer.close().unwrap();
}

fn read(path: &Path) -> Result<Vec<SelectedPair>, ArtifactError> {
    SelectionReader::open(path)?.collect()
}

/// The error for the foreign columns after one of them was replaced or, with `None`, removed.
fn error_with(name: &str, column: Option<ArrayRef>) -> ArtifactError {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("selection.parquet");
    let mut columns = foreign_columns();
    let at = columns.iter().position(|(n, _)| *n == name).unwrap();
    match column {
        Some(column) => columns[at].1 = column,
        None => drop(columns.remove(at)),
    }
    write(&path, columns, Some("{}"));
    read(&path).unwrap_err()
}

#[test]
fn another_programs_file_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("selection.parquet");
    write(&path, foreign_columns(), Some(r#"{"rule":"mine","n_kept":2,"who":"me"}"#));
    let pairs = read(&path).unwrap();
    assert_eq!(pairs[0].chosen_weights, [0.5, 0.0]);
    assert_eq!(pairs[1].chosen_weights, [-1.0]);
    assert_eq!((pairs[1].row, pairs[1].prompt_ids.len()), (11, 0));
}

#[test]
fn a_wrong_schema_is_named() {
    let error = error_with("chosen_ids", None);
    assert!(matches!(
        error,
        ArtifactError::MissingColumn { column: "chosen_ids", expected: "List<UInt32>", .. }
    ));
    let doubles = list(Arc::new(Float64Array::from(vec![1.0, 1.0, 1.0])), &[2, 1]);
    let error = error_with("chosen_weights", Some(doubles));
    assert!(matches!(&error, ArtifactError::ColumnType { column: "chosen_weights", found, .. }
        if matches!(**found, DataType::List(_))));
    let message = error.to_string();
    assert!(message.contains("chosen_weights") && message.contains("expected List<Float32>"), "{message}");
    let error = error_with("row", Some(Arc::new(Float64Array::from(vec![1.0, 2.0]))));
    assert!(matches!(error, ArtifactError::ColumnType { column: "row", expected: "UInt64", .. }));
}

#[test]
fn a_wrong_length_is_named() {
    let error = error_with("rejected_weights", Some(weights(&[1.0, 2.0, 3.0], &[1, 2])));
    assert!(matches!(
        error,
        ArtifactError::Length { row: 1, column: "rejected_weights", found: 2, expected: 1, .. }
    ));
}

#[test]
fn a_null_is_named() {
    let values: ArrayRef = Arc::new(UInt32Array::from(vec![Some(8), None]));
    let error = error_with("rejected_ids", Some(list(values, &[1, 1])));
    assert!(matches!(error, ArtifactError::Null { row: 1, column: "rejected_ids", .. }));
    let error = error_with("row", Some(Arc::new(UInt64Array::from(vec![None, Some(1)]))));
    assert!(matches!(error, ArtifactError::Null { row: 0, column: "row", .. }));
}

#[test]
fn a_weight_that_is_not_a_number_is_named() {
    let error = error_with("chosen_weights", Some(weights(&[1.0, f32::NAN, 0.0], &[2, 1])));
    assert!(matches!(
        error,
        ArtifactError::NonFiniteWeight { row: 0, column: "chosen_weights", token: 1, .. }
    ));
}

#[test]
fn missing_or_broken_metadata_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("selection.parquet");
    write(&path, foreign_columns(), None);
    assert!(matches!(read(&path).unwrap_err(), ArtifactError::MissingMeta { .. }));
    for meta in ["", "[", "[1]", r#"{"n_kept":"many"}"#] {
        write(&path, foreign_columns(), Some(meta));
        assert!(matches!(read(&path).unwrap_err(), ArtifactError::Meta { .. }), "{meta}");
    }
}

#[test]
fn files_that_are_no_parquet_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    assert!(matches!(read(&path).unwrap_err(), ArtifactError::Read { .. }));
    for bytes in [&b""[..], b"PAR1", b"PAR1PAR1", b"hello, this is not a table"] {
        fs::write(&path, bytes).unwrap();
        assert!(matches!(read(&path).unwrap_err(), ArtifactError::Parquet { .. }));
    }
    assert!(read(dir.path()).is_err(), "a folder is no table");
}

#[test]
fn lists_of_other_lengths_are_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scores.parquet");
    let mut writer = ScoresWriter::create(&path, ScoresMeta::default()).unwrap();
    writer.write(&scored(0)).unwrap();
    let mut pair = scored(1);
    pair.rejected.spans.as_mut().unwrap().pop();
    assert!(matches!(
        writer.write(&pair).unwrap_err(),
        ArtifactError::Length { row: 1, column: "rejected_spans", found: 2, expected: 3, .. }
    ));
    writer.finish().unwrap();
    assert_eq!(ScoresReader::open(&path).unwrap().count(), 1, "the refused row left no trace");

    let mut writer = SelectionWriter::create(dir.path().join("s"), SelectionMeta::default()).unwrap();
    let pair =
        SelectedPair { chosen_ids: vec![1], chosen_weights: vec![f32::NAN], ..SelectedPair::default() };
    assert!(matches!(writer.write(&pair).unwrap_err(), ArtifactError::NonFiniteWeight { token: 0, .. }));
}

fn scored(row: u64) -> ScoredPair {
    let response = ScoredResponse {
        ids: vec![1, 2, 3],
        oracle_logps: vec![-1.0, -2.0, -3.0],
        reference_logps: vec![-1.5, -2.0, -2.5],
        scores: vec![0.5, 0.0, -0.5],
        spans: Some(vec![Span { start: 0, end: 2 }; 3]),
        truncated: false,
    };
    ScoredPair { row, prompt_ids: vec![4, 5], chosen: response.clone(), rejected: response }
}

fn scores_file(dir: &Path) -> (PathBuf, Vec<u8>) {
    let path = dir.join("scores.parquet");
    let mut writer = ScoresWriter::create(&path, ScoresMeta::default()).unwrap();
    (0..50).for_each(|row| writer.write(&scored(row)).unwrap());
    writer.finish().unwrap();
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

#[test]
fn a_truncated_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (path, bytes) = scores_file(dir.path());
    for n in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        fs::write(&path, &bytes[..n]).unwrap();
        assert!(ScoresReader::open(&path).is_err(), "the first {n} of {} bytes", bytes.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn damaged_bytes_never_panic(damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = WHOLE.get_or_init(|| scores_file(dir.path()).1).clone();
        let path = dir.path().join("scores.parquet");
        for (index, byte) in damage {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        fs::write(&path, &bytes).unwrap();
        if let Ok(reader) = ScoresReader::open(&path) {
            let _ = reader.collect::<Result<Vec<_>, _>>();
        }
    }
}
