//! Weights that the policy makes in every step, for objectives that ask for them.

use sepo_data::Side;
use sepo_loss::WeightSource;
use sepo_select::weigh::{gap_mask, low_confidence_mask};
use sepo_train::StepWeights;

use crate::args::ObjectiveChoice;

/// The weights of the objective; none where it makes none.
pub(crate) fn of(objective: &ObjectiveChoice) -> Option<Box<dyn StepWeights>> {
    match objective.source() {
        WeightSource::Confidence => Some(Box::new(Confidence)),
        WeightSource::Gap => Some(Box::new(Gap { quantile: objective.quantile() })),
        WeightSource::Uniform | WeightSource::Selection(_) | WeightSource::Rewards(_) => None,
    }
}

/// ConfPO's.
#[derive(Debug)]
struct Confidence;

impl StepWeights for Confidence {
    fn identity(&self) -> String {
        "confidence".to_owned()
    }

    fn weights(&self, _: Side, logps: &[f64], _: Option<&[f64]>) -> Vec<f64> {
        numbers(low_confidence_mask(logps))
    }
}

/// Selective-DPO's.
#[derive(Debug)]
struct Gap {
    quantile: f64,
}

impl StepWeights for Gap {
    fn identity(&self) -> String {
        format!("gap {}", self.quantile)
    }

    /// Without a reference none, which training refuses.
    fn weights(&self, side: Side, logps: &[f64], reference: Option<&[f64]>) -> Vec<f64> {
        let mask = reference.and_then(|reference| gap_mask(side, logps, reference, self.quantile).ok());
        numbers(mask.unwrap_or_default())
    }
}

fn numbers(mask: Vec<bool>) -> Vec<f64> {
    mask.into_iter().map(|kept| if kept { 1.0 } else { 0.0 }).collect()
}
