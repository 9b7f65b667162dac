//! Words as byte-level tokenizers cut them, without a backtracking engine.
//!
//! Their patterns end in `|\s+(?!\S)|\s+`: of several spaces before a word, the last one stays with the word. That is the
//! only part that looks ahead, and it can be said without: `\s+`, less its last character where something follows it.

use regex_automata::meta::{BuildError, Cache, Regex};
use regex_automata::{Anchored, Input};
use serde_json::Value;
use tokenizers::Tokenizer;

const TAIL: &str = r"|\s+(?!\S)|\s+";
/// GPT-2's, which the pre-tokenizer `ByteLevel` uses.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// A pattern of that form: first what stands before its tail, then spaces.
#[derive(Debug)]
pub(super) struct Words {
    pattern: Regex,
}

/// What one thread searches with.
#[derive(Debug)]
pub(super) struct WordScratch(Cache);

impl Words {
    /// `None` where words are cut by anything else.
    pub(super) fn new(tokenizer: &Tokenizer) -> Option<Self> {
        let pre_tokenizer = serde_json::to_value(tokenizer.get_pre_tokenizer()?).ok()?;
        let pattern = match (pre_tokenizer["type"].as_str()?, pre_tokenizer["pretokenizers"].as_array()) {
            ("ByteLevel", _) if is_byte_level(&pre_tokenizer, true) => GPT2.to_owned(),
            ("Sequence", Some(parts)) => match &parts[..] {
                [split, byte_level] if is_byte_level(byte_level, false) => pattern_of(split)?,
                _ => return None,
            },
            _ => return None,
        };
        Self::of(&pattern).ok()?
    }

    fn of(pattern: &str) -> Result<Option<Self>, Box<BuildError>> {
        let Some(head) = pattern.strip_suffix(TAIL) else { return Ok(None) };
        let pattern = Regex::new_many(&[head, r"\s+"])?;
        // An empty word would be no step forward.
        Ok(pattern.find("").is_none().then_some(Self { pattern }))
    }

    pub(super) fn scratch(&self) -> WordScratch {
        WordScratch(self.pattern.create_cache())
    }

    /// Calls `see` with each word of the text, in order; together they are the text.
    pub(super) fn split<E>(
        &self,
        text: &str,
        scratch: &mut WordScratch,
        mut see: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut start = 0;
        while start < text.len() {
            let mut search = |anchored| {
                self.pattern.search_with(&mut scratch.0, &Input::new(text).range(start..).anchored(anchored))
            };
            // Words nearly always follow one another, and a word that begins here need not be looked for.
            let Some(found) = search(Anchored::Yes).or_else(|| search(Anchored::No)) else {
                return see(&text[start..]);
            };
            if found.start() > start {
                // What no part of the pattern takes is a word as well.
                see(&text[start..found.start()])?;
            }
            let mut end = found.end();
            let is_spaces = found.pattern().as_usize() == 1;
            if is_spaces && end < text.len() {
                let last = text[..end].char_indices().next_back().map_or(found.start(), |(at, _)| at);
                if last > found.start() {
                    end = last;
                }
            }
            see(&text[found.start()..end])?;
            start = end;
        }
        Ok(())
    }
}

fn is_byte_level(part: &Value, uses_regex: bool) -> bool {
    part["type"] == "ByteLevel"
        && part["add_prefix_space"] == false
        && part.get("use_regex").and_then(Value::as_bool).unwrap_or(true) == uses_regex
}

/// The pattern of a `Split` that keeps every match as a word.
fn pattern_of(split: &Value) -> Option<String> {
    let keeps = split["type"] == "Split" && split["behavior"] == "Isolated" && split["invert"] == false;
    split["pattern"]["Regex"].as_str().filter(|_| keeps).map(str::to_owned)
}
