//! Batches that own their numbers, by hand and by chance.

use proptest::prelude::*;
use sepo_loss::{Evaluation, IpoReduction, LossBatch, LossError, Normalizer, Objective, PairRows, evaluate};

/// A [`LossBatch`] that owns its arrays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    pub(crate) logps: Vec<f64>,
    pub(crate) reference: Vec<f64>,
    pub(crate) weights: Vec<f64>,
    pub(crate) pairs: Vec<PairRows>,
}

/// One row: log-probability, reference log-probability, weight.
pub(crate) type Row = (f64, f64, f64);

impl Batch {
    /// Adds a pair with nominal counts of 0.3 of its lengths.
    pub(crate) fn push(&mut self, chosen: &[Row], rejected: &[Row]) {
        let start = self.logps.len();
        let (middle, end) = (start + chosen.len(), start + chosen.len() + rejected.len());
        for &(logp, reference, weight) in chosen.iter().chain(rejected) {
            self.logps.push(logp);
            self.reference.push(reference);
            self.weights.push(weight);
        }
        self.pairs.push(PairRows {
            chosen: start..middle,
            rejected: middle..end,
            chosen_nominal: 0.3 * chosen.len() as f64,
            rejected_nominal: 0.3 * rejected.len() as f64,
        });
    }

    pub(crate) fn of(pairs: &[(Vec<Row>, Vec<Row>)]) -> Self {
        let mut batch = Self::default();
        for (chosen, rejected) in pairs {
            batch.push(chosen, rejected);
        }
        batch
    }

    pub(crate) fn view(&self) -> LossBatch<'_> {
        LossBatch {
            logps: &self.logps,
            reference_logps: Some(&self.reference),
            weights: &self.weights,
            pairs: &self.pairs,
            ..LossBatch::default()
        }
    }

    pub(crate) fn evaluate(&self, objective: &Objective) -> Result<Evaluation, LossError> {
        evaluate(objective, &self.view())
    }

    /// The same batch with the two responses of each pair exchanged.
    pub(crate) fn swapped(&self) -> Self {
        let swap = |pair: &PairRows| PairRows {
            chosen: pair.rejected.clone(),
            rejected: pair.chosen.clone(),
            chosen_nominal: pair.rejected_nominal,
            rejected_nominal: pair.chosen_nominal,
        };
        Self { pairs: self.pairs.iter().map(swap).collect(), ..self.clone() }
    }

    /// The same batch with every weight times `factor`.
    pub(crate) fn weights_times(&self, factor: f64) -> Self {
        Self { weights: self.weights.iter().map(|w| w * factor).collect(), ..self.clone() }
    }
}

/// One of each objective, with settings that leave no term out.
pub(crate) fn objectives() -> Vec<Objective> {
    vec![
        Objective::Sft,
        Objective::Dpo { beta: 0.1, label_smoothing: 0.0 },
        Objective::Dpo { beta: 0.3, label_smoothing: 0.1 },
        Objective::Ipo { beta: 0.1, reduction: IpoReduction::Mean },
        Objective::Ipo { beta: 0.5, reduction: IpoReduction::Sum },
        Objective::Hinge { beta: 0.1 },
        Objective::SimPo { beta: 2.0, gamma: 1.0, label_smoothing: 0.0 },
        Objective::SimPo { beta: 2.5, gamma: 0.5, label_smoothing: 0.2 },
        Objective::SePo { gamma: 2.5, lambda: 0.0, normalizer: Normalizer::Count },
        Objective::SePo { gamma: 2.0, lambda: 0.5, normalizer: Normalizer::Nominal },
    ]
}

fn row() -> impl Strategy<Value = Row> {
    // Weights are multiples of a power of two, so that scaling them by one is exact.
    let weight = prop_oneof![Just(0.0_f64), Just(1.0), (1_u8..32).prop_map(|n| f64::from(n) / 16.0)];
    (-8.0..0.0, -8.0..0.0, weight)
}

/// A few pairs of a few tokens; some responses empty, some without a selected token.
pub(crate) fn any_batch() -> impl Strategy<Value = Batch> {
    let response = || prop::collection::vec(row(), 0..7);
    prop::collection::vec((response(), response()), 1..5).prop_map(|pairs| Batch::of(&pairs))
}

pub(crate) fn any_objective() -> impl Strategy<Value = Objective> {
    prop::sample::select(objectives())
}

/// Whether two numbers agree to `tolerance` relative to the larger one.
pub(crate) fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * a.abs().max(b.abs())
}
