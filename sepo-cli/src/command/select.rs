//! `sepo-cli select`

use std::path::Path;

use sepo_data::{PairTokenizer, TokenizeConfig};
use sepo_select::{
    Compat, DataSetCut, EosRule, Rule, SelectConfig, SelectReport, SideReport, TokenClass, select_file,
    select_file_classified,
};

use crate::args::{EosArg, RuleArg, SelectArgs};
use crate::console::{grouped, percent, result, warn};
use crate::exit::{CliError, Exit};
use crate::model_dir::load_tokenizer;

pub(crate) fn run(args: &SelectArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    let config = config(args)?;
    let report = make(&args.scores, &args.out, args.tokenizer.as_deref(), &config)?;
    for warning in &report.warnings {
        warn(warning.to_string());
    }
    result(args.machine.form(), &report, |report| describe(report, &args.out))?;
    check_kept(&report)?;
    Ok(Exit::Done)
}

/// What the selection from `scores` into `out` did; with a model folder, tokens are counted by class too.
pub(crate) fn make(
    scores: &Path,
    out: &Path,
    tokenizer: Option<&Path>,
    config: &SelectConfig,
) -> Result<SelectReport, CliError> {
    let Some(dir) = tokenizer else { return Ok(select_file(scores, out, config)?) };
    let tokenizer = load_tokenizer(dir, &TokenizeConfig::default())?;
    Ok(select_file_classified(scores, out, config, &|id| class(&tokenizer, id))?)
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

fn config(args: &SelectArgs) -> Result<SelectConfig, CliError> {
    let foreign = |flag: &str, rule: &str| {
        CliError::usage(
            format!("`{flag}` has a meaning for `--rule {rule}` only"),
            format!("leave `{flag}` out"),
        )
    };
    if args.threshold.is_some() && args.rule != RuleArg::Threshold {
        return Err(foreign("--threshold", "threshold"));
    }
    if args.seed.is_some() && args.rule != RuleArg::Random {
        return Err(foreign("--seed", "random"));
    }
    let shares = [("--keep-chosen", args.keep_chosen), ("--keep-rejected", args.keep_rejected)];
    let keeps_a_share = !matches!(args.rule, RuleArg::Threshold | RuleArg::All);
    if let Some((flag, _)) = shares.into_iter().find(|(_, share)| share.is_some() && !keeps_a_share) {
        return Err(foreign(flag, "sepo|salience|random"));
    }
    let default = SelectConfig::default();
    Ok(SelectConfig {
        rule: match args.rule {
            RuleArg::Sepo => Rule::Sepo,
            RuleArg::Salience => Rule::Salience,
            RuleArg::Threshold => Rule::Threshold { at: args.threshold.unwrap_or(0.0) },
            RuleArg::Random => Rule::Random { seed: args.seed.unwrap_or(0) },
            RuleArg::All => Rule::All,
        },
        keep_chosen: args.keep_chosen.unwrap_or(default.keep_chosen),
        keep_rejected: args.keep_rejected.unwrap_or(default.keep_rejected),
        scope: args.scope.into(),
        eos: match args.eos {
            EosArg::Rule => EosRule::Rule,
            EosArg::Never => EosRule::Never,
            EosArg::Both => EosRule::Both,
        },
        compat: if args.official_compat { Compat::Official } else { Compat::Exact },
    })
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
    let mut text = format!(
        "{} of {} pairs kept; selection in `{}`",
        grouped(report.n_kept),
        grouped(report.n_pairs),
        out.display()
    );
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
