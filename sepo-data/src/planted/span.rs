//! What is planted in a response, and which tokens it makes matter.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::Span;

/// What a planted span is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanKind {
    /// The fact that the prompt asks for, right or wrong.
    Fact,
    /// A courteous or a rude turn.
    Courtesy,
    /// The prompt's request, followed or ignored.
    Instruction,
}

impl SpanKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Fact, Self::Courtesy, Self::Instruction];

    /// What a good span of this kind adds to a response's utility; a bad one takes as much away.
    #[must_use]
    pub fn magnitude(self) -> f64 {
        match self {
            Self::Fact => 1.0,
            Self::Courtesy => 0.6,
            Self::Instruction => 0.8,
        }
    }
}

/// Which of its two alternatives a planted span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Right, courteous or followed.
    Good,
    /// Wrong, rude or ignored.
    Bad,
}

/// A sentence that carries preference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlantedSpan {
    /// What it is about.
    pub kind: SpanKind,
    /// Which alternative it is.
    pub quality: Quality,
    /// Bytes of the response text: the whole sentence with its full stop, without the space before it.
    pub bytes: Range<usize>,
    /// The bytes in which the two alternatives differ: one word. Before and after it they are the same.
    pub decisive: Range<usize>,
    /// What the span adds to the response's utility: `kind.magnitude()`, negative for a bad one.
    pub utility: f64,
}

impl PlantedSpan {
    pub(crate) fn new(kind: SpanKind, quality: Quality, bytes: Range<usize>, decisive: Range<usize>) -> Self {
        let utility = match quality {
            Quality::Good => kind.magnitude(),
            Quality::Bad => -kind.magnitude(),
        };
        Self { kind, quality, bytes, decisive, utility }
    }
}

/// A response whose planted spans are known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlantedResponse {
    /// The text. It starts with a space, so that it can be tokenized apart from the prompt.
    pub text: String,
    /// The planted spans, in the order of the text; at most one a kind.
    pub spans: Vec<PlantedSpan>,
}

impl PlantedResponse {
    /// The summed utility of the spans.
    #[must_use]
    pub fn utility(&self) -> f64 {
        self.spans.iter().map(|span| span.utility).sum()
    }
}

/// For each token, the quality of the planted span in whose **decisive** bytes it lies, or `None`.
///
/// `token_spans` are byte ranges of `response.text`, one a token, as in
/// [`TokenizedResponse::spans`](crate::TokenizedResponse::spans).
///
/// # Which token an index names
///
/// Entry `i` is about the token whose span is `token_spans[i]`; a token counts if it shares a byte with the range.
/// A token without text (the closing end-of-sequence token) is never decisive.
///
/// # Examples
///
/// ```
/// use sepo_data::Span;
/// use sepo_data::planted::{PlantedResponse, PlantedSpan, Quality, SpanKind, decisive_mask};
///
/// let span = PlantedSpan { kind: SpanKind::Fact, quality: Quality::Bad, bytes: 1..12, decisive: 8..11, utility: -1.0 };
/// let response = PlantedResponse { text: " Tea is red.".into(), spans: vec![span] };
/// let tokens = [(0, 4), (4, 7), (7, 11), (11, 12), (12, 12)].map(|(start, end)| Span { start, end });
/// assert_eq!(decisive_mask(&tokens, &response), [None, None, Some(Quality::Bad), None, None]);
/// ```
#[must_use]
pub fn decisive_mask(token_spans: &[Span], response: &PlantedResponse) -> Vec<Option<Quality>> {
    mask(token_spans, response, |span| &span.decisive)
}

/// For each token, the quality of the planted span in whose bytes it lies, or `None`.
///
/// As [`decisive_mask`], with the whole sentence in place of the decisive word.
#[must_use]
pub fn span_mask(token_spans: &[Span], response: &PlantedResponse) -> Vec<Option<Quality>> {
    mask(token_spans, response, |span| &span.bytes)
}

fn mask(
    token_spans: &[Span],
    response: &PlantedResponse,
    range: impl Fn(&PlantedSpan) -> &Range<usize>,
) -> Vec<Option<Quality>> {
    let overlaps = |token: &Span, bytes: &Range<usize>| {
        // `max(start) < min(end)` also leaves out empty token spans.
        bytes.start.max(token.start as usize) < bytes.end.min(token.end as usize)
    };
    let quality_of = |token: &Span| {
        response.spans.iter().find(|span| overlaps(token, range(span))).map(|span| span.quality)
    };
    token_spans.iter().map(quality_of).collect()
}
