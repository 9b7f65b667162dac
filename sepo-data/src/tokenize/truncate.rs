//! Cutting a pair to length.

use super::{LongPrompt, SkipReason, TruncationConfig};
use crate::TokenizedResponse;

/// How many tokens the prompt keeps of `n_prompt`, where the longer response has `n_longest`.
/// The rule stands at [`TruncationConfig`].
pub(super) fn prompt_limit(n_prompt: usize, n_longest: usize, config: &TruncationConfig) -> usize {
    let limit = match config.max_prompt_length {
        Some(limit) => limit,
        None => (config.max_length / 2).max(config.max_length.saturating_sub(n_longest.max(1))),
    };
    n_prompt.min(limit)
}

/// Cuts the start of a prompt, keeping `bos` in front, and says how many tokens went.
///
/// # Errors
///
/// [`SkipReason::PromptTooLong`] where it would be cut and the policy is to skip.
pub(super) fn cut_prompt(
    ids: &mut Vec<u32>,
    bos: Option<u32>,
    n_longest: usize,
    config: &TruncationConfig,
) -> Result<usize, SkipReason> {
    let limit = prompt_limit(ids.len(), n_longest, config);
    let n_cut = ids.len() - limit;
    if n_cut == 0 {
        return Ok(0);
    }
    if config.long_prompt == LongPrompt::Skip {
        return Err(SkipReason::PromptTooLong { n_tokens: ids.len(), limit });
    }
    let n_kept_front = usize::from(bos.is_some() && ids.first().copied() == bos);
    ids.drain(n_kept_front..n_kept_front + n_cut);
    Ok(n_cut)
}

/// Cuts the end of a response to `room` tokens and says how many went. Its end-of-sequence token goes with the cut.
pub(super) fn cut_response(response: &mut TokenizedResponse, room: usize) -> usize {
    let n_cut = response.ids.len().saturating_sub(room);
    if n_cut > 0 {
        response.ids.truncate(room);
        if let Some(spans) = &mut response.spans {
            spans.truncate(room);
        }
        response.truncated = true;
    }
    n_cut
}
