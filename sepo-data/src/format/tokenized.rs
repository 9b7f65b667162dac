//! `prompt_ids`, `chosen_ids` and `rejected_ids` as lists of integers.

use super::cell::Cell;
use super::cell::wrong_type;
use super::column::Column;
use super::field::Fields;
use super::kind::Kind;
use crate::{BadReason, PairContent};

/// The ids as they stand. The prompt may be empty.
pub(super) fn tokenized(mut fields: Fields<'_>) -> Result<PairContent, BadReason> {
    Ok(PairContent::Tokens {
        prompt_ids: ids(&mut fields, Column::PromptIds, Column::Prompt)?,
        chosen_ids: ids(&mut fields, Column::ChosenIds, Column::Chosen)?,
        rejected_ids: ids(&mut fields, Column::RejectedIds, Column::Rejected)?,
    })
}

/// The ids of a column: `{side}_ids`, or, where the row has none, the column under its plain name.
fn ids(fields: &mut Fields<'_>, column: Column, plain: Column) -> Result<Vec<u32>, BadReason> {
    let has_lists = |column| matches!(fields.cells.get(column), Some(Cell::List(_)));
    let column = if fields.cells.get(column).is_none() && has_lists(plain) { plain } else { column };
    let name = fields.names.name(column);
    let items = match fields.cells.take(column) {
        None => return Err(BadReason::MissingColumn { column: name.to_owned() }),
        Some(Cell::Null) => return Err(BadReason::NullColumn { column: name.to_owned() }),
        Some(Cell::List(items)) => items,
        Some(other) => return Err(wrong_type(name, Kind::Integers, &other)),
    };
    let id = |(position, item)| match item {
        Cell::Integer(id) => {
            u32::try_from(id).map_err(|_| BadReason::IdOutOfRange { column: name.to_owned(), position, id })
        }
        other => Err(wrong_type(name, Kind::Integer, &other)),
    };
    items.into_iter().enumerate().map(id).collect()
}
