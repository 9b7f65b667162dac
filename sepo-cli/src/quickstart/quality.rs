//! How well the oracle's scores find the tokens that are known to matter.

use sepo_data::planted::{PlantedPair, PlantedResponse, Quality, decisive_mask, span_mask};
use sepo_data::{ScoredPair, ScoredResponse};
use sepo_select::{Rule, SelectConfig, Selected, auroc, select_pair};
use serde::{Deserialize, Serialize};

use crate::exit::{CliError, Exit};

/// Scores and selections against the planted truth.
///
/// A *decisive* token is one at which the alternatives of a planted span diverge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Findings {
    /// Good decisive tokens above filler.
    pub(crate) auroc_good: f64,
    /// Filler above bad decisive tokens.
    pub(crate) auroc_bad: f64,
    /// Mean score of good decisive, filler and bad decisive tokens, in nats.
    pub(crate) mean_good: f64,
    pub(crate) mean_filler: f64,
    pub(crate) mean_bad: f64,
    pub(crate) rules: Vec<RuleFindings>,
}

/// What a rule selects.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct RuleFindings {
    pub(crate) rule: String,
    /// Share of the decisive tokens that speak for their side (good in chosen, bad in rejected) that is selected.
    pub(crate) decisive: f64,
    /// The same for all decisive tokens, also those that speak against their side's label.
    pub(crate) any_decisive: f64,
    /// The same for all tokens of spans with such a decisive token.
    pub(crate) span: f64,
    /// Share of the selected tokens that are decisive.
    pub(crate) precision: f64,
    /// Share of closing tokens selected, chosen and rejected.
    pub(crate) eos: [f64; 2],
}

impl Findings {
    pub(crate) fn auroc_mean(&self) -> f64 {
        (self.auroc_good + self.auroc_bad) / 2.0
    }

    /// Compares `scored` with the pairs they were made from, in the same order.
    pub(crate) fn of(
        planted: &[PlantedPair],
        scored: &[ScoredPair],
        rules: &[SelectConfig],
        eos: Option<u32>,
    ) -> Result<Self, CliError> {
        let mut groups = Groups::default();
        for (truth, pair) in planted.iter().zip(scored) {
            groups.add(&truth.chosen, &pair.chosen);
            groups.add(&truth.rejected, &pair.rejected);
        }
        let area =
            |high: &[f32], low: &[f32]| auroc(high, low).map_err(|error| CliError::of(Exit::Bug, error));
        Ok(Self {
            auroc_good: area(&groups.good, &groups.filler)?,
            auroc_bad: area(&groups.filler, &groups.bad)?,
            mean_good: mean(&groups.good),
            mean_filler: mean(&groups.filler),
            mean_bad: mean(&groups.bad),
            rules: rules
                .iter()
                .map(|config| rule_findings(planted, scored, config, eos))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// Scores by what their token is known to do. Tokens of a planted span that decide nothing are in no group.
#[derive(Default)]
struct Groups {
    good: Vec<f32>,
    bad: Vec<f32>,
    filler: Vec<f32>,
}

impl Groups {
    fn add(&mut self, truth: &PlantedResponse, scored: &ScoredResponse) {
        let spans = scored.spans.as_deref().unwrap_or_default();
        let in_span = span_mask(spans, truth);
        for ((decisive, in_span), score) in
            decisive_mask(spans, truth).into_iter().zip(in_span).zip(&scored.scores)
        {
            match (decisive, in_span) {
                (Some(Quality::Good), _) => self.good.push(*score),
                (Some(Quality::Bad), _) => self.bad.push(*score),
                (None, None) => self.filler.push(*score),
                (None, Some(_)) => {}
            }
        }
    }
}

fn mean(scores: &[f32]) -> f64 {
    scores.iter().map(|score| f64::from(*score)).sum::<f64>() / scores.len().max(1) as f64
}

/// `part` of `all`.
#[derive(Default)]
struct Share {
    part: u64,
    all: u64,
}

impl Share {
    fn count(&mut self, is_part: bool) {
        self.all += 1;
        self.part += u64::from(is_part);
    }

    fn get(&self) -> f64 {
        self.part as f64 / self.all.max(1) as f64
    }
}

/// What a rule selects from a scored pair.
pub(crate) fn select(
    config: &SelectConfig,
    pair: &ScoredPair,
    eos: Option<u32>,
) -> Result<Selected, CliError> {
    let end =
        |response: &ScoredResponse| sepo_select::ResponseEnd::of(&response.ids, eos, response.truncated);
    let scores = sepo_select::PairScores {
        row: pair.row,
        chosen_scores: &pair.chosen.scores,
        rejected_scores: &pair.rejected.scores,
        chosen_end: end(&pair.chosen),
        rejected_end: end(&pair.rejected),
    };
    Ok(select_pair(config, scores)?)
}

fn rule_findings(
    planted: &[PlantedPair],
    scored: &[ScoredPair],
    config: &SelectConfig,
    eos: Option<u32>,
) -> Result<RuleFindings, CliError> {
    let [mut decisive, mut any_decisive, mut span, mut precision] = <[Share; 4]>::default();
    let mut closing = <[Share; 2]>::default();
    for (truth, pair) in planted.iter().zip(scored) {
        let selected = select(config, pair, eos)?;
        let sides = [
            (&truth.chosen, &pair.chosen, &selected.chosen_weights, Quality::Good),
            (&truth.rejected, &pair.rejected, &selected.rejected_weights, Quality::Bad),
        ];
        for (side, (truth, response, weights, speaks)) in sides.into_iter().enumerate() {
            let spans = response.spans.as_deref().unwrap_or_default();
            let in_span = span_mask(spans, truth);
            for (i, at) in decisive_mask(spans, truth).into_iter().enumerate() {
                let is_selected = weights[i] != 0.0;
                if at == Some(speaks) {
                    decisive.count(is_selected);
                }
                if at.is_some() {
                    any_decisive.count(is_selected);
                }
                if in_span[i] == Some(speaks) {
                    span.count(is_selected);
                }
                if is_selected {
                    precision.count(at.is_some());
                }
            }
            if response.ids.last() == eos.as_ref() {
                closing[side].count(weights.last().is_some_and(|weight| *weight != 0.0));
            }
        }
    }
    let rule = if let Rule::Random { .. } = config.rule { "random" } else { config.rule.name() };
    Ok(RuleFindings {
        rule: rule.to_owned(),
        decisive: decisive.get(),
        any_decisive: any_decisive.get(),
        span: span.get(),
        precision: precision.get(),
        eos: closing.map(|share| share.get()),
    })
}
