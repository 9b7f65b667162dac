//! Methods by their names.

mod pairs;
mod parts;
mod sides;
mod tokens;

use std::fmt;

use crate::error::LossError;
use crate::objective::Objective;

/// A published method, or one of ours, as an [`Objective`] with settings by name.
///
/// # Examples
///
/// ```
/// use sepo_loss::{Input, Preset};
///
/// let tdpo2 = Preset::find("tdpo2").unwrap();
/// assert_eq!(tdpo2.paper, "arXiv 2404.11999");
/// let objective = tdpo2.objective(&[("alpha", 0.3)])?;
/// assert_eq!(objective.inputs(), [Input::ReferenceLogps, Input::ForwardKls]);
/// assert!(tdpo2.objective(&[("gamma", 1.0)]).is_err()); // TDPO has none
/// # Ok::<(), sepo_loss::LossError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Preset {
    /// The name on a command line.
    pub name: &'static str,
    /// What it is called in print, or what it does.
    pub title: &'static str,
    /// Where it is from.
    pub paper: &'static str,
    /// The loss of a pair, in the symbols of [`Objective`] and [`Composition`](crate::Composition).
    pub formula: &'static str,
    /// Its numbers, each with a default.
    pub settings: &'static [Setting],
    /// Where the weights of tokens come from.
    pub weights: WeightSource,
    /// What a reader of the paper would stumble over; may be empty.
    pub note: &'static str,
    build: fn(&Values<'_>) -> Objective,
}

/// A number of a [`Preset`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// As on a command line, with `_`.
    pub name: &'static str,
    /// Where it is not given.
    pub default: f64,
}

/// Where the weights of tokens come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightSource {
    /// 1 everywhere; those of a selection, where one is given.
    Uniform,
    /// A selection, made by this rule of `sepo-select` or imported.
    Selection(&'static str),
    /// A selection, made by this rule, whose values are not weights but rewards of tokens.
    Rewards(&'static str),
    /// The policy itself, anew in every step: tokens that it is less sure of than on the mean.
    Confidence,
    /// The policy and the reference, anew in every step: tokens with a large gap, above the setting `quantile`.
    Gap,
}

/// Settings as they were given, and defaults.
pub(crate) struct Values<'a> {
    preset: &'a Preset,
    given: &'a [(&'a str, f64)],
}

impl Values<'_> {
    /// The value of a setting that the preset lists.
    pub(crate) fn get(&self, name: &str) -> f64 {
        let given = self.given.iter().find(|(given, _)| *given == name).map(|(_, value)| *value);
        let default = self.preset.settings.iter().find(|setting| setting.name == name);
        given.or(default.map(|setting| setting.default)).unwrap_or(f64::NAN)
    }
}

impl Preset {
    /// Every preset, in the order of the documentation.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        [pairs::PRESETS, sides::PRESETS, tokens::PRESETS, parts::PRESETS].into_iter().flatten()
    }

    /// The preset of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        Self::all().find(|preset| preset.name == name)
    }

    /// Whether it has a setting of that name.
    #[must_use]
    pub fn has(&self, setting: &str) -> bool {
        self.settings.iter().any(|known| known.name == setting)
    }

    /// The value of a setting among those given, or its default; `None` where the preset has it not.
    #[must_use]
    pub fn value(&self, setting: &str, given: &[(&str, f64)]) -> Option<f64> {
        self.has(setting).then(|| Values { preset: self, given }.get(setting))
    }

    /// The objective, with settings other than the defaults by name, unchecked but for their names.
    ///
    /// # Errors
    ///
    /// [`LossError::UnknownSetting`] names the first setting that the preset does not have; [`LossError::SettingOutOfRange`] is for a
    /// `quantile` that is none. Other ranges are [`Objective::check`]'s.
    pub fn objective(&self, given: &[(&str, f64)]) -> Result<Objective, LossError> {
        if let Some((unknown, _)) = given.iter().find(|(name, _)| !self.has(name)) {
            return Err(LossError::UnknownSetting {
                objective: self.name,
                setting: (*unknown).to_owned(),
                known: self.settings.iter().map(|setting| setting.name).collect(),
            });
        }
        let values = Values { preset: self, given };
        // The loss does not know of it: the mask is made from log-probabilities before.
        let quantile = values.get("quantile");
        if self.has("quantile") && !(0.0..=1.0).contains(&quantile) {
            return Err(LossError::SettingOutOfRange {
                objective: self.name,
                setting: "quantile",
                part: "quantile",
                value: quantile,
                accepted: "0 <= value <= 1",
            });
        }
        Ok((self.build)(&values))
    }
}

impl fmt::Debug for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preset").field("name", &self.name).field("settings", &self.settings).finish()
    }
}

const fn setting(name: &'static str, default: f64) -> Setting {
    Setting { name, default }
}

const BETA: Setting = setting("beta", 0.1);
