//! Weights of others as weights of our tokens.

use sepo_data::{GivenWeights, Side, Span, SpanUnit, TokenizedResponse, WeightsError, byte_spans};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::project::{ProjectError, Projected, Projection, WithinText, project};
use crate::weigh::one_minus;

/// What is made of the weights of rejected responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RejectedWeights {
    /// They are weights.
    #[default]
    Same,
    /// `1 − w`: the file says of both sides what is good, as labels of facts do, and of a rejected response what is bad
    /// counts. Mask-DPO.
    OneMinus,
    /// `−w`.
    Negate,
}

impl RejectedWeights {
    fn of(self, weight: f64) -> f64 {
        match self {
            Self::Same => weight,
            Self::OneMinus => one_minus(weight),
            Self::Negate => -weight,
        }
    }
}

/// How given weights become weights of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImportConfig {
    /// What spans count.
    pub unit: Unit,
    /// How the weight of a span reaches its tokens.
    pub how: Projection,
    /// What is made of the weights of rejected responses.
    pub rejected: RejectedWeights,
}

impl Default for ImportConfig {
    /// Bytes; a token has the mean weight of the spans it shares bytes with.
    fn default() -> Self {
        Self { unit: Unit::Bytes, how: Projection::Mean, rejected: RejectedWeights::Same }
    }
}

/// What the spans of a file count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Bytes of the text in UTF-8.
    #[default]
    Bytes,
    /// Unicode code points, as Python counts them.
    Characters,
}

/// A response as it is rendered, and the part of it that spans count from.
#[derive(Debug, Clone, Copy)]
pub struct ResponseText<'a> {
    /// What the tokens' spans are of.
    pub rendered: &'a str,
    /// The text alone, without what a template puts around it.
    pub text: &'a str,
}

impl ResponseText<'_> {
    /// Where the text stands in what is rendered.
    ///
    /// # Errors
    ///
    /// [`ImportError::TextNotFound`]: a template writes something else.
    pub fn within(&self) -> Result<WithinText, ImportError> {
        WithinText::find(self.rendered, self.text).ok_or(ImportError::TextNotFound)
    }
}

/// Why given weights cannot become weights of tokens.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// There are more or fewer weights than tokens.
    #[error(
        "{n_weights} weights for {n_tokens} tokens: one is needed for each response token, the closing end-of-sequence \
         token included"
    )]
    Length {
        /// Weights given.
        n_weights: usize,
        /// Tokens of the response.
        n_tokens: usize,
    },
    /// Spans belong to a text, and the pair holds ids only.
    #[error("spans of a text, but the pair holds token ids only; give one weight a token")]
    NoText,
    /// The template writes a response in which its text is not to be found.
    #[error(
        "the chat template does not write the response's text as it stands, so spans of it have no place"
    )]
    TextNotFound,
    /// A span is not within the text.
    #[error("a span is not within the text")]
    Span(#[source] Box<WeightsError>),
    /// The weights cannot be carried over.
    #[error("the weights cannot be carried over to tokens")]
    Project(#[from] ProjectError),
}

/// One weight a response token, from weights of tokens or of spans of the text.
///
/// A span is treated as a token of its own, with its weight: see [`project`](crate::project::project()). With
/// [`Projection::Mean`], what no span covers has no say in a token's weight, and a token that none covers has 0. The closing
/// end-of-sequence token is covered by an empty span at the text's end.
///
/// # Errors
///
/// [`ImportError`], one variant for each reason.
///
/// # Examples
///
/// ```
/// use sepo_data::{GivenWeights, TokenizedResponse, WeightedSpan};
/// use sepo_select::{ImportConfig, ResponseText, Side, Span, import_response};
///
/// let spans = [(0, 3), (3, 6), (6, 6)].map(|(start, end)| Span { start, end });
/// let response = TokenizedResponse { ids: vec![7, 8, 2], spans: Some(spans.to_vec()), truncated: false };
/// let text = ResponseText { rendered: "it was", text: "it was" };
/// let given = GivenWeights::Spans(vec![WeightedSpan { start: 3, end: 6, weight: 0.5 }]);
/// let weights = import_response(&given, Side::Chosen, &response, Some(text), &ImportConfig::default())?;
/// assert_eq!(weights.values, [0.0, 0.5, 0.0]);
/// # Ok::<(), sepo_select::ImportError>(())
/// ```
pub fn import_response(
    given: &GivenWeights,
    side: Side,
    response: &TokenizedResponse,
    text: Option<ResponseText<'_>>,
    config: &ImportConfig,
) -> Result<Projected, ImportError> {
    let weight = |weight: f64| match side {
        Side::Chosen => weight,
        Side::Rejected => config.rejected.of(weight),
    };
    match given {
        GivenWeights::Tokens(weights) => {
            let (n_weights, n_tokens) = (weights.len(), response.ids.len());
            if n_weights != n_tokens {
                return Err(ImportError::Length { n_weights, n_tokens });
            }
            let weights: Vec<f64> = weights.iter().map(|w| weight(*w)).collect();
            // Tokens beside themselves: nothing moves, and everything is counted.
            let places: Vec<Span> = (0..u32::try_from(n_tokens).unwrap_or(u32::MAX))
                .map(|i| Span { start: i, end: i.saturating_add(1) })
                .collect();
            Ok(project(&places, &weights, &places, config.how)?)
        }
        GivenWeights::Spans(spans) => {
            let (Some(text), Some(tokens)) = (text, &response.spans) else { return Err(ImportError::NoText) };
            let unit = match config.unit {
                Unit::Bytes => SpanUnit::Bytes,
                Unit::Characters => SpanUnit::Characters,
            };
            let spans = byte_spans(text.text, spans.clone(), unit)
                .map_err(|source| ImportError::Span(Box::new(source)))?;
            let (places, weights): (Vec<Span>, Vec<f64>) = spans
                .iter()
                .map(|span| (Span { start: span.start, end: span.end }, weight(span.weight)))
                .unzip();
            Ok(project(&places, &weights, &text.within()?.spans(tokens), config.how)?)
        }
    }
}
