//! The end of a response: never two end-of-sequence tokens, nothing after one.

use super::spans::span;
use crate::Span;

/// A response whose end is settled.
pub(super) struct Closed {
    pub(super) ids: Vec<u32>,
    pub(super) spans: Vec<Span>,
    /// Bytes of text dropped after the closing token.
    pub(super) dropped_bytes: usize,
}

/// Ends the response at the end-of-sequence token that closes it, or appends `eos`.
///
/// A token of `closing_ids` closes the response where only white space or further such tokens follow: templates
/// write `<|im_end|>\n`, and the model never reads or writes the line break. What follows is dropped. The appended
/// token has an empty span at the text's end.
pub(super) fn close(
    text: &str,
    (mut ids, mut spans): (Vec<u32>, Vec<Span>),
    closing_ids: &[u32],
    eos: Option<u32>,
) -> Closed {
    let n_before = ids.len();
    let mut closing = None;
    // Backwards over the tokens that close, as long as only white space stands between them and the end.
    let mut border = text.len();
    for (i, span) in spans.iter().enumerate().rev().filter(|(i, _)| closing_ids.contains(&ids[*i])) {
        if !text.get(span.end as usize..border).is_some_and(|between| between.trim().is_empty()) {
            break;
        }
        border = span.start as usize;
        closing = Some(i);
    }
    let mut dropped_bytes = 0;
    if let Some(closing) = closing {
        ids.truncate(closing + 1);
        spans.truncate(closing + 1);
        let end = spans.last().map_or(0, |span| span.end as usize);
        dropped_bytes = if n_before > ids.len() { text.len().saturating_sub(end) } else { 0 };
    } else if let Some(eos) = eos {
        ids.push(eos);
        spans.push(span(text.len(), text.len()));
    }
    Closed { ids, spans, dropped_bytes }
}
