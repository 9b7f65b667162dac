//! What stands around the text of a response.

use std::ops::Range;

use sepo_data::Span;

/// The bytes of a rendered response that hold its text; the rest is the template's.
///
/// Templates write a response in their own way: a line break before it, another closing token after it. What both sides
/// have in common is the text. Within it spans are counted from its first byte. Tokens outside, all of their bytes before
/// or after it, become tokens without text at its start or end, so that a closing token meets a closing token; of a token
/// that straddles the border, the bytes inside count.
///
/// # Examples
///
/// ```
/// use sepo_select::{Span, project::WithinText};
/// let span = |start, end| Span { start, end };
/// let text = WithinText::find("\nYes.</s>", "Yes.").unwrap();
/// assert_eq!(text.spans(&[span(0, 1), span(1, 4), span(4, 5), span(5, 9)]), [span(0, 0), span(0, 3), span(3, 4), span(4, 4)]);
/// assert_eq!(WithinText::find("Yes.", "No."), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithinText(Range<usize>);

impl WithinText {
    /// The whole of a rendered response of so many bytes.
    #[must_use]
    pub fn whole(n_bytes: usize) -> Self {
        Self(0..n_bytes)
    }

    /// Where `text` first stands in `rendered`; `None` where it does not.
    #[must_use]
    pub fn find(rendered: &str, text: &str) -> Option<Self> {
        rendered.find(text).map(|start| Self(start..start + text.len()))
    }

    /// The spans of a rendered response as spans of its text.
    #[must_use]
    pub fn spans(&self, rendered: &[Span]) -> Vec<Span> {
        let Range { start, end } = self.0;
        let within = |byte: u32| u32::try_from((byte as usize).clamp(start, end) - start).unwrap_or(u32::MAX);
        rendered.iter().map(|span| Span { start: within(span.start), end: within(span.end) }).collect()
    }
}
