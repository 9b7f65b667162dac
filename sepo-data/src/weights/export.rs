//! Weights for other programs.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::ListArray;
use arrow::array::{
    ArrayRef, Float32Builder, ListBuilder, RecordBatch, StructArray, UInt32Array, UInt32Builder, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde::Serialize;

use crate::format::{self, Container, by_name};
use crate::{AtomicFile, DataError, SelectedPair, Span};

/// Pairs that are gathered before they are encoded.
const BATCH_ROWS: usize = 512;

/// Weights of pairs with their ids and, where they are known, the bytes that each token stands for, in a file for other
/// programs: it appears under its name only when it is complete.
///
/// | file | a row | spans |
/// |---|---|---|
/// | `.jsonl` | `{"row", "prompt_ids", "chosen_ids", "rejected_ids", "chosen_weights", "rejected_weights"}` | `"chosen_spans"`, `"rejected_spans"`: `[{"start", "end"}, …]` |
/// | `.parquet` | columns of these names: `UInt64`, `List<UInt32>`, `List<Float32>` | `List<Struct<start: UInt32, end: UInt32>>` |
///
/// [`GivenWeightsReader`](super::GivenWeightsReader) reads both back.
///
/// # Examples
///
/// ```
/// use sepo_data::{SelectedPair, WeightsWriter};
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("weights.jsonl");
/// let pair = SelectedPair {
///     row: 3, prompt_ids: vec![1], chosen_ids: vec![5], rejected_ids: vec![6], chosen_weights: vec![0.3], rejected_weights: vec![0.0],
/// };
/// let mut writer = WeightsWriter::create(&path)?;
/// writer.write(&pair, None)?;
/// writer.finish()?;
/// assert_eq!(
///     std::fs::read_to_string(&path)?,
///     r#"{"row":3,"prompt_ids":[1],"chosen_ids":[5],"rejected_ids":[6],"chosen_weights":[0.3],"rejected_weights":[0.0]}"#.to_owned() + "\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WeightsWriter {
    path: PathBuf,
    sink: Sink,
    n_pairs: u64,
}

enum Sink {
    Json(BufWriter<AtomicFile>),
    Parquet { file: Option<AtomicFile>, writer: Option<Box<ArrowWriter<AtomicFile>>>, rows: Vec<Row> },
}

/// A pair with its spans.
#[derive(Debug, Clone)]
struct Row {
    pair: SelectedPair,
    spans: Option<[Vec<Span>; 2]>,
}

#[derive(Serialize)]
struct Line<'a> {
    row: u64,
    prompt_ids: &'a [u32],
    chosen_ids: &'a [u32],
    rejected_ids: &'a [u32],
    chosen_weights: &'a [f32],
    rejected_weights: &'a [f32],
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen_spans: Option<Vec<Place>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_spans: Option<Vec<Place>>,
}

#[derive(Serialize)]
struct Place {
    start: u32,
    end: u32,
}

fn places(spans: &[Span]) -> Vec<Place> {
    spans.iter().map(|span| Place { start: span.start, end: span.end }).collect()
}

impl WeightsWriter {
    /// A writer for `path`, whose name ends in `.jsonl` or `.parquet`.
    ///
    /// # Errors
    ///
    /// * [`DataError::UnwritableExtension`]: the name ends otherwise.
    /// * [`DataError::Write`]: no temporary file can be made beside `path`.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref().to_path_buf();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let container = match by_name(name) {
            Some((Container::Json, format::Compression::None, _)) if name.ends_with("l") => Container::Json,
            Some((Container::Parquet, format::Compression::None, _)) => Container::Parquet,
            _ => return Err(DataError::UnwritableExtension { file: path }),
        };
        let file =
            AtomicFile::create(&path).map_err(|source| DataError::Write { file: path.clone(), source })?;
        let sink = match container {
            Container::Json => Sink::Json(BufWriter::new(file)),
            _ => Sink::Parquet { file: Some(file), writer: None, rows: Vec::new() },
        };
        Ok(Self { path, sink, n_pairs: 0 })
    }

    /// Adds a pair; `spans` are those of its chosen and of its rejected tokens, given for all pairs or for none.
    ///
    /// # Errors
    ///
    /// [`DataError::Write`], [`DataError::WriteParquet`]: the temporary file cannot be written.
    pub fn write(&mut self, pair: &SelectedPair, spans: Option<[Vec<Span>; 2]>) -> Result<(), DataError> {
        self.n_pairs += 1;
        match &mut self.sink {
            Sink::Json(file) => {
                let line = Line {
                    row: pair.row,
                    prompt_ids: &pair.prompt_ids,
                    chosen_ids: &pair.chosen_ids,
                    rejected_ids: &pair.rejected_ids,
                    chosen_weights: &pair.chosen_weights,
                    rejected_weights: &pair.rejected_weights,
                    chosen_spans: spans.as_ref().map(|[chosen, _]| places(chosen)),
                    rejected_spans: spans.as_ref().map(|[_, rejected]| places(rejected)),
                };
                let written = serde_json::to_writer(&mut *file, &line).map_err(Into::into);
                written
                    .and_then(|()| file.write_all(b"\n"))
                    .map_err(|source| DataError::Write { file: self.path.clone(), source })
            }
            Sink::Parquet { rows, .. } => {
                rows.push(Row { pair: pair.clone(), spans });
                if rows.len() >= BATCH_ROWS { self.flush() } else { Ok(()) }
            }
        }
    }

    /// Moves the complete file to its place; how many pairs it holds.
    ///
    /// # Errors
    ///
    /// [`DataError::Write`], [`DataError::WriteParquet`]: it cannot be written, or not be moved.
    pub fn finish(mut self) -> Result<u64, DataError> {
        self.flush()?;
        let path = self.path.clone();
        let failed = |source| DataError::Write { file: path.clone(), source };
        let file = match self.sink {
            Sink::Json(file) => file.into_inner().map_err(|error| failed(error.into_error()))?,
            Sink::Parquet { writer: Some(writer), .. } => writer
                .into_inner()
                .map_err(|source| DataError::WriteParquet { file: path.clone(), source })?,
            // `flush` makes the writer.
            Sink::Parquet { .. } => return Err(failed(std::io::ErrorKind::InvalidData.into())),
        };
        file.commit().map_err(failed)?;
        Ok(self.n_pairs)
    }

    fn flush(&mut self) -> Result<(), DataError> {
        let Sink::Parquet { file, writer, rows } = &mut self.sink else { return Ok(()) };
        let failed = |source| DataError::WriteParquet { file: self.path.clone(), source };
        let batch = batch(rows).map_err(|error| failed(ParquetError::from(error)))?;
        if let Some(file) = file.take() {
            let compression = Compression::ZSTD(ZstdLevel::default());
            let properties = WriterProperties::builder().set_compression(compression).build();
            let made = ArrowWriter::try_new(file, batch.schema(), Some(properties)).map_err(failed)?;
            *writer = Some(Box::new(made));
        }
        if let Some(writer) = writer {
            writer.write(&batch).map_err(failed)?;
            // A row group is in memory until it ends.
            writer.flush().map_err(failed)?;
        }
        rows.clear();
        Ok(())
    }
}

fn batch(rows: &[Row]) -> Result<RecordBatch, ArrowError> {
    type Ids = fn(&SelectedPair) -> &[u32];
    type Weights = fn(&SelectedPair) -> &[f32];
    let mut columns: Vec<(&str, ArrayRef)> =
        vec![("row", Arc::new(rows.iter().map(|row| row.pair.row).collect::<UInt64Array>()))];
    let ids: [(&str, Ids); 3] = [
        ("prompt_ids", |pair| &pair.prompt_ids),
        ("chosen_ids", |pair| &pair.chosen_ids),
        ("rejected_ids", |pair| &pair.rejected_ids),
    ];
    for (name, ids) in ids {
        let mut list = ListBuilder::new(UInt32Builder::new()).with_field(element(DataType::UInt32));
        for row in rows {
            list.values().append_slice(ids(&row.pair));
            list.append(true);
        }
        columns.push((name, Arc::new(list.finish())));
    }
    let weights: [(&str, Weights); 2] = [
        ("chosen_weights", |pair| &pair.chosen_weights),
        ("rejected_weights", |pair| &pair.rejected_weights),
    ];
    for (name, weights) in weights {
        let mut list = ListBuilder::new(Float32Builder::new()).with_field(element(DataType::Float32));
        for row in rows {
            list.values().append_slice(weights(&row.pair));
            list.append(true);
        }
        columns.push((name, Arc::new(list.finish())));
    }
    if rows.iter().any(|row| row.spans.is_some()) {
        for (side, name) in ["chosen_spans", "rejected_spans"].into_iter().enumerate() {
            columns.push((name, Arc::new(span_list(rows, side)?)));
        }
    }
    RecordBatch::try_from_iter(columns)
}

fn span_list(rows: &[Row], side: usize) -> Result<ListArray, ArrowError> {
    let of = |row: &Row| row.spans.as_ref().map(|spans| spans[side].clone()).unwrap_or_default();
    let spans: Vec<Vec<Span>> = rows.iter().map(of).collect();
    let ends = |end: fn(&Span) -> u32| -> ArrayRef {
        Arc::new(spans.iter().flatten().map(end).collect::<UInt32Array>())
    };
    let fields: Fields =
        ["start", "end"].map(|name| Field::new(name, DataType::UInt32, false)).into_iter().collect();
    let items = StructArray::try_new(fields.clone(), vec![ends(|s| s.start), ends(|s| s.end)], None)?;
    let offsets = OffsetBuffer::from_lengths(spans.iter().map(Vec::len));
    ListArray::try_new(element(DataType::Struct(fields)), offsets, Arc::new(items), None)
}

fn element(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("element", data_type, false))
}
