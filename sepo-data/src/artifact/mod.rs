//! The files that stages hand to each other: scores, selections and stored reference log-probabilities.
//!
//! All are Parquet with a JSON object under the key-value metadata key [`META_KEY`]. Writers stream in row groups of
//! bounded size and appear under their final name only when complete; readers stream row by row, check the schema when
//! opened and every row's lengths when read, and name file, row and column of what is wrong. Columns that are not
//! part of a schema are ignored.
//!
//! A BLAKE3 hash of all values stands under a key-value metadata key of its own, `sepo-values-blake3`, and is compared
//! at a file's end. A file without that key is read without; a program that changes values must leave the key out.
//!
//! Each file is a row type with its columns and its metadata ([`ArtifactRow`]); writing and reading are the same for all.
//!
//! | file | row type | columns |
//! |---|---|---|
//! | `scores.parquet` | [`ScoredPair`] | `row`, three id lists; for each side `_oracle_logps`, `_reference_logps`, `_scores`, `_spans`, `_truncated` |
//! | `selection.parquet` | [`SelectedPair`] | `row`, three id lists, `chosen_weights`, `rejected_weights` |
//! | the same, less to read | [`TokenScores`] | `row`; for each side `_ids`, `_scores`, `_truncated` |
//! | `logps.parquet` | [`PairLogps`] | `row`, `chosen_logps`, `rejected_logps` |

mod atomic;
mod buffer;
mod checksum;
mod column;
mod error;
mod hash;
mod logps;
mod meta;
mod reader;
mod row;
mod scores;
mod selection;
mod shards;
mod token_scores;
mod view;
mod writer;

pub use atomic::AtomicFile;
pub use error::ArtifactError;
pub use hash::content_hash;
pub use logps::{LogpsReader, LogpsWriter, PairLogps};
pub use meta::{ContentSource, LogpsMeta, META_KEY, ScoresMeta, SelectionMeta, TokenCounts};
pub use reader::ArtifactReader;
pub use row::ArtifactRow;
pub use scores::{ScoredPair, ScoredResponse, ScoresReader, ScoresWriter};
pub use selection::{SelectedPair, SelectionReader, SelectionWriter};
pub use shards::{OtherRun, Shard, ShardError, ShardStore};
pub use token_scores::{ResponseScores, TokenScores, TokenScoresReader};
pub use writer::ArtifactWriter;
