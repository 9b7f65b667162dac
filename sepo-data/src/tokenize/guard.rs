//! The tokenizers library, kept from taking the program down.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenizers::{Encoding, Tokenizer};

/// What the tokenizers library says; if it panics, an error that says so.
///
/// It takes what `tokenizer.json` holds for true: a prefix longer than a token that it should start, or an id that is not
/// in the vocabulary, trips it, while loading or on some later text. Nothing of the tokenizer changes while it encodes,
/// so it can be asked again.
pub(super) fn guarded<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> tokenizers::Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        Err(format!("tokenizer.json contradicts itself ({}); take another copy of it", message(&*panic))
            .into())
    })
}

/// The encoding of a text with its offsets, nothing added.
pub(super) fn encode(tokenizer: &Tokenizer, text: &str) -> tokenizers::Result<Encoding> {
    guarded(|| tokenizer.encode(text, false))
}

/// The encoding of a text without offsets; `special` says whether the post-processor adds its tokens.
pub(super) fn encode_fast(tokenizer: &Tokenizer, text: &str, special: Added) -> tokenizers::Result<Encoding> {
    guarded(|| tokenizer.encode_fast(text, special == Added::Special))
}

/// What the post-processor adds to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    Nothing,
    Special,
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref().copied())
        .unwrap_or("no reason given")
}
