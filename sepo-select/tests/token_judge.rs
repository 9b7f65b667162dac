//! Scores by a token classifier.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sepo_data::{ScoredPair, ScoresMeta, ScoresReader, ScoresWriter, Side, TokenizedPair, TokenizedResponse};
use sepo_model::{Model, ModelConfig, TokenClassifier};
use sepo_select::{
    PairScorer, PairScores, Rule, ScoreConfig, ScoreError, SelectConfig, TokenJudge, score_pairs, select_pair,
};

fn model(seed: u64) -> Model {
    let config = r#"{"model_type": "llama", "vocab_size": 23, "hidden_size": 8, "intermediate_size": 12,
        "num_hidden_layers": 1, "num_attention_heads": 2, "initializer_range": 0.4}"#;
    Model::random(ModelConfig::from_json(config).unwrap(), seed).unwrap()
}

fn classifier(model: &Model) -> TokenClassifier {
    let mut classifier = TokenClassifier::new(model);
    for (i, parameter) in classifier.parameters_mut().iter_mut().enumerate() {
        *parameter = [0.8, -0.5, 0.3][i % 3];
    }
    classifier
}

fn pairs() -> Vec<TokenizedPair> {
    let response = |ids: &[u32]| TokenizedResponse { ids: ids.to_vec(), spans: None, truncated: false };
    [(3, vec![1, 2], vec![3, 4, 5], vec![6]), (9, vec![7], vec![8, 1], vec![2, 2, 9, 4])]
        .map(|(row, prompt_ids, chosen, rejected)| TokenizedPair {
            row,
            prompt_ids,
            prompt_truncated: false,
            chosen: response(&chosen),
            rejected: response(&rejected),
        })
        .to_vec()
}

#[test]
fn a_score_is_the_log_odds_of_what_the_classifier_says_and_the_two_logps_are_of_one_probability() {
    let model = model(1);
    let classifier = classifier(&model);
    let scored = TokenJudge::new(&classifier, &model).unwrap().score(&pairs()).unwrap();
    for (pair, scored) in pairs().iter().zip(&scored) {
        assert_eq!((pair.row, &pair.prompt_ids), (scored.row, &scored.prompt_ids));
        for (given, response) in [(&pair.chosen, &scored.chosen), (&pair.rejected, &scored.rejected)] {
            assert_eq!(given.ids, response.ids);
            for i in 0..given.ids.len() {
                let [good, bad] = [response.oracle_logps[i], response.reference_logps[i]].map(f64::from);
                assert!((good.exp() + bad.exp() - 1.0).abs() < 1e-6);
                assert!((good - bad - f64::from(response.scores[i])).abs() < 1e-5);
            }
        }
    }
    // One pair at a time, and a batch in a stream, say the same.
    let mut judge = TokenJudge::new(&classifier, &model).unwrap();
    for (pair, together) in pairs().into_iter().zip(&scored) {
        let [alone] = &judge.score(&[pair]).unwrap()[..] else { panic!() };
        for (a, b) in alone.chosen.scores.iter().zip(&together.chosen.scores) {
            assert!((a - b).abs() < 1e-5);
        }
    }
    let file = tempfile::tempdir().unwrap();
    let path = file.path().join("scores.parquet");
    let mut writer = ScoresWriter::create(&path, ScoresMeta::default()).unwrap();
    let given = pairs().into_iter().map(Ok::<_, ScoreError>);
    let report = score_pairs(&mut judge, given, ScoreConfig::default(), &mut writer, |_| {}).unwrap();
    writer.finish().unwrap();
    assert_eq!((report.n_pairs, report.n_tokens), (2, 10));
    let read: Vec<ScoredPair> = ScoresReader::open(&path).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(read, scored);
}

#[test]
fn the_rule_probability_weighs_by_what_the_classifier_says_on_either_side() {
    let model = model(1);
    let classifier = classifier(&model);
    let scored = TokenJudge::new(&classifier, &model).unwrap().score(&pairs()).unwrap();
    let config = SelectConfig { rule: Rule::Probability, ..SelectConfig::default() };
    let pair = PairScores {
        chosen_scores: &scored[0].chosen.scores,
        rejected_scores: &scored[0].rejected.scores,
        ..PairScores::default()
    };
    let selected = select_pair(&config, pair).unwrap();
    for side in Side::BOTH {
        let (response, weights) = match side {
            Side::Chosen => (&scored[0].chosen, &selected.chosen_weights),
            Side::Rejected => (&scored[0].rejected, &selected.rejected_weights),
        };
        // Good tokens of the chosen response, bad ones of the rejected.
        let logps = if side == Side::Chosen { &response.oracle_logps } else { &response.reference_logps };
        for (weight, logp) in weights.iter().zip(logps) {
            assert!((weight - logp.exp()).abs() < 1e-6, "{side}: {weight} {logp}");
        }
    }
}

#[test]
fn a_classifier_of_another_model_is_refused() {
    let (ours, other) = (model(1), model(2));
    let classifier = classifier(&ours);
    let error = TokenJudge::new(&classifier, &other).unwrap_err();
    assert!(matches!(error, ScoreError::Model { model: "classifier", .. }), "{error}");
}
