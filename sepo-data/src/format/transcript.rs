//! Anthropic's HH transcripts, whose prompt is part of both strings.

use super::column::Column;
use super::field::Fields;
use crate::{BadReason, PairContent, Side};

/// What ends the prompt.
pub(super) const ASSISTANT: &str = "\n\nAssistant:";
/// What starts the first turn.
pub(super) const HUMAN: &str = "\n\nHuman:";

/// Splits both transcripts behind the last `\n\nAssistant:` of the chosen one, byte for byte.
///
/// The rejected transcript must begin with the very same bytes. It may go on with further turns; where the chosen one
/// does, its last answer has no counterpart and the row is bad. This is the rule of the released DPO code.
pub(super) fn transcript(mut fields: Fields<'_>) -> Result<PairContent, BadReason> {
    let mut chosen = fields.text(Column::Chosen)?;
    let mut rejected = fields.text(Column::Rejected)?;
    for (side, text) in [(Side::Chosen, &chosen), (Side::Rejected, &rejected)] {
        if text.is_empty() {
            return Err(BadReason::EmptySide { side });
        }
    }
    let start = chosen.rfind(ASSISTANT).ok_or(BadReason::NoAssistantTurn { side: Side::Chosen })?;
    if !rejected.contains(ASSISTANT) {
        return Err(BadReason::NoAssistantTurn { side: Side::Rejected });
    }
    let prompt_bytes = start + ASSISTANT.len();
    if !rejected.as_bytes().starts_with(&chosen.as_bytes()[..prompt_bytes]) {
        let shared_bytes = chosen.bytes().zip(rejected.bytes()).take_while(|(a, b)| a == b).count();
        return Err(BadReason::TranscriptsDiffer { prompt_bytes, shared_bytes });
    }
    let chosen_response = chosen.split_off(prompt_bytes);
    Ok(PairContent::Text {
        prompt: chosen,
        chosen: chosen_response,
        rejected: rejected.split_off(prompt_bytes),
    })
}
