//! Scores from a device are the CPU's, and so is what is selected by them, but for ties within rounding.
//!
//! Where there is no GPU, the launches are run by a CPU, as in the tests of `sepo-kernels`, whose machines these are.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]
#![expect(clippy::cast_possible_truncation, reason = "test inputs are small")]

#[path = "../../../sepo-kernels/tests/cuda_on_cpu/build.rs"]
mod build;
#[expect(dead_code, reason = "tests of kernels use more of it")]
#[path = "../../../sepo-kernels/tests/cuda_on_cpu/machine.rs"]
mod machine;
#[path = "../../../sepo-kernels/tests/cuda_on_cpu/process.rs"]
mod process;

use std::sync::Arc;

use machine::machines;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sepo_data::{ScoredPair, TokenizedPair, TokenizedResponse};
use sepo_model::{Cuda, Model, ModelConfig};
use sepo_select::{PairScores, Scorer, SelectConfig, select_pair};

const VOCAB: u32 = 31;

fn model(seed: u64) -> Model {
    let config = format!(
        r#"{{ "model_type": "llama", "vocab_size": {VOCAB}, "hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.3 }}"#
    );
    Model::random(ModelConfig::from_json(&config).unwrap(), seed).unwrap()
}

fn pairs(n: u64) -> Vec<TokenizedPair> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut ids = |longest: usize| -> Vec<u32> {
        let n = rng.random_range(1..=longest);
        (0..n).map(|_| rng.random_range(0..VOCAB)).collect()
    };
    let mut pair = |row| {
        let prompt_ids = ids(9);
        let [chosen, rejected] =
            [ids(14), ids(14)].map(|ids| TokenizedResponse { ids, spans: None, truncated: false });
        TokenizedPair { row, prompt_ids, prompt_truncated: false, chosen, rejected }
    };
    (0..n).map(&mut pair).collect()
}

/// How far apart f32 sums in another order bring two log-probabilities, and so twice that for scores.
const OFF: f32 = 6e-5;

fn assert_same_selection(ours: &ScoredPair, theirs: &ScoredPair) {
    let config = SelectConfig::default();
    let [ours_kept, theirs_kept] = [ours, theirs].map(|pair| {
        let (chosen_scores, rejected_scores) = (&pair.chosen.scores[..], &pair.rejected.scores[..]);
        select_pair(&config, PairScores { chosen_scores, rejected_scores, ..PairScores::default() }).unwrap()
    });
    let sides = [
        (&ours_kept.chosen_weights, &theirs_kept.chosen_weights, &theirs.chosen.scores),
        (&ours_kept.rejected_weights, &theirs_kept.rejected_weights, &theirs.rejected.scores),
    ];
    for (ours, theirs, scores) in sides {
        let differ = (0..scores.len()).filter(|i| ours[*i] != theirs[*i]);
        // Of two tokens that change places the scores are as good as equal.
        let scores: Vec<f32> = differ.map(|i| scores[i]).collect();
        assert!(scores.iter().all(|a| scores.iter().filter(|b| (*a - **b).abs() <= 2.0 * OFF).count() > 1));
    }
}

#[test]
fn scores_and_selections_are_those_of_the_cpu() {
    let (oracle, reference, pairs) = (model(1), model(2), pairs(12));
    let expected = Scorer::new(&oracle, &reference).unwrap().score(&pairs).unwrap();
    for machine in machines().into_iter().map(Arc::new) {
        let on = Cuda::<_, f32>::new(machine);
        let mut scorer = Scorer::on(&on, &oracle, &reference).unwrap();
        // In batches of another size than the CPU's.
        let scored: Vec<ScoredPair> =
            pairs.chunks(5).flat_map(|pairs| scorer.score(pairs).unwrap()).collect();
        assert_eq!(scored.len(), expected.len());
        for (ours, theirs) in scored.iter().zip(&expected) {
            let sides = [(&ours.chosen, &theirs.chosen), (&ours.rejected, &theirs.rejected)];
            for (ours, theirs) in sides {
                assert_eq!(ours.ids, theirs.ids);
                for (ours, theirs) in ours.scores.iter().zip(&theirs.scores) {
                    assert!((ours - theirs).abs() <= OFF, "{ours} and {theirs}");
                }
            }
            assert_same_selection(ours, theirs);
        }
    }
}
