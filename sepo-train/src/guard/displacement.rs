//! Chosen responses that become less likely, while rejected ones do even more so.

use serde::{Deserialize, Serialize};

use super::alarm::{Alarm, TokenGroup};
use super::level::Level;
use super::smooth::Smooth;
use crate::{EvalReport, StepMetrics};

/// Fall that is said, in nats a token: each is then 0.6 times as likely as it was.
const LIMIT: f64 = 0.5;

/// Mean log-probs of chosen tokens against those of the beginning, by kind of token.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Displacement {
    selected: Smooth,
    selected_start: Option<f64>,
    selected_level: Level,
    /// Of the first evaluation.
    unselected_start: Option<f64>,
    unselected_level: Level,
}

impl Displacement {
    /// After a step: the tokens that are trained on.
    pub(super) fn push(&mut self, metrics: &StepMetrics) -> Option<Alarm> {
        let logp = metrics.preference.chosen_selected.or_else(|| metrics.chosen_token_logp())?;
        let logp = self.selected.push(logp, metrics.pairs - metrics.empty_pairs)?;
        let start = *self.selected_start.get_or_insert(logp);
        let falls = self.selected_level.rises(start - logp, LIMIT);
        falls.then_some(Alarm::Displacement { tokens: TokenGroup::Selected, logp, start })
    }

    /// After an evaluation: the tokens without weight, which no step computes.
    pub(super) fn push_eval(&mut self, report: &EvalReport) -> Option<Alarm> {
        let logp = report.preference.chosen_unselected?;
        let start = *self.unselected_start.get_or_insert(logp);
        let falls = self.unselected_level.rises(start - logp, LIMIT);
        falls.then_some(Alarm::Displacement { tokens: TokenGroup::Unselected, logp, start })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PreferenceMetrics;

    fn selected(logp: f64) -> StepMetrics {
        let preference = PreferenceMetrics { chosen_selected: Some(logp), ..PreferenceMetrics::default() };
        StepMetrics { preference, pairs: 32, ..StepMetrics::default() }
    }

    #[test]
    fn a_fall_of_the_selected_tokens_is_said_and_a_rise_is_not() {
        for (slope, expected) in [(-0.02, 2), (0.02, 0), (-0.001, 0)] {
            let mut guard = Displacement::default();
            let alarms: Vec<Alarm> =
                (0..80).filter_map(|i| guard.push(&selected(-1.0 + slope * f64::from(i)))).collect();
            assert_eq!(alarms.len(), expected, "{slope}: {alarms:?}");
            for alarm in alarms {
                let Alarm::Displacement { tokens: TokenGroup::Selected, logp, start } = alarm else {
                    panic!()
                };
                assert!(start - logp >= LIMIT);
            }
        }
    }

    #[test]
    fn unselected_tokens_are_watched_in_evaluations_and_apart() {
        let mut guard = Displacement::default();
        let eval = |logp| EvalReport {
            preference: PreferenceMetrics { chosen_unselected: Some(logp), ..PreferenceMetrics::default() },
            ..EvalReport::default()
        };
        assert_eq!(guard.push_eval(&eval(-2.0)), None);
        assert_eq!(guard.push_eval(&eval(-2.4)), None);
        let alarm = guard.push_eval(&eval(-2.6)).unwrap();
        assert_eq!(alarm, Alarm::Displacement { tokens: TokenGroup::Unselected, logp: -2.6, start: -2.0 });
        assert_eq!(guard.push_eval(&eval(-2.7)), None);
        assert!((0..100).all(|_| guard.push(&selected(-9.0)).is_none()));
    }

    #[test]
    fn without_weights_all_tokens_of_the_response_are_the_ones_trained_on() {
        let mut guard = Displacement::default();
        let step = |token_logp: f64, length: u64| {
            let mut metrics = StepMetrics { pairs: 32, ..StepMetrics::default() };
            for _ in 0..32 {
                metrics.lengths.push([length, 5], 0.0);
            }
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let logp = token_logp * length as f64;
            metrics.preference.chosen_logp = Some(logp);
            metrics
        };
        assert!((0..50).all(|i| guard.push(&step(-1.0, 10 + i)).is_none()), "lengths alone are nothing");
        assert!((0..50).any(|i| guard.push(&step(-2.0, 10 + i)).is_some()));
    }
}
