//! Prompt and response to ids: the border between them.

use tokenizers::{Encoding, Tokenizer};

use super::guard::{Added, encode, encode_fast};
use super::pieces::Pieces;
use super::spans::spans;
use super::{Boundary, PairPart, SkipReason};
use crate::Span;

/// Texts put in front of a response to see it tokenized without the space that the tokenizer invents before every
/// text. The first that no token joins to the response is used; which one it is does not matter to the result.
const SENTINELS: [&str; 7] = ["\n", "a", "1", ".", "語", "\u{1}", "\u{e000}"];

/// A tokenizer with what is known about it.
#[derive(Debug)]
pub(super) struct TextTokenizer {
    pub(super) tokenizer: Tokenizer,
    pub(super) pieces: Pieces,
    /// Whether a text gets a space in front that it does not have.
    pub(super) invents_space: bool,
    /// BLAKE3 of `tokenizer.json`.
    pub(super) hash: String,
}

/// A response as ids, apart from its prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) ids: Vec<u32>,
    pub(super) spans: Vec<Span>,
    pub(super) is_resplit: bool,
}

impl TextTokenizer {
    pub(super) fn new(tokenizer: Tokenizer, hash: String) -> Self {
        let pieces = Pieces::new(&tokenizer);
        let invents_space = ["a", "0", "."].iter().any(|probe| {
            let encoding = encode_fast(&tokenizer, probe, Added::Nothing);
            let bytes = encoding
                .iter()
                .flat_map(|e| e.get_ids())
                .filter_map(|id| pieces.get(*id))
                .collect::<Vec<_>>();
            bytes.concat().strip_prefix(b" ") == Some(probe.as_bytes())
        });
        Self { tokenizer, pieces, invents_space, hash }
    }

    /// Ids of a text, nothing added.
    pub(super) fn ids(&self, text: &str) -> Result<Vec<u32>, tokenizers::Error> {
        Ok(encode_fast(&self.tokenizer, text, Added::Nothing)?.get_ids().to_vec())
    }

    /// Ids and spans of a text, nothing added.
    pub(super) fn ids_and_spans(&self, text: &str) -> Result<(Vec<u32>, Vec<Span>), tokenizers::Error> {
        let whole = self.rest(&encode(&self.tokenizer, text)?, 0, 0, text);
        Ok((whole.ids, whole.spans))
    }

    /// The ids of `response` after `prompt`.
    ///
    /// The joint text is tokenized. Where its ids begin with the prompt's own and no token reaches over the border,
    /// the response is the rest; otherwise `policy` decides.
    pub(super) fn split(
        &self,
        part: PairPart,
        prompt: (&str, &[u32]),
        response: &str,
        policy: Boundary,
    ) -> Result<Split, SkipReason> {
        let (prompt, prompt_ids) = prompt;
        let failed = |source| SkipReason::Encode { part, source };
        let joint = encode(&self.tokenizer, &[prompt, response].concat()).map_err(failed)?;
        if joint.get_ids().starts_with(prompt_ids)
            && parts_cleanly(joint.get_offsets(), prompt_ids.len(), prompt.len())
        {
            return Ok(self.rest(&joint, prompt_ids.len(), prompt.len(), response));
        }
        if policy == Boundary::Strict {
            return Err(SkipReason::Straddles { part });
        }
        if !self.invents_space {
            let alone = encode(&self.tokenizer, response).map_err(failed)?;
            return Ok(Split { is_resplit: true, ..self.rest(&alone, 0, 0, response) });
        }
        for sentinel in SENTINELS {
            let led = encode(&self.tokenizer, &[sentinel, response].concat()).map_err(failed)?;
            let n_sentinel =
                led.get_offsets().iter().take_while(|offsets| offsets.1 <= sentinel.len()).count();
            if n_sentinel > 0 && parts_cleanly(led.get_offsets(), n_sentinel, sentinel.len()) {
                return Ok(Split {
                    is_resplit: true,
                    ..self.rest(&led, n_sentinel, sentinel.len(), response)
                });
            }
        }
        Err(SkipReason::NoCleanSplit { part })
    }

    /// The tokens from `first` on, whose text starts at byte `start` of what was encoded.
    fn rest(&self, encoding: &Encoding, first: usize, start: usize, response: &str) -> Split {
        let ids = encoding.get_ids()[first..].to_vec();
        let offsets: Vec<_> = encoding.get_offsets()[first..]
            .iter()
            .map(|&(from, to)| (from.saturating_sub(start), to.saturating_sub(start)))
            .collect();
        let spans = spans(response, &ids, &offsets, &self.pieces);
        Split { ids, spans, is_resplit: false }
    }
}

/// Whether the first `n` tokens end by byte `border` and the others start from there.
fn parts_cleanly(offsets: &[(usize, usize)], n: usize, border: usize) -> bool {
    offsets[..n].iter().all(|&(_, end)| end <= border)
        && offsets[n..].iter().all(|&(start, _)| start >= border)
}
