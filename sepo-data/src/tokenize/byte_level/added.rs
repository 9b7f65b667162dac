//! Added tokens, found in a text before anything else.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use tokenizers::{AddedToken, Tokenizer};

/// Those that are searched first, and those that are searched in what these leave: as the library does it, which looks
/// for the others in the normalized text. Of several that match at a place, the longest counts.
#[derive(Debug)]
pub(super) struct AddedTokens {
    passes: Vec<Pass>,
}

#[derive(Debug)]
struct Pass {
    automaton: AhoCorasick,
    /// By pattern.
    ids: Vec<u32>,
}

impl AddedTokens {
    /// `None` where a token takes the space beside it, or matches whole words only, or would be normalized.
    pub(super) fn new(tokenizer: &Tokenizer) -> Option<Self> {
        let tokens = tokenizer.get_added_tokens_decoder();
        let is_plain = |token: &AddedToken| {
            !token.single_word
                && !token.lstrip
                && !token.rstrip
                && !token.content.is_empty()
                && (token.content.is_ascii() || !token.normalized)
        };
        if !tokens.values().all(is_plain) || tokenizer.get_encode_special_tokens() {
            return None;
        }
        let mut passes = Vec::new();
        for normalized in [false, true] {
            let of_pass = || tokens.iter().filter(move |(_, token)| token.normalized == normalized);
            if of_pass().next().is_none() {
                continue;
            }
            let automaton = AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .kind(Some(AhoCorasickKind::DFA))
                .build(of_pass().map(|(_, token)| token.content.as_str()))
                .ok()?;
            passes.push(Pass { automaton, ids: of_pass().map(|(id, _)| *id).collect() });
        }
        Some(Self { passes })
    }

    /// Calls `see` with each added token and its id, and with the text between them, in order.
    pub(super) fn split<E>(
        &self,
        text: &str,
        mut see: impl FnMut(&str, Option<u32>) -> Result<(), E>,
    ) -> Result<(), E> {
        split(&self.passes, text, &mut see)
    }
}

fn split<E>(
    passes: &[Pass],
    text: &str,
    see: &mut impl FnMut(&str, Option<u32>) -> Result<(), E>,
) -> Result<(), E> {
    let Some((pass, later)) = passes.split_first() else {
        return if text.is_empty() { Ok(()) } else { see(text, None) };
    };
    let mut end = 0;
    for found in pass.automaton.find_iter(text) {
        split(later, &text[end..found.start()], see)?;
        see(&text[found.range()], Some(pass.ids[found.pattern().as_usize()]))?;
        end = found.end();
    }
    split(later, &text[end..], see)
}
