//! Weights that others have made: one a response token, or one a span of the response text.
//!
//! | file | a row |
//! |---|---|
//! | `.jsonl` (also `.gz`, `.zst`) | a JSON object a line |
//! | `.parquet` | a row |
//!
//! Each has `chosen_weights` and `rejected_weights`, under these or other names: a list of numbers, one a response token;
//! or a list of `{start, end, weight}`, bytes of the response text (or characters, which [`byte_spans`] makes bytes of)
//! and their weight, a number or a truth value. A column `row` names the row in the data; without it rows are in the data's
//! order.

mod columns;
mod error;
mod export;
mod json;
mod parquet;
mod place;
mod reader;
mod row;
mod units;

pub use columns::WeightColumns;
pub use error::{GivenKind, WeightsError};
pub use export::WeightsWriter;
pub use reader::GivenWeightsReader;
pub use row::{GivenRow, GivenWeights, WeightedSpan};
pub use units::{SpanUnit, byte_spans};
