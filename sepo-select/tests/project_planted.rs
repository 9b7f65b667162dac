//! An oracle with one tokenizer, a policy with another: the planted spans are found nearly as well.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use sepo_data::planted::{
    BaseText, PlantedConfig, PlantedPair, PlantedResponse, Quality, VOCAB_SIZE, base_texts, decisive_mask,
    planted_pairs, span_mask, train_tokenizer, write_tokenizer,
};
use sepo_data::{PairTokenizer, Side, TokenizeConfig, TokenizedResponse};
use sepo_select::project::{Coverage, Projection, project};
use sepo_select::{PairScores, ResponseEnd, SelectConfig, auroc, select_pair};

const N_PAIRS: usize = 3000;

fn tokenizer(vocab: usize) -> PairTokenizer {
    let dir = tempfile::tempdir().unwrap();
    let texts = base_texts(600, 1);
    write_tokenizer(&train_tokenizer(texts.iter().map(BaseText::text), vocab).unwrap(), dir.path()).unwrap();
    PairTokenizer::from_model_dir(dir.path(), &TokenizeConfig::default()).unwrap()
}

/// A model that counts, in place of a network: how often a token follows others in preferred and in dispreferred
/// responses. The score is the log-odds of the two behind the longest context that was seen often, as an oracle's score is
/// a difference of log-probabilities of two models that start as one.
#[derive(Default)]
struct Counted(HashMap<Vec<u32>, [f32; 2]>);

/// Tokens of the longest context, with the token itself.
const LONGEST: usize = 8;
/// Times after which a context is trusted.
const OFTEN: f32 = 20.0;
/// Times that everything is taken to have been seen on either side.
const PRIOR: f32 = 3.0;

impl Counted {
    /// A token with what stands before it, from the longest on.
    fn contexts(ids: &[u32], token: usize) -> impl Iterator<Item = &[u32]> {
        let longest = LONGEST.min(token + 1);
        (1..=longest).rev().map(move |n| &ids[token + 1 - n..=token])
    }

    fn add(&mut self, ids: &[u32], side: usize) {
        for token in 0..ids.len() {
            Self::contexts(ids, token).for_each(|c| self.0.entry(c.to_vec()).or_default()[side] += 1.0);
        }
    }

    fn scores(&self, ids: &[u32]) -> Vec<f32> {
        let score = |token| {
            let mut counts = Self::contexts(ids, token).filter_map(|context| self.0.get(context));
            let often = counts.find(|[chosen, rejected]| chosen + rejected >= OFTEN);
            let [chosen, rejected] = often.copied().unwrap_or_default();
            ((chosen + PRIOR) / (rejected + PRIOR)).ln()
        };
        (0..ids.len()).map(score).collect()
    }
}

/// Values of decisive tokens that speak for their side, of those that speak against it, and of filler.
#[derive(Default)]
struct Groups {
    good: Vec<f32>,
    bad: Vec<f32>,
    filler: Vec<f32>,
}

impl Groups {
    fn add(&mut self, truth: &PlantedResponse, response: &TokenizedResponse, values: &[f32]) {
        let spans = response.spans.as_deref().unwrap();
        for ((decisive, within), value) in
            decisive_mask(spans, truth).into_iter().zip(span_mask(spans, truth)).zip(values)
        {
            match (decisive, within) {
                (Some(Quality::Good), _) => self.good.push(*value),
                (Some(Quality::Bad), _) => self.bad.push(*value),
                (None, None) => self.filler.push(*value),
                (None, Some(_)) => {}
            }
        }
    }

    /// Good decisive tokens above filler, and filler above bad ones, on the mean.
    fn of_scores(&self) -> f64 {
        f64::midpoint(auroc(&self.good, &self.filler).unwrap(), auroc(&self.filler, &self.bad).unwrap())
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "as selections store them")]
fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

/// The AUROC of the oracle's scores and of its selection, on its own tokens and on the policy's.
fn measure(
    oracle: &PairTokenizer,
    policy: &PairTokenizer,
    how: Projection,
) -> ([f64; 2], [f64; 2], Coverage) {
    let config = PlantedConfig { n_pairs: N_PAIRS, seed: 3, ..PlantedConfig::default() };
    let planted: Vec<PlantedPair> = planted_pairs(&config).collect();
    let file = Arc::default();
    let encoded = |tokenizer: &PairTokenizer| -> Vec<_> {
        planted.iter().map(|p| tokenizer.encode(&p.to_preference_pair(&file)).unwrap().pair).collect()
    };
    let (sources, targets) = (encoded(oracle), encoded(policy));
    let mut counted = Counted::default();
    for pair in &sources {
        counted.add(&pair.chosen.ids, 0);
        counted.add(&pair.rejected.ids, 1);
    }
    let [mut own, mut carried] = <[Groups; 2]>::default();
    // What is selected speaks for its side: weights of chosen decisive good tokens and rejected bad ones.
    let [mut own_picks, mut carried_picks] = <[Groups; 2]>::default();
    let mut coverage = Coverage::default();
    for ((truth, source), target) in planted.iter().zip(&sources).zip(&targets) {
        let scores = [&source.chosen, &source.rejected].map(|response| counted.scores(&response.ids));
        let selected = select_pair(
            &SelectConfig::default(),
            PairScores {
                row: source.row,
                chosen_scores: &scores[0],
                rejected_scores: &scores[1],
                chosen_end: ResponseEnd::Eos,
                rejected_end: ResponseEnd::Eos,
            },
        )
        .unwrap();
        for side in [Side::Chosen, Side::Rejected] {
            let (truth, from, to, scores, weights) = match side {
                Side::Chosen => {
                    (&truth.chosen, &source.chosen, &target.chosen, &scores[0], &selected.chosen_weights)
                }
                Side::Rejected => (
                    &truth.rejected,
                    &source.rejected,
                    &target.rejected,
                    &scores[1],
                    &selected.rejected_weights,
                ),
            };
            let carry = |values: &[f32]| {
                let spans = [from, to].map(|response| response.spans.as_deref().unwrap());
                project(spans[0], &wide(values), spans[1], how).unwrap()
            };
            let projected = carry(scores);
            coverage += projected.coverage;
            own.add(truth, from, scores);
            carried.add(truth, to, &narrow(&projected.values));
            own_picks.add(truth, from, weights);
            carried_picks.add(truth, to, &narrow(&carry(weights).values));
        }
    }
    let picks = |groups: &Groups| {
        let decisive = [&groups.good[..], &groups.bad[..]].concat();
        auroc(&decisive, &groups.filler).unwrap()
    };
    ([own.of_scores(), carried.of_scores()], [picks(&own_picks), picks(&carried_picks)], coverage)
}

#[test]
fn planted_spans_are_found_through_another_tokenizer() {
    let [oracle, fine] = [tokenizer(VOCAB_SIZE), tokenizer(320)];
    compare(&oracle, &fine, "to finer tokens");
    compare(&fine, &oracle, "to coarser tokens");
}

#[test]
fn planted_spans_are_found_by_a_policy_with_a_real_tokenizer() {
    let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/tokenizers/qwen2.5"));
    if !dir.exists() {
        println!("skipped: {} is absent", dir.display());
        return;
    }
    let policy = PairTokenizer::from_model_dir(dir, &TokenizeConfig::default()).unwrap();
    compare(&tokenizer(VOCAB_SIZE), &policy, "to Qwen 2.5's tokens");
}

#[expect(clippy::print_stdout, reason = "the figures are what the test is for")]
fn compare(from: &PairTokenizer, to: &PairTokenizer, name: &str) {
    for how in [Projection::Sum, Projection::Mean, Projection::Max, Projection::Proportional] {
        let (scores, picks, coverage) = measure(from, to, how);
        println!(
            "{name}, {}: AUROC of scores {:.4} -> {:.4}, of the selection {:.4} -> {:.4}; {:.1} % of tokens the same",
            how.name(),
            scores[0],
            scores[1],
            picks[0],
            picks[1],
            100.0 * coverage.same_share().unwrap()
        );
        assert_eq!((coverage.n_lost, coverage.n_uncovered), (0, 0));
        // A value in one piece leaves the other pieces of a word without any: that is not for finer tokens.
        if how != Projection::Sum {
            assert!(scores[1] > scores[0] - 0.05, "{name}, {}: {scores:?}", how.name());
            assert!(picks[1] > picks[0] - 0.05, "{name}, {}: {picks:?}", how.name());
        }
    }
}
