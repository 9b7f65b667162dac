//! Rows of the data with both their text and their ids.

use std::collections::BTreeMap;

use sepo_data::{
    PairContent, PairRow, PairSource, PairTexts, PairTokenizer, PreferencePair, SkippedPair, TokenizedPair,
};
use sepo_select::ResponseText;

use crate::args::DataArgs;
use crate::console::warn;
use crate::exit::{CliError, Exit};
use crate::memory::Memory;
use crate::pairs::{check_unusable, describe, describe_skipped, open};

/// Rows that cannot be used and are named; the rest is counted.
const NAMED: u64 = 5;

/// A pair of the data as it was written and as ids.
pub(super) struct DataRow {
    pub(super) pair: PreferencePair,
    pub(super) ids: TokenizedPair,
}

/// The usable rows of the data, in order.
pub(super) struct DataRows<'a> {
    source: PairSource,
    tokenizer: &'a PairTokenizer,
    read: &'a DataArgs,
    /// Rows that cannot be used, by reason.
    pub(super) unusable: BTreeMap<String, u64>,
}

impl<'a> DataRows<'a> {
    pub(super) fn open(
        data: &[String],
        read: &'a DataArgs,
        tokenizer: &'a PairTokenizer,
    ) -> Result<Self, CliError> {
        let source = open(data, read, &Memory::default().spill(&std::env::temp_dir()))?;
        Ok(Self { source, tokenizer, read, unusable: BTreeMap::new() })
    }

    /// The next row that can be used.
    pub(super) fn next_row(&mut self) -> Result<Option<DataRow>, CliError> {
        for row in self.source.by_ref() {
            let (kind, text) = match row? {
                PairRow::Bad(bad) => (bad.reason.name(), describe(&bad)),
                PairRow::Pair(pair) => match self.tokenizer.encode(&pair) {
                    Ok(encoded) => return Ok(Some(DataRow { pair, ids: encoded.pair })),
                    Err(reason) => {
                        let kind = reason.kind();
                        let file = pair.file.clone();
                        let skipped = SkippedPair { row: pair.row, file, file_row: pair.file_row, reason };
                        (kind, describe_skipped(&skipped))
                    }
                },
            };
            *self.unusable.entry(kind.to_owned()).or_default() += 1;
            let n: u64 = self.unusable.values().sum();
            check_unusable(self.read, n, &text)?;
            if n <= NAMED {
                warn(text);
            }
        }
        Ok(None)
    }
}

/// What the responses of a pair say, and what a template makes of it: chosen, then rejected. `None` for a pair of ids.
pub(super) struct Responses<'a> {
    texts: PairTexts,
    /// The text alone, where there is one turn of it.
    bare: [Option<&'a str>; 2],
}

impl<'a> Responses<'a> {
    pub(super) fn of(pair: &'a PreferencePair, tokenizer: &PairTokenizer) -> Result<Option<Self>, CliError> {
        let texts = tokenizer
            .texts(pair)
            .map_err(|reason| CliError::of(Exit::Data, reason).during(format!("render row {}", pair.row)))?;
        let bare = match &pair.content {
            PairContent::Text { chosen, rejected, .. } => [Some(chosen.as_str()), Some(rejected)],
            PairContent::Chat { chosen, rejected, .. } => [chosen, rejected].map(|turns| match &turns[..] {
                [turn] => Some(turn.content.as_str()),
                _ => None,
            }),
            PairContent::Tokens { .. } => [None; 2],
        };
        Ok(texts.map(|texts| Self { texts, bare }))
    }

    /// The response of a side; where it has several turns, its text is what the template makes of them.
    pub(super) fn text(&self, side: usize) -> ResponseText<'_> {
        let rendered = [&self.texts.chosen, &self.texts.rejected][side].as_str();
        ResponseText { rendered, text: self.bare[side].unwrap_or(rendered) }
    }

    /// Whether each response is a single turn.
    pub(super) fn are_single_turns(&self) -> bool {
        self.bare.iter().all(Option::is_some)
    }
}
