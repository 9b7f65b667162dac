//! Which settings have a meaning, and which parts go together.

use crate::composition::{Comparison, Composition, Weighting};
use crate::error::LossError;
use crate::link::Link;
use crate::margin::Margin;
use crate::partition::{Pairing, Partition};
use crate::reduction::Reduction;
use crate::regularizer::Regularizers;
use crate::side_link::{Baseline, SideLink};
use crate::statistic::{Divergence, Statistic};
use crate::transform::Transform;

impl Composition {
    /// Nothing, if every setting has a meaning and the parts go together. `objective` is the name for errors.
    ///
    /// # Errors
    ///
    /// * [`LossError::SettingOutOfRange`] names the first setting out of its range.
    /// * [`LossError::Composition`] where two parts exclude each other.
    pub fn check(&self, objective: &'static str) -> Result<(), LossError> {
        for (part, (setting, value, range)) in settings(self) {
            let accepted = match range {
                Range::Finite => value.is_finite(),
                Range::Positive => value > 0.0 && value.is_finite(),
                Range::NotNegative => value >= 0.0 && value.is_finite(),
                Range::NotZero => value != 0.0 && value.is_finite(),
                Range::Smoothing => (0.0..0.5).contains(&value),
                Range::OpenSmoothing => value > 0.0 && value < 0.5,
                Range::Probability => (0.0..=1.0).contains(&value),
            };
            if !accepted {
                let accepted = range.words();
                return Err(LossError::SettingOutOfRange { objective, setting, part, value, accepted });
            }
        }
        match conflict(self) {
            Some((part, reason)) => Err(LossError::Composition { objective, part, reason }),
            None => Ok(()),
        }
    }
}

/// What a setting may be.
#[derive(Clone, Copy)]
enum Range {
    Finite,
    Positive,
    NotNegative,
    NotZero,
    Smoothing,
    OpenSmoothing,
    Probability,
}

impl Range {
    fn words(self) -> &'static str {
        match self {
            Self::Finite => "the finite numbers",
            Self::Positive => "0 < value < infinity",
            Self::NotNegative => "0 <= value < infinity",
            Self::NotZero => "the finite numbers but 0",
            Self::Smoothing => "0 <= value < 0.5",
            Self::OpenSmoothing => "0 < value < 0.5",
            Self::Probability => "0 <= value <= 1",
        }
    }
}

/// A setting by its name, its value, and what it may be.
type Bounded = (&'static str, f64, Range);

/// All settings, each with the key that it stands in.
fn settings(composition: &Composition) -> Vec<(&'static str, Bounded)> {
    let mut settings = vec![
        ("beta", ("beta", composition.beta, Range::Positive)),
        ("scale", ("scale", composition.scale, Range::NotNegative)),
        ("statistic", ("rho", composition.statistic.rho, Range::Finite)),
    ];
    match composition.statistic.divergence {
        Divergence::None => {}
        Divergence::Forward { alpha, .. } | Divergence::Reverse { alpha, .. } => {
            settings.push(("statistic.divergence", ("alpha", alpha, Range::Finite)));
        }
    }
    match composition.transform {
        Transform::AlphaPo { alpha } => settings.push(("transform", ("alpha", alpha, Range::NotZero))),
        Transform::AlphaDivergence { alpha } => {
            settings.push(("transform", ("alpha", alpha, Range::Finite)));
        }
        _ => {}
    }
    match composition.comparison {
        Comparison::Pairs { margin, link } => {
            settings.extend(margin_setting(margin).map(|setting| ("margin", setting)));
            settings.extend(link_setting(link).map(|setting| ("link", setting)));
        }
        Comparison::Sides(link) => {
            settings.extend(side_settings(link).into_iter().map(|setting| ("side_link", setting)));
        }
    }
    settings.extend(regularizer_settings(&composition.regularizers));
    settings
}

fn regularizer_settings(regularizers: &Regularizers) -> Vec<(&'static str, Bounded)> {
    let mut settings = Vec::new();
    if let Some(nll) = regularizers.nll {
        settings.push(("regularizers.nll", ("nll", nll.coefficient, Range::NotNegative)));
    }
    if let Some(reward) = regularizers.token_reward {
        settings.push(("regularizers.token_reward", ("alpha", reward.alpha, Range::NotNegative)));
    }
    if let Some(square) = regularizers.square {
        settings.push(("regularizers.square", ("square", square.coefficient, Range::NotNegative)));
        settings.push(("regularizers.square", ("target", square.target, Range::Finite)));
    }
    if let Some(l1) = regularizers.l1 {
        settings.push(("regularizers.l1", ("l1", l1.coefficient, Range::NotNegative)));
    }
    if let Some(barrier) = regularizers.barrier {
        settings.push(("regularizers.barrier", ("barrier", barrier.coefficient, Range::NotNegative)));
        settings.push(("regularizers.barrier", ("probability", barrier.probability, Range::Probability)));
    }
    settings
}

fn margin_setting(margin: Margin) -> Option<Bounded> {
    match margin {
        Margin::Constant(gamma) => Some(("gamma", gamma, Range::Finite)),
        Margin::LengthDifference { alpha } => Some(("alpha", alpha, Range::Finite)),
        Margin::Reference { floor } => Some(("floor", floor, Range::Finite)),
        Margin::Penalty { lambda } => Some(("lambda", lambda, Range::NotNegative)),
        Margin::Adaptive => None,
    }
}

fn link_setting(link: Link) -> Option<Bounded> {
    match link {
        Link::Logistic { label_smoothing } | Link::Robust { label_smoothing } => {
            Some(("label_smoothing", label_smoothing, Range::Smoothing))
        }
        Link::Exo { label_smoothing } => Some(("label_smoothing", label_smoothing, Range::OpenSmoothing)),
        Link::DiscoPop { temperature } => Some(("temperature", temperature, Range::Positive)),
        Link::Basu { k } => Some(("k", k, Range::Positive)),
        Link::Square { target } => Some(("target", target, Range::Finite)),
        Link::Hinge | Link::Custom(_) => None,
    }
}

fn side_settings(link: SideLink) -> Vec<Bounded> {
    match link {
        SideLink::Kto { desirable, undesirable, baseline } => {
            let weights = [
                ("desirable", desirable, Range::NotNegative),
                ("undesirable", undesirable, Range::NotNegative),
            ];
            let baseline = match baseline {
                Baseline::Constant(value) => Some(("baseline", value, Range::Finite)),
                Baseline::BatchMean => None,
            };
            weights.into_iter().chain(baseline).collect()
        }
        SideLink::Bco { shift } => vec![("shift", shift, Range::Finite)],
        SideLink::Sppo { target } => vec![("target", target, Range::Finite)],
        SideLink::Nca | SideLink::ApoZero | SideLink::ApoDown => Vec::new(),
    }
}

/// Why two parts exclude each other, if they do, and the key of one of them.
fn conflict(composition: &Composition) -> Option<(&'static str, &'static str)> {
    let parts = composition.partition != Partition::Whole;
    let learned = composition.weighting == Weighting::Learned;
    let margin = match composition.comparison {
        Comparison::Pairs { margin, .. } => Some(margin),
        Comparison::Sides(_) => None,
    };
    let conflicts = [
        (
            parts && composition.reduction == Reduction::Nominal,
            "reduction",
            "a nominal count is that of a whole response, and this compares parts",
        ),
        (
            parts && composition.pairing == Pairing::BatchOrder,
            "pairing",
            "the order over a batch is of whole responses, and this compares parts",
        ),
        (
            !parts && composition.pairing == Pairing::ByWeight,
            "pairing",
            "whole responses have nothing to sort: set a partition",
        ),
        (
            parts && composition.regularizers.token_reward.is_some(),
            "regularizers.token_reward",
            "the weight of token rewards comes from the margin of whole responses, and this compares parts",
        ),
        (
            matches!(composition.partition, Partition::Window(0)),
            "partition",
            "a window has at least one token",
        ),
        (
            composition.pairing == Pairing::BatchOrder && margin.is_none(),
            "pairing",
            "the order over a batch is for comparisons of two responses",
        ),
        (
            composition.pairing == Pairing::BatchOrder
                && margin.is_some_and(|margin| !matches!(margin, Margin::Constant(_))),
            "margin",
            "in the order over a batch only a constant margin has a meaning",
        ),
        (
            learned && composition.reduction == Reduction::Nominal,
            "reduction",
            "a nominal count is that of a selection, and learned weights select nothing",
        ),
        (
            !learned && composition.regularizers.l1.is_some(),
            "regularizers.l1",
            "the size of weights can only be kept small where they are learned",
        ),
        (
            composition.transform == Transform::LogOdds && composition.statistic != Statistic::LOGP,
            "transform",
            "log-odds are of a probability, so they go with `rho` 0 and no divergence",
        ),
    ];
    conflicts.into_iter().find(|(excluded, ..)| *excluded).map(|(_, part, reason)| (part, reason))
}
