//! Preference pairs and plain text out of the files that people have.
//!
//! [`open_pairs`] takes files, folders and globs, detects what their columns hold, says why it thinks so, and hands
//! out one [`PairRow`] after the other. It is a stream: a Parquet or Arrow file is read record batch by record
//! batch, a JSON lines file line by line, and a JSON array element by element, so memory does not grow with the
//! input. Strings are handed out byte for byte as they stand; nothing is trimmed.
//!
//! | format | columns |
//! |---|---|
//! | [`PairFormat::Explicit`] | `prompt`, `chosen`, `rejected`: strings |
//! | [`PairFormat::Conversational`] | `chosen`, `rejected`: lists of `{role, content}`; `prompt`: such a list, a string, or absent |
//! | [`PairFormat::Transcript`] | `chosen`, `rejected`: whole `\n\nHuman:` / `\n\nAssistant:` transcripts |
//! | [`PairFormat::ShareGpt`] | `conversations`: list of `{from, value}`; `chosen`, `rejected`: `{from, value}`; optional `system` |
//! | [`PairFormat::Tokenized`] | `prompt_ids`, `chosen_ids`, `rejected_ids`: lists of integers |
//! | [`PairFormat::Text`] | `text`: strings, or rows that are strings (for [`open_texts`]) |
//!
//! A row that cannot be used is a [`BadRow`] with its place and the reason, and reading goes on behind it. Only what
//! makes everything after it doubtful, such as a truncated file, is a [`DataError`](crate::DataError).
//!
//! A row may take 64 MiB, its text and 16 bytes for each value (an id, a message, a field); a larger one is a bad row, or ends
//! the reading where its end is not found within that. A row of Parquet may have 1048576 values in one list column.
//!
//! [`write_pairs`] writes pairs back in the first, second or fifth format.

mod arrow_cell;
mod bad_row;
mod budget;
mod cell;
mod column;
mod container;
mod content;
mod conversational;
mod detect;
mod explicit;
mod field;
mod file_rows;
mod guard;
mod input;
mod input_rows;
mod ipc;
mod ipc_extent;
mod json_array;
mod json_cell;
mod json_lines;
mod kind;
mod message;
mod pair_format;
mod pair_reader;
mod parquet_rows;
mod read_config;
mod sharegpt;
mod split;
mod text_reader;
mod tokenized;
mod transcript;
mod write;
mod write_parquet;

pub use bad_row::BadRow;
pub use column::FoundColumn;
pub(crate) use container::{Compression, Container, by_name, by_path, open_seekable, open_stream};
pub use content::content_format;
pub use detect::Detected;
pub use input::input_files;
pub use json_cell::JsonFault;
pub use kind::Kind;
pub use pair_format::{PairFormat, UnknownFormatName};
pub use pair_reader::{PairReader, PairRow, open_pairs};
pub use read_config::ReadConfig;
pub use split::{RECORD_ENDING, SplitChoice};
pub use text_reader::{TextItem, TextReader, TextRow, open_texts};
pub use write::{PairWriter, write_pairs, write_pairs_jsonl, write_pairs_parquet};
