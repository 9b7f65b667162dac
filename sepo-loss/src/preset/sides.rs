//! Methods that look at each response by itself.

use super::pairs::dpo;
use super::{BETA, Preset, Values, WeightSource, setting};
use crate::composition::{Comparison, Composition};
use crate::objective::Objective;
use crate::side_link::{Baseline, SideLink};

fn each(name: &'static str, values: &Values<'_>, link: SideLink) -> Objective {
    Objective::composed(name, Composition { comparison: Comparison::Sides(link), ..dpo(values) })
}

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "kto",
        title: "KTO on pairs",
        paper: "arXiv 2402.01306, eq. 8",
        formula: "½ [λ_w (1 − σ(β (R_w − z₀))) + λ_l (1 − σ(β (z₀ − R_l)))],  z₀ = max(0, mean R of the batch)",
        settings: &[BETA, setting("desirable", 1.0), setting("undesirable", 1.0)],
        weights: WeightSource::Uniform,
        note: "Depends on the micro-batch: z₀ stands for the mean over mismatched prompts and responses, which pairs do not bring.",
        build: |v| {
            let (desirable, undesirable) = (v.get("desirable"), v.get("undesirable"));
            each("kto", v, SideLink::Kto { desirable, undesirable, baseline: Baseline::BatchMean })
        },
    },
    Preset {
        name: "bco",
        title: "BCO",
        paper: "arXiv 2404.04656",
        formula: "−log σ(β R_w − δ) − log σ(−(β R_l − δ))",
        settings: &[BETA, setting("shift", 0.0)],
        weights: WeightSource::Uniform,
        note: "δ is a constant; the paper's is a running mean of rewards.",
        build: |v| each("bco", v, SideLink::Bco { shift: v.get("shift") }),
    },
    Preset {
        name: "nca",
        title: "NCA, pairs",
        paper: "arXiv 2402.05369",
        formula: "−log σ(β R_w) − ½ log σ(−β R_w) − ½ log σ(−β R_l)",
        settings: &[BETA],
        weights: WeightSource::Uniform,
        note: "",
        build: |v| each("nca", v, SideLink::Nca),
    },
    Preset {
        name: "apo-zero",
        title: "APO-zero",
        paper: "arXiv 2408.06266",
        formula: "1 − σ(β R_w) + σ(β R_l)",
        settings: &[BETA],
        weights: WeightSource::Uniform,
        note: "",
        build: |v| each("apo-zero", v, SideLink::ApoZero),
    },
    Preset {
        name: "apo-down",
        title: "APO-down",
        paper: "arXiv 2408.06266",
        formula: "σ(β R_w) + 1 − σ(β (R_w − R_l))",
        settings: &[BETA],
        weights: WeightSource::Uniform,
        note: "",
        build: |v| each("apo-down", v, SideLink::ApoDown),
    },
    Preset {
        name: "sppo",
        title: "SPPO with hard labels",
        paper: "arXiv 2405.00675",
        formula: "(R_w − 1 / 2β)² + (R_l + 1 / 2β)²",
        settings: &[BETA],
        weights: WeightSource::Uniform,
        note: "",
        build: |v| {
            let link = SideLink::Sppo { target: 0.5 / v.get("beta") };
            let loss =
                Composition { beta: 1.0, comparison: Comparison::Sides(link), ..Composition::default() };
            Objective::composed("sppo", loss)
        },
    },
];
