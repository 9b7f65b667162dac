//! Texts for a base model, which must know both alternatives of everything before a preference can choose.

use serde::{Deserialize, Serialize};

use super::draw::{Draws, Stream};
use super::prompt::{Prompt, Split};
use super::response::{Filler, draw_response};
use super::span::PlantedResponse;

/// Share of good spans in base texts.
///
/// Near one half, so that alignment has something to change; above it, so that a base model has a reason to learn
/// *which* alternative is right: at one half, "the answer is one of these two" would be all there is to know, and
/// an oracle would have to learn the world from the pairs.
pub const BASE_GOOD_SHARE: f64 = 0.6;

/// One base text in so many is a drill: planted sentences without filler, so that a small model meets the facts often.
const DRILL_ONE_IN: usize = 2;

/// A prompt and a response for language modelling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaseText {
    /// The prompt; it ends with `"\nAnswer:"`.
    pub prompt: String,
    /// The response and what is planted in it.
    pub response: PlantedResponse,
}

impl BaseText {
    /// Prompt and response as one text.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}{}", self.prompt, self.response.text)
    }
}

/// `n` texts of the same grammar as the pairs, drawn independently of them.
///
/// Each planted span is good with probability [`BASE_GOOD_SHARE`]. Facts and requests come equally often: in 3200 texts
/// each fact is asked and answered about 100 times.
///
/// # Examples
///
/// ```
/// use sepo_data::planted::base_texts;
///
/// let texts = base_texts(2, 0);
/// assert_eq!(texts, base_texts(2, 0));
/// assert!(texts[0].text().contains("\nAnswer: "));
/// ```
#[must_use]
pub fn base_texts(n: usize, seed: u64) -> Vec<BaseText> {
    let mut draws = Draws::new(seed, Stream::Base);
    let mut draw_text = |filler| {
        let prompt = Prompt::draw(&mut draws, Split::Train);
        let response = draw_response(&prompt, BASE_GOOD_SHARE, filler, &mut draws);
        BaseText { prompt: prompt.text(), response }
    };
    let filler = |i: usize| if i.is_multiple_of(DRILL_ONE_IN) { Filler::None } else { Filler::Some };
    (0..n).map(|i| draw_text(filler(i))).collect()
}
