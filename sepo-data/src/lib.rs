//! Preference pairs in, token ids and batches out.
//!
//! **For** programs that train on or score preference data, with whatever model:
//!
//! * [`open_pairs`] reads the files that people have, detects their format and names every row that cannot be used.
//! * [`PairSource`] mixes inputs, leaves out duplicates, and splits off pairs to measure on.
//! * [`ChatTemplate`] and [`PairTokenizer`] turn a pair into ids once, with a stated border of prompt and response.
//! * [`PackedBatch`] lays pairs out without padding, what two responses share once, with a row for each wanted
//!   log-probability.
//! * [`ScoresWriter`], [`SelectionWriter`], [`LogpsWriter`] and their readers are the files between the stages.
//! * [`GivenWeightsReader`] reads weights that others have made, by token or by span of the text.
//! * [`AtomicFile`] and [`Lock`] keep what is written whole, and written by one process at a time.
//! * [`planted`] makes pairs of which it is known which tokens matter.
//!
//! **Not for** models, log-probabilities or selection. Inputs are files; with the features `cloud` and `hub` also URLs
//! ([`local_paths`]).
//!
//! # Examples
//!
//! From a file to a batch; these rows hold ids, so no tokenizer is needed:
//!
//! ```
//! use sepo_data::{
//!     PackItem, PackedBatch, PairRow, PairTokenizer, ReadConfig, RowPolicy, SpecialTokens, TokenizeConfig, open_pairs,
//! };
//!
//! let dir = tempfile::tempdir()?;
//! let path = dir.path().join("pairs.jsonl");
//! std::fs::write(&path, r#"{"prompt_ids": [1, 2], "chosen_ids": [10, 11], "rejected_ids": [20]}"#)?;
//!
//! let rows = open_pairs(&[path.display().to_string()], &ReadConfig::default())?.collect::<Result<Vec<_>, _>>()?;
//! let pairs = rows.into_iter().filter_map(|row| match row {
//!     PairRow::Pair(pair) => Some(pair),
//!     PairRow::Bad(_) => None,
//! });
//! let tokenizer = PairTokenizer::ids_only(Some(32), SpecialTokens::default(), &TokenizeConfig::default())?;
//! let pairs = tokenizer.encode_stream(pairs).collect::<Result<Vec<_>, _>>()?;
//! let items: Vec<PackItem<'_>> = pairs
//!     .iter()
//!     .map(|pair| PackItem {
//!         row: pair.row,
//!         prompt_ids: &pair.prompt_ids,
//!         chosen_ids: &pair.chosen.ids,
//!         rejected_ids: &pair.rejected.ids,
//!         ..PackItem::default()
//!     })
//!     .collect();
//! let batch = PackedBatch::pack(&items, RowPolicy::AllResponse)?;
//! assert_eq!(batch.tokens, [1, 2, 10]); // the last token of a response predicts nothing
//! assert_eq!(batch.row_positions, [1, 2, 1]);
//! assert_eq!(batch.row_targets, [10, 11, 20]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod artifact;
mod error;
pub mod format;
mod lock;
mod pack;
mod pair;
pub mod planted;
mod remote;
mod side;
mod small_file;
mod source;
mod table;
mod template;
mod tokenize;
mod tokenized;
mod weights;

pub use artifact::{
    ArtifactError, ArtifactReader, ArtifactRow, ArtifactWriter, AtomicFile, ContentSource, LogpsMeta,
    LogpsReader, LogpsWriter, META_KEY, OtherRun, PairLogps, ResponseScores, ScoredPair, ScoredResponse,
    ScoresMeta, ScoresReader, ScoresWriter, SelectedPair, SelectionMeta, SelectionReader, SelectionWriter,
    Shard, ShardError, ShardStore, TokenCounts, TokenScores, TokenScoresReader, content_hash,
};
pub use error::{BadReason, DataError};
pub use format::{
    BadRow, Detected, PairFormat, PairReader, PairRow, ReadConfig, input_files, open_pairs, open_texts,
};
pub use lock::{Lock, LockError, LockHolder};
pub use pack::{PackError, PackItem, PackedBatch, PackedPair, RowPolicy, plan_batches};
pub use pair::{Message, PairContent, PreferencePair};
pub use remote::{RemoteError, is_url, local_paths, local_paths_unless};
pub use side::Side;
pub use source::{
    Dedup, EvalFraction, EvalFractionError, Mix, MixEnd, PairHash, PairSource, Part, SourceConfig,
    SourceCounts, Tally, pair_hash,
};
pub use table::TableFault;
pub use template::{BUILTIN_NAMES, ChatTemplate, GenerationPrompt, TemplateError, TemplateOrigin};
pub use tokenize::{
    Bos, Boundary, EncodeNotes, EncodeStream, EncodedPair, EncodedRow, EncodedRows, Eos, LongPrompt,
    PairPart, PairTexts, PairTokenizer, ResponseNotes, SideReport, SkipReason, SkippedPair, SpecialSource,
    SpecialToken, SpecialTokens, TemplateChoice, TextHandling, TokenizeConfig, TokenizeError, TokenizeReport,
    TruncationConfig,
};
pub use tokenized::{Span, TokenizedPair, TokenizedResponse};
pub use weights::{
    GivenKind, GivenRow, GivenWeights, GivenWeightsReader, SpanUnit, WeightColumns, WeightedSpan,
    WeightsError, WeightsWriter, byte_spans,
};
