//! Words that were encoded before.

use ahash::AHashMap;

/// Words that are kept; most texts are made of fewer. Beyond them it begins anew.
const MAX_WORDS: usize = 1 << 15;
/// Bytes of a word that is kept at most.
const MAX_WORD_BYTES: usize = 64;

/// A token, and how many bytes it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) id: u32,
    pub(super) n_bytes: u32,
}

/// The tokens of words, by word; what is in it decides how fast an answer is, not which.
#[derive(Debug, Default)]
pub(super) struct WordCache {
    /// Where the tokens of a word lie.
    words: AHashMap<Box<str>, (u32, u32)>,
    tokens: Vec<Token>,
}

impl WordCache {
    /// Calls `see` with the tokens of `word`, which `encode` makes where they are not known.
    pub(super) fn tokens<E>(
        &mut self,
        word: &str,
        mut see: impl FnMut(Token),
        encode: impl FnOnce(&str) -> Result<Vec<Token>, E>,
    ) -> Result<(), E> {
        if let Some((start, end)) = self.words.get(word) {
            self.tokens[*start as usize..*end as usize].iter().copied().for_each(see);
            return Ok(());
        }
        let tokens = encode(word)?;
        tokens.iter().copied().for_each(&mut see);
        if word.len() <= MAX_WORD_BYTES {
            self.keep(word, &tokens);
        }
        Ok(())
    }

    fn keep(&mut self, word: &str, tokens: &[Token]) {
        if self.words.len() == MAX_WORDS {
            self.words.clear();
            self.tokens.clear();
        }
        // At most 2^15 words of 64 tokens.
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let start = place(self.tokens.len());
        self.tokens.extend_from_slice(tokens);
        self.words.insert(word.into(), (start, place(self.tokens.len())));
    }
}
