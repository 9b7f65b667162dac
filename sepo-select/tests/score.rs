//! Two models to scores: what is refused, what the numbers are, and how much is held at once.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::cell::Cell;
use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sepo_data::{
    ScoredPair, ScoresMeta, ScoresReader, ScoresWriter, Side, Span, TokenizedPair, TokenizedResponse,
};
use sepo_kernels::Segments;
use sepo_model::{Activations, Model, ModelConfig, ModelError, Network, SequenceBatch};
use sepo_select::{ScoreConfig, ScoreError, ScoreReport, Scorer, score_pairs};

const VOCAB: u32 = 29;

/// How far f32 sums in another order may bring a log-prob: 500 units of rounding.
const LOGP_OFF: f64 = 3e-5;

fn model(vocab: u32, family: &str, seed: u64) -> Model {
    let config = ModelConfig::from_json(&format!(
        r#"{{"model_type": "{family}", "vocab_size": {vocab}, "hidden_size": 16, "intermediate_size": 24,
            "num_hidden_layers": 2, "num_attention_heads": 2, "initializer_range": 0.3}}"#
    ));
    Model::random(config.unwrap(), seed).unwrap()
}

/// Pairs of random lengths: one-token responses, an empty one now and then, spans on some, in falling rows.
fn pairs(n: u64) -> Vec<TokenizedPair> {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut ids = |least: u32, most: u32| -> Vec<u32> {
        let n_tokens = least + rng.next_u32() % (most - least + 1);
        (0..n_tokens).map(|_| rng.next_u32() % VOCAB).collect()
    };
    let response = |ids: Vec<u32>, row: u64| TokenizedResponse {
        spans: row
            .is_multiple_of(2)
            .then(|| (0..).zip(&ids).map(|(i, _)| Span { start: i, end: i + 1 }).collect()),
        truncated: row.is_multiple_of(3),
        ids,
    };
    (0..n)
        .map(|row| TokenizedPair {
            row: 1000 - row,
            prompt_ids: ids(1, 5),
            prompt_truncated: false,
            chosen: response(ids(1, 9), row),
            rejected: response(ids(u32::from(!row.is_multiple_of(5)), 9), row + 1),
        })
        .collect()
}

/// The whole stream through [`score_pairs`] into a file, read back.
fn score_file(
    dir: &Path,
    models: [&Model; 2],
    pairs: &[TokenizedPair],
    tokens_per_batch: usize,
) -> (ScoreReport, Vec<ScoredPair>) {
    let path = dir.join("scores.parquet");
    let mut writer = ScoresWriter::create(&path, ScoresMeta::default()).unwrap();
    let mut scorer = Scorer::new(models[0], models[1]).unwrap();
    let stream = pairs.iter().cloned().map(Ok::<_, ScoreError>);
    let config = ScoreConfig { tokens_per_batch };
    let report = score_pairs(&mut scorer, stream, config, &mut writer, |_| {}).unwrap();
    assert_eq!(writer.finish().unwrap().n_pairs, pairs.len() as u64);
    (report, ScoresReader::open(&path).unwrap().collect::<Result<_, _>>().unwrap())
}

/// Log-probs of the response from one unpacked pass.
fn plain_logps(model: &Model, prompt: &[u32], response: &[u32]) -> Vec<f64> {
    let tokens = [prompt, response].concat();
    let positions: Vec<u32> =
        (0..response.len()).map(|t| u32::try_from(prompt.len() + t - 1).unwrap()).collect();
    let batch = SequenceBatch {
        tokens: &tokens,
        segments: &Segments::single(tokens.len()),
        row_positions: &positions,
        row_targets: response,
    };
    Network::new(&model.config, Activations::Kept).logps(&model.parameters, &batch).unwrap()
}

fn assert_near(ours: &[f32], plain: &[f64]) {
    assert_eq!(ours.len(), plain.len());
    for (ours, plain) in ours.iter().zip(plain) {
        assert!((f64::from(*ours) - plain).abs() < LOGP_OFF, "{ours} and {plain}");
    }
}

#[test]
fn models_that_make_no_scores_are_refused() {
    let oracle = model(VOCAB, "llama", 1);
    let error = Scorer::new(&oracle, &oracle.clone()).unwrap_err();
    assert!(matches!(&error, ScoreError::SameWeights { hash } if *hash == oracle.parameters.content_hash()));

    let other = model(VOCAB + 1, "llama", 2);
    let error = Scorer::new(&oracle, &other).unwrap_err();
    assert!(matches!(error, ScoreError::Vocabulary { oracle: 29, reference: 30 }));
    assert!(Scorer::new(&oracle, &model(VOCAB, "gpt_neox", 1)).is_ok(), "other architectures are welcome");
}

#[test]
fn a_pair_without_prompt_is_named() {
    let (oracle, reference) = (model(VOCAB, "llama", 1), model(VOCAB, "llama", 2));
    let mut pairs = pairs(4);
    pairs[2].prompt_ids.clear();
    let error = Scorer::new(&oracle, &reference).unwrap().score(&pairs).unwrap_err();
    assert!(matches!(error, ScoreError::NoContext { row: 998 }), "{error}");
}

#[test]
fn an_id_that_the_models_do_not_have_is_an_error_and_the_scorer_goes_on() {
    let (oracle, reference) = (model(VOCAB, "llama", 1), model(VOCAB, "llama", 2));
    let mut scorer = Scorer::new(&oracle, &reference).unwrap();
    let good = pairs(3);
    let expected = scorer.score(&good).unwrap();
    let mut bad = good.clone();
    bad[1].prompt_ids[0] = VOCAB;
    let error = scorer.score(&bad).unwrap_err();
    let ScoreError::Model { model: "oracle", source } = error else { panic!("{error}") };
    assert!(matches!(source, ModelError::TokenOutOfVocab { id: VOCAB, .. }), "{source}");
    assert_eq!(scorer.score(&good).unwrap(), expected);
    assert_eq!(scorer.score(&[]).unwrap(), []);
}

#[test]
fn a_log_prob_that_is_no_number_names_row_side_token_and_model() {
    let oracle = model(VOCAB, "llama", 1);
    let mut reference = model(VOCAB, "llama", 2);
    // The embedding of one id, which stands at the start of one rejected response alone: the prompt predicts it, and the
    // token after it is the first without a log-prob.
    let infected = 28;
    let embedding = reference.parameters.layout()[0].clone();
    assert!(embedding.name.contains("embed_tokens"));
    reference.parameters.as_mut_slice()[embedding.range][28 * 16] = f32::NAN;
    let mut pairs = pairs(5);
    for pair in &mut pairs {
        let responses = [&mut pair.chosen.ids, &mut pair.rejected.ids];
        for ids in [&mut pair.prompt_ids].into_iter().chain(responses) {
            ids.iter_mut().for_each(|id| *id %= infected);
        }
    }
    pairs[3].rejected = TokenizedResponse { ids: vec![infected, 6, 7], spans: None, truncated: false };
    let error = Scorer::new(&oracle, &reference).unwrap().score(&pairs).unwrap_err();
    let expected = matches!(error, ScoreError::NonFinite { row: 997, side: Side::Rejected, token: 1, model: "reference", value } if value.is_nan());
    assert!(expected, "{error:?}");
}

#[test]
fn scores_are_the_difference_of_two_separate_passes() {
    let (oracle, reference) = (model(VOCAB, "llama", 1), model(VOCAB, "gpt_neox", 2));
    let pairs = pairs(25);
    let scored = Scorer::new(&oracle, &reference).unwrap().score(&pairs).unwrap();
    assert_eq!(scored.len(), pairs.len());
    for (pair, scored) in pairs.iter().zip(&scored) {
        assert_eq!((pair.row, &pair.prompt_ids), (scored.row, &scored.prompt_ids));
        for (response, scored) in [(&pair.chosen, &scored.chosen), (&pair.rejected, &scored.rejected)] {
            assert_eq!((&response.ids, &response.spans), (&scored.ids, &scored.spans));
            assert_eq!(response.truncated, scored.truncated);
            let [oracle, reference] =
                [&oracle, &reference].map(|model| plain_logps(model, &pair.prompt_ids, &response.ids));
            assert_near(&scored.oracle_logps, &oracle);
            assert_near(&scored.reference_logps, &reference);
            let scores: Vec<f64> = oracle.iter().zip(&reference).map(|(o, r)| o - r).collect();
            assert_near(&scored.scores, &scores);
        }
    }
}

#[test]
fn the_order_and_the_scores_do_not_depend_on_the_size_of_a_batch() {
    let (oracle, reference) = (model(VOCAB, "llama", 1), model(VOCAB, "llama", 2));
    let dir = tempfile::tempdir().unwrap();
    let pairs = pairs(40);
    let (whole, expected) = score_file(dir.path(), [&oracle, &reference], &pairs, usize::MAX);
    let rows: Vec<u64> = pairs.iter().map(|pair| pair.row).collect();
    for tokens_per_batch in [0, 1, 7, 30, 100, 8192] {
        let (report, scored) = score_file(dir.path(), [&oracle, &reference], &pairs, tokens_per_batch);
        assert_eq!(scored.iter().map(|pair| pair.row).collect::<Vec<_>>(), rows);
        assert_eq!((report.n_pairs, report.n_tokens), (whole.n_pairs, whole.n_tokens));
        for (scored, expected) in scored.iter().zip(&expected) {
            for (a, b) in [(&scored.chosen, &expected.chosen), (&scored.rejected, &expected.rejected)] {
                assert_eq!((&a.ids, &a.spans, a.truncated), (&b.ids, &b.spans, b.truncated));
                let wide: Vec<f64> = b.scores.iter().map(|score| f64::from(*score)).collect();
                assert_near(&a.scores, &wide);
            }
        }
    }
}

#[test]
fn the_file_holds_what_the_scorer_says_bit_for_bit() {
    let (oracle, reference) = (model(VOCAB, "llama", 1), model(VOCAB, "llama", 2));
    let dir = tempfile::tempdir().unwrap();
    let pairs = pairs(30);
    let (report, stored) = score_file(dir.path(), [&oracle, &reference], &pairs, usize::MAX);
    let scored = Scorer::new(&oracle, &reference).unwrap().score(&pairs).unwrap();
    assert_eq!(stored, scored);

    let sum = |scores: &[f32]| scores.iter().map(|score| f64::from(*score)).sum::<f64>();
    let agree = scored.iter().filter(|pair| sum(&pair.chosen.scores) > sum(&pair.rejected.scores)).count();
    assert_eq!((report.n_pairs, report.n_agree), (30, agree as u64));
    assert_eq!(report.agreement(), Some(agree as f64 / 30.0));
    let n_chosen: usize = scored.iter().map(|pair| pair.chosen.scores.len()).sum();
    let total: f64 = scored.iter().map(|pair| sum(&pair.chosen.scores)).sum();
    assert!((report.mean_chosen_score - total / n_chosen as f64).abs() < 1e-12);
}

#[test]
fn no_more_than_a_batch_is_read_ahead() {
    let (oracle, reference) = (model(VOCAB, "llama", 1), model(VOCAB, "llama", 2));
    let dir = tempfile::tempdir().unwrap();
    // 3 prompt tokens, 4 and 4 inputs of the responses: 11 tokens a pair, so 5 pairs in a batch of 60.
    let response = |first| TokenizedResponse { ids: vec![first, 2, 3, 4, 5], spans: None, truncated: false };
    let pair = |row| TokenizedPair {
        row,
        prompt_ids: vec![7, 8, 9],
        prompt_truncated: false,
        chosen: response(1),
        rejected: response(6),
    };
    let (n_read, n_done, most) = (Cell::new(0u64), Cell::new(0u64), Cell::new(0u64));
    let stream = (0..203).map(|row| {
        n_read.set(n_read.get() + 1);
        most.set(most.get().max(n_read.get() - n_done.get()));
        Ok::<_, ScoreError>(pair(row))
    });
    let mut writer = ScoresWriter::create(dir.path().join("scores.parquet"), ScoresMeta::default()).unwrap();
    let mut batches = Vec::new();
    let report = score_pairs(
        &mut Scorer::new(&oracle, &reference).unwrap(),
        stream,
        ScoreConfig { tokens_per_batch: 60 },
        &mut writer,
        |report| {
            batches.push(report.n_pairs - n_done.get());
            n_done.set(report.n_pairs);
        },
    )
    .unwrap();
    assert_eq!(report.n_pairs, 203);
    assert_eq!(most.get(), 6, "a batch, and the pair that did not fit");
    assert_eq!(batches, [vec![5; 40], vec![3]].concat());
}

#[test]
fn an_error_of_the_stream_ends_it_and_nothing_is_left_under_the_name() {
    let (oracle, reference) = (model(VOCAB, "llama", 1), model(VOCAB, "llama", 2));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scores.parquet");
    let mut writer = ScoresWriter::create(&path, ScoresMeta::default()).unwrap();
    let mut stream: Vec<Result<TokenizedPair, ScoreError>> = pairs(6).into_iter().map(Ok).collect();
    stream.insert(4, Err(ScoreError::NoContext { row: 77 }));
    let mut scorer = Scorer::new(&oracle, &reference).unwrap();
    let config = ScoreConfig { tokens_per_batch: 1 };
    let error = score_pairs(&mut scorer, stream, config, &mut writer, |_| {}).unwrap_err();
    assert!(matches!(error, ScoreError::NoContext { row: 77 }));
    drop(writer);
    assert!(!path.exists());
}
