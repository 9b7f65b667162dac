//! Preference pairs with a known utility and a noisy label.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::draw::{Draws, Stream};
use super::error::PlantedError;
use super::prompt::{Prompt, Split};
use super::response::{Filler, draw_response};
use super::span::PlantedResponse;
use crate::{PairContent, PreferencePair};

/// Share of good spans in the responses of pairs: an even chance for each span of each side.
const PAIR_GOOD_SHARE: f64 = 0.5;

/// How noisy labels are; greater than 0 and finite. 1 by default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Temperature(f64);

impl Temperature {
    /// The temperature `value`.
    ///
    /// # Errors
    ///
    /// * [`PlantedError::Temperature`] if `value` is not a finite number above 0.
    pub fn new(value: f64) -> Result<Self, PlantedError> {
        if value.is_finite() && value > 0.0 {
            Ok(Self(value))
        } else {
            Err(PlantedError::Temperature { value })
        }
    }

    /// The probability that the first of two responses is labelled as chosen, by Bradley–Terry:
    /// `1 / (1 + exp(−margin / temperature))`, where `margin` is its utility less the second's.
    ///
    /// # Examples
    ///
    /// ```
    /// use sepo_data::planted::Temperature;
    ///
    /// let temperature = Temperature::new(2.0)?;
    /// assert_eq!(temperature.preference(0.0), 0.5);
    /// assert!((temperature.preference(2.0 * 3_f64.ln()) - 0.75).abs() < 1e-12);
    /// # Ok::<(), sepo_data::planted::PlantedError>(())
    /// ```
    #[must_use]
    pub fn preference(self, margin: f64) -> f64 {
        1.0 / (1.0 + (-margin / self.0).exp())
    }
}

impl Default for Temperature {
    fn default() -> Self {
        Self(1.0)
    }
}

/// How many pairs, from which seed, with how much label noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlantedConfig {
    /// How many pairs.
    pub n_pairs: usize,
    /// The same seed gives the same pairs on every platform; more pairs from one seed begin with the same ones.
    pub seed: u64,
    /// The Bradley–Terry temperature of the labels.
    pub temperature: Temperature,
}

impl Default for PlantedConfig {
    fn default() -> Self {
        Self { n_pairs: 2400, seed: 0, temperature: Temperature::default() }
    }
}

/// A preference pair whose planted spans are known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlantedPair {
    /// Its number in the stream, from 0.
    pub row: u64,
    /// What both responses answer; it ends with `"\nAnswer:"`.
    pub prompt: String,
    /// The response that was labelled as preferred; not always the one of greater utility.
    pub chosen: PlantedResponse,
    /// The other response; its text is never the same.
    pub rejected: PlantedResponse,
}

impl PlantedPair {
    /// The chosen response's utility less the rejected one's: negative where noise turned the label round.
    #[must_use]
    pub fn margin(&self) -> f64 {
        self.chosen.utility() - self.rejected.utility()
    }

    /// The pair as a row of a data set, said to be from `file`.
    #[must_use]
    pub fn to_preference_pair(&self, file: &Arc<PathBuf>) -> PreferencePair {
        PreferencePair {
            row: self.row,
            file: Arc::clone(file),
            file_row: self.row,
            content: PairContent::Text {
                prompt: self.prompt.clone(),
                chosen: self.chosen.text.clone(),
                rejected: self.rejected.text.clone(),
            },
        }
    }
}

/// The stream of `config.n_pairs` preference pairs.
///
/// Both responses answer the same prompt; their filler, their courtesies and the quality of each planted span are
/// drawn independently and alike. Only the label looks at the utilities: the first response is chosen with
/// probability [`Temperature::preference`] of the difference.
///
/// # Examples
///
/// ```
/// use sepo_data::planted::{PlantedConfig, judge, planted_pairs};
///
/// let config = PlantedConfig { n_pairs: 2, ..PlantedConfig::default() };
/// let pairs: Vec<_> = planted_pairs(&config).collect();
/// assert_eq!(pairs.len(), 2);
/// let judged = judge(&pairs[0].prompt, &pairs[0].chosen.text);
/// assert_eq!(judged.utility, pairs[0].chosen.utility());
/// ```
pub fn planted_pairs(config: &PlantedConfig) -> impl Iterator<Item = PlantedPair> + use<> {
    let PlantedConfig { n_pairs, seed, temperature } = *config;
    let mut draws = Draws::new(seed, Stream::Pairs);
    (0_u64..).take(n_pairs).map(move |row| draw_pair(row, temperature, &mut draws))
}

fn draw_pair(row: u64, temperature: Temperature, draws: &mut Draws) -> PlantedPair {
    let prompt = Prompt::draw(draws, Split::Train);
    let first = draw_response(&prompt, PAIR_GOOD_SHARE, Filler::Some, draws);
    let mut second = draw_response(&prompt, PAIR_GOOD_SHARE, Filler::Some, draws);
    // A pair of equal texts has no preference to label. Its chance is some 1e-5, too small to shift the shares.
    while second.text == first.text {
        second = draw_response(&prompt, PAIR_GOOD_SHARE, Filler::Some, draws);
    }
    let (chosen, rejected) = if draws.happens(temperature.preference(first.utility() - second.utility())) {
        (first, second)
    } else {
        (second, first)
    };
    PlantedPair { row, prompt: prompt.text(), chosen, rejected }
}
