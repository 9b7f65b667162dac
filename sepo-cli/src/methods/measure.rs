//! What a policy came to, on prompts that it was not trained on.

use sepo_model::{Backend, Model};
use sepo_train::{TrainExample, reference_logps_on};
use serde::{Deserialize, Serialize};

use crate::exit::CliError;
use crate::quickstart::Sampled;

/// Means over the test prompts of one seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measure {
    /// True utility of a sample.
    pub(crate) utility: f64,
    /// Share of prompts at which the sample is worth more than the reference's; ties count half.
    pub(crate) win_rate: f64,
    /// `Σ_t log π − log π_ref` of the policy's own samples, in nats a response.
    pub(crate) kl: f64,
    /// Tokens of a sample.
    pub(crate) length: f64,
    /// Share of samples that ended by themselves.
    pub(crate) finished: f64,
    /// What training did to the chosen responses: `log π − log π_ref` of a token of theirs, in nats; below 0 where they fell.
    pub(crate) chosen: f64,
}

/// Pairs of the data whose chosen responses are looked at.
const N_CHOSEN: usize = 200;

impl Measure {
    /// Of the samples of `policy`; `baseline` are the reference's at the same prompts, and `pairs` have the reference's
    /// log-probs.
    pub(crate) fn of<B: Backend>(
        on: &B,
        [sampled, baseline]: [&[Sampled]; 2],
        pairs: &[TrainExample],
        (policy, reference): (&Model, &Model),
        tokens_per_batch: usize,
    ) -> Result<Self, CliError> {
        let n = sampled.len().max(1) as f64;
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / n;
        let won = |(ours, theirs): (&Sampled, &Sampled)| match ours.utility.total_cmp(&theirs.utility) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        };
        let logp = |model: &Model| -> Result<f64, CliError> {
            let mut examples: Vec<TrainExample> = (0..)
                .zip(sampled)
                .map(|(row, one)| {
                    TrainExample::pair(row, one.prompt_ids.clone(), one.ids.clone(), Vec::new())
                })
                .collect();
            reference_logps_on(on, model, &mut examples, tokens_per_batch)?;
            let found = examples.into_iter().filter_map(|example| example.reference);
            Ok(found.flat_map(|reference| reference.chosen).map(f64::from).sum::<f64>() / n)
        };
        Ok(Self {
            utility: mean(&mut sampled.iter().map(|one| one.utility)),
            win_rate: mean(&mut sampled.iter().zip(baseline).map(won)),
            kl: logp(policy)? - logp(reference)?,
            length: mean(&mut sampled.iter().map(|one| one.ids.len() as f64)),
            finished: mean(&mut sampled.iter().map(|one| f64::from(u8::from(one.finished)))),
            chosen: change_of_chosen(on, policy, pairs, tokens_per_batch)?,
        })
    }
}

fn change_of_chosen<B: Backend>(
    on: &B,
    policy: &Model,
    pairs: &[TrainExample],
    tokens_per_batch: usize,
) -> Result<f64, CliError> {
    let pairs = &pairs[..pairs.len().min(N_CHOSEN)];
    let mut after = pairs.to_vec();
    reference_logps_on(on, policy, &mut after, tokens_per_batch)?;
    let sum = |pair: &TrainExample| {
        let logps = pair.reference.as_ref().map(|reference| &reference.chosen);
        logps.into_iter().flatten().map(|&logp| f64::from(logp)).sum::<f64>()
    };
    let n_tokens: usize = pairs.iter().map(|pair| pair.chosen_ids.len()).sum();
    let change: f64 = after.iter().zip(pairs).map(|(after, before)| sum(after) - sum(before)).sum();
    Ok(change / n_tokens.max(1) as f64)
}

/// A mean over seeds with its 95 % interval by Student's t; as wide as the numbers where there is one seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct OverSeeds {
    pub(crate) mean: f64,
    /// Half of the interval; none of one seed.
    pub(crate) half: Option<f64>,
}

impl OverSeeds {
    pub(crate) fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let half = (values.len() > 1).then(|| student(values.len() - 1) * (variance / n).sqrt());
        Self { mean, half }
    }
}

/// The 97.5 % quantile of Student's t.
fn student(degrees: usize) -> f64 {
    const TABLE: [f64; 10] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
    TABLE.get(degrees - 1).copied().unwrap_or(1.96 + 2.5 / degrees as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_over_few_seeds_are_students() {
        let over = OverSeeds::of(&[1.0, 2.0, 3.0]);
        assert!((over.mean - 2.0).abs() < 1e-12);
        assert!((over.half.unwrap() - 4.303 / 3f64.sqrt()).abs() < 1e-9);
        assert_eq!(OverSeeds::of(&[1.0]), OverSeeds { mean: 1.0, half: None });
        // The true value at 20 degrees of freedom is 2.086.
        assert!((student(20) - 2.086).abs() < 2e-3);
    }
}
