//! Pairs from files to token ids, with every row that cannot be used counted and named.

use std::collections::BTreeMap;
use std::error::Error;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use sepo_data::{
    BadRow, ContentSource, EncodedRow, EncodedRows, PairSource, PairTokenizer, Part, SkippedPair,
    SourceCounts, Tally, TokenizeReport, TokenizedPair, content_hash,
};
use sepo_train::Spill;
use serde::Serialize;

use crate::args::DataArgs;
use crate::console::{grouped, percent, say, warn};
use crate::exit::{CliError, Exit};
use crate::undone::Undone;

/// Unusable rows that are named one by one; the rest is counted.
const NAMED: u64 = 5;

/// What became of the rows of an input.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct RowCounts {
    /// Rows that became pairs of ids.
    pub(crate) used: u64,
    /// Rows that could not be used, by reason.
    pub(crate) unusable: BTreeMap<String, u64>,
    /// Pairs that were there before, where these are left out.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) duplicates: u64,
    /// Pairs of the other part, where some are held out.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) of_other_part: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl RowCounts {
    pub(crate) fn n_unusable(&self) -> u64 {
        self.unusable.values().sum()
    }

    /// Rows that did not become pairs of ids, by reason.
    pub(crate) fn n_dropped(&self) -> BTreeMap<String, u64> {
        let left_out = [("duplicate", self.duplicates), ("other-part", self.of_other_part)];
        let left_out = left_out.into_iter().filter(|(_, n)| *n > 0).map(|(reason, n)| (reason.to_owned(), n));
        self.unusable.clone().into_iter().chain(left_out).collect()
    }
}

/// What was met on the way, and why it ended.
#[derive(Debug, Default)]
struct Met {
    counts: RowCounts,
    failure: Option<CliError>,
}

/// Fails where the user asked to stop at the `n`th row that cannot be used, which `text` describes.
pub(crate) fn check_unusable(args: &DataArgs, n: u64, text: &str) -> Result<(), CliError> {
    if args.strict {
        let help = "mend the row, or leave `--strict` out to skip it";
        return Err(CliError::new(Exit::Data, text.to_owned(), help));
    }
    if args.max_bad_rows.is_some_and(|bound| n > bound) {
        let message = format!("{n} rows cannot be used, the last one: {text}");
        return Err(CliError::new(
            Exit::Data,
            message,
            "see `sepo-cli data check`, or raise `--max-bad-rows`",
        ));
    }
    Ok(())
}

impl Met {
    /// Counts a row that cannot be used; the bound of the user turns it into a failure.
    fn unusable(&mut self, args: &DataArgs, kind: &str, text: String) {
        *self.counts.unusable.entry(kind.to_owned()).or_default() += 1;
        let n = self.counts.n_unusable();
        self.failure = check_unusable(args, n, &text).err();
        if self.failure.is_none() && n <= NAMED {
            warn(text);
        } else if n == NAMED + 1 {
            warn("more rows cannot be used; they are counted, and `sepo-cli data check` names them");
        }
    }
}

/// `file, row 3: the chosen response is empty`.
pub(crate) fn describe(bad: &BadRow) -> String {
    format!("{}, row {}: {}", bad.file.display(), bad.row, bad.reason)
}

/// The same of a pair that the tokenizer refused.
pub(crate) fn describe_skipped(skipped: &SkippedPair) -> String {
    let mut text = format!("{}, row {}: {}", skipped.file.display(), skipped.file_row, skipped.reason);
    let mut cause = skipped.reason.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// A stream of tokenized pairs, read and tokenized ahead. It ends with the first failure.
pub(crate) struct PairStream<'a> {
    encoded: EncodedRows,
    inputs: Vec<String>,
    tally: Tally,
    /// Tokens of a sequence at most.
    max_length: usize,
    args: &'a DataArgs,
    met: Met,
    has_failed: bool,
    /// What tokenization did in earlier runs.
    before: TokenizeReport,
}

impl<'a> PairStream<'a> {
    /// Opens `inputs` and says what format they have and why; `spill` is of the examples to be made.
    pub(crate) fn open(
        inputs: &[String],
        args: &'a DataArgs,
        tokenizer: &Arc<PairTokenizer>,
        spill: &Spill,
    ) -> Result<Self, CliError> {
        Self::open_undone((inputs, args), tokenizer, spill, (Vec::new(), TokenizeReport::default()))
    }

    /// The same without the pairs at places that earlier runs have dealt with, and with what became of those.
    pub(crate) fn open_undone(
        (inputs, args): (&[String], &'a DataArgs),
        tokenizer: &Arc<PairTokenizer>,
        spill: &Spill,
        (done, before): (Vec<Range<u64>>, TokenizeReport),
    ) -> Result<Self, CliError> {
        let source = open(inputs, args, spill)?;
        let tally = source.tally();
        let counts = RowCounts { unusable: before.skipped.clone(), ..RowCounts::default() };
        let met = Met { counts, ..Met::default() };
        let max_length = tokenizer.config().truncation.max_length;
        let encoded = tokenizer.encode_rows(Undone::new(source, done), rayon::current_num_threads());
        let inputs = inputs.to_vec();
        Ok(Self { encoded, inputs, tally, max_length, args, met, has_failed: false, before })
    }

    /// Counts so far.
    pub(crate) fn counts(&self) -> RowCounts {
        let SourceCounts { n_duplicates, n_other_part, .. } = self.tally.counts();
        RowCounts {
            used: self.total().n_pairs,
            duplicates: n_duplicates,
            of_other_part: n_other_part,
            ..self.met.counts.clone()
        }
    }

    /// What tokenization did so far, in this run and before.
    fn total(&self) -> TokenizeReport {
        let mut total = self.before.clone();
        total.merge(self.report());
        total
    }

    /// What tokenization did so far in this run.
    pub(crate) fn report(&self) -> &TokenizeReport {
        self.encoded.report()
    }

    /// Says what became of the rows; an error where none could be used.
    pub(crate) fn close(&self) -> Result<(), CliError> {
        let counts = self.counts();
        let report = self.total();
        say(format!(
            "data: {} pairs, {} prompt tokens, {} chosen, {} rejected, at most {} a sequence",
            grouped(counts.used),
            grouped(report.n_prompt_tokens),
            grouped(report.chosen.n_tokens),
            grouped(report.rejected.n_tokens),
            grouped(self.max_length as u64)
        ));
        let notes = [
            ("prompts cut at their start", report.n_prompts_truncated),
            ("chosen responses cut at their end", report.chosen.n_truncated),
            ("rejected responses cut at their end", report.rejected.n_truncated),
            (
                "responses tokenized apart from their prompt",
                report.chosen.n_resplit + report.rejected.n_resplit,
            ),
            (
                "responses with text after their closing token dropped",
                report.chosen.n_dropped_tails + report.rejected.n_dropped_tails,
            ),
        ];
        for (what, n) in notes.into_iter().filter(|(_, n)| *n > 0) {
            say(format!("data: {} {what}", grouped(n)));
        }
        let source = self.tally.counts();
        say_left_out(&self.inputs, self.args, &source);
        for (reason, n) in &counts.unusable {
            warn(format!("{} rows not used: {reason}", grouped(*n)));
        }
        if source.n_pairs == 0 && source.n_other_part > 0 {
            return Err(nothing_of_part(self.args, source.n_other_part));
        }
        if counts.used == 0 {
            return Err(CliError::new(
                Exit::Data,
                "no row of the data can be used",
                "`sepo-cli data check` names every row with its reason",
            ));
        }
        Ok(())
    }
}

impl Iterator for PairStream<'_> {
    type Item = Result<TokenizedPair, CliError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.has_failed {
                return None;
            }
            match self.encoded.next()? {
                Ok(EncodedRow::Pair(encoded)) => return Some(Ok(encoded.pair)),
                Ok(EncodedRow::Bad(bad)) => self.met.unusable(self.args, bad.reason.name(), describe(&bad)),
                Ok(EncodedRow::Skipped(skipped)) => {
                    self.met.unusable(self.args, skipped.reason.kind(), describe_skipped(&skipped));
                }
                Err(error) => self.met.failure = Some(error.into()),
            }
            if let Some(failure) = self.met.failure.take() {
                self.has_failed = true;
                return Some(Err(failure));
            }
        }
    }
}

/// Opens `inputs` as they are to be read, and says what format they have and why.
pub(crate) fn open(inputs: &[String], args: &DataArgs, spill: &Spill) -> Result<PairSource, CliError> {
    let source = PairSource::open(inputs, &args.source_config(spill))?;
    for (detected, input) in source.formats().zip(inputs) {
        let of = if args.mix.is_empty() { String::new() } else { format!("`{input}` holds ") };
        say(format!("data: {of}{} ({})", detected.format, detected.reason));
    }
    for choice in source.splits() {
        say(format!(
            "data: split `{}` of {} (there are {})",
            choice.split,
            choice.folder.display(),
            choice.available.join(", ")
        ));
    }
    Ok(source)
}

/// Says what was left out of `inputs`, and what was taken of each.
pub(crate) fn say_left_out(inputs: &[String], args: &DataArgs, source: &SourceCounts) {
    if args.dedup {
        say(format!("data: {} duplicates left out", grouped(source.n_duplicates)));
    }
    if let Some((fraction, part)) = args.part {
        let what = match part {
            Part::Train => "held out",
            Part::Eval => "not held out, and so left out",
        };
        say(format!(
            "data: {} pairs are {what} (`--eval-fraction {}`)",
            grouped(source.n_other_part),
            fraction.get()
        ));
    }
    for (n, input) in source.inputs.iter().zip(inputs) {
        let share = *n as f64 / source.inputs.iter().sum::<u64>().max(1) as f64;
        say(format!("data: {} pairs of `{input}`, {}", grouped(*n), percent(Some(share))));
    }
    if let Some(input) = source.ended_by.and_then(|input| inputs.get(input)) {
        say(format!(
            "data: the mix ends with the last pair of `{input}`; with `--mix-end all` the others go on"
        ));
    }
}

fn nothing_of_part(args: &DataArgs, n_other: u64) -> CliError {
    let share = args.part.map_or(0.0, |(fraction, _)| fraction.get());
    let n = grouped(n_other);
    let message = match args.part {
        Some((_, Part::Eval)) => format!("`--eval-fraction {share}` holds out none of the {n} pairs"),
        _ => format!("`--eval-fraction {share}` holds out all of the {n} pairs"),
    };
    CliError::new(Exit::Data, message, "choose another share, or use more data")
}

/// The files that `inputs` name, with their content hashes; folders and globs are named without one.
pub(crate) fn input_sources(inputs: &[String]) -> Result<Vec<ContentSource>, CliError> {
    let source = |input: &String| {
        let content_hash = if Path::new(input).is_file() { content_hash(input)? } else { String::new() };
        Ok(ContentSource { path: input.clone(), content_hash })
    };
    inputs.iter().map(source).collect()
}
