//! Messages out of cells.

use super::cell::{Cell, text_of, wrong_type};
use super::kind::Kind;
use crate::{BadReason, Message};

/// The messages in `cell`: a list of structs, or one struct.
///
/// A struct has `role` and `content`, or `from` and `value`. Roles of the second kind are translated (`human` to
/// `user`, `gpt` to `assistant`, and so on), roles of the first stand as they are. Other fields are ignored.
pub(super) fn messages(cell: Cell, column: &str) -> Result<Vec<Message>, BadReason> {
    match cell {
        Cell::List(items) => {
            items.into_iter().enumerate().map(|(index, item)| message(item, column, index)).collect()
        }
        Cell::Struct(_) => Ok(vec![message(cell, column, 0)?]),
        other => Err(wrong_type(column, Kind::Messages, &other)),
    }
}

fn message(cell: Cell, column: &str, index: usize) -> Result<Message, BadReason> {
    let Cell::Struct(fields) = cell else { return Err(wrong_type(column, Kind::Struct, &cell)) };
    let (mut role, mut content, mut from, mut value) = (None, None, None, None);
    for (name, cell) in fields {
        // Arrow structs have every field in every row, null where JSON would leave it out.
        if cell == Cell::Null {
            continue;
        }
        match name.as_str() {
            "role" => role = Some(cell),
            "content" => content = Some(cell),
            "from" => from = Some(cell),
            "value" => value = Some(cell),
            _ => {}
        }
    }
    let missing = |field| BadReason::MissingField { column: column.to_owned(), message: index, field };
    if let (None, Some(from)) = (&role, from) {
        let value = value.ok_or_else(|| missing("value"))?;
        let from = text_of(from, column)?;
        let role = translated(&from).map(str::to_owned);
        let role = role.ok_or_else(|| BadReason::UnknownRole {
            column: column.to_owned(),
            message: index,
            role: from,
        })?;
        return Ok(Message { role, content: text_of(value, column)? });
    }
    let role = text_of(role.ok_or_else(|| missing("role"))?, column)?;
    let content = text_of(content.ok_or_else(|| missing("content"))?, column)?;
    Ok(Message { role, content })
}

/// The role that chat templates know for a ShareGPT sender.
fn translated(from: &str) -> Option<&'static str> {
    Some(match from {
        "human" | "user" => "user",
        "gpt" | "assistant" | "function_call" => "assistant",
        "system" => "system",
        "observation" | "tool" => "tool",
        _ => return None,
    })
}

/// Length of the longest common beginning of two conversations, in whole messages.
pub(super) fn n_shared_messages(a: &[Message], b: &[Message]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Checks that a response to be learned starts and ends with a turn of the assistant's. `first` is the position of
/// its first message in `column`.
pub(super) fn check_response(response: &[Message], column: &str, first: usize) -> Result<(), BadReason> {
    let ends = [
        response.first().map(|message| (first, message)),
        response.last().map(|message| (first + response.len() - 1, message)),
    ];
    for (index, message) in ends.into_iter().flatten() {
        if message.role != "assistant" {
            return Err(BadReason::RoleOutOfOrder {
                column: column.to_owned(),
                message: index,
                role: message.role.clone(),
                needed: "assistant",
            });
        }
    }
    Ok(())
}
