//! From a raw row to the content of a pair, by format; and the checks that every format shares.

use super::cell::RawRow;
use super::cell::text_of;
use super::column::{Column, ColumnNames};
use super::conversational::conversational;
use super::explicit::explicit;
use super::field::Fields;
use super::pair_format::PairFormat;
use super::sharegpt::sharegpt;
use super::tokenized::tokenized;
use super::transcript::transcript;
use crate::{BadReason, Message, PairContent, Side};

/// The pair in `row`, which has two sides that are not empty and differ.
pub(super) fn pair_content(
    row: RawRow,
    format: PairFormat,
    names: &ColumnNames,
) -> Result<PairContent, BadReason> {
    let cells = match row {
        RawRow::Columns(cells) => *cells,
        RawRow::Value(cell) => return Err(BadReason::NotAnObject { found: cell.kind() }),
    };
    let fields = Fields { cells, names };
    let content = match format {
        PairFormat::Explicit => explicit(fields),
        PairFormat::Conversational => conversational(fields),
        PairFormat::Transcript => transcript(fields),
        PairFormat::ShareGpt => sharegpt(fields),
        PairFormat::Tokenized => tokenized(fields),
        // Readers of pairs refuse plain text before its first row.
        PairFormat::Text => Err(BadReason::MissingColumn { column: names.name(Column::Chosen).to_owned() }),
    }?;
    check_sides(&content)?;
    Ok(content)
}

/// The text in `row`, which is not empty.
pub(super) fn text_content(row: RawRow, names: &ColumnNames) -> Result<String, BadReason> {
    let text = match row {
        RawRow::Columns(cells) => Fields { cells: *cells, names }.text(Column::Text),
        RawRow::Value(cell) => text_of(cell, names.name(Column::Text)),
    }?;
    if text.is_empty() { Err(BadReason::EmptyText) } else { Ok(text) }
}

/// The format in which [`write_pairs`](super::write_pairs) stores a pair with this content.
pub fn content_format(content: &PairContent) -> PairFormat {
    match content {
        PairContent::Text { .. } => PairFormat::Explicit,
        PairContent::Chat { .. } => PairFormat::Conversational,
        PairContent::Tokens { .. } => PairFormat::Tokenized,
    }
}

fn check_sides(content: &PairContent) -> Result<(), BadReason> {
    let silent = |messages: &[Message]| messages.iter().all(|message| message.content.is_empty());
    let (chosen_empty, rejected_empty, identical) = match content {
        PairContent::Text { chosen, rejected, .. } => {
            (chosen.is_empty(), rejected.is_empty(), chosen == rejected)
        }
        PairContent::Chat { chosen, rejected, .. } => (silent(chosen), silent(rejected), chosen == rejected),
        PairContent::Tokens { chosen_ids, rejected_ids, .. } => {
            (chosen_ids.is_empty(), rejected_ids.is_empty(), chosen_ids == rejected_ids)
        }
    };
    if chosen_empty {
        Err(BadReason::EmptySide { side: Side::Chosen })
    } else if rejected_empty {
        Err(BadReason::EmptySide { side: Side::Rejected })
    } else if identical {
        Err(BadReason::IdenticalSides)
    } else {
        Ok(())
    }
}
