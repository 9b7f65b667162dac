//! `prompt`, `chosen` and `rejected` as strings.

use super::column::Column;
use super::field::Fields;
use crate::{BadReason, PairContent};

/// The three strings as they stand. The prompt may be empty.
pub(super) fn explicit(mut fields: Fields<'_>) -> Result<PairContent, BadReason> {
    Ok(PairContent::Text {
        prompt: fields.text(Column::Prompt)?,
        chosen: fields.text(Column::Chosen)?,
        rejected: fields.text(Column::Rejected)?,
    })
}
