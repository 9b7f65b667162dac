//! Byte-level BPE without the bookkeeping: the same ids as the `tokenizers` library, several times as fast.
//!
//! The library keeps, for every byte of a text, where it came from, through each step that could change it. In the usual
//! byte-level tokenizer (GPT-2, GPT-NeoX, Llama 3, Qwen, …) nothing changes a byte, so a token's place follows from its
//! length. What remains is to find added tokens ([`added`]), to cut the rest into words ([`words`]), and to look words up
//! ([`word_cache`]); a word that was not met before is encoded by the library's own model. A tokenizer that does anything
//! else is not taken ([`ByteLevel::new`]), nor is a text that its normalizer would change ([`ByteLevel::encode`]).

mod added;
mod word_cache;
mod words;

use std::sync::{Mutex, PoisonError};

use tokenizers::{Model, ModelWrapper, NormalizerWrapper, Tokenizer};
use unicode_normalization::{IsNormalized, is_nfc_quick};

use super::pieces::letters;
use added::AddedTokens;
use word_cache::{Token, WordCache};
use words::{WordScratch, Words};

/// Characters below this are their own NFC form, whatever stands beside them.
const FIRST_COMBINING: char = '\u{300}';

/// A byte-level tokenizer of the usual form.
#[derive(Debug)]
pub(super) struct ByteLevel {
    added: AddedTokens,
    words: Words,
    alphabet: [char; 256],
    normalizes: bool,
    /// As many as threads have encoded at once.
    scratches: Mutex<Vec<Scratch>>,
}

/// What one thread works with.
#[derive(Debug)]
struct Scratch {
    words: WordScratch,
    cache: WordCache,
    spelled: String,
}

/// Ids, and how many bytes of the text each stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lengths {
    pub(super) ids: Vec<u32>,
    pub(super) n_bytes: Vec<u32>,
}

impl ByteLevel {
    /// `None` where the tokenizer does anything that is not done here.
    pub(super) fn new(tokenizer: &Tokenizer) -> Option<Self> {
        let ModelWrapper::BPE(model) = tokenizer.get_model() else { return None };
        let is_plain = model.dropout.is_none()
            && model.continuing_subword_prefix.as_ref().is_none_or(String::is_empty)
            && model.end_of_word_suffix.as_ref().is_none_or(String::is_empty);
        let normalizes = match tokenizer.get_normalizer() {
            None => false,
            Some(NormalizerWrapper::NFC(_)) => true,
            Some(_) => return None,
        };
        if !is_plain {
            return None;
        }
        Some(Self {
            added: AddedTokens::new(tokenizer)?,
            words: Words::new(tokenizer)?,
            alphabet: letters(),
            normalizes,
            scratches: Mutex::default(),
        })
    }

    /// The ids of `text`, nothing added; `None` where it must be normalized, has a byte without a token, or is too long to
    /// count.
    pub(super) fn encode(
        &self,
        tokenizer: &Tokenizer,
        text: &str,
    ) -> Option<Result<Lengths, tokenizers::Error>> {
        if u32::try_from(text.len()).is_err() || (self.normalizes && !is_nfc(text)) {
            return None;
        }
        let lock = || self.scratches.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = lock().pop().unwrap_or_else(|| Scratch {
            words: self.words.scratch(),
            cache: WordCache::default(),
            spelled: String::new(),
        });
        // One token for three or four bytes is usual.
        let mut out = Lengths { ids: Vec::with_capacity(text.len() / 3), ..Lengths::default() };
        out.n_bytes.reserve(text.len() / 3);
        let encoded = self.added.split(text, |section, added| match added {
            Some(id) => {
                out.push(Token { id, n_bytes: length(section) });
                Ok(())
            }
            None => self.encode_section(tokenizer, section, &mut scratch, &mut out),
        });
        lock().push(scratch);
        match encoded {
            Ok(()) => Some(Ok(out)),
            Err(Stop::Failed(error)) => Some(Err(error)),
            Err(Stop::LostBytes) => None,
        }
    }

    /// Adds the tokens of a text without added tokens.
    fn encode_section(
        &self,
        tokenizer: &Tokenizer,
        section: &str,
        scratch: &mut Scratch,
        out: &mut Lengths,
    ) -> Result<(), Stop> {
        let Scratch { words, cache, spelled } = scratch;
        self.words.split(section, words, |word| {
            cache.tokens(
                word,
                |token| out.push(token),
                |word| {
                    spelled.clear();
                    spelled.extend(word.bytes().map(|byte| self.alphabet[usize::from(byte)]));
                    let tokens = tokenizer.get_model().tokenize(spelled).map_err(Stop::Failed)?;
                    // A letter of the alphabet is a byte.
                    let token = |token: tokenizers::Token| {
                        let letters = spelled.get(token.offsets.0..token.offsets.1).unwrap_or_default();
                        Token {
                            id: token.id,
                            n_bytes: u32::try_from(letters.chars().count()).unwrap_or(u32::MAX),
                        }
                    };
                    let tokens: Vec<Token> = tokens.into_iter().map(token).collect();
                    let n_bytes: u64 = tokens.iter().map(|token| u64::from(token.n_bytes)).sum();
                    if n_bytes == word.len() as u64 { Ok(tokens) } else { Err(Stop::LostBytes) }
                },
            )
        })
    }
}

/// Why a text is given up.
enum Stop {
    Failed(tokenizers::Error),
    /// The vocabulary has no token for a byte, and the library leaves it out.
    LostBytes,
}

impl Lengths {
    fn push(&mut self, token: Token) {
        self.ids.push(token.id);
        self.n_bytes.push(token.n_bytes);
    }
}

fn length(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

/// Whether NFC surely leaves the text as it is.
fn is_nfc(text: &str) -> bool {
    text.is_ascii()
        || text.chars().all(|c| c < FIRST_COMBINING)
        || is_nfc_quick(text.chars()) == IsNormalized::Yes
}

#[cfg(test)]
mod tests;
