//! Terms beside the comparison of the two responses.

use serde::{Deserialize, Serialize};

/// Terms that are added to the loss of each pair; each is `None` where a method has it not.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Regularizers {
    /// Negative log-likelihood of the chosen response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nll: Option<Nll>,
    /// Log-likelihoods weighted by a reward of each token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_reward: Option<TokenReward>,
    /// Distance of each response's `U` from a target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub square: Option<Square>,
    /// Size of the token weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l1: Option<L1>,
    /// Log-likelihood of chosen tokens that the policy holds unlikely.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub barrier: Option<Barrier>,
}

/// `c · (−Σ_t l_t)` over the chosen response, or its mean over tokens (CPO, ORPO, RPO).
///
/// Rows of weight 0 are left out; the others count 1, whatever their weight.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nll {
    /// c.
    pub coefficient: f64,
    /// Sum or mean.
    pub reduction: NllReduction,
}

/// How [`Nll`] adds up tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NllReduction {
    /// Sum over the tokens of a response.
    Sum,
    /// Mean over the tokens of a response. TRL takes the mean over all tokens of a batch instead, in which long responses count more.
    Mean,
}

/// `α · sg(ω) · Σ over both sides of −Σ_t β r̂_t l_t` with `ω = σ(−z)` (T-REG, arXiv 2412.02685). `r̂` is the batch's
/// `token_rewards`; β is the composition's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenReward {
    /// α.
    pub alpha: f64,
}

/// `c · [(U_w − t)² + (U_l + t)²]` (Cal-DPO, arXiv 2412.14516).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Square {
    /// c.
    pub coefficient: f64,
    /// t.
    pub target: f64,
}

/// `c · Σ_t |w_t|` over both responses (SparsePO, arXiv 2410.05102). It has a gradient only where weights are learned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct L1 {
    /// c.
    pub coefficient: f64,
}

/// `c · Σ_t 1[l_t < log p] (−l_t)` over the chosen response, the indicator without gradient: our reading of the
/// confidence-gated barrier of TAB-PO (arXiv 2603.00025), whose formula we could not read.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Barrier {
    /// c.
    pub coefficient: f64,
    /// p, the probability below which a token counts.
    pub probability: f64,
}
