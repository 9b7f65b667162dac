//! `chosen` and `rejected` as lists of messages, with or without a prompt beside them.

use super::cell::Cell;
use super::column::Column;
use super::field::Fields;
use super::message::{check_response, messages, n_shared_messages};
use crate::{BadReason, Message, PairContent, Side};

/// Where the prompt ends is always a border between two messages:
///
/// * `prompt` is a list of messages: that is the prompt. Where both responses repeat it, the copy is taken off them.
/// * `prompt` is absent: the leading messages that both sides share are the prompt.
/// * `prompt` is a string: the same, if the shared messages have a turn of the user's (UltraFeedback repeats the prompt
///   so); else the string is one turn of the user's, before the shared messages.
///
/// Both responses must start and end with a turn of the assistant's.
pub(super) fn conversational(mut fields: Fields<'_>) -> Result<PairContent, BadReason> {
    let prompt = match fields.cells.take(Column::Prompt) {
        None | Some(Cell::Null) => Prompt::Absent,
        Some(cell @ (Cell::List(_) | Cell::Struct(_))) => {
            match messages(cell, fields.names.name(Column::Prompt))? {
                messages if messages.is_empty() => Prompt::Absent,
                messages => Prompt::Messages(messages),
            }
        }
        Some(cell) => Prompt::Text(super::cell::text_of(cell, fields.names.name(Column::Prompt))?),
    };
    let chosen = side(&mut fields, Column::Chosen, Side::Chosen)?;
    let rejected = side(&mut fields, Column::Rejected, Side::Rejected)?;
    if chosen == rejected {
        return Err(BadReason::IdenticalSides);
    }
    let pair = split(prompt, chosen, rejected)?;
    check_response(&pair.chosen, fields.names.name(Column::Chosen), pair.n_taken)?;
    check_response(&pair.rejected, fields.names.name(Column::Rejected), pair.n_taken)?;
    Ok(PairContent::Chat { prompt: pair.prompt, chosen: pair.chosen, rejected: pair.rejected })
}

enum Prompt {
    Absent,
    Text(String),
    Messages(Vec<Message>),
}

/// The messages of one side; a bare string is one turn of the assistant's.
fn side(fields: &mut Fields<'_>, column: Column, side: Side) -> Result<Vec<Message>, BadReason> {
    let messages = match fields.cell(column)? {
        Cell::Text(content) => vec![Message { role: "assistant".to_owned(), content }],
        cell => messages(cell, fields.names.name(column))?,
    };
    if messages.is_empty() { Err(BadReason::EmptySide { side }) } else { Ok(messages) }
}

/// A conversation pair, with the number of messages that were taken off the front of both sides.
struct Split {
    prompt: Vec<Message>,
    chosen: Vec<Message>,
    rejected: Vec<Message>,
    n_taken: usize,
}

fn split(prompt: Prompt, mut chosen: Vec<Message>, mut rejected: Vec<Message>) -> Result<Split, BadReason> {
    let n_shared = n_shared_messages(&chosen, &rejected);
    let n_taken = match &prompt {
        Prompt::Messages(prompt) => {
            let repeated = chosen.starts_with(prompt) && rejected.starts_with(prompt);
            if repeated { prompt.len() } else { 0 }
        }
        Prompt::Absent | Prompt::Text(_) => n_shared,
    };
    // One side ends where the other goes on: it has no response of its own.
    for (side, messages) in [(Side::Chosen, &chosen), (Side::Rejected, &rejected)] {
        if messages.len() == n_taken {
            return Err(BadReason::EmptySide { side });
        }
    }
    let chosen_response = chosen.split_off(n_taken);
    let rejected_response = rejected.split_off(n_taken);
    let shared = chosen;
    let prompt = match prompt {
        Prompt::Messages(prompt) => prompt,
        Prompt::Absent if shared.is_empty() => return Err(BadReason::NoSharedPrompt),
        Prompt::Absent => shared,
        Prompt::Text(_) if shared.iter().any(|message| message.role == "user") => shared,
        Prompt::Text(content) => {
            // A system message stays in front of the user's turn.
            let n_system = shared.iter().take_while(|message| message.role == "system").count();
            let mut prompt = shared;
            prompt.insert(n_system, Message { role: "user".to_owned(), content });
            prompt
        }
    };
    Ok(Split { prompt, chosen: chosen_response, rejected: rejected_response, n_taken })
}
