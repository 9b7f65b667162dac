//! Scores in a file to a selection in a file.

#![expect(clippy::cast_possible_truncation, reason = "small numbers")]
#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use sepo_data::{
    ContentSource, ScoredPair, ScoredResponse, ScoresMeta, ScoresWriter, SelectedPair, SelectionReader,
    content_hash,
};
use sepo_select::{
    Compat, EosRule, PairScores, ResponseEnd, Rule, SelectConfig, SelectError, SelectReport, SelectWarning,
    TokenClass, select_file, select_file_classified, select_pair,
};

const EOS: u32 = 2;

fn response(ids: &[u32], scores: &[f32]) -> ScoredResponse {
    ScoredResponse {
        ids: ids.to_vec(),
        oracle_logps: scores.iter().map(|s| s - 2.0).collect(),
        reference_logps: vec![-2.0; ids.len()],
        scores: scores.to_vec(),
        spans: None,
        truncated: false,
    }
}

fn pair(row: u64, chosen: &[f32], rejected: &[f32]) -> ScoredPair {
    let ids =
        |scores: &[f32]| -> Vec<u32> { (1..scores.len() as u32).map(|i| 10 + i).chain([EOS]).collect() };
    ScoredPair {
        row,
        prompt_ids: vec![1, 5],
        chosen: response(&ids(chosen), chosen),
        rejected: response(&ids(rejected), rejected),
    }
}

fn write(dir: &Path, pairs: &[ScoredPair], eos_token_id: Option<u32>) -> PathBuf {
    let path = dir.join("scores.parquet");
    let oracle = ContentSource { path: "oracle".into(), content_hash: "abc".into() };
    let meta = ScoresMeta { eos_token_id, oracle, ..ScoresMeta::default() };
    let mut writer = ScoresWriter::create(&path, meta).unwrap();
    pairs.iter().for_each(|pair| writer.write(pair).unwrap());
    writer.finish().unwrap();
    path
}

fn selection(path: &Path) -> Vec<SelectedPair> {
    SelectionReader::open(path).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn the_file_holds_what_select_pair_says() {
    let dir = tempfile::tempdir().unwrap();
    // More than a chunk, of varying lengths.
    let score = |i: u64| ((i * 2_654_435_761) % 1000) as f32 / 250.0 - 2.0;
    let pairs: Vec<_> = (0..2500u64)
        .map(|row| {
            let scores = |seed: u64, n: u64| (0..n).map(|i| score(row * 31 + seed + i)).collect::<Vec<_>>();
            pair(row * 3, &scores(1, 1 + row % 17), &scores(7, 1 + row % 11))
        })
        .collect();
    let scores = write(dir.path(), &pairs, Some(EOS));
    let out = dir.path().join("selection.parquet");
    for rule in [Rule::Sepo, Rule::Salience, Rule::Random { seed: 1 }, Rule::All] {
        let config = SelectConfig { rule, eos: EosRule::Both, ..SelectConfig::default() };
        let report = select_file(&scores, &out, &config).unwrap();
        assert_eq!((report.n_pairs, report.n_kept), (2500, 2500));
        let mut n_selected = 0;
        for (pair, kept) in pairs.iter().zip(selection(&out)) {
            let selected = select_pair(
                &config,
                PairScores {
                    row: pair.row,
                    chosen_scores: &pair.chosen.scores,
                    rejected_scores: &pair.rejected.scores,
                    chosen_end: ResponseEnd::Eos,
                    rejected_end: ResponseEnd::Eos,
                },
            )
            .unwrap();
            n_selected += selected.chosen_weights.iter().filter(|&&w| w == 1.0).count() as u64;
            assert_eq!((kept.row, &kept.chosen_ids), (pair.row, &pair.chosen.ids));
            assert_eq!(kept.chosen_weights, selected.chosen_weights);
            assert_eq!(kept.rejected_weights, selected.rejected_weights);
        }
        assert_eq!(report.chosen.n_selected, n_selected);
    }
}

#[test]
fn metadata_tells_rule_settings_drops_and_origin() {
    let dir = tempfile::tempdir().unwrap();
    let pairs =
        [pair(0, &[1.0, 0.5, 0.0], &[0.0, -2.0, 0.0]), pair(1, &[0.1], &[-2.0]), pair(2, &[0.0], &[0.0])];
    let scores = write(dir.path(), &pairs, Some(EOS));
    let out = dir.path().join("selection.parquet");
    let config = SelectConfig { rule: Rule::Threshold { at: 0.5 }, ..SelectConfig::default() };
    let report = select_file(&scores, &out, &config).unwrap();
    let dropped = [("empty_chosen".to_owned(), 1), ("empty_both".to_owned(), 1)].into();
    assert_eq!((report.n_pairs, report.n_kept, &report.n_dropped), (3, 1, &dropped));

    let reader = SelectionReader::open(&out).unwrap();
    let meta = reader.meta();
    assert_eq!((meta.rule.as_str(), meta.n_kept, &meta.n_dropped), ("threshold", 1, &dropped));
    assert_eq!((meta.chosen.n_tokens, meta.chosen.n_selected, meta.rejected.n_selected), (3, 2, 1));
    // A threshold keeps no fixed share, so there is none to divide by.
    assert_eq!((meta.keep_chosen, meta.keep_rejected), (None, None));
    let settings = serde_json::Value::Object(meta.settings.clone());
    assert_eq!(serde_json::from_value::<SelectConfig>(settings).unwrap(), config);
    assert_eq!(meta.scores.as_ref().unwrap().oracle.content_hash, "abc");
    assert_eq!(meta.scores_source.as_ref().unwrap().content_hash, content_hash(&scores).unwrap());
    let stored: SelectReport = serde_json::from_value(meta.extra["report"].clone()).unwrap();
    assert_eq!(stored, report);
}

#[test]
fn the_report_counts_signal_positions_and_classes() {
    let dir = tempfile::tempdir().unwrap();
    let chosen: Vec<f32> = (0..20).map(|i| i as f32).collect();
    let scores = write(dir.path(), &[pair(0, &chosen, &[-3.0, 1.0])], Some(EOS));
    let classify = |id| if id == EOS { TokenClass::Special } else { TokenClass::WordPiece };
    let config = SelectConfig::default();
    let report = select_file_classified(&scores, dir.path().join("s"), &config, &classify).unwrap();
    let side = &report.chosen;
    // The last six of twenty: 14 + … + 19 of 190.
    assert_eq!((side.n_tokens, side.n_selected), (20, 6));
    assert_eq!(side.signal_share, Some(99.0 / 190.0));
    assert_eq!((side.positions, side.selected_positions), ([2; 10], [0, 0, 0, 0, 0, 0, 0, 2, 2, 2]));
    assert_eq!((side.n_eos, side.n_eos_selected), (1, 1));
    let classes = side.classes.as_ref().unwrap();
    let counts = |class| (classes[&class].n_tokens, classes[&class].n_selected);
    assert_eq!((counts(TokenClass::Special), counts(TokenClass::WordPiece)), ((1, 1), (19, 5)));
    assert_eq!(report.rejected.signal_share, Some(0.75));
}

#[test]
fn an_end_of_sequence_token_on_one_side_only_is_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    // The closing token's score is the lowest on both sides: selected in rejected, never in chosen responses.
    let pairs: Vec<_> = (0..10).map(|row| pair(row, &[1.0, 0.5, -2.0], &[0.2, 0.5, -2.0])).collect();
    let scores = write(dir.path(), &pairs, Some(EOS));
    let out = dir.path().join("s");
    let report = |config: SelectConfig| select_file(&scores, &out, &config).unwrap();
    let warned = report(SelectConfig::default());
    assert_eq!(warned.warnings, [SelectWarning::EosImbalance { chosen_share: 0.0, rejected_share: 1.0 }]);
    assert!(warned.warnings[0].to_string().contains("100 % of rejected and 0 % of chosen"));
    for eos in [EosRule::Never, EosRule::Both] {
        assert!(report(SelectConfig { eos, ..SelectConfig::default() }).warnings.is_empty());
    }
    assert!(report(SelectConfig { rule: Rule::Salience, ..SelectConfig::default() }).warnings.is_empty());
}

#[test]
fn a_truncated_response_has_no_closing_token() {
    let dir = tempfile::tempdir().unwrap();
    let mut cut = pair(0, &[0.0, 9.0], &[0.0, -9.0]);
    cut.chosen.truncated = true;
    let scores = write(dir.path(), &[cut], Some(EOS));
    let out = dir.path().join("s");
    let config = SelectConfig { eos: EosRule::Never, ..SelectConfig::default() };
    let report = select_file(&scores, &out, &config).unwrap();
    assert_eq!((report.chosen.n_eos, report.rejected.n_eos), (0, 1));
    let kept = &selection(&out)[0];
    assert_eq!((&kept.chosen_weights[..], &kept.rejected_weights[..]), (&[0.0, 1.0][..], &[1.0, 0.0][..]));
}

#[test]
fn the_script_drops_pairs_with_an_empty_side() {
    let dir = tempfile::tempdir().unwrap();
    let long = [0.5, 0.1, 0.2, 0.3, 0.4];
    let pairs = [pair(0, &long, &long), pair(1, &[1.0, 2.0], &long), pair(2, &[1.0], &[1.0])];
    let scores = write(dir.path(), &pairs, None);
    let out = dir.path().join("s");
    let config = SelectConfig { compat: Compat::Official, ..SelectConfig::default() };
    let report = select_file(&scores, &out, &config).unwrap();
    assert_eq!(report.n_dropped, [("empty_both".to_owned(), 1), ("empty_chosen".to_owned(), 1)].into());
    assert_eq!(selection(&out)[0].chosen_weights, [0.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(report.chosen.eos_share, None);
}

#[test]
fn where_nothing_is_kept_no_file_is_written_and_one_that_is_there_stays() {
    let dir = tempfile::tempdir().unwrap();
    let scores = write(dir.path(), &[], None);
    let out = dir.path().join("s");
    let report = select_file(&scores, &out, &SelectConfig::default()).unwrap();
    assert_eq!((report.n_pairs, report.chosen.signal_share), (0, None));
    assert!(!out.exists());
    std::fs::write(&out, "of another run").unwrap();
    select_file(&scores, &out, &SelectConfig::default()).unwrap();
    assert_eq!(std::fs::read(&out).unwrap(), b"of another run");
}

#[test]
fn what_cannot_be_selected_is_an_error_and_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let scores = write(dir.path(), &[pair(0, &[1.0], &[1.0]), pair(44, &[1.0, f32::NAN], &[1.0])], None);
    let out = dir.path().join("selection.parquet");
    let error = select_file(&scores, &out, &SelectConfig::default()).unwrap_err();
    assert!(matches!(error, SelectError::NonFiniteScore { row: 44, token: 1, .. }));
    assert_eq!(error.to_string(), "row 44 has the score NaN at chosen token 1");
    let eos = SelectConfig { eos: EosRule::Never, ..SelectConfig::default() };
    assert!(matches!(select_file(&scores, &out, &eos).unwrap_err(), SelectError::UnknownEos { .. }));
    let same = dir.path().join(".").join("scores.parquet");
    let error = select_file(&scores, same, &SelectConfig::default()).unwrap_err();
    assert!(matches!(error, SelectError::OverwritesScores { .. }));
    assert!(matches!(
        select_file(dir.path().join("absent"), &out, &eos).unwrap_err(),
        SelectError::Artifact(_)
    ));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
