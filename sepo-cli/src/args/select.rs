//! Arguments of `select`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sepo_select::{EosRule, KeepFraction, Renormalize, weigh};

use super::{ChangeArgs, MachineArgs, ScopeArg};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RuleArg {
    /// The highest scores of the chosen, the lowest of the rejected response
    Sepo,
    /// The largest absolute scores of both
    Salience,
    /// Chosen scores from `--threshold` up, rejected ones from its negative down
    Threshold,
    /// As many as sepo, drawn at random
    Random,
    /// Chosen scores above the response's mean, rejected ones below it
    Mean,
    /// Chosen scores from the response's quantile `--quantile` up, rejected ones the same with their sign changed
    Quantile,
    /// Chosen scores above 0, rejected ones below it
    Sign,
    /// Segments between change points whose mean speaks for their side (our reading of ASR)
    Asr,
    /// Every token
    All,
    /// Weights of TIS-DPO's paper: k * exp(mu * clamp(score, low, high)), with -mu on the rejected side
    Tis,
    /// Weights of TIS-DPO's code: from `--low` to `--high` by rank (there with `--eos never`)
    TisRank,
    /// Weights of TGDPO: 1 + slope * score, with -slope on the rejected side
    Tgdpo,
    /// Token rewards of T-REG: sigmoid(score) - 1/2
    TReg,
    /// After critical tokens: 1 on the chosen side, 1 - sigmoid(score) on the rejected one
    Critical,
    /// sigmoid(score), of -score on the rejected side: the probability by a token classifier
    Probability,
    /// From 0 for the lowest score of a response to 1 for the highest, the other way round on the rejected side
    MinMax,
    /// Weights of D2PO: decay^(t + 1)
    D2po,
    /// Weights of LD-DPO: `--tail-weight` beyond the shorter response's length
    LdDpo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EosArg {
    /// A token like any other
    Rule,
    /// Never selected
    Never,
    /// Selected on both sides
    Both,
}

impl From<EosArg> for EosRule {
    fn from(eos: EosArg) -> Self {
        match eos {
            EosArg::Rule => Self::Rule,
            EosArg::Never => Self::Never,
            EosArg::Both => Self::Both,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SideRuleArg {
    /// As on the chosen side
    Same,
    /// Of scores with their sign changed
    Negate,
    /// With the rule turned around: the lowest for the highest, at most for at least, -mu for mu
    Opposite,
}

impl From<SideRuleArg> for weigh::SideRule {
    fn from(side_rule: SideRuleArg) -> Self {
        match side_rule {
            SideRuleArg::Same => Self::Same,
            SideRuleArg::Negate => Self::Negate,
            SideRuleArg::Opposite => Self::Opposite,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RenormalizeArg {
    /// To whatever the rule makes of them
    Never,
    /// To the number of candidates, so that their mean is 1
    Count,
}

impl From<RenormalizeArg> for Renormalize {
    fn from(renormalize: RenormalizeArg) -> Self {
        match renormalize {
            RenormalizeArg::Never => Self::Never,
            RenormalizeArg::Count => Self::Count,
        }
    }
}

/// Settings that belong to single rules.
#[derive(Debug, Args)]
pub(crate) struct RuleSettings {
    /// Smallest score, for `--rule threshold`
    #[arg(long, value_name = "NATS", allow_negative_numbers = true, required_if_eq("rule", "threshold"))]
    pub(crate) threshold: Option<f64>,
    /// Seed, for `--rule random` [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// From 0 to 1, for `--rule quantile` [default: 0.6]
    #[arg(long, value_name = "Q", allow_negative_numbers = true)]
    pub(crate) quantile: Option<f64>,
    /// Price of a segment, for `--rule asr` [default: 2]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) penalty: Option<f64>,
    /// Factor of all weights, for `--rule tis` [default: 1]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) k: Option<f64>,
    /// Factor in the exponent, for `--rule tis` [default: 1]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) mu: Option<f64>,
    /// Lowest score for `--rule tis` [default: -0.5], lowest weight for `--rule tis-rank` [default: 0.7]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) low: Option<f64>,
    /// Highest score for `--rule tis` [default: 1.5], highest weight for `--rule tis-rank` [default: 1.3]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) high: Option<f64>,
    /// Weight for each nat, alpha * beta, for `--rule tgdpo` [default: 0.05]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) slope: Option<f64>,
    /// Weight of a token beside the one before it, for `--rule d2po` [default: 0.98]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) decay: Option<f64>,
    /// Weight beyond the shorter response's length, alpha, for `--rule ld-dpo`
    #[arg(long, value_name = "X", allow_negative_numbers = true, required_if_eq("rule", "ld-dpo"))]
    pub(crate) tail_weight: Option<f64>,
}

#[derive(Debug, Args)]
pub(crate) struct SelectArgs {
    /// `scores.parquet`
    #[arg(long, value_name = "FILE")]
    pub(crate) scores: PathBuf,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Share of each chosen response, or of several together [default: 0.3]
    #[arg(long, value_name = "SHARE")]
    pub(crate) keep_chosen: Option<KeepFraction>,
    /// Share of each rejected response, or of several together [default: 0.3]
    #[arg(long, value_name = "SHARE")]
    pub(crate) keep_rejected: Option<KeepFraction>,
    /// Which tokens, and how much
    #[arg(long, value_enum, default_value_t = RuleArg::Sepo)]
    pub(crate) rule: RuleArg,
    #[command(flatten)]
    pub(crate) settings: RuleSettings,
    /// What becomes of the rejected side [default: what the rule says]
    #[arg(long, value_enum)]
    pub(crate) side_rule: Option<SideRuleArg>,
    /// What the weights of a response sum to
    #[arg(long, value_enum, default_value_t = RenormalizeArg::Never)]
    pub(crate) renormalize: RenormalizeArg,
    /// Of what the shares are taken
    #[arg(long, value_enum, default_value_t = ScopeArg::Response)]
    pub(crate) scope: ScopeArg,
    /// Pairs taken together, for `--scope batch`
    #[arg(long, value_name = "N", required_if_eq("scope", "batch"))]
    pub(crate) batch_pairs: Option<usize>,
    /// What happens to the closing end-of-sequence token
    #[arg(long, value_enum, default_value_t = EosArg::Rule)]
    pub(crate) eos: EosArg,
    /// Count as the paper's script does; the first response token is never a candidate
    #[arg(long)]
    pub(crate) official_compat: bool,
    /// Model folder whose tokenizer tells classes of tokens apart
    #[arg(long, value_name = "DIR")]
    pub(crate) tokenizer: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}
