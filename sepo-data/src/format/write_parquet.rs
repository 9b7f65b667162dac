//! Pairs as Parquet columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringBuilder, StructBuilder, UInt32Builder};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::content::content_format;
use super::pair_format::PairFormat;
use crate::{AtomicFile, Message, PairContent};

/// Pairs that are gathered before they are encoded, and their size: Arrow's offsets end at 2 GiB.
const BATCH_ROWS: usize = 1024;
const BATCH_BYTES: usize = 64 << 20;
/// Encoded bytes after which a row group ends.
const GROUP_BYTES: usize = 64 << 20;

/// Gathers pairs and writes them as record batches. The first pair decides the columns.
pub(super) struct ParquetSink {
    state: State,
    pairs: Vec<PairContent>,
    n_bytes: usize,
}

enum State {
    /// Before the first batch.
    New(AtomicFile),
    Writing(Box<ArrowWriter<AtomicFile>>),
    /// After an error.
    Failed,
}

impl ParquetSink {
    pub(super) fn new(file: AtomicFile) -> Self {
        Self { state: State::New(file), pairs: Vec::new(), n_bytes: 0 }
    }

    /// Adds a pair, of the same kind of content as the first.
    pub(super) fn write(&mut self, pair: &PairContent) -> Result<(), ParquetError> {
        self.n_bytes += size_bytes(pair);
        self.pairs.push(pair.clone());
        if self.pairs.len() == BATCH_ROWS || self.n_bytes >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    /// The complete file. Without any pair it has the columns of the explicit format.
    pub(super) fn finish(mut self) -> Result<AtomicFile, ParquetError> {
        self.flush()?;
        match self.state {
            State::Writing(writer) => writer.into_inner(),
            State::New(_) | State::Failed => Err(ParquetError::General("an earlier write failed".to_owned())),
        }
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        let format = self.pairs.first().map_or(PairFormat::Explicit, content_format);
        let mut writer = match std::mem::replace(&mut self.state, State::Failed) {
            State::New(file) => {
                let compression = Compression::ZSTD(ZstdLevel::default());
                let properties = WriterProperties::builder().set_compression(compression).build();
                Box::new(ArrowWriter::try_new(file, schema(format), Some(properties))?)
            }
            State::Writing(writer) => writer,
            State::Failed => return Err(ParquetError::General("an earlier write failed".to_owned())),
        };
        if !self.pairs.is_empty() {
            writer.write(&batch(&self.pairs, format)?)?;
            // A row group is in memory until it ends, and by default only a million rows end it.
            if writer.in_progress_size() >= GROUP_BYTES {
                writer.flush()?;
            }
            self.pairs.clear();
            self.n_bytes = 0;
        }
        self.state = State::Writing(writer);
        Ok(())
    }
}

fn size_bytes(pair: &PairContent) -> usize {
    let chat = |messages: &[Message]| messages.iter().map(|m| m.role.len() + m.content.len()).sum::<usize>();
    match pair {
        PairContent::Text { prompt, chosen, rejected } => prompt.len() + chosen.len() + rejected.len(),
        PairContent::Chat { prompt, chosen, rejected } => chat(prompt) + chat(chosen) + chat(rejected),
        PairContent::Tokens { prompt_ids, chosen_ids, rejected_ids } => {
            4 * (prompt_ids.len() + chosen_ids.len() + rejected_ids.len())
        }
    }
}

fn message_fields() -> Fields {
    ["role", "content"].map(|name| Field::new(name, DataType::Utf8, false)).into_iter().collect()
}

fn schema(format: PairFormat) -> SchemaRef {
    let list = |item| DataType::List(Arc::new(Field::new_list_field(item, false)));
    let (names, data_type) = match format {
        PairFormat::Tokenized => (["prompt_ids", "chosen_ids", "rejected_ids"], list(DataType::UInt32)),
        PairFormat::Conversational => {
            (["prompt", "chosen", "rejected"], list(DataType::Struct(message_fields())))
        }
        _ => (["prompt", "chosen", "rejected"], DataType::Utf8),
    };
    Arc::new(Schema::new(names.map(|name| Field::new(name, data_type.clone(), false)).to_vec()))
}

fn batch(pairs: &[PairContent], format: PairFormat) -> Result<RecordBatch, ParquetError> {
    let columns = match format {
        PairFormat::Tokenized => [0, 1, 2].map(|column| id_column(pairs, column)),
        PairFormat::Conversational => [0, 1, 2].map(|column| message_column(pairs, column)),
        _ => [0, 1, 2].map(|column| text_column(pairs, column)),
    };
    Ok(RecordBatch::try_new(schema(format), columns.to_vec())?)
}

fn text_column(pairs: &[PairContent], column: usize) -> ArrayRef {
    let mut builder = StringBuilder::new();
    for pair in pairs {
        if let PairContent::Text { prompt, chosen, rejected } = pair {
            builder.append_value([prompt, chosen, rejected][column]);
        }
    }
    Arc::new(builder.finish())
}

fn id_column(pairs: &[PairContent], column: usize) -> ArrayRef {
    let mut builder =
        ListBuilder::new(UInt32Builder::new()).with_field(Field::new_list_field(DataType::UInt32, false));
    for pair in pairs {
        if let PairContent::Tokens { prompt_ids, chosen_ids, rejected_ids } = pair {
            builder.values().append_slice([prompt_ids, chosen_ids, rejected_ids][column]);
            builder.append(true);
        }
    }
    Arc::new(builder.finish())
}

fn message_column(pairs: &[PairContent], column: usize) -> ArrayRef {
    let item = Field::new_list_field(DataType::Struct(message_fields()), false);
    let structs = StructBuilder::from_fields(message_fields(), pairs.len());
    let mut builder = ListBuilder::new(structs).with_field(item);
    for pair in pairs {
        if let PairContent::Chat { prompt, chosen, rejected } = pair {
            for message in [prompt, chosen, rejected][column] {
                let structs = builder.values();
                for (field, text) in [(0, &message.role), (1, &message.content)] {
                    if let Some(strings) = structs.field_builder::<StringBuilder>(field) {
                        strings.append_value(text);
                    }
                }
                structs.append(true);
            }
            builder.append(true);
        }
    }
    Arc::new(builder.finish())
}
