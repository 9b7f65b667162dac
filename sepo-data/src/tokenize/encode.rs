//! A pair to ids.

use super::boundary::TextTokenizer;
use super::chat::PairTexts;
use super::closing::close;
use super::truncate::{cut_prompt, cut_response};
use super::{Eos, PairPart, PairTokenizer, SkipReason};
use crate::{PairContent, PreferencePair, TokenizedPair, TokenizedResponse};

/// What was done to one response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResponseNotes {
    /// Whether it was tokenized apart from its prompt.
    pub is_resplit: bool,
    /// Tokens cut off its end.
    pub n_cut: usize,
    /// Bytes of text dropped after its closing end-of-sequence token.
    pub n_dropped_bytes: usize,
}

/// What was done to a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EncodeNotes {
    /// Tokens cut off the prompt's start.
    pub n_prompt_cut: usize,
    /// The preferred response.
    pub chosen: ResponseNotes,
    /// The dispreferred response.
    pub rejected: ResponseNotes,
}

/// A pair as ids with what was done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedPair {
    /// The ids.
    pub pair: TokenizedPair,
    /// What was done.
    pub notes: EncodeNotes,
}

/// Ids before truncation.
struct Draft {
    prompt_ids: Vec<u32>,
    chosen: TokenizedResponse,
    rejected: TokenizedResponse,
    notes: EncodeNotes,
}

impl PairTokenizer {
    /// The ids of a pair, by the rule that [`PairTokenizer`] states.
    ///
    /// # Errors
    ///
    /// A [`SkipReason`] where the pair cannot be used.
    pub fn encode(&self, pair: &PreferencePair) -> Result<EncodedPair, SkipReason> {
        let draft = match &pair.content {
            PairContent::Tokens { prompt_ids, chosen_ids, rejected_ids } => {
                draft_of_ids(prompt_ids, chosen_ids, rejected_ids)?
            }
            PairContent::Text { .. } | PairContent::Chat { .. } => {
                let text = self.text.as_ref().ok_or(SkipReason::NoTokenizer)?;
                match self.texts(pair)? {
                    Some(texts) => self.draft_of_texts(text, &texts)?,
                    None => return Err(SkipReason::NoTokenizer),
                }
            }
        };
        self.check_vocab(&draft)?;
        self.finish(pair.row, draft)
    }

    fn draft_of_texts(&self, text: &TextTokenizer, texts: &PairTexts) -> Result<Draft, SkipReason> {
        let failed = |source| SkipReason::Encode { part: PairPart::Prompt, source };
        let mut prompt_ids = text.ids(&texts.prompt).map_err(failed)?;
        let prompt = (texts.prompt.as_str(), prompt_ids.as_slice());
        let (mut chosen, chosen_notes) = self.response(text, PairPart::Chosen, prompt, &texts.chosen)?;
        let (mut rejected, rejected_notes) =
            self.response(text, PairPart::Rejected, prompt, &texts.rejected)?;
        self.settle_bos(&mut prompt_ids, [&mut chosen, &mut rejected]);
        for (part, response) in [(PairPart::Chosen, &chosen), (PairPart::Rejected, &rejected)] {
            let is_closed = response.ids.last().is_some_and(|last| self.special.closing_ids.contains(last));
            if response.ids.len() == usize::from(is_closed) {
                return Err(SkipReason::EmptySide { part });
            }
        }
        let notes = EncodeNotes { n_prompt_cut: 0, chosen: chosen_notes, rejected: rejected_notes };
        Ok(Draft { prompt_ids, chosen, rejected, notes })
    }

    fn response(
        &self,
        text: &TextTokenizer,
        part: PairPart,
        prompt: (&str, &[u32]),
        response: &str,
    ) -> Result<(TokenizedResponse, ResponseNotes), SkipReason> {
        if response.is_empty() {
            return Err(SkipReason::EmptySide { part });
        }
        let split = text.split(part, prompt, response, self.config.boundary)?;
        let eos = match self.config.eos {
            Eos::Append => self.special.eos.map(|eos| eos.id),
            Eos::Never => None,
        };
        let closed = close(response, (split.ids, split.spans), &self.special.closing_ids, eos);
        let notes =
            ResponseNotes { is_resplit: split.is_resplit, n_cut: 0, n_dropped_bytes: closed.dropped_bytes };
        Ok((TokenizedResponse { ids: closed.ids, spans: Some(closed.spans), truncated: false }, notes))
    }

    /// Puts one beginning-of-sequence token in front where one is wanted, and leaves one where the text has several.
    ///
    /// Where the prompt has nothing else, such tokens leave the responses, too: spelled out by both, the token is the
    /// prompt they share.
    fn settle_bos(&self, prompt_ids: &mut Vec<u32>, responses: [&mut TokenizedResponse; 2]) {
        let Some(bos) = self.special.bos.map(|bos| bos.id) else { return };
        if prompt_ids.iter().all(|id| *id == bos) {
            let begins = |response: &TokenizedResponse| {
                response.ids.first() == Some(&bos) && response.ids.iter().any(|id| *id != bos)
            };
            if self.adds_bos || !prompt_ids.is_empty() || responses.iter().all(|response| begins(response)) {
                *prompt_ids = vec![bos];
                for response in responses.into_iter().filter(|response| begins(response)) {
                    let n_leading = response.ids.iter().take_while(|id| **id == bos).count();
                    response.ids.drain(..n_leading);
                    if let Some(spans) = &mut response.spans {
                        spans.drain(..n_leading);
                    }
                }
            }
            return;
        }
        self.lead_with_bos(prompt_ids);
    }

    /// The same for ids that stand alone.
    pub(super) fn lead_with_bos(&self, ids: &mut Vec<u32>) {
        let Some(bos) = self.special.bos.map(|bos| bos.id) else { return };
        let n_leading = ids.iter().take_while(|id| **id == bos).count();
        match n_leading {
            0 if self.adds_bos => ids.insert(0, bos),
            0 => {}
            _ => drop(ids.drain(1..n_leading)),
        }
    }

    fn check_vocab(&self, draft: &Draft) -> Result<(), SkipReason> {
        let Some(vocab) = self.id_limit else { return Ok(()) };
        let parts = [
            (PairPart::Prompt, &draft.prompt_ids),
            (PairPart::Chosen, &draft.chosen.ids),
            (PairPart::Rejected, &draft.rejected.ids),
        ];
        for (part, ids) in parts {
            if let Some(index) = ids.iter().position(|id| *id >= vocab) {
                return Err(SkipReason::IdOutOfVocab { part, index, id: ids[index], vocab });
            }
        }
        Ok(())
    }

    fn finish(&self, row: u64, draft: Draft) -> Result<EncodedPair, SkipReason> {
        let Draft { mut prompt_ids, mut chosen, mut rejected, mut notes } = draft;
        if prompt_ids.is_empty() {
            return Err(SkipReason::NoContext);
        }
        let truncation = &self.config.truncation;
        let n_longest = chosen.ids.len().max(rejected.ids.len());
        let bos = self.special.bos.map(|bos| bos.id);
        notes.n_prompt_cut = cut_prompt(&mut prompt_ids, bos, n_longest, truncation)?;
        let room = truncation.max_length - prompt_ids.len();
        notes.chosen.n_cut = cut_response(&mut chosen, room);
        notes.rejected.n_cut = cut_response(&mut rejected, room);
        if chosen.ids == rejected.ids {
            return Err(SkipReason::IdenticalSides);
        }
        let prompt_truncated = notes.n_prompt_cut > 0;
        Ok(EncodedPair { pair: TokenizedPair { row, prompt_ids, prompt_truncated, chosen, rejected }, notes })
    }
}

/// Ids as they were given: nothing is added, moved or closed.
fn draft_of_ids(prompt_ids: &[u32], chosen_ids: &[u32], rejected_ids: &[u32]) -> Result<Draft, SkipReason> {
    for (part, ids) in [(PairPart::Chosen, chosen_ids), (PairPart::Rejected, rejected_ids)] {
        if ids.is_empty() {
            return Err(SkipReason::EmptySide { part });
        }
    }
    let response = |ids: &[u32]| TokenizedResponse { ids: ids.to_vec(), spans: None, truncated: false };
    Ok(Draft {
        prompt_ids: prompt_ids.to_vec(),
        chosen: response(chosen_ids),
        rejected: response(rejected_ids),
        notes: EncodeNotes::default(),
    })
}
