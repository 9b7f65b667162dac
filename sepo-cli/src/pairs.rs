//! Pairs from files to token ids, with every row that cannot be used counted and named.

use std::collections::BTreeMap;
use std::error::Error;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use sepo_data::{
    BadRow, ContentSource, EncodedRow, EncodedRows, PairTokenizer, SkippedPair, TokenizeReport,
    TokenizedPair, content_hash, open_pairs,
};
use serde::Serialize;

use crate::args::DataArgs;
use crate::console::{grouped, say, warn};
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
}

impl RowCounts {
    pub(crate) fn n_unusable(&self) -> u64 {
        self.unusable.values().sum()
    }
}

/// What was met on the way, and why it ended.
#[derive(Debug, Default)]
struct Met {
    counts: RowCounts,
    failure: Option<CliError>,
}

impl Met {
    /// Counts a row that cannot be used; the bound of the user turns it into a failure.
    fn unusable(&mut self, args: &DataArgs, kind: &str, text: String) {
        *self.counts.unusable.entry(kind.to_owned()).or_default() += 1;
        let n = self.counts.n_unusable();
        if args.strict {
            self.failure =
                Some(CliError::new(Exit::Data, text, "mend the row, or leave `--strict` out to skip it"));
        } else if args.max_bad_rows.is_some_and(|bound| n > bound) {
            let message = format!("{n} rows cannot be used, the last one: {text}");
            self.failure = Some(CliError::new(
                Exit::Data,
                message,
                "see `sepo-cli data check`, or raise `--max-bad-rows`",
            ));
        } else if n <= NAMED {
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
    /// Tokens of a sequence at most.
    max_length: usize,
    args: &'a DataArgs,
    met: Met,
    has_failed: bool,
    /// What tokenization did in earlier runs.
    before: TokenizeReport,
}

impl<'a> PairStream<'a> {
    /// Opens `inputs` and says what format they have and why.
    pub(crate) fn open(
        inputs: &[String],
        args: &'a DataArgs,
        tokenizer: &Arc<PairTokenizer>,
    ) -> Result<Self, CliError> {
        Self::open_undone(inputs, args, tokenizer, (Vec::new(), TokenizeReport::default()))
    }

    /// The same without the pairs at places that earlier runs have dealt with, and with what became of those.
    pub(crate) fn open_undone(
        inputs: &[String],
        args: &'a DataArgs,
        tokenizer: &Arc<PairTokenizer>,
        (done, before): (Vec<Range<u64>>, TokenizeReport),
    ) -> Result<Self, CliError> {
        let reader = open_pairs(inputs, &args.read_config())?;
        let detected = reader.format();
        say(format!("data: {} ({})", detected.format, detected.reason));
        for choice in reader.splits() {
            say(format!(
                "data: split `{}` of {} (there are {})",
                choice.split,
                choice.folder.display(),
                choice.available.join(", ")
            ));
        }
        let counts = RowCounts { unusable: before.skipped.clone(), ..RowCounts::default() };
        let met = Met { counts, ..Met::default() };
        let max_length = tokenizer.config().truncation.max_length;
        let rows = Undone::new(reader.take(args.limit.unwrap_or(usize::MAX)), done);
        let encoded = tokenizer.encode_rows(rows, rayon::current_num_threads());
        Ok(Self { encoded, max_length, args, met, has_failed: false, before })
    }

    /// Counts so far.
    pub(crate) fn counts(&self) -> RowCounts {
        RowCounts { used: self.total().n_pairs, ..self.met.counts.clone() }
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
        for (reason, n) in &counts.unusable {
            warn(format!("{} rows not used: {reason}", grouped(*n)));
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

/// The files that `inputs` name, with their content hashes; folders and globs are named without one.
pub(crate) fn input_sources(inputs: &[String]) -> Result<Vec<ContentSource>, CliError> {
    let source = |input: &String| {
        let content_hash = if Path::new(input).is_file() { content_hash(input)? } else { String::new() };
        Ok(ContentSource { path: input.clone(), content_hash })
    };
    inputs.iter().map(source).collect()
}
