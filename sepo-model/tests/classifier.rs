//! Token classifiers: where they look, and what their files hold.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use sepo_model::{FrozenModel, Model, ModelConfig, ModelError, PairTokens, SequenceBatch, TokenClassifier};

fn model(seed: u64) -> Model {
    let config = r#"{"model_type": "llama", "vocab_size": 23, "hidden_size": 8, "intermediate_size": 12,
        "num_hidden_layers": 2, "num_attention_heads": 2, "initializer_range": 0.4}"#;
    Model::random(ModelConfig::from_json(config).unwrap(), seed).unwrap()
}

/// The state at the last token of a sequence, made of the log-probabilities it gives: of a model with its own states it is all we see.
fn logps_at_end(model: &Model, ids: &[u32]) -> Vec<f64> {
    let segments = sepo_kernels::Segments::new(vec![0, ids.len()], vec![None]).unwrap();
    let targets: Vec<u32> = (0..23).collect();
    let batch = SequenceBatch {
        tokens: ids,
        segments: &segments,
        row_positions: &[u32::try_from(ids.len() - 1).unwrap(); 23],
        row_targets: &targets,
    };
    FrozenModel::new(model).logps(&batch).unwrap()
}

/// The head of the model on a state: log-probabilities of all tokens.
fn logps_of_state(model: &Model, state: &[f32]) -> Vec<f64> {
    let head = model.parameters.layout().iter().find(|info| info.name == "lm_head.weight").unwrap();
    let weights = &model.parameters.as_slice()[head.range.clone()];
    let logits: Vec<f64> = weights
        .chunks(8)
        .map(|row| row.iter().zip(state).map(|(w, h)| f64::from(*w) * f64::from(*h)).sum())
        .collect();
    let total = logits.iter().map(|logit| logit.exp()).sum::<f64>().ln();
    logits.into_iter().map(|logit| logit - total).collect()
}

#[test]
fn states_are_those_at_the_token_itself_with_all_before_it() {
    let model = model(1);
    let pairs = [
        PairTokens { prompt: &[1, 2], chosen: &[3, 4, 5], rejected: &[6, 7] },
        PairTokens { prompt: &[], chosen: &[8], rejected: &[9, 10] },
        PairTokens { prompt: &[11], chosen: &[], rejected: &[12] },
    ];
    let states = FrozenModel::new(&model).response_states(&pairs).unwrap();
    assert_eq!(states.sides(), [[0..3, 3..5], [5..6, 6..8], [8..8, 8..9]]);
    let rows: Vec<&[f32]> = states.rows().collect();
    for (pair, sides) in pairs.iter().zip(states.sides()) {
        for (response, rows_of) in [pair.chosen, pair.rejected].into_iter().zip(sides) {
            for (token, row) in rows_of.clone().enumerate() {
                let context = [pair.prompt, &response[..=token]].concat();
                let expected = logps_at_end(&model, &context);
                for (found, expected) in logps_of_state(&model, rows[row]).iter().zip(&expected) {
                    assert!((found - expected).abs() < 1e-5, "{found} {expected}");
                }
            }
        }
    }
    let nothing = FrozenModel::new(&model).response_states(&[]).unwrap();
    assert_eq!((nothing.rows().count(), nothing.d_model()), (0, 8));
}

#[test]
fn logits_are_the_linear_map_of_the_states() {
    let model = model(1);
    let mut classifier = TokenClassifier::new(&model);
    classifier.parameters_mut().copy_from_slice(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -2.0, 0.5]);
    let pair = PairTokens { prompt: &[1, 2], chosen: &[3, 4], rejected: &[6] };
    let states = FrozenModel::new(&model).response_states(&[pair]).unwrap();
    for (logit, state) in classifier.logits(&states).into_iter().zip(states.rows()) {
        let expected = f64::from(state[0]) - 2.0 * f64::from(state[7]) + 0.5;
        assert!((logit - expected).abs() < 1e-12);
    }
}

fn saved(dir: &Path) -> TokenClassifier {
    let mut classifier = TokenClassifier::new(&model(1));
    classifier.parameters_mut()[3] = 0.25;
    classifier.save(dir).unwrap();
    classifier
}

#[test]
fn what_is_written_reads_back_and_knows_its_model() {
    let dir = tempfile::tempdir().unwrap();
    let classifier = saved(dir.path());
    let read = TokenClassifier::load(dir.path()).unwrap();
    assert_eq!((&read, read.content_hash()), (&classifier, classifier.content_hash()));
    read.check(&model(1)).unwrap();
    assert!(matches!(read.check(&model(2)), Err(ModelError::OtherBackbone { .. })));
    let mut files: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["classifier.json", "classifier.safetensors"]);
}

#[test]
fn damaged_files_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    saved(dir.path());
    let (config, weights) = (dir.path().join("classifier.json"), dir.path().join("classifier.safetensors"));
    let (text, bytes) = (std::fs::read_to_string(&config).unwrap(), std::fs::read(&weights).unwrap());
    let load = || TokenClassifier::load(dir.path()).unwrap_err();

    std::fs::write(&config, text.replace("token_logistic", "token_tree")).unwrap();
    assert!(matches!(load(), ModelError::Json { .. }));
    std::fs::write(&config, text.replace("\"hidden_size\": 8", "\"hidden_size\": 9")).unwrap();
    assert!(matches!(load(), ModelError::TensorShape { ref name, .. } if name == "score.weight"));
    std::fs::write(&config, &text).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() - 3]).unwrap();
    assert!(matches!(load(), ModelError::Safetensors { .. }));
    let mut infinite = bytes.clone();
    let end = infinite.len();
    infinite[end - 4..].copy_from_slice(&f32::INFINITY.to_le_bytes());
    std::fs::write(&weights, infinite).unwrap();
    assert!(matches!(load(), ModelError::NonFiniteWeight { .. }));
    std::fs::remove_file(&weights).unwrap();
    assert!(matches!(load(), ModelError::Io { .. }));
}
