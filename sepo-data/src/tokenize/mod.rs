//! Pairs to ids: made once, by one rule, stored as integers.

mod boundary;
mod byte_level;
mod chat;
mod closing;
mod config;
mod encode;
mod encoded_text;
mod error;
mod growth;
mod guard;
mod pair_tokenizer;
mod pieces;
mod report;
mod rows;
mod skip;
mod spans;
mod special;
mod stream;
mod truncate;

pub use chat::PairTexts;
pub use config::{
    Bos, Boundary, Eos, LongPrompt, TemplateChoice, TextHandling, TokenizeConfig, TruncationConfig,
};
pub use encode::{EncodeNotes, EncodedPair, ResponseNotes};
pub use error::TokenizeError;
pub use pair_tokenizer::PairTokenizer;
pub use report::{SideReport, TokenizeReport};
pub use rows::{EncodedRow, EncodedRows};
pub use skip::{PairPart, SkipReason, SkippedPair};
pub use special::{SpecialSource, SpecialToken, SpecialTokens};
pub use stream::EncodeStream;
