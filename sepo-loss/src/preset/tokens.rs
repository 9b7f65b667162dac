//! Methods in which tokens differ.

use super::pairs::{dpo, simpo};
use super::{BETA, Preset, Values, WeightSource, setting};
use crate::composition::Composition;
use crate::link::Link;
use crate::margin::Margin;
use crate::objective::{Normalizer, Objective};
use crate::partition::{Pairing, Partition};
use crate::regularizer::{Regularizers, TokenReward};
use crate::statistic::{Detach, Divergence, Statistic};

/// DPO on weighted tokens.
const WEIGHTED: &str = "DPO with Σ_t w_t (l_t − l_ref,t) for R";

fn weighted(name: &'static str, values: &Values<'_>) -> Objective {
    Objective::composed(name, dpo(values))
}

fn diverging(name: &'static str, values: &Values<'_>, divergence: Divergence) -> Objective {
    let statistic = Statistic { rho: 1.0, divergence };
    Objective::composed(name, Composition { statistic, ..dpo(values) })
}

fn sepo(values: &Values<'_>, normalizer: Normalizer) -> Objective {
    Objective::SePo { gamma: values.get("gamma"), lambda: values.get("lambda"), normalizer }
}

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "sepo",
        title: "SePO, released code",
        paper: "arXiv 2408.13518",
        formula: "−log σ(γ S_w / W_w − γ S_l / W_l − λ)",
        settings: &[setting("gamma", 2.5), setting("lambda", 0.0)],
        weights: WeightSource::Selection("sepo"),
        note: "Divides by the number of selected tokens.",
        build: |v| sepo(v, Normalizer::Count),
    },
    Preset {
        name: "sepo-paper",
        title: "SePO, paper",
        paper: "arXiv 2408.13518",
        formula: "−log σ(γ S_w / (k |y_w|) − γ S_l / (k |y_l|) − λ)",
        settings: &[setting("gamma", 2.5), setting("lambda", 0.0)],
        weights: WeightSource::Selection("sepo"),
        note: "",
        build: |v| sepo(v, Normalizer::Nominal),
    },
    // The best composition over SePO's scores that `bench methods` has found: docs/methods.md, "Side by side".
    Preset {
        name: "salience-dpo",
        title: "DPO on the most telling tokens",
        paper: "this project",
        formula: WEIGHTED,
        settings: &[BETA],
        weights: WeightSource::Selection("salience"),
        note: "The 30 % of tokens of the largest |score|, of both responses alike. On built-in data, over three seeds and each at its best of three rates, level with `dpo` on all tokens (utility gained 0.66 ± 0.22; `dpo`: 0.63 ± 0.23; `sepo`: 0.16 ± 0.10).",
        build: |v| weighted("salience-dpo", v),
    },
    Preset {
        name: "tdpo1",
        title: "TDPO1",
        paper: "arXiv 2404.11999",
        formula: "DPO with Σ_t (l_t − l_ref,t + F_t) for R,  F_t = KL(π_ref ‖ π) at token t",
        settings: &[BETA],
        weights: WeightSource::Uniform,
        note: "",
        build: |v| diverging("tdpo1", v, Divergence::Forward { alpha: 1.0, detach: Detach::Neither }),
    },
    Preset {
        name: "tdpo2",
        title: "TDPO2",
        paper: "arXiv 2404.11999",
        formula: "DPO with Σ_t (l_t − l_ref,t + α F_t) for R,  F of the chosen response without gradient",
        settings: &[BETA, setting("alpha", 0.5)],
        weights: WeightSource::Uniform,
        note: "",
        build: |v| {
            let alpha = v.get("alpha");
            diverging("tdpo2", v, Divergence::Forward { alpha, detach: Detach::Chosen })
        },
    },
    Preset {
        name: "tis-dpo",
        title: "TIS-DPO",
        paper: "arXiv 2410.04350",
        formula: WEIGHTED,
        settings: &[BETA],
        weights: WeightSource::Selection("tis"),
        note: "Without the paper's divergence, as the released code runs; its weights are the rule `tis-rank`.",
        build: |v| weighted("tis-dpo", v),
    },
    Preset {
        name: "tis-dpo-kl",
        title: "TIS-DPO with its divergence",
        paper: "arXiv 2410.04350",
        formula: "DPO with Σ_t w_t (l_t − l_ref,t − α K_t) for R,  K_t = KL(π ‖ π_ref) at token t",
        settings: &[BETA, setting("alpha", 0.5)],
        weights: WeightSource::Selection("tis"),
        note: "",
        build: |v| {
            let alpha = v.get("alpha");
            diverging("tis-dpo-kl", v, Divergence::Reverse { alpha, detach: Detach::Neither })
        },
    },
    Preset {
        name: "tgdpo",
        title: "TGDPO",
        paper: "arXiv 2506.14574",
        formula: WEIGHTED,
        settings: &[BETA],
        weights: WeightSource::Selection("tgdpo"),
        note: "",
        build: |v| weighted("tgdpo", v),
    },
    Preset {
        name: "d2po",
        title: "D2PO",
        paper: "arXiv 2502.14340",
        formula: WEIGHTED,
        settings: &[BETA],
        weights: WeightSource::Selection("d2po"),
        note: "Weights fall with the position and need no scores.",
        build: |v| weighted("d2po", v),
    },
    Preset {
        name: "ld-dpo",
        title: "LD-DPO",
        paper: "arXiv 2409.06411",
        formula: WEIGHTED,
        settings: &[BETA],
        weights: WeightSource::Selection("ld-dpo"),
        note: "",
        build: |v| weighted("ld-dpo", v),
    },
    Preset {
        name: "mask-dpo",
        title: "Mask-DPO",
        paper: "arXiv 2503.02846",
        formula: WEIGHTED,
        settings: &[BETA],
        weights: WeightSource::Selection("weights import"),
        note: "Annotated sentences: those that are right of the chosen response, those that are wrong of the rejected one.",
        build: |v| weighted("mask-dpo", v),
    },
    Preset {
        name: "2d-dpo",
        title: "2D-DPO by groups",
        paper: "arXiv 2410.19720, eq. 6",
        formula: "Σ_k −log σ(β w_k R_w,k − β w_k' R_l,k'),  k the chosen segments from the highest weight, k' the rejected ones from the lowest, until one side ends",
        settings: &[BETA],
        weights: WeightSource::Selection("weights import"),
        note: "Segments are runs of tokens of one weight. A weight is that of its own side; the paper leaves the sign of low scores open. Its vanilla form is `mask-dpo` with scores of spans.",
        build: |v| {
            let parts = Composition { partition: Partition::Segment, pairing: Pairing::ByWeight, ..dpo(v) };
            Objective::composed("2d-dpo", parts)
        },
    },
    Preset {
        name: "asr",
        title: "ASR",
        paper: "arXiv 2411.00809",
        formula: WEIGHTED,
        settings: &[BETA],
        weights: WeightSource::Selection("asr"),
        note: "Segments by change points of the scores: our reading.",
        build: |v| weighted("asr", v),
    },
    Preset {
        name: "critical-tokens",
        title: "critical tokens (cDPO of the paper)",
        paper: "arXiv 2411.19943",
        formula: WEIGHTED,
        settings: &[BETA],
        weights: WeightSource::Selection("critical"),
        note: "Whole responses, as in the paper; the released code compares tokens by index, prompt and padding included.",
        build: |v| weighted("critical-tokens", v),
    },
    Preset {
        name: "confpo",
        title: "ConfPO",
        paper: "arXiv 2506.08712",
        formula: "SimPO over tokens with log p_t < log mean p",
        settings: &[setting("beta", 2.5), setting("gamma", 0.5)],
        weights: WeightSource::Confidence,
        note: "",
        build: |v| {
            let link = Link::Logistic { label_smoothing: 0.0 };
            Objective::composed("confpo", simpo(v).comparing(Margin::Constant(v.get("gamma")), link))
        },
    },
    Preset {
        name: "selective-dpo",
        title: "Selective-DPO, tokens",
        paper: "arXiv 2507.07725",
        formula: WEIGHTED,
        settings: &[BETA, setting("quantile", 0.6)],
        weights: WeightSource::Gap,
        note: "In the first step all gaps are 0, and every token counts.",
        build: |v| weighted("selective-dpo", v),
    },
    Preset {
        name: "t-reg",
        title: "T-REG",
        paper: "arXiv 2412.02685",
        formula: "DPO + α σ(−z) Σ over both responses of −β Σ_t r̂_t l_t,  σ(−z) without gradient",
        settings: &[BETA, setting("alpha", 0.25)],
        weights: WeightSource::Rewards("t-reg"),
        note: "",
        build: |v| {
            let token_reward = Some(TokenReward { alpha: v.get("alpha") });
            let regularizers = Regularizers { token_reward, ..Regularizers::default() };
            Objective::composed("t-reg", Composition { regularizers, ..dpo(v) })
        },
    },
    Preset {
        name: "aligndistil",
        title: "AlignDistil, off-policy",
        paper: "arXiv 2503.02832",
        formula: "β / W_w · Σ_t w_t KL(π ‖ p*_t) / g_t over the chosen response,  logits of p* = z + g (z − z'),  g = boost · ‖p − p'‖₁ + 0.001",
        settings: &[BETA, setting("boost", 10.0)],
        weights: WeightSource::Uniform,
        note: "z of a model aligned by DPO, z' of one by DPO on exchanged responses. The released code reads the mask one token off.",
        build: |v| Objective::AlignDistil { beta: v.get("beta"), boost: v.get("boost") },
    },
    Preset {
        name: "sft",
        title: "supervised fine-tuning; RHO-1 on a selection",
        paper: "RHO-1: arXiv 2404.07965",
        formula: "−S_w, counted in weighted tokens",
        settings: &[],
        weights: WeightSource::Uniform,
        note: "RHO-1 is this on a selection of scope `batch`.",
        build: |_| Objective::Sft,
    },
];
