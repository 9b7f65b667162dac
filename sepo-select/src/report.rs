//! What a selection did.

use std::collections::BTreeMap;
use std::fmt;

use sepo_data::Side;
use serde::{Deserialize, Serialize};

use crate::{DataSetCuts, LengthCuts, ResponseEnd, SelectConfig, TokenClass};

/// Bins of the position histogram.
const N_BINS: usize = 10;
/// Shares of selected end-of-sequence tokens are far apart above this difference …
const EOS_DIFFERENCE: f64 = 0.2;
/// … and this ratio.
const EOS_RATIO: f64 = 3.0;

/// Why a pair is not in a selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DropReason {
    /// No chosen token is selected.
    EmptyChosen,
    /// No rejected token is selected.
    EmptyRejected,
    /// No token is selected on either side.
    EmptyBoth,
}

impl DropReason {
    /// The reason as metadata spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EmptyChosen => "empty_chosen",
            Self::EmptyRejected => "empty_rejected",
            Self::EmptyBoth => "empty_both",
        }
    }
}

/// Tokens of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClassCounts {
    /// Response tokens.
    pub n_tokens: u64,
    /// Those that are selected.
    pub n_selected: u64,
}

/// What a selection did on one side, over the pairs kept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SideReport {
    /// Response tokens.
    pub n_tokens: u64,
    /// Those that are selected.
    pub n_selected: u64,
    /// Tokens with a weight below 0.
    pub n_negative: u64,
    /// Sum of the weights.
    pub weight_sum: f64,
    /// The sum over the number of response tokens: what β is multiplied with on the mean.
    pub mean_weight: Option<f64>,
    /// Sum of |weight|.
    pub weight_mass: f64,
    /// The share of this side in the sum of |weight| over both: 0.5 where both have a like say.
    pub mass_share: Option<f64>,
    /// Sum of |score| over all response tokens, in nats.
    pub signal_nats: f64,
    /// Sum of |score| over the selected ones, in nats.
    pub selected_signal_nats: f64,
    /// The second over the first: the share of the signal that the selection holds. `None` where all scores are 0.
    pub signal_share: Option<f64>,
    /// Selected tokens by tenth of their response: token `i` of `n` is in bin `floor(10 · i / n)`.
    pub selected_positions: [u64; N_BINS],
    /// All response tokens by tenth, to compare: short responses do not fill every bin.
    pub positions: [u64; N_BINS],
    /// Responses that end with the closing end-of-sequence token.
    pub n_eos: u64,
    /// Those in which it is selected.
    pub n_eos_selected: u64,
    /// The second over the first. `None` where no response ends with it, or it is not known.
    pub eos_share: Option<f64>,
    /// Tokens by class, where classes were asked for.
    pub classes: Option<BTreeMap<TokenClass, ClassCounts>>,
}

/// One response as a report sees it.
#[derive(Clone, Copy)]
pub(crate) struct ReportedResponse<'a> {
    pub(crate) ids: &'a [u32],
    pub(crate) scores: &'a [f32],
    pub(crate) weights: &'a [f32],
    pub(crate) end: ResponseEnd,
}

impl SideReport {
    pub(crate) fn add(
        &mut self,
        response: ReportedResponse<'_>,
        classify: Option<&dyn Fn(u32) -> TokenClass>,
    ) {
        let n = response.ids.len();
        let tokens = response.ids.iter().zip(response.scores).zip(response.weights);
        for (i, ((&id, &score), &weight)) in tokens.enumerate() {
            let selected = u64::from(weight != 0.0);
            let signal = f64::from(score.abs());
            let bin = i * N_BINS / n;
            self.n_tokens += 1;
            self.n_selected += selected;
            self.n_negative += u64::from(weight < 0.0);
            self.weight_sum += f64::from(weight);
            self.weight_mass += f64::from(weight.abs());
            self.signal_nats += signal;
            self.selected_signal_nats += if selected == 1 { signal } else { 0.0 };
            self.positions[bin] += 1;
            self.selected_positions[bin] += selected;
            if let Some(classify) = classify {
                let counts = self.classes.get_or_insert_default().entry(classify(id)).or_default();
                counts.n_tokens += 1;
                counts.n_selected += selected;
            }
        }
        if response.end == ResponseEnd::Eos && n > 0 {
            self.n_eos += 1;
            self.n_eos_selected += u64::from(response.weights.last().is_some_and(|&w| w != 0.0));
        }
    }

    fn finish(&mut self) {
        self.mean_weight = (self.n_tokens > 0).then(|| self.weight_sum / self.n_tokens as f64);
        self.signal_share = (self.signal_nats > 0.0).then(|| self.selected_signal_nats / self.signal_nats);
        self.eos_share = (self.n_eos > 0).then(|| self.n_eos_selected as f64 / self.n_eos as f64);
    }
}

/// Something about a selection that its maker should know.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SelectWarning {
    /// The closing end-of-sequence token is selected far more often on one side, by more than 20 points and more than
    /// threefold. It then does not cancel: mostly in rejected responses, training on it teaches the policy not to stop.
    EosImbalance {
        /// Share of the chosen responses' closing tokens that are selected.
        chosen_share: f64,
        /// The same for rejected responses.
        rejected_share: f64,
    },
}

impl fmt::Display for SelectWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::EosImbalance { chosen_share, rejected_share } = self;
        let (more, less, effect) = if rejected_share > chosen_share {
            (Side::Rejected, Side::Chosen, "responses may grow longer")
        } else {
            (Side::Chosen, Side::Rejected, "responses may grow shorter")
        };
        let [high, low] =
            [chosen_share.max(*rejected_share), chosen_share.min(*rejected_share)].map(|s| s * 100.0);
        write!(
            f,
            "the closing end-of-sequence token is selected in {high:.0} % of {more} and {low:.0} % of {less} \
             responses: {effect} (`--eos both`, `--eos never` and `--rule salience` avoid it)"
        )
    }
}

/// What a selection did.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SelectReport {
    /// The rule and its settings.
    pub config: SelectConfig,
    /// Pairs read.
    pub n_pairs: u64,
    /// Pairs kept.
    pub n_kept: u64,
    /// Pairs dropped, by [`DropReason::name`].
    pub n_dropped: BTreeMap<String, u64>,
    /// Where all candidates together part, where the scope is the data set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cuts: Option<DataSetCuts>,
    /// The same for responses of about one length, from the shortest on, where the scope is that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub length_cuts: Vec<LengthCuts>,
    /// The chosen responses of the pairs kept.
    pub chosen: SideReport,
    /// The rejected responses of the pairs kept.
    pub rejected: SideReport,
    /// What stands out.
    pub warnings: Vec<SelectWarning>,
}

impl SelectReport {
    pub(crate) fn drop_pair(&mut self, reason: DropReason) {
        self.n_pairs += 1;
        *self.n_dropped.entry(reason.name().to_owned()).or_default() += 1;
    }

    pub(crate) fn finish(&mut self) {
        self.chosen.finish();
        self.rejected.finish();
        let mass = self.chosen.weight_mass + self.rejected.weight_mass;
        for side in [&mut self.chosen, &mut self.rejected] {
            side.mass_share = (mass > 0.0).then(|| side.weight_mass / mass);
        }
        self.warnings.clear();
        if let (Some(chosen_share), Some(rejected_share)) = (self.chosen.eos_share, self.rejected.eos_share) {
            let (low, high) = (chosen_share.min(rejected_share), chosen_share.max(rejected_share));
            if high - low > EOS_DIFFERENCE && high > EOS_RATIO * low {
                self.warnings.push(SelectWarning::EosImbalance { chosen_share, rejected_share });
            }
        }
    }
}
