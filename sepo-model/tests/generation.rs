//! Generation with a cache against the network run over the whole sequence again.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

mod support;

use sepo_kernels::Segments;
use sepo_model::{Activations, GenerateConfig, Model, ModelError, Network, SequenceBatch, generate};
use support::{CONFIGS, VOCAB, model};

/// The most likely next token, by one full pass.
fn next(model: &Model, ids: &[u32]) -> u32 {
    let vocab = u32::try_from(VOCAB).unwrap();
    let last = u32::try_from(ids.len()).unwrap() - 1;
    let targets: Vec<u32> = (0..vocab).collect();
    let batch = SequenceBatch {
        tokens: ids,
        segments: &Segments::single(ids.len()),
        row_positions: &[last; VOCAB],
        row_targets: &targets,
    };
    let logps = Network::new(&model.config, Activations::Kept).logps(&model.parameters, &batch).unwrap();
    targets.into_iter().max_by(|a, b| logps[*a as usize].total_cmp(&logps[*b as usize])).unwrap()
}

#[test]
fn greedy_continuations_are_those_of_full_passes() {
    for (name, keys) in CONFIGS {
        let model = model(keys, 5);
        let prompts = vec![vec![1], vec![4, 9, 2, 2, 7], vec![20, 3]];
        // So many that keys and values outgrow the room that they get at first.
        let config = GenerateConfig { max_new_tokens: 70, temperature: 0.0, ..Default::default() };
        let continuations = generate(&model, &prompts, &config).unwrap();
        for (prompt, continuation) in prompts.iter().zip(continuations) {
            let mut ids = prompt.clone();
            for token in continuation {
                assert_eq!(token, next(&model, &ids), "{name}, after {ids:?}");
                ids.push(token);
            }
            assert_eq!(ids.len(), prompt.len() + 70);
        }
    }
}

#[test]
fn a_draw_depends_on_its_place_and_seed_and_not_on_its_neighbours() {
    let model = model(CONFIGS[0].1, 5);
    let config =
        GenerateConfig { max_new_tokens: 12, temperature: 1.3, top_p: 0.9, seed: 4, ..Default::default() };
    let both = generate(&model, &[vec![1, 2], vec![3]], &config).unwrap();
    let other = generate(&model, &[vec![1, 2], vec![9, 9, 9]], &config).unwrap();
    assert_eq!(both[0], other[0]);
    assert_ne!(both[1], other[1]);
    let reseeded = generate(&model, &[vec![1, 2], vec![3]], &GenerateConfig { seed: 5, ..config }).unwrap();
    assert_ne!(both, reseeded);
}

#[test]
fn an_end_token_closes_a_continuation_and_belongs_to_it() {
    let model = model(CONFIGS[0].1, 5);
    let free = GenerateConfig { max_new_tokens: 40, seed: 1, ..Default::default() };
    let unbounded = generate(&model, &[vec![1]], &free).unwrap().remove(0);
    let end = unbounded[10];
    let first = unbounded.iter().position(|id| *id == end).unwrap();
    let closed = generate(&model, &[vec![1]], &GenerateConfig { eos_token_ids: vec![end], ..free }).unwrap();
    assert_eq!(closed[0], unbounded[..=first]);
}

#[test]
fn bad_requests_are_errors() {
    let model = model(CONFIGS[0].1, 5);
    let config = GenerateConfig::default();
    let is_value = |result| matches!(result, Err(ModelError::GenerateValue { .. }));
    assert!(is_value(generate(&model, &[vec![]], &config)));
    assert!(is_value(generate(
        &model,
        &[vec![1]],
        &GenerateConfig { temperature: f64::NAN, ..config.clone() }
    )));
    assert!(is_value(generate(&model, &[vec![1]], &GenerateConfig { temperature: -1.0, ..config.clone() })));
    assert!(is_value(generate(&model, &[vec![1]], &GenerateConfig { top_p: 0.0, ..config.clone() })));
    let unknown = generate(&model, &[vec![1, 99]], &config);
    assert!(matches!(unknown, Err(ModelError::TokenOutOfVocab { index: 1, id: 99, .. })));
}
