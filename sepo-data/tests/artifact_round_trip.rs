//! What is written is what is read.

#![expect(clippy::cast_possible_truncation, reason = "small numbers")]

use proptest::collection::vec;
use proptest::prelude::*;
use sepo_data::{
    ContentSource, LogpsMeta, LogpsReader, LogpsWriter, PairLogps, ScoredPair, ScoredResponse, ScoresMeta,
    ScoresReader, ScoresWriter, SelectedPair, SelectionMeta, SelectionReader, SelectionWriter, Span,
    content_hash,
};

fn response() -> impl Strategy<Value = ScoredResponse> {
    let logp = prop_oneof![20 => -30.0f32..0.0, 1 => Just(f32::NEG_INFINITY), 1 => Just(-0.0f32)];
    let token = (any::<u32>(), logp.clone(), logp, -5.0f32..5.0, any::<(u32, u32)>());
    (vec(token, 0..8), any::<bool>(), any::<bool>()).prop_map(|(tokens, has_spans, truncated)| {
        let mut response = ScoredResponse { truncated, ..ScoredResponse::default() };
        let mut spans = Vec::new();
        for (id, oracle, reference, score, (start, end)) in tokens {
            response.ids.push(id);
            response.oracle_logps.push(oracle);
            response.reference_logps.push(reference);
            response.scores.push(score);
            spans.push(Span { start, end });
        }
        response.spans = has_spans.then_some(spans);
        response
    })
}

fn pair() -> impl Strategy<Value = ScoredPair> {
    (any::<u64>(), vec(any::<u32>(), 0..6), response(), response())
        .prop_map(|(row, prompt_ids, chosen, rejected)| ScoredPair { row, prompt_ids, chosen, rejected })
}

fn selected(pair: ScoredPair) -> SelectedPair {
    SelectedPair {
        row: pair.row,
        prompt_ids: pair.prompt_ids,
        chosen_ids: pair.chosen.ids,
        rejected_ids: pair.rejected.ids,
        chosen_weights: pair.chosen.scores,
        rejected_weights: pair.rejected.scores,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_come_back_bit_for_bit(pairs in vec(pair(), 0..12)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scores.parquet");
        let mut writer = ScoresWriter::create(&path, ScoresMeta::default()).unwrap();
        pairs.iter().for_each(|pair| writer.write(pair).unwrap());
        let written = writer.finish().unwrap();
        let reader = ScoresReader::open(&path).unwrap();
        prop_assert_eq!(reader.n_rows(), pairs.len() as u64);
        prop_assert_eq!(reader.meta(), &written);
        prop_assert_eq!(reader.collect::<Result<Vec<_>, _>>().unwrap(), pairs.clone());

        let path = dir.path().join("logps.parquet");
        let logps: Vec<_> = pairs.iter().map(|pair| PairLogps {
            row: pair.row,
            chosen_logps: pair.chosen.oracle_logps.clone(),
            rejected_logps: pair.rejected.oracle_logps.clone(),
        }).collect();
        let mut writer = LogpsWriter::create(&path, LogpsMeta::default()).unwrap();
        logps.iter().for_each(|pair| writer.write(pair).unwrap());
        prop_assert_eq!(writer.finish().unwrap().n_pairs, pairs.len() as u64);
        prop_assert_eq!(LogpsReader::open(&path).unwrap().collect::<Result<Vec<_>, _>>().unwrap(), logps);

        let path = dir.path().join("selection.parquet");
        let pairs: Vec<_> = pairs.into_iter().map(selected).collect();
        let mut writer = SelectionWriter::create(&path, SelectionMeta::default()).unwrap();
        pairs.iter().for_each(|pair| writer.write(pair).unwrap());
        writer.finish().unwrap();
        prop_assert_eq!(SelectionReader::open(&path).unwrap().collect::<Result<Vec<_>, _>>().unwrap(), pairs);
    }
}

fn long_pair(row: u64, n: usize) -> ScoredPair {
    let response = |seed: u32| ScoredResponse {
        ids: (0..n as u32).map(|i| i ^ seed).collect(),
        oracle_logps: vec![-1.0; n],
        reference_logps: vec![-1.5; n],
        scores: (0..n).map(|i| i as f32 + seed as f32).collect(),
        spans: None,
        truncated: row % 2 == 1,
    };
    ScoredPair { row, prompt_ids: vec![7; 3], chosen: response(1), rejected: response(2) }
}

#[test]
fn rows_cross_row_groups_and_batches() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scores.parquet");
    let mut writer = ScoresWriter::create(&path, ScoresMeta::default()).unwrap();
    // Many short rows end a group by rows, a few long ones by tokens.
    let lengths = (0..9000).map(|_| 1).chain([600_000, 600_000, 2, 600_000]);
    let pairs: Vec<_> = lengths.enumerate().map(|(row, n)| long_pair(row as u64, n)).collect();
    pairs.iter().for_each(|pair| writer.write(pair).unwrap());
    let meta = writer.finish().unwrap();
    assert_eq!((meta.n_pairs, meta.n_chosen_tokens, meta.n_truncated), (9004, 1_809_002, 9004));
    let mut reader = ScoresReader::open(&path).unwrap();
    for pair in &pairs {
        assert!(reader.next().unwrap().unwrap() == *pair, "row {}", pair.row);
    }
    assert!(reader.next().is_none());
}

#[test]
fn unknown_metadata_survives_and_absent_fields_are_defaults() {
    let meta: ScoresMeta =
        serde_json::from_str(r#"{"dtype":"f32","eos_token_id":2,"flavour":{"a":[1,2]},"n_pairs":1}"#)
            .unwrap();
    assert_eq!((meta.eos_token_id, meta.max_length), (Some(2), None));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scores.parquet");
    ScoresWriter::create(&path, meta.clone()).unwrap().finish().unwrap();
    let read = ScoresReader::open(&path).unwrap().meta().clone();
    assert_eq!(read.extra["flavour"]["a"][1], 2);
    assert_eq!(read, ScoresMeta { n_pairs: 0, ..meta.clone() });

    let source = ContentSource { path: "scores.parquet".into(), content_hash: content_hash(&path).unwrap() };
    let outer = SelectionMeta {
        rule: "sepo".into(),
        keep_chosen: Some(0.3),
        n_dropped: [("empty_chosen".to_owned(), 2)].into(),
        scores_source: Some(source),
        scores: Some(meta),
        ..SelectionMeta::default()
    };
    let path = dir.path().join("selection.parquet");
    SelectionWriter::create(&path, outer.clone()).unwrap().finish().unwrap();
    assert_eq!(*SelectionReader::open(&path).unwrap().meta(), outer);
}

#[test]
fn the_same_rows_give_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let hashes = ["a", "b"].map(|name| {
        let path = dir.path().join(name);
        let mut writer = ScoresWriter::create(&path, ScoresMeta::default()).unwrap();
        (0..100).for_each(|row| writer.write(&long_pair(row, 40)).unwrap());
        writer.finish().unwrap();
        content_hash(&path).unwrap()
    });
    assert_eq!(hashes[0], hashes[1]);
}
