//! Methods that compare parts of responses.

use super::pairs::dpo;
use super::{BETA, Preset, WeightSource, setting};
use crate::composition::Composition;
use crate::link::Link;
use crate::margin::Margin;
use crate::objective::Objective;
use crate::partition::{Partition, UnitSum};
use crate::statistic::{Detach, Divergence, Statistic};

/// A window of as many tokens as a setting says; 0 where that is no number of tokens, which a check refuses.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and what is no whole number becomes 0"
)]
fn window(tokens: f64) -> Partition {
    match tokens {
        1.0 => Partition::Token,
        _ if tokens.fract() == 0.0 => Partition::Window(tokens as usize),
        _ => Partition::Window(0),
    }
}

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "adpo",
        title: "ADPO, fixed windows",
        paper: "arXiv 2602.09533",
        formula: "Σ over windows g of −log σ(β (R_g,w − R_g,l)), until the shorter response ends",
        settings: &[BETA, setting("window", 1.0)],
        weights: WeightSource::Uniform,
        note: "",
        build: |v| Objective::composed("adpo", Composition { partition: window(v.get("window")), ..dpo(v) }),
    },
    Preset {
        name: "tbpo-a",
        title: "TBPO-A",
        paper: "arXiv 2605.12288",
        formula: "mean over t of BPO(β (l_t − l_ref,t + F_t of the chosen − the same of the rejected))",
        settings: &[BETA, setting("k", 0.2)],
        weights: WeightSource::Uniform,
        note: "F without gradient, as an offset: our reading.",
        build: |v| {
            let divergence = Divergence::Forward { alpha: 1.0, detach: Detach::Both };
            let loss = Composition {
                statistic: Statistic { rho: 1.0, divergence },
                partition: Partition::Token,
                unit_sum: UnitSum::Mean,
                ..dpo(v)
            };
            let link = Link::Basu { k: v.get("k") };
            Objective::composed("tbpo-a", loss.comparing(Margin::Constant(0.0), link))
        },
    },
];
