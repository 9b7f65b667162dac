//! Values that are not those that were written are found, whatever brought them in.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::fmt::Debug;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, ListArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::KeyValue;
use sepo_data::{
    ArtifactError, ArtifactReader, ArtifactRow, ArtifactWriter, PairLogps, ScoredPair, ScoredResponse,
    SelectedPair, Span,
};

const KEY: &str = "sepo-values-blake3";

/// A test's body, run for each kind of artifact.
trait Body {
    fn run<R: ArtifactRow<Meta: Default> + Clone + PartialEq + Debug>(&self, rows: &[R]);
}

fn for_each_artifact(body: &impl Body) {
    let scored: Vec<_> = (0..3).map(scored).collect();
    body.run(&scored);
    let logps = |pair: &ScoredPair| PairLogps {
        row: pair.row,
        chosen_logps: pair.chosen.oracle_logps.clone(),
        rejected_logps: pair.rejected.scores.clone(),
    };
    body.run(&scored.iter().map(logps).collect::<Vec<_>>());
    let selected = |pair: &ScoredPair| SelectedPair {
        row: pair.row,
        prompt_ids: pair.prompt_ids.clone(),
        chosen_ids: pair.chosen.ids.clone(),
        rejected_ids: pair.rejected.ids.clone(),
        chosen_weights: pair.chosen.scores.clone(),
        rejected_weights: pair.rejected.scores.clone(),
    };
    body.run(&scored.iter().map(selected).collect::<Vec<_>>());
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

fn write<R: ArtifactRow<Meta: Default>>(path: &Path, rows: &[R]) {
    let mut writer = ArtifactWriter::create(path, R::Meta::default()).unwrap();
    rows.iter().for_each(|row| writer.write(row).unwrap());
    writer.finish().unwrap();
}

fn read<R: ArtifactRow>(path: &Path) -> Result<Vec<R>, ArtifactError> {
    ArtifactReader::open(path)?.collect()
}

/// Writes the file as another program would, other encodings and row groups, keeping some of the metadata.
fn rewrite(path: &Path, change: impl Fn(RecordBatch) -> RecordBatch, keep: impl Fn(&str) -> bool) {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let metadata = builder.metadata().file_metadata().key_value_metadata().unwrap().clone();
    let batches: Vec<RecordBatch> = builder.with_batch_size(2).build().unwrap().map(Result::unwrap).collect();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batches[0].schema(), None).unwrap();
    for batch in batches {
        writer.write(&change(batch)).unwrap();
        writer.flush().unwrap();
    }
    for KeyValue { key, value } in metadata.into_iter().filter(|entry| keep(&entry.key)) {
        writer.append_key_value_metadata(KeyValue::new(key, value));
    }
    writer.close().unwrap();
}

fn is_ours(key: &str) -> bool {
    key.starts_with("sepo")
}

/// The batch with the sign of the first number of its last float list turned.
fn with_one_sign_turned(batch: RecordBatch) -> RecordBatch {
    let is_floats = |column: &ArrayRef| matches!(column.data_type(), DataType::List(item) if *item.data_type() == DataType::Float32);
    let at = batch.columns().iter().rposition(is_floats).unwrap();
    let DataType::List(item) = batch.column(at).data_type().clone() else { unreachable!("a list") };
    let (_, offsets, values, nulls) = batch.column(at).as_list::<i32>().clone().into_parts();
    let mut values = values.as_primitive::<Float32Type>().values().to_vec();
    values[0] = -values[0];
    let mut columns = batch.columns().to_vec();
    columns[at] = Arc::new(ListArray::new(item, offsets, Arc::new(Float32Array::from(values)), nulls));
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

struct OtherEncoding;

impl Body for OtherEncoding {
    fn run<R: ArtifactRow<Meta: Default> + Clone + PartialEq + Debug>(&self, rows: &[R]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        write(&path, rows);
        rewrite(&path, |batch| batch, is_ours);
        assert_eq!(read::<R>(&path).unwrap(), rows);
    }
}

#[test]
fn another_encoding_of_the_same_values_is_read() {
    for_each_artifact(&OtherEncoding);
}

struct OtherValue;

impl Body for OtherValue {
    fn run<R: ArtifactRow<Meta: Default> + Clone + PartialEq + Debug>(&self, rows: &[R]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        write(&path, rows);
        rewrite(&path, with_one_sign_turned, is_ours);
        let read: Vec<_> = ArtifactReader::<R>::open(&path).unwrap().collect();
        assert_eq!(read.len(), rows.len(), "rows stream, and the error stands in place of the last");
        assert_eq!(read[1].as_ref().unwrap(), &rows[1]);
        let error = read[2].as_ref().unwrap_err();
        assert!(
            matches!(error, ArtifactError::Checksum { path: at, expected, found }
                if *at == path && expected.len() == 64 && found.len() == 64 && expected != found),
            "{error:?}"
        );
        let message = error.to_string();
        assert!(message.contains("x.parquet") && message.contains("run the stage"), "{message}");
    }
}

#[test]
fn a_value_that_was_not_written_is_found() {
    for_each_artifact(&OtherValue);
}

struct NoChecksum;

impl Body for NoChecksum {
    fn run<R: ArtifactRow<Meta: Default> + Clone + PartialEq + Debug>(&self, rows: &[R]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        write(&path, rows);
        rewrite(&path, with_one_sign_turned, |key| key == "sepo");
        let read = read::<R>(&path).unwrap();
        assert_eq!((read.len(), &read[1]), (3, &rows[1]));
        assert_ne!(read[0], rows[0], "who leaves the checksum out may change what he likes");
    }
}

#[test]
fn a_file_without_a_checksum_is_read() {
    for_each_artifact(&NoChecksum);
}

struct LostRows;

impl Body for LostRows {
    fn run<R: ArtifactRow<Meta: Default> + Clone + PartialEq + Debug>(&self, rows: &[R]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        for n_left in [0, 1] {
            write(&path, rows);
            rewrite(&path, |batch| batch.slice(0, n_left), is_ours);
            assert!(matches!(read::<R>(&path).unwrap_err(), ArtifactError::Checksum { .. }), "{n_left}");
        }
        write::<R>(&path, &[]);
        assert_eq!(read::<R>(&path).unwrap(), []);
    }
}

#[test]
fn rows_that_are_gone_are_found() {
    for_each_artifact(&LostRows);
}

struct Flips;

impl Body for Flips {
    fn run<R: ArtifactRow<Meta: Default> + Clone + PartialEq + Debug>(&self, rows: &[R]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.parquet");
        write(&path, rows);
        let whole = fs::read(&path).unwrap();
        let key = whole.windows(KEY.len()).position(|bytes| bytes == KEY.as_bytes());
        assert!(key.is_some(), "the key that other programs know");
        let mut n_mismatches = 0;
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, bytes).unwrap();
            match read::<R>(&path) {
                Ok(read) => assert_eq!(read, rows, "byte {at}"),
                Err(ArtifactError::Checksum { .. }) => n_mismatches += 1,
                Err(_) => {}
            }
        }
        assert!(n_mismatches > 64, "only {n_mismatches}: the checksum's own digits alone are 64");
    }
}

#[test]
fn a_flipped_byte_is_never_taken_for_a_value() {
    for_each_artifact(&Flips);
}
