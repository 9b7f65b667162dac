//! Which format the rows of a file have, and why.

use super::bad_row::BadRow;
use super::cell::{Cells, RawRow};
use super::column::{Column, ColumnNames, FoundColumn};
use super::file_rows::FileRows;
use super::kind::Kind;
use super::pair_format::PairFormat;
use super::transcript::{ASSISTANT, HUMAN};
use crate::DataError;

/// How many rows are tried: the first may be bad ones.
const TRIED_ROWS: usize = 256;

/// A format, and what it was recognised by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// The format.
    pub format: PairFormat,
    /// What it was recognised by, in plain words.
    pub reason: String,
}

/// The format of `file` by its first rows, which are not taken. `None`: it has no rows.
pub(super) fn detect(file: &mut FileRows) -> Result<Option<Detected>, DataError> {
    let mut first_bad = None;
    let mut first_unfit = None;
    let mut n_rows = 0;
    while n_rows < TRIED_ROWS {
        let names = file.names().clone();
        let path = file.path().as_path().to_owned();
        match file.look_ahead(n_rows)? {
            None => break,
            Some(Err(reason)) => {
                let bad = || BadRow { file: path, row: n_rows as u64, reason: reason.clone() };
                first_bad.get_or_insert_with(bad);
            }
            Some(Ok(row)) => match classify(row, &names) {
                Some(detected) => return Ok(Some(detected)),
                None => {
                    first_unfit.get_or_insert(n_rows);
                }
            },
        }
        n_rows += 1;
    }
    let path = file.path().as_path().to_owned();
    match (first_unfit, first_bad) {
        (Some(unfit), _) => Err(unknown_format(file, unfit)?),
        (None, Some(first)) => Err(DataError::NoUsableRow { file: path, n_rows, first: Box::new(first) }),
        (None, None) => Ok(None),
    }
}

/// The error that describes `row` of `file`.
fn unknown_format(file: &mut FileRows, row: usize) -> Result<DataError, DataError> {
    let (names, path) = (file.names().clone(), file.path().as_path().to_owned());
    let column_names = file.column_names().to_vec();
    let cells = match file.look_ahead(row)? {
        Some(Ok(RawRow::Columns(cells))) => Some(cells),
        _ => None,
    };
    let kind = |name: &str| cells.and_then(|cells| Some(cells.get(names.column(name)?)?.kind()));
    let columns = column_names.into_iter().map(|name| FoundColumn { kind: kind(&name), name }).collect();
    let strings_without_prompt = cells.is_some_and(|cells| {
        [Column::Chosen, Column::Rejected].iter().all(|&side| is_text(cells, side))
            && !is_text(cells, Column::Prompt)
    });
    Ok(DataError::UnknownFormat { file: path, columns, strings_without_prompt })
}

/// The format that one row fits, if any.
fn classify(row: &RawRow, names: &ColumnNames) -> Option<Detected> {
    let cells = match row {
        RawRow::Value(cell) if cell.kind() == Kind::Text => {
            let reason = "its rows are strings".to_owned();
            return Some(Detected { format: PairFormat::Text, reason });
        }
        RawRow::Value(_) => return None,
        RawRow::Columns(cells) => cells,
    };
    let found = tokenized(cells, names)
        .map(|reason| (PairFormat::Tokenized, reason))
        .or_else(|| sides_of_text(cells, names))
        .or_else(|| sides_of_messages(cells, names));
    let has_sides = cells.get(Column::Chosen).is_some() || cells.get(Column::Rejected).is_some();
    let found = found.or_else(|| {
        let reason = || format!("column `{}` holds strings", names.name(Column::Text));
        (!has_sides && is_text(cells, Column::Text)).then(|| (PairFormat::Text, reason()))
    });
    found.map(|(format, reason)| Detected { format, reason })
}

fn is_text(cells: &Cells, column: Column) -> bool {
    matches!(cells.kind(column), Kind::Text | Kind::Binary)
}

/// Ids win over text beside them: they are what somebody made for a purpose.
fn tokenized(cells: &Cells, names: &ColumnNames) -> Option<String> {
    let sets = [
        [Column::PromptIds, Column::ChosenIds, Column::RejectedIds],
        [Column::Prompt, Column::Chosen, Column::Rejected],
    ];
    // A prompt of no tokens is legitimate; sides without any say nothing.
    let is_ids = |columns: &[Column; 3]| {
        matches!(cells.kind(columns[0]), Kind::Integers | Kind::EmptyList)
            && columns[1..].iter().all(|&side| cells.kind(side) == Kind::Integers)
    };
    // A column that was renamed is in the second set, the others in the first.
    let mixed = [0, 1, 2].map(|i| if cells.get(sets[0][i]).is_some() { sets[0][i] } else { sets[1][i] });
    let [prompt, chosen, rejected] = is_ids(&mixed).then_some(mixed)?.map(|column| names.name(column));
    let beside = is_text(cells, Column::Chosen) && is_text(cells, Column::Rejected);
    let note = if beside { "; the text beside them is not read" } else { "" };
    Some(format!("columns `{prompt}`, `{chosen}` and `{rejected}` hold lists of integers{note}"))
}

fn sides_of_text(cells: &Cells, names: &ColumnNames) -> Option<(PairFormat, String)> {
    if !is_text(cells, Column::Chosen) || !is_text(cells, Column::Rejected) {
        return None;
    }
    let [prompt, chosen, rejected] =
        [Column::Prompt, Column::Chosen, Column::Rejected].map(|c| names.name(c));
    match cells.kind(Column::Prompt) {
        Kind::Text | Kind::Binary => {
            let reason = format!("columns `{prompt}`, `{chosen}` and `{rejected}` hold strings");
            return Some((PairFormat::Explicit, reason));
        }
        Kind::Messages => {
            let reason = format!(
                "column `{prompt}` holds a list of {{role, content}}, and `{chosen}` and `{rejected}` hold strings"
            );
            return Some((PairFormat::Conversational, reason));
        }
        _ => {}
    }
    if cells.kind(Column::Conversations) == Kind::Messages {
        let conversations = names.name(Column::Conversations);
        let reason = format!(
            "column `{conversations}` holds a list of messages, and `{chosen}` and `{rejected}` hold strings"
        );
        return Some((PairFormat::ShareGpt, reason));
    }
    let sides =
        [Column::Chosen, Column::Rejected].map(|side| cells.get(side).and_then(|cell| cell.as_text()));
    let [Some(a), Some(b)] = sides else { return None };
    if !(a.contains(ASSISTANT) && b.contains(ASSISTANT)) {
        return None;
    }
    let verb = if a.starts_with(HUMAN) && b.starts_with(HUMAN) {
        "start with `\\n\\nHuman:`"
    } else {
        "have turns that start with `\\n\\nAssistant:`"
    };
    let reason =
        format!("columns `{chosen}` and `{rejected}` hold strings that {verb} and there is no `{prompt}`");
    Some((PairFormat::Transcript, reason))
}

fn sides_of_messages(cells: &Cells, names: &ColumnNames) -> Option<(PairFormat, String)> {
    let sides = [Column::Chosen, Column::Rejected];
    let [prompt, chosen, rejected] =
        [Column::Prompt, Column::Chosen, Column::Rejected].map(|c| names.name(c));
    if !sides.iter().all(|&side| matches!(cells.kind(side), Kind::Messages | Kind::Struct)) {
        return None;
    }
    let all_have =
        |field| sides.iter().all(|&side| cells.get(side).is_some_and(|cell| cell.has_field(field)));
    if cells.kind(Column::Conversations) == Kind::Messages {
        let conversations = names.name(Column::Conversations);
        let fields = if all_have("from") { "{from, value}" } else { "messages" };
        let reason = format!(
            "column `{conversations}` holds a list of messages, and `{chosen}` and `{rejected}` hold {fields}"
        );
        return Some((PairFormat::ShareGpt, reason));
    }
    if all_have("role") {
        let beside = match cells.kind(Column::Prompt) {
            Kind::Text | Kind::Binary => format!("`{prompt}` holds a string"),
            Kind::Messages => format!("`{prompt}` holds such a list"),
            _ => format!("there is no `{prompt}`"),
        };
        let reason =
            format!("columns `{chosen}` and `{rejected}` hold lists of {{role, content}} and {beside}");
        return Some((PairFormat::Conversational, reason));
    }
    let reason = || format!("columns `{chosen}` and `{rejected}` hold lists of {{from, value}}");
    all_have("from").then(|| (PairFormat::ShareGpt, reason()))
}
