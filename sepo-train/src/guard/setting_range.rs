//! Settings of which it is known where they lead.

use std::fmt;
use std::ops::RangeInclusive;

use sepo_loss::Objective;

use crate::TrainConfig;

/// Parameters from which published recipes for language models are taken to hold.
const LARGE: usize = 300_000_000;

/// A setting outside of what is known to end well, before a run is begun.
#[derive(Debug, Clone, PartialEq)]
pub struct UnusualSetting {
    /// Its name.
    pub setting: &'static str,
    /// What it holds.
    pub value: f64,
    /// What is usual.
    pub usual: RangeInclusive<f64>,
    /// Where that is from, and what happens outside of it.
    pub source: &'static str,
}

impl fmt::Display for UnusualSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, value, usual, source } = self;
        write!(f, "a {setting} of {value:?} is outside of {:?} to {:?}: {source}", usual.start(), usual.end())
    }
}

/// The settings outside of published ranges; empty where all is usual. A learning rate is too high only, never too low.
///
/// Rates for models with billions of parameters are far below those that small ones stand, so the size counts.
///
/// # Examples
///
/// ```
/// use sepo_loss::Objective;
/// use sepo_train::{TrainConfig, unusual_settings};
///
/// let dpo = Objective::Dpo { beta: 0.1, label_smoothing: 0.0 };
/// let config = TrainConfig { learning_rate: 1e-5, ..TrainConfig::default() };
/// assert!(unusual_settings(&dpo, &config, 1_000_000).is_empty());
/// let found = unusual_settings(&dpo, &config, 7_000_000_000);
/// assert_eq!((found[0].setting, found[0].value), ("learning rate", 1e-5));
/// ```
#[must_use]
pub fn unusual_settings(
    objective: &Objective,
    config: &TrainConfig,
    n_parameters: usize,
) -> Vec<UnusualSetting> {
    let mut known = vec![("learning rate", config.learning_rate, learning_rates(objective, n_parameters))];
    match *objective {
        Objective::Dpo { beta, .. } | Objective::Hinge { beta } => known.push(("beta", beta, DPO_BETA)),
        Objective::Ipo { beta, .. } => known.push(("beta", beta, IPO_BETA)),
        Objective::SimPo { beta, gamma, .. } => {
            known.push(("beta", beta, SIMPO_BETA));
            known.push(("ratio of gamma to beta", gamma / beta, SIMPO_MARGIN));
        }
        Objective::SePo { gamma, lambda, .. } => {
            known.push(("gamma", gamma, SEPO_GAMMA));
            known.push(("ratio of lambda to gamma", lambda / gamma, SIMPO_MARGIN));
        }
        _ => {}
    }
    let outside = known.into_iter().filter(|(_, value, (usual, _))| !usual.contains(value));
    outside
        .map(|(setting, value, (usual, source))| UnusualSetting { setting, value, usual, source })
        .collect()
}

type Known = (RangeInclusive<f64>, &'static str);

const DPO_BETA: Known = (
    0.01..=0.5,
    "arXiv 2305.18290 uses 0.1 to 0.5, and 0.01 is the least that SimPO's comparison found useful; below, little ties the policy to its reference",
);
const IPO_BETA: Known =
    (0.01..=1.0, "the grid of SimPO's comparison; below, the target 1/(2β) is out of reach");
const SIMPO_BETA: Known = (2.0..=10.0, "the recipes of arXiv 2405.14734");
const SIMPO_MARGIN: Known =
    (0.0..=1.0, "the recipes of arXiv 2405.14734 use 0.1 to 0.8; a margin beyond the scale is never reached");
const SEPO_GAMMA: Known =
    (1.0..=10.0, "arXiv 2408.13518 uses 2.1 to 2.5, its script 1; with all tokens kept it is SimPO's beta");

/// From 0, since a rate that is too low wastes time and breaks nothing.
fn learning_rates(objective: &Objective, n_parameters: usize) -> Known {
    match (n_parameters >= LARGE, objective.is_pairwise()) {
        (true, true) => (
            0.0..=5e-6,
            "recipes for models of this size use 3e-7 to 1e-6 (SimPO, SePO), 5e-6 at most (TDPO); at 1e-5 the authors of SimPO saw incoherent and repetitive text",
        ),
        (true, false) => (0.0..=1e-4, "fine-tuning of models of this size is usual at 1e-5 to 2e-5"),
        (false, _) => (0.0..=1e-3, "even models of a few million parameters learn best at 1e-4 to 8e-4 here"),
    }
}

#[cfg(test)]
mod tests {
    use sepo_loss::Normalizer;

    use super::*;

    fn names(objective: Objective, learning_rate: f64, n_parameters: usize) -> Vec<&'static str> {
        let config = TrainConfig { learning_rate, ..TrainConfig::default() };
        unusual_settings(&objective, &config, n_parameters).into_iter().map(|found| found.setting).collect()
    }

    #[test]
    fn the_defaults_are_usual_for_any_size() {
        let sepo = Objective::SePo { gamma: 2.5, lambda: 0.0, normalizer: Normalizer::Count };
        let simpo = Objective::SimPo { beta: 2.0, gamma: 0.5, label_smoothing: 0.0 };
        let dpo = Objective::Dpo { beta: 0.1, label_smoothing: 0.0 };
        for objective in [sepo, simpo, dpo, Objective::Hinge { beta: 0.1 }] {
            assert_eq!(names(objective, 1e-6, 7_000_000_000), [""; 0]);
            assert_eq!(names(objective, 0.0, 1000), [""; 0]);
        }
        assert_eq!(names(Objective::Sft, 1e-5, 7_000_000_000), [""; 0]);
    }

    #[test]
    fn what_is_outside_is_named_with_value_range_and_source() {
        let simpo = Objective::SimPo { beta: 0.1, gamma: 0.5, label_smoothing: 0.0 };
        assert_eq!(names(simpo, 1e-2, 1000), ["learning rate", "beta", "ratio of gamma to beta"]);
        assert_eq!(names(simpo, 1e-4, 1_000_000_000).len(), 3);
        let dpo = Objective::Dpo { beta: 0.001, label_smoothing: 0.0 };
        let found = unusual_settings(&dpo, &TrainConfig::default(), 1000);
        assert!(found[0].to_string().starts_with("a beta of 0.001 is outside of 0.01 to 0.5: arXiv"));
    }
}
