//! Which settings have a meaning, and which parts go together.

use crate::composition::{Comparison, Composition, Weighting};
use crate::error::LossError;
use crate::link::Link;
use crate::margin::Margin;
use crate::partition::{Pairing, Partition};
use crate::reduction::Reduction;
use crate::side_link::{Baseline, SideLink};
use crate::statistic::Divergence;
use crate::transform::Transform;

pub(crate) fn check(composition: &Composition, objective: &'static str) -> Result<(), LossError> {
    for (setting, value, range) in settings(composition) {
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
            return Err(LossError::SettingOutOfRange { objective, setting, value, accepted });
        }
    }
    match conflict(composition) {
        Some(reason) => Err(LossError::Composition { objective, reason }),
        None => Ok(()),
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

fn settings(composition: &Composition) -> Vec<(&'static str, f64, Range)> {
    let mut settings = vec![
        ("beta", composition.beta, Range::Positive),
        ("scale", composition.scale, Range::NotNegative),
        ("rho", composition.statistic.rho, Range::Finite),
    ];
    match composition.statistic.divergence {
        Divergence::None => {}
        Divergence::Forward { alpha, .. } | Divergence::Reverse { alpha, .. } => {
            settings.push(("alpha", alpha, Range::Finite));
        }
    }
    match composition.transform {
        Transform::AlphaPo { alpha } => settings.push(("alpha", alpha, Range::NotZero)),
        Transform::AlphaDivergence { alpha } => settings.push(("alpha", alpha, Range::Finite)),
        _ => {}
    }
    match composition.comparison {
        Comparison::Pairs { margin, link } => {
            settings.extend(margin_setting(margin));
            settings.extend(link_setting(link));
        }
        Comparison::Sides(link) => settings.extend(side_settings(link)),
    }
    let regularizers = &composition.regularizers;
    settings.extend(regularizers.nll.map(|nll| ("nll", nll.coefficient, Range::NotNegative)));
    settings.extend(regularizers.token_reward.map(|reward| ("alpha", reward.alpha, Range::NotNegative)));
    if let Some(square) = regularizers.square {
        settings.push(("square", square.coefficient, Range::NotNegative));
        settings.push(("target", square.target, Range::Finite));
    }
    settings.extend(regularizers.l1.map(|l1| ("l1", l1.coefficient, Range::NotNegative)));
    if let Some(barrier) = regularizers.barrier {
        settings.push(("barrier", barrier.coefficient, Range::NotNegative));
        settings.push(("probability", barrier.probability, Range::Probability));
    }
    settings
}

fn margin_setting(margin: Margin) -> Option<(&'static str, f64, Range)> {
    match margin {
        Margin::Constant(gamma) => Some(("gamma", gamma, Range::Finite)),
        Margin::LengthDifference { alpha } => Some(("alpha", alpha, Range::Finite)),
        Margin::Reference { floor } => Some(("floor", floor, Range::Finite)),
        Margin::Penalty { lambda } => Some(("lambda", lambda, Range::NotNegative)),
        Margin::Adaptive => None,
    }
}

fn link_setting(link: Link) -> Option<(&'static str, f64, Range)> {
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

fn side_settings(link: SideLink) -> Vec<(&'static str, f64, Range)> {
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

/// Why two parts exclude each other, if they do.
fn conflict(composition: &Composition) -> Option<&'static str> {
    let parts = composition.partition != Partition::Whole;
    let margin = match composition.comparison {
        Comparison::Pairs { margin, .. } => Some(margin),
        Comparison::Sides(_) => None,
    };
    [
        (
            parts && composition.reduction == Reduction::Nominal,
            "a nominal count is that of a whole response, and this compares parts",
        ),
        (
            parts && composition.pairing == Pairing::BatchOrder,
            "the order over a batch is of whole responses, and this compares parts",
        ),
        (
            !parts && composition.pairing == Pairing::ByWeight,
            "whole responses have nothing to sort: set a partition",
        ),
        (
            parts && composition.regularizers.token_reward.is_some(),
            "the weight of token rewards comes from the margin of whole responses, and this compares parts",
        ),
        (matches!(composition.partition, Partition::Window(0)), "a window has at least one token"),
        (
            composition.pairing == Pairing::BatchOrder && margin.is_none(),
            "the order over a batch is for comparisons of two responses",
        ),
        (
            composition.pairing == Pairing::BatchOrder
                && margin.is_some_and(|margin| !matches!(margin, Margin::Constant(_))),
            "in the order over a batch only a constant margin has a meaning",
        ),
        (
            composition.weighting == Weighting::Learned && composition.reduction == Reduction::Nominal,
            "a nominal count is that of a selection, and learned weights select nothing",
        ),
    ]
    .into_iter()
    .find(|(excluded, _)| *excluded)
    .map(|(_, reason)| reason)
}
