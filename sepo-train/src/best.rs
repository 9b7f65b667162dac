//! The best evaluation of a run.

use serde::{Deserialize, Serialize};

use crate::{BestMetric, EvalReport};

/// The evaluation that is better than all others of its run, the first of equals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// What is compared.
    pub metric: BestMetric,
    /// Its value.
    pub value: f64,
    /// Steps made before the evaluation; a checkpoint of this step is kept.
    pub step: u64,
}

impl Best {
    /// The better of what was best until now and an evaluation; `None` where nothing is measured, as an accuracy without
    /// pairs to compare.
    pub(crate) fn of(
        before: Option<Self>,
        metric: BestMetric,
        report: &EvalReport,
        step: u64,
    ) -> Option<Self> {
        let value = match metric {
            BestMetric::Loss => report.loss,
            BestMetric::Accuracy => report.preference.accuracy.or(report.accuracy_by_sum),
        };
        // A best of another metric was asked for in a call before.
        let before = before.filter(|best| best.metric == metric);
        let Some(value) = value.filter(|value| value.is_finite()) else { return before };
        let is_better = |than: Self| match metric {
            BestMetric::Loss => value < than.value,
            BestMetric::Accuracy => value > than.value,
        };
        match before {
            Some(best) if !is_better(best) => Some(best),
            _ => Some(Self { metric, value, step }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_stays_and_a_metric_begins_anew() {
        let report = |loss, accuracy| EvalReport { loss, accuracy_by_sum: accuracy, ..EvalReport::default() };
        let of = |before, metric, report| Best::of(before, metric, &report, 7);
        let best = Best { metric: BestMetric::Loss, value: 0.5, step: 3 };
        assert_eq!(of(Some(best), BestMetric::Loss, report(Some(0.5), None)), Some(best));
        assert_eq!(of(Some(best), BestMetric::Loss, report(None, None)), Some(best));
        let better = of(Some(best), BestMetric::Loss, report(Some(0.4), None)).unwrap();
        assert_eq!((better.value, better.step), (0.4, 7));
        let other = of(Some(best), BestMetric::Accuracy, report(Some(0.1), Some(0.6))).unwrap();
        assert_eq!((other.value, other.step), (0.6, 7));
        assert_eq!(of(Some(other), BestMetric::Accuracy, report(None, Some(0.5))), Some(other));
        assert_eq!(of(None, BestMetric::Accuracy, report(Some(0.1), None)), None);
    }
}
