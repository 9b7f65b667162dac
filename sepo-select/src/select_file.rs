//! `scores.parquet` into `selection.parquet`.

use std::path::Path;

use rayon::prelude::*;
use sepo_data::{
    ArtifactError, ContentSource, ScoredPair, ScoresMeta, ScoresReader, SelectedPair, SelectionMeta,
    SelectionWriter, content_hash,
};
use serde_json::{Map, Value};

use crate::data_set::{StrataSelector, selector};
use crate::report::ReportedResponse;
use crate::{
    EosRule, KeepFraction, PairScores, ResponseEnd, Rule, Scope, SelectConfig, SelectError, SelectReport,
    Selected, TokenClass, select_batch, select_pair,
};

/// Pairs held in memory at a time.
const CHUNK_PAIRS: usize = 1024;

/// What the selection did; the selection itself is in the file `out`, which appears only when complete.
///
/// Pairs of which a side has nothing selected are left out and counted by reason; where no pair is left, no file is
/// written, and one that is there stays as it is. The report is also stored in the
/// file's metadata, beside the settings and the scores' own metadata.
///
/// # Errors
///
/// * Those of [`select_pair`] for any row; where the scope is the data set, those of
///   [`DataSetCounter`](crate::DataSetCounter).
/// * [`SelectError::UnknownEos`]: an [`EosRule`] other than `Rule` on scores that name no end-of-sequence token.
/// * [`SelectError::OverwritesScores`]: `out` is the scores' file.
/// * [`SelectError::Artifact`]: the scores cannot be read, or the selection not be written.
///
/// # Examples
///
/// ```no_run
/// let report = sepo_select::select_file("scores.parquet", "selection.parquet", &Default::default())?;
/// println!("{} of {} chosen tokens", report.chosen.n_selected, report.chosen.n_tokens);
/// # Ok::<(), sepo_select::SelectError>(())
/// ```
pub fn select_file(
    scores: impl AsRef<Path>,
    out: impl AsRef<Path>,
    config: &SelectConfig,
) -> Result<SelectReport, SelectError> {
    run(scores.as_ref(), out.as_ref(), config, FileOptions::default())
}

/// The same as [`select_file`], with tokens counted by the class that `classify` gives their ids.
///
/// # Errors
///
/// Those of [`select_file`].
pub fn select_file_classified(
    scores: impl AsRef<Path>,
    out: impl AsRef<Path>,
    config: &SelectConfig,
    classify: &dyn Fn(u32) -> TokenClass,
) -> Result<SelectReport, SelectError> {
    let options = FileOptions { classify: Some(classify), ..FileOptions::default() };
    run(scores.as_ref(), out.as_ref(), config, options)
}

/// What else [`select_file_with`] counts and keeps.
#[derive(Clone, Default)]
pub struct FileOptions<'a> {
    /// The class of an id, by which tokens are counted.
    pub classify: Option<&'a dyn Fn(u32) -> TokenClass>,
    /// More for the selection's metadata ([`SelectionMeta::extra`]), such as a caller's record of where all comes from.
    pub extra: Map<String, Value>,
}

/// The same as [`select_file`], with tokens counted by class and more in the file's metadata.
///
/// An entry of [`FileOptions::extra`] stands in place of one that the scores' metadata has under the same name: what they
/// say of themselves is the selection's to tell.
///
/// # Errors
///
/// Those of [`select_file`].
pub fn select_file_with(
    scores: impl AsRef<Path>,
    out: impl AsRef<Path>,
    config: &SelectConfig,
    options: FileOptions<'_>,
) -> Result<SelectReport, SelectError> {
    run(scores.as_ref(), out.as_ref(), config, options)
}

fn run(
    scores: &Path,
    out: &Path,
    config: &SelectConfig,
    options: FileOptions<'_>,
) -> Result<SelectReport, SelectError> {
    let FileOptions { classify, extra } = options;
    config.check()?;
    let mut reader = ScoresReader::open(scores)?;
    refuse_overwriting(scores, out)?;
    let eos_token_id = reader.meta().eos_token_id;
    if config.eos != EosRule::Rule && eos_token_id.is_none() {
        return Err(SelectError::UnknownEos { path: scores.to_path_buf(), eos: config.eos });
    }
    let mut meta = selection_meta(scores, reader.meta(), config)?;
    if let Some(scores) = &mut meta.scores {
        scores.extra.retain(|name, _| !extra.contains_key(name));
    }
    meta.extra = extra;
    let mut writer = SelectionWriter::create(out, meta)?;
    let mut report = SelectReport { config: *config, ..SelectReport::default() };
    let mut of_all = match config.scope {
        Scope::Response | Scope::Batch { .. } => None,
        Scope::DataSet | Scope::Length => Some(selector(scores, config)?),
    };
    // Batches do not straddle chunks.
    let n_chunk = match config.scope {
        Scope::Batch { n_pairs } => n_pairs,
        _ => CHUNK_PAIRS,
    };
    loop {
        let chunk = reader.by_ref().take(n_chunk).collect::<Result<Vec<_>, ArtifactError>>()?;
        if chunk.is_empty() {
            break;
        }
        let selected = select_chunk(config, &chunk, eos_token_id, of_all.as_mut())?;
        for (pair, selected) in chunk.into_iter().zip(selected) {
            if let Some(kept) = report.add(pair, selected, eos_token_id, classify) {
                writer.write(&kept)?;
            }
        }
    }
    if let Some(of_all) = of_all {
        (report.cuts, report.length_cuts) = of_all.finish()?;
    }
    report.finish();
    if report.n_kept == 0 {
        return Ok(report);
    }
    let meta = writer.meta_mut();
    meta.n_dropped.clone_from(&report.n_dropped);
    meta.extra.insert("report".to_owned(), to_value(&report)?);
    writer.finish()?;
    Ok(report)
}

/// What each pair keeps. Responses are independent of each other; from a whole data set pairs select in their order.
fn select_chunk(
    config: &SelectConfig,
    chunk: &[ScoredPair],
    eos_token_id: Option<u32>,
    of_all: Option<&mut StrataSelector>,
) -> Result<Vec<Selected>, SelectError> {
    if let Some(of_all) = of_all {
        return chunk.iter().map(|pair| of_all.select(scores_of(pair, eos_token_id))).collect();
    }
    if let Scope::Batch { .. } = config.scope {
        let batch: Vec<_> = chunk.iter().map(|pair| scores_of(pair, eos_token_id)).collect();
        return select_batch(config, &batch);
    }
    // The first error in the file's order, whichever was found first.
    let selected: Vec<_> =
        chunk.par_iter().map(|pair| select_pair(config, scores_of(pair, eos_token_id))).collect();
    selected.into_iter().collect()
}

fn scores_of(pair: &ScoredPair, eos_token_id: Option<u32>) -> PairScores<'_> {
    let [chosen_end, rejected_end] = ends(pair, eos_token_id);
    PairScores {
        row: pair.row,
        chosen_scores: &pair.chosen.scores,
        rejected_scores: &pair.rejected.scores,
        chosen_end,
        rejected_end,
    }
}

fn ends(pair: &ScoredPair, eos_token_id: Option<u32>) -> [ResponseEnd; 2] {
    [&pair.chosen, &pair.rejected].map(|r| ResponseEnd::of(&r.ids, eos_token_id, r.truncated))
}

impl SelectReport {
    /// Counts a pair; it comes back where it is kept.
    fn add(
        &mut self,
        pair: ScoredPair,
        selected: Selected,
        eos_token_id: Option<u32>,
        classify: Option<&dyn Fn(u32) -> TokenClass>,
    ) -> Option<SelectedPair> {
        if let Some(reason) = selected.drop_reason() {
            self.drop_pair(reason);
            return None;
        }
        self.n_pairs += 1;
        self.n_kept += 1;
        let [chosen_end, rejected_end] = ends(&pair, eos_token_id);
        let sides = [
            (&mut self.chosen, &pair.chosen, &selected.chosen_weights, chosen_end),
            (&mut self.rejected, &pair.rejected, &selected.rejected_weights, rejected_end),
        ];
        for (report, response, weights, end) in sides {
            let (ids, scores) = (&response.ids, &response.scores);
            report.add(ReportedResponse { ids, scores, weights, end }, classify);
        }
        Some(SelectedPair {
            row: pair.row,
            prompt_ids: pair.prompt_ids,
            chosen_ids: pair.chosen.ids,
            rejected_ids: pair.rejected.ids,
            chosen_weights: selected.chosen_weights,
            rejected_weights: selected.rejected_weights,
        })
    }
}

fn selection_meta(
    path: &Path,
    scores: &ScoresMeta,
    config: &SelectConfig,
) -> Result<SelectionMeta, SelectError> {
    let settings = match to_value(config)? {
        Value::Object(settings) => settings,
        _ => Map::new(),
    };
    Ok(SelectionMeta {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        rule: config.rule.name().to_owned(),
        settings,
        keep_chosen: nominal_share(config, config.keep_chosen),
        keep_rejected: nominal_share(config, config.keep_rejected),
        scores_source: Some(ContentSource {
            path: path.display().to_string(),
            content_hash: content_hash(path)?,
        }),
        scores: Some(scores.clone()),
        ..SelectionMeta::default()
    })
}

/// The share of a response that the rule keeps by design; none where the number follows from the scores.
fn nominal_share(config: &SelectConfig, keep: KeepFraction) -> Option<f64> {
    match config.rule {
        _ if config.scope != Scope::Response => None,
        Rule::All => Some(1.0),
        rule => rule.keeps_a_share().then(|| keep.as_f64()),
    }
}

fn to_value(value: &impl serde::Serialize) -> Result<Value, SelectError> {
    serde_json::to_value(value).map_err(|source| SelectError::Settings { source })
}

fn refuse_overwriting(scores: &Path, out: &Path) -> Result<(), SelectError> {
    match (scores.canonicalize(), out.canonicalize()) {
        (Ok(scores), Ok(same)) if scores == same => {
            Err(SelectError::OverwritesScores { path: out.to_path_buf() })
        }
        _ => Ok(()),
    }
}
