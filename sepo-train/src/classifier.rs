//! Training of a token classifier on a frozen model.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use sepo_data::{Side, plan_batches};
use sepo_kernels::{AdamWStep, adamw};
use sepo_loss::label_loss;
use sepo_model::{Backend, FrozenModel, Model, PairTokens, TokenClassifier};

use crate::feed::Feed;
use crate::n_steps::total_steps;
use crate::optimizer::{adamw_step, mean_and_clip, mean_norm};
use crate::order::OrderPlace;
use crate::shuffle::Shuffler;
use crate::{Cursor, Examples, Schedule, TrainConfig, TrainError, TrainExample};

/// One step of a classifier's training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassifierStep {
    /// From 1.
    pub step: u64,
    /// All of them.
    pub total_steps: u64,
    /// Mean cross-entropy of the step's tokens before the update, in nats; `None` where its pairs have no response token.
    pub loss: Option<f64>,
}

/// A classifier of `model`'s tokens, trained on labels; `None` where `interrupt` was set before the end.
///
/// The weights of the examples are the labels: from 0 (bad) to 1 (good), one for every token of both responses. Every token counts
/// the same, whichever response it is of. Only the linear head is trained, by AdamW on the mean of
/// [`cross_entropy`](sepo_loss::cross_entropy) over the tokens of a step; `model` stays as it is, so that its states are all that is
/// needed of it; it runs `on` a backend. Of `config`, what concerns checkpoints, evaluations, guards and activations is not read.
///
/// # Errors
///
/// * [`TrainError::InvalidConfig`], [`TrainError::NoExamples`].
/// * [`TrainError::NoLabels`], [`TrainError::Length`], [`TrainError::LabelOutOfRange`] for the first example whose labels are none.
/// * [`TrainError::Model`] where a batch cannot run, [`TrainError::Loss`].
/// * Those of [`ExampleFile::get`](crate::ExampleFile::get) for examples on disk.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::AtomicBool;
/// use sepo_model::{Cpu, Model, ModelConfig};
/// use sepo_train::{TrainConfig, TrainExample, train_classifier};
///
/// let config = ModelConfig::from_json(r#"{
///     "model_type": "llama", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
///     "num_hidden_layers": 1, "num_attention_heads": 2
/// }"#)?;
/// let model = Model::random(config, 7)?;
/// let mut pair = TrainExample::pair(0, vec![1], vec![3, 4], vec![3, 5]);
/// pair.chosen_weights = Some(vec![1.0, 1.0]);
/// pair.rejected_weights = Some(vec![1.0, 0.0]); // 5 is bad here
/// let settings = TrainConfig { learning_rate: 0.1, max_steps: Some(100), ..TrainConfig::default() };
/// let mut losses = Vec::new();
/// let learned = train_classifier(&Cpu, &model, &[pair], &settings, &AtomicBool::new(false), |step| losses.push(step.loss))?;
/// assert!(learned.is_some() && losses[0] == Some(2f64.ln()) && losses[99] < Some(0.2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn train_classifier<'a, B: Backend>(
    on: &B,
    model: &Model,
    examples: impl Into<Examples<'a>>,
    config: &TrainConfig,
    interrupt: &AtomicBool,
    mut on_step: impl FnMut(ClassifierStep),
) -> Result<Option<TokenClassifier>, TrainError> {
    config.check()?;
    let examples = examples.into();
    if examples.is_empty() {
        return Err(TrainError::NoExamples);
    }
    examples.iter().try_for_each(|example| check_labels(&*example?))?;
    let total_steps = total_steps(config, examples.len());
    let schedule = Schedule::new(config.scheduler, config.learning_rate, total_steps, config.warmup_ratio)?;
    let place = OrderPlace::in_dir(std::env::temp_dir());
    let shuffler = Shuffler::new(examples.len(), config.seed, Cursor::default(), place);
    let mut feed = Feed::new(examples, shuffler, config.batch_size);
    let mut classifier = TokenClassifier::new(model);
    let n = classifier.parameters().len();
    let mut moments = (vec![0.0; n], vec![0.0; n]);
    let mut frozen = FrozenModel::on(on, model)?.with_dtype(config.dtype);
    for step in 1..=total_steps {
        if interrupt.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let batch = feed.next_batch()?;
        let learning_rate = schedule.at(step - 1);
        let sums = gradient(&mut frozen, &classifier, (&batch, config.tokens_per_batch))?;
        if sums.n_tokens > 0.0 {
            let norm = mean_norm(&sums.gradient, sums.n_tokens);
            let step = AdamWStep {
                gradient_factor: mean_and_clip(sums.n_tokens, norm, config.max_grad_norm),
                ..adamw_step(config, learning_rate, config.weight_decay, step)
            };
            let (m, v) = &mut moments;
            adamw(classifier.parameters_mut(), &sums.gradient, m, v, &step);
        }
        let loss = (sums.n_tokens > 0.0).then(|| sums.loss / sums.n_tokens);
        on_step(ClassifierStep { step, total_steps, loss });
    }
    Ok(Some(classifier))
}

/// How well a classifier does on labelled examples.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct ClassifierReport {
    /// Response tokens.
    pub n_tokens: u64,
    /// Mean label: most tokens are good, so that the share of right answers says little by itself.
    pub mean_label: Option<f64>,
    /// Mean cross-entropy of a token, in nats.
    pub loss: Option<f64>,
    /// Mean over good and bad tokens of the share that is told right, at a probability of one half; `None` without tokens of either
    /// kind.
    pub balanced_accuracy: Option<f64>,
    /// Probability that a good token has a higher logit than a bad one, ties half; `None` without tokens of either kind. Labels of one
    /// half and more are good.
    pub auroc: Option<f64>,
}

/// What `classifier` makes of labelled examples.
///
/// # Errors
///
/// As [`train_classifier`].
pub fn evaluate_classifier<'a, B: Backend>(
    on: &B,
    model: &Model,
    classifier: &TokenClassifier,
    examples: impl Into<Examples<'a>>,
    config: &TrainConfig,
) -> Result<ClassifierReport, TrainError> {
    let mut frozen = FrozenModel::on(on, model)?.with_dtype(config.dtype);
    let mut judged = Vec::new();
    let mut loss = 0.0;
    for example in examples.into().iter() {
        let example = example?;
        check_labels(&example)?;
        let states = frozen.response_states(&[tokens(&example)])?;
        let logits = classifier.logits(&states);
        let labels = labels(&example);
        loss += label_loss(&logits, &labels)?.0;
        judged.extend(logits.into_iter().zip(labels));
    }
    Ok(report(judged, loss))
}

fn report(mut judged: Vec<(f64, f64)>, loss: f64) -> ClassifierReport {
    let count =
        |wanted: &dyn Fn(&(f64, f64)) -> bool| judged.iter().filter(|token| wanted(token)).count() as f64;
    let (n, good) = (judged.len() as f64, count(&|(_, label)| *label >= 0.5));
    let bad = n - good;
    let right = [
        count(&|(logit, label)| *label >= 0.5 && *logit > 0.0) / good,
        count(&|(logit, label)| *label < 0.5 && *logit <= 0.0) / bad,
    ];
    let both = good > 0.0 && bad > 0.0;
    let mean_label = judged.iter().map(|(_, label)| label).sum::<f64>() / n;
    judged.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Pairs of a good token above a bad one, ties half.
    let (mut below, mut wins) = (0.0, 0.0);
    for ties in judged.chunk_by(|a, b| a.0 == b.0) {
        let good = ties.iter().filter(|(_, label)| *label >= 0.5).count() as f64;
        let bad = ties.len() as f64 - good;
        wins += good * (below + 0.5 * bad);
        below += bad;
    }
    ClassifierReport {
        n_tokens: judged.len() as u64,
        mean_label: (n > 0.0).then_some(mean_label),
        loss: (n > 0.0).then_some(loss / n),
        balanced_accuracy: both.then_some(0.5 * (right[0] + right[1])),
        auroc: both.then_some(wins / (good * bad)),
    }
}

/// Sums over the tokens of a step.
struct LabelSums {
    loss: f64,
    n_tokens: f64,
    gradient: Vec<f32>,
}

#[expect(clippy::cast_possible_truncation, reason = "the optimizer computes in f32")]
fn gradient<B: Backend>(
    model: &mut FrozenModel<'_, B>,
    classifier: &TokenClassifier,
    (batch, tokens_per_batch): (&[Cow<'_, TrainExample>], usize),
) -> Result<LabelSums, TrainError> {
    let mut total = vec![0.0_f64; classifier.parameters().len()];
    let (mut loss, mut n_tokens) = (0.0, 0.0);
    let length = |example: &Cow<'_, TrainExample>| {
        example.prompt_ids.len() + example.chosen_ids.len() + example.rejected_ids.len()
    };
    let lengths: Vec<usize> = batch.iter().map(length).collect();
    for range in plan_batches(&lengths, tokens_per_batch, usize::MAX) {
        let part = &batch[range];
        let pairs: Vec<PairTokens<'_>> = part.iter().map(|example| tokens(example)).collect();
        let states = model.response_states(&pairs)?;
        let labels: Vec<f64> = part.iter().flat_map(|example| labels(example)).collect();
        let (sum, slopes) = label_loss(&classifier.logits(&states), &labels)?;
        loss += sum;
        n_tokens += labels.len() as f64;
        let Some((bias, weight)) = total.split_last_mut() else { continue };
        for (state, slope) in states.rows().zip(slopes) {
            weight.iter_mut().zip(state).for_each(|(total, h)| *total += slope * f64::from(*h));
            *bias += slope;
        }
    }
    Ok(LabelSums { loss, n_tokens, gradient: total.into_iter().map(|slope| slope as f32).collect() })
}

fn tokens(example: &TrainExample) -> PairTokens<'_> {
    PairTokens { prompt: &example.prompt_ids, chosen: &example.chosen_ids, rejected: &example.rejected_ids }
}

/// Of the chosen response first, as the states are.
fn labels(example: &TrainExample) -> Vec<f64> {
    let of = |side| example.weights(side).unwrap_or_default().iter().map(|label| f64::from(*label));
    Side::BOTH.into_iter().flat_map(of).collect()
}

fn check_labels(example: &TrainExample) -> Result<(), TrainError> {
    let row = example.row;
    for side in Side::BOTH {
        let n_tokens = example.ids(side).len();
        let labels = example.weights(side).ok_or(TrainError::NoLabels { row, side })?;
        if labels.len() != n_tokens {
            return Err(TrainError::Length { row, side, what: "labels", n_tokens, found: labels.len() });
        }
        if let Some(token) = labels.iter().position(|label| !(0.0..=1.0).contains(label)) {
            return Err(TrainError::LabelOutOfRange { row, side, token, label: f64::from(labels[token]) });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_counts_good_and_bad_tokens_alike_and_ties_half() {
        let judged = vec![(2.0, 1.0), (0.5, 1.0), (0.5, 0.0), (-1.0, 0.0), (-2.0, 1.0), (1.0, 1.0)];
        let found = report(judged, 3.0);
        assert_eq!((found.n_tokens, found.loss), (6, Some(0.5)));
        assert_eq!(found.balanced_accuracy, Some(0.5 * (0.75 + 0.5)));
        // Of 4 · 2 pairs: 2.0 and 1.0 win both, 0.5 one and a tie, −2.0 none.
        assert_eq!(found.auroc, Some(5.5 / 8.0));
        let one_kind = report(vec![(1.0, 1.0)], 0.1);
        assert_eq!((one_kind.auroc, one_kind.balanced_accuracy), (None, None));
        assert_eq!(report(Vec::new(), 0.0), ClassifierReport::default());
    }

    #[test]
    fn labels_that_are_none_are_named() {
        let mut pair = TrainExample::pair(7, vec![1], vec![2, 3], vec![4]);
        assert!(matches!(check_labels(&pair), Err(TrainError::NoLabels { row: 7, side: Side::Chosen })));
        pair.chosen_weights = Some(vec![1.0, 1.5]);
        pair.rejected_weights = Some(vec![0.5, 0.5]);
        assert!(matches!(check_labels(&pair), Err(TrainError::LabelOutOfRange { token: 1, .. })));
        pair.chosen_weights = Some(vec![1.0, 0.0]);
        let error = check_labels(&pair).unwrap_err().to_string();
        assert_eq!(error, "row 7 has 2 labels for 1 rejected tokens");
    }
}
