//! Spans of characters and of bytes.

use super::{WeightedSpan, WeightsError};

/// What spans count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpanUnit {
    /// Bytes of the text in UTF-8.
    #[default]
    Bytes,
    /// Unicode code points, as Python counts them.
    Characters,
}

/// Spans of `text` in bytes.
///
/// # Errors
///
/// [`WeightsError::BeyondText`]: a span reaches beyond the text.
///
/// # Examples
///
/// ```
/// use sepo_data::{SpanUnit, WeightedSpan, byte_spans};
/// let span = |start, end| WeightedSpan { start, end, weight: 1.0 };
/// let spans = byte_spans("äbc", vec![span(0, 1), span(1, 3)], SpanUnit::Characters)?;
/// assert_eq!(spans, [span(0, 2), span(2, 4)]);
/// assert!(byte_spans("äbc", vec![span(0, 5)], SpanUnit::Bytes).is_err());
/// # Ok::<(), sepo_data::WeightsError>(())
/// ```
pub fn byte_spans(
    text: &str,
    mut spans: Vec<WeightedSpan>,
    unit: SpanUnit,
) -> Result<Vec<WeightedSpan>, WeightsError> {
    let (length, name) = match unit {
        SpanUnit::Bytes => (text.len(), "bytes"),
        SpanUnit::Characters => (text.chars().count(), "characters"),
    };
    if let Some(index) = spans.iter().position(|span| span.end as usize > length) {
        let WeightedSpan { start, end, .. } = spans[index];
        return Err(WeightsError::BeyondText { index, start, end, length, unit: name });
    }
    if unit == SpanUnit::Characters {
        let starts: Vec<usize> = text.char_indices().map(|(byte, _)| byte).chain([text.len()]).collect();
        let byte = |character: u32| u32::try_from(starts[character as usize]).unwrap_or(u32::MAX);
        for span in &mut spans {
            (span.start, span.end) = (byte(span.start.min(span.end)), byte(span.end));
        }
    }
    Ok(spans)
}
