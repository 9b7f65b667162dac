//! `sepo-cli select`

use std::path::Path;

use sepo_data::{PairTokenizer, ScoresReader, TokenizeConfig};
use sepo_select::{
    DataSetCut, FileOptions, Rule, SelectConfig, SelectReport, SideReport, TokenClass, select_file_with,
};
use serde_json::Map;

use super::select_config::config;
use super::stage;
use crate::args::SelectArgs;
use crate::console::{grouped, percent, result, warn};
use crate::exit::{CliError, Exit};
use crate::model_dir::load_tokenizer;
use crate::provenance::{self, OnChange, Origin, RECORD_KEY, Record};

/// Everything that decides a selection.
#[derive(Debug)]
pub(crate) struct SelectJob<'a> {
    pub(crate) scores: &'a Path,
    /// Model folder whose tokenizer tells classes of tokens apart.
    pub(crate) tokenizer: Option<&'a Path>,
    pub(crate) config: SelectConfig,
    /// What happens where the scores are not what a record says.
    pub(crate) on_change: OnChange,
    /// File to write.
    pub(crate) out: &'a Path,
}

pub(crate) fn run(args: &SelectArgs) -> Result<Exit, CliError> {
    crate::machine::prepare_cpu(&args.machine)?;
    let config = config(args)?;
    let _lock = crate::claim::file(&args.out)?;
    let job = SelectJob {
        scores: &args.scores,
        tokenizer: args.tokenizer.as_deref(),
        config,
        on_change: args.change.on_change(),
        out: &args.out,
    };
    let report = make(&job)?;
    for warning in &report.warnings {
        warn(warning.to_string());
    }
    result(args.machine.form(), &report, |report| describe(report, &args.out))?;
    check_kept(&report)?;
    Ok(Exit::Done)
}

/// What the selection did; with a model folder, tokens are counted by class too.
pub(crate) fn make(job: &SelectJob<'_>) -> Result<SelectReport, CliError> {
    let load = |dir: &Path| load_tokenizer(dir, &TokenizeConfig::default());
    let tokenizer = job.tokenizer.map(load).transpose()?;
    let record = record(job, tokenizer.as_ref())?;
    let extra = Map::from_iter([(RECORD_KEY.to_owned(), provenance::to_value(&record)?)]);
    let classify = |id: u32| tokenizer.as_ref().map_or(TokenClass::Special, |tokenizer| class(tokenizer, id));
    let classify: Option<&dyn Fn(u32) -> TokenClass> =
        if tokenizer.is_some() { Some(&classify) } else { None };
    Ok(select_file_with(job.scores, job.out, &job.config, FileOptions { classify, extra })?)
}

/// What the selection is made from; a tokenizer decides what is counted, not what is kept.
fn record(job: &SelectJob<'_>, tokenizer: Option<&PairTokenizer>) -> Result<Record, CliError> {
    let folder = job.out.parent().unwrap_or(Path::new(""));
    let mut origin = Origin::beside(folder, job.on_change);
    let scores = ScoresReader::open(job.scores)?;
    origin.file("scores", job.scores)?;
    if let (Some(dir), Some(ours)) = (job.tokenizer, tokenizer.and_then(PairTokenizer::tokenizer_hash))
        && let Some(made_with) = scores.meta().tokenizer.as_ref()
    {
        let differences = stage::other_hash("tokenizer.json", &made_with.content_hash, ours);
        let what = format!("the scores were made with another tokenizer than that in `{}`", dir.display());
        origin.hold((&what, "tokenizer", dir), differences)?;
    }
    if let Some(dir) = job.tokenizer {
        origin.tokenizer("tokenizer", dir)?;
    }
    let seed = match job.config.rule {
        Rule::Random { seed } => Some(seed),
        _ => None,
    };
    origin.into_record("select", seed, &job.config)
}

/// An error where nothing is left to train on.
pub(crate) fn check_kept(report: &SelectReport) -> Result<(), CliError> {
    if report.n_kept == 0 {
        return Err(CliError::new(
            Exit::Data,
            "no pair is left after the selection",
            "keep more: raise `--keep-chosen` and `--keep-rejected`, lower `--threshold`, or use `--scope response`",
        ));
    }
    Ok(())
}

/// The class of a token, special ones by the tokenizer's word.
pub(crate) fn class(tokenizer: &PairTokenizer, id: u32) -> TokenClass {
    let special = tokenizer.special_tokens();
    if special.closing_ids.contains(&id) || special.bos.is_some_and(|bos| bos.id == id) {
        return TokenClass::Special;
    }
    tokenizer.token_text(id).map_or(TokenClass::Special, |text| TokenClass::of_text(&text))
}

pub(crate) fn describe(report: &SelectReport, out: &Path) -> String {
    let mut text = format!("{} of {} pairs kept; ", grouped(report.n_kept), grouped(report.n_pairs));
    text += &match report.n_kept {
        0 => format!("`{}` is not written", out.display()),
        _ => format!("selection in `{}`", out.display()),
    };
    for (reason, n) in &report.n_dropped {
        text += &format!("\n  dropped, {reason}: {}", grouped(*n));
    }
    for (name, side) in [("chosen", &report.chosen), ("rejected", &report.rejected)] {
        text += &format!("\n{name}: {}", describe_side(side));
    }
    let cuts = report.cuts.iter().flat_map(|cuts| [("chosen", &cuts.chosen), ("rejected", &cuts.rejected)]);
    for (name, cut) in cuts {
        text += &format!("\nof all {name} candidates: {}", describe_cut(cut));
    }
    for stratum in &report.length_cuts {
        let (from, cuts) = (stratum.from_tokens, &stratum.cuts);
        for (name, cut) in [("chosen", &cuts.chosen), ("rejected", &cuts.rejected)] {
            text += &format!(
                "\nof {name} candidates in responses of {from} to {} tokens: {}",
                2 * from - 1,
                describe_cut(cut)
            );
        }
    }
    text
}

fn describe_cut(cut: &DataSetCut) -> String {
    let mut text = format!("{} of {}", grouped(cut.n_selected), grouped(cut.n_candidates));
    if let Some(score) = cut.score {
        text += &format!(
            ", the last with {score:+.4} ({} with the same score left out)",
            grouped(cut.n_ties_left)
        );
    }
    text
}

fn describe_side(side: &SideReport) -> String {
    let mut text = format!(
        "{} of {} tokens, holding {} of the summed |score|; the closing token in {} of responses",
        grouped(side.n_selected),
        grouped(side.n_tokens),
        percent(side.signal_share),
        percent(side.eos_share)
    );
    if let Some(mean) = side.mean_weight {
        let negative = match side.n_negative {
            0 => String::new(),
            n => format!(", {} below 0", grouped(n)),
        };
        text += &format!(
            "\n  mean weight {mean:.4}{negative}; {} of the mass of both sides",
            percent(side.mass_share)
        );
    }
    let share = |selected: u64, of: u64| format!("{:.0}", 100.0 * selected as f64 / of.max(1) as f64);
    let bins =
        side.selected_positions.iter().zip(&side.positions).map(|(selected, all)| share(*selected, *all));
    text += &format!("\n  selected by position, start to end: {} %", bins.collect::<Vec<_>>().join(" "));
    for (class, counts) in side.classes.iter().flatten() {
        text += &format!(
            "\n  {class:?}: {} of {} ({} %)",
            grouped(counts.n_selected),
            grouped(counts.n_tokens),
            share(counts.n_selected, counts.n_tokens)
        );
    }
    text
}
