//! Built-in preference data, of which it is known which tokens matter.
//!
//! A small grammar writes prompts and responses in plain English about a made-up world. A response is filler that
//! carries no preference, and up to three *planted* sentences that do: a courteous or rude turn, a right or wrong
//! fact, a followed or ignored request. The two alternatives of a planted sentence differ in **one word**, the
//! *decisive* one. Each has a known utility, and the label of a pair is drawn from Bradley–Terry on the summed
//! utilities, so labels are noisy.
//!
//! * [`planted_pairs`] – the pairs, with their spans
//! * [`base_texts`] – texts in which both alternatives occur, for a base model
//! * [`eval_prompts`] – prompts that neither of these contains
//! * [`judge`] – the true utility of any response, so of a policy's samples
//! * [`decisive_mask`], [`span_mask`] – which tokens matter, to hold a scorer against
//! * [`train_tokenizer`], [`write_tokenizer`] – a tokenizer of which each word of the grammar is one token
//!
//! The tables are in `world.rs` (facts) and `grammar.rs` (sentences). Everything is a function of its seed, on every
//! platform. It is no substitute for real data: it measures whether a method finds what is there to be found.

mod base;
mod draw;
mod error;
mod fork;
mod grammar;
mod judge;
mod pairs;
mod prompt;
mod response;
mod span;
mod tokenizer;
mod world;

pub use base::{BASE_GOOD_SHARE, BaseText, base_texts};
pub use error::PlantedError;
pub use judge::{Judged, Verdict, judge};
pub use pairs::{PlantedConfig, PlantedPair, Temperature, planted_pairs};
pub use prompt::eval_prompts;
pub use span::{PlantedResponse, PlantedSpan, Quality, SpanKind, decisive_mask, span_mask};
pub use tokenizer::{BOS_TOKEN, EOS_TOKEN, PAD_TOKEN, VOCAB_SIZE, train_tokenizer, write_tokenizer};
