//! Methods that compare whole responses, all tokens alike.

use super::{BETA, Preset, Values, WeightSource, setting};
use crate::composition::{Composition, PairWeight};
use crate::link::Link;
use crate::margin::Margin;
use crate::objective::{IpoReduction, Objective};
use crate::partition::Pairing;
use crate::reduction::Reduction;
use crate::regularizer::{Nll, NllReduction, Regularizers, Square};
use crate::statistic::Statistic;
use crate::transform::Transform;

const LOGISTIC: Link = Link::Logistic { label_smoothing: 0.0 };
const UNIFORM: WeightSource = WeightSource::Uniform;

/// DPO with the preset's β.
pub(super) fn dpo(values: &Values<'_>) -> Composition {
    Composition { beta: values.get("beta"), ..Composition::default() }
}

/// Sums of log-probabilities without a reference.
fn without_reference(values: &Values<'_>) -> Composition {
    Composition { statistic: Statistic::LOGP, ..dpo(values) }
}

/// Means of log-probabilities without a reference.
pub(super) fn simpo(values: &Values<'_>) -> Composition {
    Composition { reduction: Reduction::WeightSum, ..without_reference(values) }
}

fn linked(name: &'static str, values: &Values<'_>, link: Link) -> Objective {
    Objective::composed(name, dpo(values).comparing(Margin::Constant(0.0), link))
}

fn transformed(name: &'static str, values: &Values<'_>, transform: Transform) -> Objective {
    Objective::composed(name, Composition { transform, ..dpo(values) })
}

fn nll(values: &Values<'_>, reduction: NllReduction) -> Regularizers {
    let nll = Some(Nll { coefficient: values.get("nll"), reduction });
    Regularizers { nll, ..Regularizers::default() }
}

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "dpo",
        title: "DPO; cDPO with label smoothing",
        paper: "arXiv 2305.18290, eq. 7",
        formula: "−(1 − ε) log σ(z) − ε log σ(−z),  z = β (R_w − R_l)",
        settings: &[BETA, setting("label_smoothing", 0.0)],
        weights: UNIFORM,
        note: "",
        build: |v| Objective::Dpo { beta: v.get("beta"), label_smoothing: v.get("label_smoothing") },
    },
    Preset {
        name: "robust",
        title: "robust DPO",
        paper: "arXiv 2403.00409",
        formula: "[−(1 − ε) log σ(z) + ε log σ(−z)] / (1 − 2ε),  z as in DPO",
        settings: &[BETA, setting("label_smoothing", 0.1)],
        weights: UNIFORM,
        note: "",
        build: |v| linked("robust", v, Link::Robust { label_smoothing: v.get("label_smoothing") }),
    },
    Preset {
        name: "exo",
        title: "EXO, pairs",
        paper: "arXiv 2402.00856",
        formula: "σ(z) [log σ(z) − log(1 − ε)] + σ(−z) [log σ(−z) − log ε],  z as in DPO",
        settings: &[BETA, setting("label_smoothing", 1e-3)],
        weights: UNIFORM,
        note: "ε is above 0.",
        build: |v| linked("exo", v, Link::Exo { label_smoothing: v.get("label_smoothing") }),
    },
    Preset {
        name: "discopop",
        title: "DiscoPOP",
        paper: "arXiv 2406.08414",
        formula: "−log σ(z) (1 − m) + exp(−z) m,  m = σ(z / τ),  z as in DPO",
        settings: &[BETA, setting("temperature", 0.05)],
        weights: UNIFORM,
        note: "",
        build: |v| linked("discopop", v, Link::DiscoPop { temperature: v.get("temperature") }),
    },
    Preset {
        name: "bpo",
        title: "BPO, scaled Basu divergence",
        paper: "arXiv 2505.19601",
        formula: "[exp(−(k + 1) z) / (k + 1) − exp(k z) / k] / 4,  z as in DPO",
        settings: &[BETA, setting("k", 0.2)],
        weights: UNIFORM,
        note: "It has no lower bound.",
        build: |v| linked("bpo", v, Link::Basu { k: v.get("k") }),
    },
    Preset {
        name: "hinge",
        title: "SLiC's hinge with a reference",
        paper: "arXiv 2309.06657",
        formula: "max(0, 1 − z),  z as in DPO",
        settings: &[BETA],
        weights: UNIFORM,
        note: "",
        build: |v| Objective::Hinge { beta: v.get("beta") },
    },
    Preset {
        name: "ipo",
        title: "IPO over means",
        paper: "arXiv 2310.12036, eq. 17",
        formula: "(R_w / W_w − R_l / W_l − 1 / 2β)²",
        settings: &[BETA],
        weights: UNIFORM,
        note: "The mean is TRL's reading, confirmed there with the authors; `ipo-sum` is the original code's.",
        build: |v| Objective::Ipo { beta: v.get("beta"), reduction: IpoReduction::Mean },
    },
    Preset {
        name: "ipo-sum",
        title: "IPO over sums",
        paper: "arXiv 2310.12036, eq. 17",
        formula: "(R_w − R_l − 1 / 2β)²",
        settings: &[BETA],
        weights: UNIFORM,
        note: "The best β differs from that of `ipo` by a factor of about the length of a response.",
        build: |v| Objective::Ipo { beta: v.get("beta"), reduction: IpoReduction::Sum },
    },
    Preset {
        name: "simpo",
        title: "SimPO",
        paper: "arXiv 2405.14734, eq. 6",
        formula: "−log σ(β (S_w / W_w − S_l / W_l) − γ)",
        settings: &[setting("beta", 2.0), setting("gamma", 0.5), setting("label_smoothing", 0.0)],
        weights: UNIFORM,
        note: "γ stands outside the product with β.",
        build: |v| Objective::SimPo {
            beta: v.get("beta"),
            gamma: v.get("gamma"),
            label_smoothing: v.get("label_smoothing"),
        },
    },
    Preset {
        name: "alphapo",
        title: "AlphaPO",
        paper: "arXiv 2501.03884",
        formula: "−log σ(β (h(S_w / W_w) − h(S_l / W_l)) − γ),  h(U) = (1 − exp(−α U)) / α",
        settings: &[setting("beta", 2.5), setting("gamma", 0.25), setting("alpha", 0.25)],
        weights: UNIFORM,
        note: "",
        build: |v| {
            let transform = Transform::AlphaPo { alpha: v.get("alpha") };
            let loss = Composition { transform, ..simpo(v) };
            Objective::composed("alphapo", loss.comparing(Margin::Constant(v.get("gamma")), LOGISTIC))
        },
    },
    Preset {
        name: "cpo",
        title: "CPO",
        paper: "arXiv 2401.08417",
        formula: "−log σ(β (S_w − S_l)) + c · mean over chosen tokens of −l_t",
        settings: &[BETA, setting("nll", 1.0)],
        weights: UNIFORM,
        note: "The mean is over a response; TRL's over all tokens of a batch.",
        build: |v| {
            let regularizers = nll(v, NllReduction::Mean);
            Objective::composed("cpo", Composition { regularizers, ..without_reference(v) })
        },
    },
    Preset {
        name: "orpo",
        title: "ORPO",
        paper: "arXiv 2403.07691, eq. 6",
        formula: "λ · −log σ(h(S_w / W_w) − h(S_l / W_l)) + mean over chosen tokens of −l_t,  h the log-odds",
        settings: &[setting("lambda", 0.1)],
        weights: UNIFORM,
        note: "The likelihood is of the response; the released code counts the prompt in.",
        build: |v| {
            let nll = Some(Nll { coefficient: 1.0, reduction: NllReduction::Mean });
            let loss = Composition {
                statistic: Statistic::LOGP,
                reduction: Reduction::WeightSum,
                transform: Transform::LogOdds,
                beta: 1.0,
                scale: v.get("lambda"),
                regularizers: Regularizers { nll, ..Regularizers::default() },
                ..Composition::default()
            };
            Objective::composed("orpo", loss)
        },
    },
    Preset {
        name: "rpo",
        title: "RPO: DPO with a likelihood term",
        paper: "arXiv 2404.19733",
        formula: "DPO + c · mean over chosen tokens of −l_t",
        settings: &[BETA, setting("nll", 1.0)],
        weights: UNIFORM,
        note: "",
        build: |v| {
            let regularizers = nll(v, NllReduction::Mean);
            Objective::composed("rpo", Composition { regularizers, ..dpo(v) })
        },
    },
    Preset {
        name: "r-dpo",
        title: "R-DPO",
        paper: "arXiv 2403.19159",
        formula: "−log σ(β (R_w − R_l) + α (|y_w| − |y_l|))",
        settings: &[BETA, setting("alpha", 0.01)],
        weights: UNIFORM,
        note: "",
        build: |v| {
            let margin = Margin::LengthDifference { alpha: v.get("alpha") };
            Objective::composed("r-dpo", dpo(v).comparing(margin, LOGISTIC))
        },
    },
    Preset {
        name: "hypo",
        title: "HyPO",
        paper: "arXiv 2602.11902",
        formula: "−log σ(β (S_w − S_l − max(g, S_ref,w − S_ref,l)))",
        settings: &[BETA, setting("floor", 0.0)],
        weights: UNIFORM,
        note: "",
        build: |v| {
            let margin = Margin::Reference { floor: v.get("floor") };
            Objective::composed("hypo", without_reference(v).comparing(margin, LOGISTIC))
        },
    },
    Preset {
        name: "dpop",
        title: "DPO-Positive",
        paper: "arXiv 2402.13228",
        formula: "−log σ(β (R_w − R_l − λ max(0, −R_w)))",
        settings: &[BETA, setting("lambda", 50.0)],
        weights: UNIFORM,
        note: "",
        build: |v| {
            let margin = Margin::Penalty { lambda: v.get("lambda") };
            Objective::composed("dpop", dpo(v).comparing(margin, LOGISTIC))
        },
    },
    Preset {
        name: "amapo",
        title: "AMaPO",
        paper: "arXiv 2511.09385",
        formula: "−log σ(β (S_w / W_w − S_l / W_l) − Γ), Γ from the mean and the deviation over the batch",
        settings: &[setting("beta", 2.0)],
        weights: UNIFORM,
        note: "Depends on the micro-batch. The formula is as reported by others.",
        build: |v| Objective::composed("amapo", simpo(v).comparing(Margin::Adaptive, LOGISTIC)),
    },
    Preset {
        name: "cal-dpo",
        title: "Cal-DPO",
        paper: "arXiv 2412.14516",
        formula: "−log σ(R_w − R_l) + ½ [(R_w − 1 / 2β)² + (R_l + 1 / 2β)²]",
        settings: &[BETA],
        weights: UNIFORM,
        note: "β is in the targets only. The authors' recipe has 0.001.",
        build: |v| {
            let square = Some(Square { coefficient: 0.5, target: 0.5 / v.get("beta") });
            let regularizers = Regularizers { square, ..Regularizers::default() };
            let loss = Composition { beta: 1.0, regularizers, ..Composition::default() };
            Objective::composed("cal-dpo", loss)
        },
    },
    Preset {
        name: "f-dpo-forward",
        title: "f-DPO, forward KL",
        paper: "arXiv 2309.16240",
        formula: "−log σ(β (h(R_w) − h(R_l))),  h(U) = −exp(−U)",
        settings: &[BETA],
        weights: UNIFORM,
        note: "",
        build: |v| transformed("f-dpo-forward", v, Transform::ForwardKl),
    },
    Preset {
        name: "f-dpo-js",
        title: "f-DPO, Jensen–Shannon",
        paper: "arXiv 2309.16240",
        formula: "−log σ(β (h(R_w) − h(R_l))),  h(U) = log σ(U)",
        settings: &[BETA],
        weights: UNIFORM,
        note: "",
        build: |v| transformed("f-dpo-js", v, Transform::JensenShannon),
    },
    Preset {
        name: "f-dpo-alpha",
        title: "f-DPO, α-divergence",
        paper: "arXiv 2309.16240",
        formula: "−log σ(β (h(R_w) − h(R_l))),  h(U) = exp((α − 1) U) / (α − 1)",
        settings: &[BETA, setting("alpha", 0.5)],
        weights: UNIFORM,
        note: "",
        build: |v| transformed("f-dpo-alpha", v, Transform::AlphaDivergence { alpha: v.get("alpha") }),
    },
    Preset {
        name: "wpo",
        title: "WPO",
        paper: "arXiv 2406.11827",
        formula: "ω · DPO,  ω = Π over both responses of exp(mean over t of l_t − log Σ_v π_t(v)²), without gradient",
        settings: &[BETA],
        weights: UNIFORM,
        note: "The policy's own text counts more; a second look at the policy's logits in every step.",
        build: |v| {
            let pair_weight = PairWeight::Likelihood;
            Objective::composed("wpo", Composition { pair_weight, ..dpo(v) })
        },
    },
    Preset {
        name: "aot",
        title: "AOT, unpaired",
        paper: "arXiv 2406.05882",
        formula: "DPO between the chosen R in ascending order and the rejected R in ascending order",
        settings: &[BETA],
        weights: UNIFORM,
        note: "Depends on the micro-batch.",
        build: |v| Objective::composed("aot", Composition { pairing: Pairing::BatchOrder, ..dpo(v) }),
    },
];
