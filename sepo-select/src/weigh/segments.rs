//! Pieces of a response text, and which of them a token is part of.

use sepo_data::Span;

use super::WeighError;

/// Pieces of a response text in bytes, in rising order and without overlap: sentences, steps, turns.
///
/// # Examples
///
/// ```
/// use sepo_select::{Span, weigh::Segments};
/// let span = |start, end| Span { start, end };
/// let sentences = Segments::new(vec![span(0, 6), span(7, 12)])?;
/// let tokens = [span(0, 4), span(4, 9), span(9, 12), span(12, 12)];
/// assert_eq!(sentences.of_tokens(&tokens), [Some(0), Some(0), Some(1), None]);
/// # Ok::<(), sepo_select::weigh::WeighError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Segments(Vec<Span>);

impl Segments {
    /// Segments that are what they should be.
    ///
    /// # Errors
    ///
    /// [`WeighError::SegmentOrder`]: one ends before it begins, or begins before the one before it has ended.
    pub fn new(spans: Vec<Span>) -> Result<Self, WeighError> {
        let mut previous_end = 0;
        for (index, &Span { start, end }) in spans.iter().enumerate() {
            if start < previous_end || end < start {
                return Err(WeighError::SegmentOrder { index, start, end, previous_end });
            }
            previous_end = end;
        }
        Ok(Self(spans))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For each token the segment with which it shares most bytes, the first of equals; `None` where it shares none, as
    /// a closing end-of-sequence token.
    #[must_use]
    pub fn of_tokens(&self, tokens: &[Span]) -> Vec<Option<usize>> {
        tokens
            .iter()
            .map(|token| {
                let first = self.0.partition_point(|segment| segment.end <= token.start);
                let mut most = (0, None);
                for (index, segment) in self.0.iter().enumerate().skip(first) {
                    if segment.start >= token.end {
                        break;
                    }
                    let n_shared = segment.end.min(token.end).saturating_sub(segment.start.max(token.start));
                    if n_shared > most.0 {
                        most = (n_shared, Some(index));
                    }
                }
                most.1
            })
            .collect()
    }
}
