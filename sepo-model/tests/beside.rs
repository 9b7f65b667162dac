//! A network beside other models: divergences and their gradients are those of all log-probabilities, token by token.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

mod support;

use sepo_kernels::{RowGradients, Segments};
use sepo_model::{Activations, Cpu, Model, ModelConfig, ModelError, Network, SequenceBatch};
use support::{CONFIGS, VOCAB, model, relative_l2};

/// A prompt with two responses; the last prompt token is read by two rows.
struct Request {
    tokens: Vec<u32>,
    segments: Segments,
    positions: Vec<u32>,
    targets: Vec<u32>,
}

fn request() -> Request {
    Request {
        tokens: vec![1, 5, 9, 2, 7, 7, 20, 3, 11],
        segments: Segments::new(vec![0, 4, 7, 9], vec![None, Some(0), Some(0)]).unwrap(),
        // In no order.
        positions: vec![6, 3, 7, 3, 4],
        targets: vec![8, 7, 11, 3, 7],
    }
}

impl Request {
    fn batch(&self) -> SequenceBatch<'_> {
        SequenceBatch {
            tokens: &self.tokens,
            segments: &self.segments,
            row_positions: &self.positions,
            row_targets: &self.targets,
        }
    }

    /// The same with every token of the vocabulary as a target of each row.
    fn with_every_target(&self) -> Self {
        let n = u32::try_from(VOCAB).unwrap();
        Self {
            tokens: self.tokens.clone(),
            segments: self.segments.clone(),
            positions: self.positions.iter().flat_map(|at| (0..n).map(move |_| *at)).collect(),
            targets: self.positions.iter().flat_map(|_| 0..n).collect(),
        }
    }
}

/// Log-probabilities of all tokens for each row, `[rows, VOCAB]`.
fn all_logps(model: &Model, request: &Request) -> Vec<f64> {
    let every = request.with_every_target();
    Network::new(&model.config, Activations::Kept).logps(&model.parameters, &every.batch()).unwrap()
}

/// A model of another width with the same vocabulary.
fn narrow(seed: u64) -> Model {
    let text = format!(
        r#"{{ "model_type": "llama", "vocab_size": {VOCAB}, "hidden_size": 8, "intermediate_size": 12,
        "num_hidden_layers": 1, "num_attention_heads": 2, "initializer_range": 0.3 }}"#
    );
    Model::random(ModelConfig::from_json(&text).unwrap(), seed).unwrap()
}

/// `log q` of the distribution whose logits are the sum of those of `models`, each with its factor.
fn mixed(models: &[(&Model, f32)], request: &Request) -> Vec<f64> {
    let mut sum = vec![0.0; request.positions.len() * VOCAB];
    for (model, factor) in models {
        sum.iter_mut()
            .zip(all_logps(model, request))
            .for_each(|(sum, logp)| *sum += f64::from(*factor) * logp);
    }
    for row in sum.chunks_mut(VOCAB) {
        let lse = row.iter().map(|x| x.exp()).sum::<f64>().ln();
        row.iter_mut().for_each(|x| *x -= lse);
    }
    sum
}

#[test]
fn divergences_and_gradients_are_those_of_all_log_probabilities() {
    let request = request();
    let every = request.with_every_target();
    let (d_logps, d_forward, d_reverse) =
        ([0.5, -1.0, 0.0, 2.0, 0.0], [1.0, 0.25, -0.5, 0.0, 0.0], [-0.75, 0.5, 0.0, 1.5, 0.0]);
    for (i, (name, keys)) in (0..).zip(CONFIGS) {
        let (policy, reference, other) = (model(keys, 3 * i), model(keys, 3 * i + 1), narrow(3 * i + 2));
        // One reference, and a teacher made of two models.
        for teachers in [vec![(&reference, 1.0)], vec![(&reference, 0.5), (&other, -0.75)]] {
            let states: Vec<_> = teachers
                .iter()
                .map(|(teacher, factor)| {
                    let mut network = Network::new(&teacher.config, Activations::Kept);
                    let states = network.states(&teacher.parameters, &request.batch()).unwrap();
                    assert_eq!(states.n_positions(), 4);
                    let factors = vec![f64::from(*factor); states.n_positions()];
                    states.scaled_each(&Cpu, &factors).unwrap()
                })
                .collect();
            let others: Vec<_> = states
                .iter()
                .zip(&teachers)
                .map(|(states, (teacher, _))| states.with_head(&teacher.parameters))
                .collect();
            let (log_p, log_q) = (all_logps(&policy, &request), mixed(&teachers, &request));
            for activations in [Activations::Kept, Activations::Recomputed] {
                let mut network = Network::new(&policy.config, activations);
                let values = network.forward_beside(&policy.parameters, &request.batch(), &others).unwrap();
                let rows = log_p.chunks(VOCAB).zip(log_q.chunks(VOCAB)).enumerate();
                for (row, (log_p, log_q)) in rows {
                    let kl =
                        |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a.exp() * (a - b)).sum::<f64>();
                    let expected = [log_p[request.targets[row] as usize], kl(log_q, log_p), kl(log_p, log_q)];
                    let actual = [values.logps[row], values.forward_kl[row], values.reverse_kl[row]];
                    for (actual, expected) in actual.iter().zip(expected) {
                        assert!((actual - expected).abs() < 5e-6, "{name}, row {row}: {actual}, {expected}");
                    }
                }

                let mut gradient = vec![0.0; policy.parameters.len()];
                let d = RowGradients { logps: &d_logps, forward_kl: &d_forward, reverse_kl: &d_reverse };
                network.backward_beside(&policy.parameters, &others, d, &mut gradient).unwrap();

                // The same through the log-probabilities of all tokens.
                let d_every: Vec<f64> = log_p
                    .iter()
                    .zip(&log_q)
                    .zip(&every.targets)
                    .enumerate()
                    .map(|(i, ((log_p, log_q), token))| {
                        let row = i / VOCAB;
                        let hit = f64::from(u8::from(*token == request.targets[row]));
                        d_logps[row] * hit - d_forward[row] * log_q.exp()
                            + d_reverse[row] * log_p.exp() * (log_p - log_q + 1.0)
                    })
                    .collect();
                let mut slow = Network::new(&policy.config, activations);
                slow.forward(&policy.parameters, &every.batch()).unwrap();
                let mut expected = vec![0.0; policy.parameters.len()];
                slow.backward(&policy.parameters, &d_every, &mut expected).unwrap();
                let wide = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
                let error = relative_l2(wide(&gradient).into_iter(), wide(&expected).into_iter());
                assert!(error < 2e-5, "{name}: the gradient is off by {error}");
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let (policy, other) = (model(CONFIGS[0].1, 1), narrow(2));
    let request = request();
    let mut network = Network::new(&policy.config, Activations::Kept);
    let mut others = Network::new(&other.config, Activations::Kept);
    let fewer = Request { positions: vec![3], targets: vec![7], ..self::request() };
    let states = others.states(&other.parameters, &fewer.batch()).unwrap();
    let beside = [states.with_head(&other.parameters)];
    let error = network.forward_beside(&policy.parameters, &request.batch(), &beside).unwrap_err();
    assert!(
        matches!(error, ModelError::BatchShape { what: "states of another model", found: 8, expected: 32 }),
        "{error}"
    );
    let d = RowGradients { logps: &[], forward_kl: &[], reverse_kl: &[] };
    let mut gradient = vec![0.0; policy.parameters.len()];
    let error = network.backward_beside(&policy.parameters, &[], d, &mut gradient).unwrap_err();
    assert!(matches!(error, ModelError::NoForward), "{error}");
}
