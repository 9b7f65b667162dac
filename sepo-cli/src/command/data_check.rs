//! `sepo-cli data check`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use sepo_data::{
    DataError, Detected, EncodedPair, EncodedRow, PairContent, PairFormat, PairRow, PairSource,
    PairTokenizer, PreferencePair, SourceCounts, TokenizeReport, format::TextItem, open_texts,
};
use serde::Serialize;

use super::bad_rows::BadRows;
use crate::args::CheckArgs;
use crate::console::{grouped, percent, result};
use crate::exit::{CliError, Exit};
use crate::length::max_length_of_tokenizer;
use crate::memory::Memory;
use crate::model_dir::load_tokenizer;
use crate::pairs::{describe as describe_bad, describe_skipped, say_left_out};

/// What is in a data set.
#[derive(Debug, Default, Serialize)]
struct Check {
    format: String,
    reason: String,
    splits: Vec<String>,
    rows: u64,
    usable: u64,
    unusable: BTreeMap<String, u64>,
    bad_rows: Vec<String>,
    /// Bytes, or tokens where a tokenizer was given.
    unit: &'static str,
    /// Tokens of a sequence at most, where a tokenizer was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_length: Option<usize>,
    lengths: BTreeMap<&'static str, Lengths>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokenized: Option<TokenizeReport>,
    /// What came of the rows before any was looked at; of texts, nothing.
    source: SourceCounts,
}

/// Lengths of one part, in powers of two: bucket `i` holds lengths from `2^i` up, the first one also 0.
#[derive(Debug, Default, Serialize)]
struct Lengths {
    n: u64,
    total: u64,
    longest: u64,
    buckets: Vec<u64>,
}

impl Lengths {
    fn add(&mut self, length: usize) {
        let bucket = length.max(1).ilog2() as usize;
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.n += 1;
        self.total += length as u64;
        self.longest = self.longest.max(length as u64);
    }
}

pub(crate) fn run(args: &CheckArgs) -> Result<Exit, CliError> {
    crate::machine::prepare_cpu(&args.machine)?;
    let config = args.input.read.source_config(&Memory::default().spill(&std::env::temp_dir()));
    let load = |dir: &PathBuf| {
        let length = max_length_of_tokenizer(args.tokens.max_length, dir);
        load_tokenizer(dir, &args.tokens.config(length))
    };
    if let (None, Some(flag)) = (&args.tokenizer, args.tokens.typed()) {
        return Err(CliError::usage(
            format!("without `--tokenizer` lengths are counted in bytes, and `{flag}` changes nothing"),
            format!("name a model folder with `--tokenizer DIR`, or leave `{flag}` out"),
        ));
    }
    let tokenizer = args.tokenizer.as_ref().map(load).transpose()?;
    let mut check = Check {
        unit: if tokenizer.is_some() { "tokens" } else { "bytes" },
        max_length: tokenizer.as_ref().map(|tokenizer| tokenizer.config().truncation.max_length),
        ..Check::default()
    };
    let mut bad_rows = BadRows::naming_at_most(args.show_bad_rows);
    match PairSource::open(&args.input.inputs, &config) {
        Ok(source) => {
            let tally = source.tally();
            check.read_pairs(source, tokenizer, &mut bad_rows)?;
            check.source = tally.counts();
            check.rows = check.source.n_rows;
            say_left_out(&args.input.inputs, &args.input.read, &check.source);
        }
        Err(DataError::NotPairs { .. }) => {
            refuse_of_pairs(args)?;
            check.read_texts(args, &mut bad_rows)?;
        }
        Err(error) => return Err(error.into()),
    }
    (check.unusable, check.bad_rows) = bad_rows.finish();
    result(args.machine.form(), &check, describe)?;
    if check.usable == 0 {
        return Err(CliError::new(Exit::Data, "no row of the data can be used", "see the reasons above"));
    }
    let unusable: u64 = check.unusable.values().sum();
    if args.input.read.strict && unusable > 0 {
        return Err(CliError::new(
            Exit::Data,
            "some rows cannot be used",
            "mend them, or leave `--strict` out",
        ));
    }
    if args.input.read.max_bad_rows.is_some_and(|bound| unusable > bound) {
        return Err(CliError::new(
            Exit::Data,
            format!("{} rows cannot be used", grouped(unusable)),
            "see the reasons above, or raise `--max-bad-rows`",
        ));
    }
    Ok(Exit::Done)
}

/// Texts have no prompt and no responses that could be the same, and are read as they come.
fn refuse_of_pairs(args: &CheckArgs) -> Result<(), CliError> {
    let read = &args.input.read;
    let typed = [("--mix", !read.mix.is_empty()), ("--dedup", read.dedup)];
    match typed.into_iter().find(|(_, is_typed)| *is_typed) {
        Some((flag, _)) => {
            let message = format!("`{flag}` is for pairs, and the data holds plain text");
            Err(CliError::usage(message, format!("leave `{flag}` out")))
        }
        None => Ok(()),
    }
}

impl Check {
    fn read_pairs(
        &mut self,
        source: PairSource,
        tokenizer: Option<PairTokenizer>,
        bad_rows: &mut BadRows,
    ) -> Result<(), CliError> {
        let of_each = |part: fn(&Detected) -> String| {
            let mut found: Vec<String> = source.formats().map(part).collect();
            found.dedup();
            found.join("; ")
        };
        self.format = of_each(|found| found.format.to_string());
        self.reason = of_each(|found| found.reason.clone());
        self.splits =
            source.splits().map(|split| format!("{} of {}", split.split, split.folder.display())).collect();
        let Some(tokenizer) = tokenizer else {
            for row in source {
                match row? {
                    PairRow::Pair(pair) => self.add_text(&pair),
                    PairRow::Bad(bad) => bad_rows.add(bad.reason.name(), || describe_bad(&bad)),
                }
            }
            return Ok(());
        };
        let mut encoded = Arc::new(tokenizer).encode_rows(source, rayon::current_num_threads());
        for row in encoded.by_ref() {
            match row? {
                EncodedRow::Pair(EncodedPair { pair, .. }) => self.add([
                    ("prompt", pair.prompt_ids.len()),
                    ("chosen", pair.chosen.ids.len()),
                    ("rejected", pair.rejected.ids.len()),
                ]),
                EncodedRow::Bad(bad) => bad_rows.add(bad.reason.name(), || describe_bad(&bad)),
                EncodedRow::Skipped(skipped) => {
                    bad_rows.add(skipped.reason.kind(), || describe_skipped(&skipped));
                }
            }
        }
        self.tokenized = Some(encoded.report().clone());
        Ok(())
    }

    fn add_text(&mut self, pair: &PreferencePair) {
        let messages = |messages: &[sepo_data::Message]| messages.iter().map(|m| m.content.len()).sum();
        if let PairContent::Tokens { .. } = pair.content {
            self.unit = "tokens";
        }
        self.add(match &pair.content {
            PairContent::Text { prompt, chosen, rejected } => {
                [("prompt", prompt.len()), ("chosen", chosen.len()), ("rejected", rejected.len())]
            }
            PairContent::Chat { prompt, chosen, rejected } => {
                [("prompt", messages(prompt)), ("chosen", messages(chosen)), ("rejected", messages(rejected))]
            }
            PairContent::Tokens { prompt_ids, chosen_ids, rejected_ids } => {
                [("prompt", prompt_ids.len()), ("chosen", chosen_ids.len()), ("rejected", rejected_ids.len())]
            }
        });
    }

    fn read_texts(&mut self, args: &CheckArgs, bad_rows: &mut BadRows) -> Result<(), CliError> {
        let reader = open_texts(&args.input.inputs, &args.input.read.read_config())?;
        self.format = PairFormat::Text.to_string();
        self.reason.clone_from(&reader.format().reason);
        let limit =
            args.input.read.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        for item in reader.take(limit) {
            self.rows += 1;
            match item? {
                TextItem::Text(row) => self.add([("text", row.text.len())]),
                TextItem::Bad(bad) => {
                    bad_rows.add(bad.reason.name(), || describe_bad(&bad));
                }
            }
        }
        Ok(())
    }

    fn add<const N: usize>(&mut self, parts: [(&'static str, usize); N]) {
        self.usable += 1;
        for (part, length) in parts {
            self.lengths.entry(part).or_default().add(length);
        }
    }
}

fn describe(check: &Check) -> String {
    let mut text = format!("format: {} ({})", check.format, check.reason);
    for split in &check.splits {
        text += &format!("\nsplit: {split}");
    }
    let share = (check.rows > 0).then(|| check.usable as f64 / check.rows as f64);
    text +=
        &format!("\nrows: {}, usable: {} ({})", grouped(check.rows), grouped(check.usable), percent(share));
    for (reason, n) in &check.unusable {
        text += &format!("\n  not usable, {reason}: {}", grouped(*n));
    }
    for row in &check.bad_rows {
        text += &format!("\n    {row}");
    }
    let listed = check.bad_rows.len() as u64;
    let unlisted = check.unusable.values().sum::<u64>() - listed;
    if unlisted > 0 {
        text += &format!("\n    … and {} more (`--show-bad-rows`)", grouped(unlisted));
    }
    for (part, lengths) in &check.lengths {
        text += &format!("\n{part}: {}", describe_lengths(lengths, check.unit));
    }
    if let Some(max_length) = check.max_length {
        text += &format!("\nmax length: {} tokens, prompt and response together", grouped(max_length as u64));
    }
    if let Some(report) = &check.tokenized {
        for (name, side) in [("chosen", &report.chosen), ("rejected", &report.rejected)] {
            text += &format!(
                "\n{name}: {} truncated ({} tokens cut), {} tokenized apart from the prompt",
                grouped(side.n_truncated),
                grouped(side.n_tokens_cut),
                grouped(side.n_resplit)
            );
        }
        text += &format!("\nprompts truncated: {}", grouped(report.n_prompts_truncated));
    }
    text
}

/// Mean and longest, and a bar for each power of two.
fn describe_lengths(lengths: &Lengths, unit: &str) -> String {
    const WIDTH: u64 = 40;
    let mean = lengths.total as f64 / lengths.n.max(1) as f64;
    let mut text = format!("mean {mean:.1} {unit}, longest {}", grouped(lengths.longest));
    let most = lengths.buckets.iter().max().copied().unwrap_or(0).max(1);
    let first = lengths.buckets.iter().position(|n| *n > 0).unwrap_or(0);
    for (i, n) in lengths.buckets.iter().enumerate().skip(first) {
        let bar = "█".repeat(usize::try_from((n * WIDTH).div_ceil(most)).unwrap_or_default());
        text += &format!("\n  {:>8}+ {:>8} {bar}", grouped(1 << i), grouped(*n));
    }
    text
}
