//! ShareGPT style, as LLaMA-Factory has it: `conversations`, and one answer of each kind.

use super::cell::Cell;
use super::cell::text_of;
use super::column::Column;
use super::conversational::conversational;
use super::field::Fields;
use super::message::{check_response, messages};
use crate::{BadReason, Message, PairContent};

/// The conversation as prompt, `chosen` and `rejected` as the answers to it.
///
/// The conversation must end with a turn of the user's or a tool's, and have system messages at its start only. A
/// `system` column with text becomes the first message, unless the conversation has its own. Without
/// `conversations`, both sides are whole conversations and the shared leading messages are the prompt.
pub(super) fn sharegpt(mut fields: Fields<'_>) -> Result<PairContent, BadReason> {
    let system = match fields.cells.take(Column::System) {
        None | Some(Cell::Null) => String::new(),
        Some(cell) => text_of(cell, fields.names.name(Column::System))?,
    };
    let content = if fields.cells.get(Column::Conversations).is_some() {
        with_conversations(fields)?
    } else {
        conversational(fields)?
    };
    Ok(with_system(content, system))
}

fn with_conversations(mut fields: Fields<'_>) -> Result<PairContent, BadReason> {
    let prompt = fields.messages(Column::Conversations)?;
    check_prompt(&prompt, fields.names.name(Column::Conversations))?;
    let chosen = answer(&mut fields, Column::Chosen)?;
    let rejected = answer(&mut fields, Column::Rejected)?;
    Ok(PairContent::Chat { prompt, chosen, rejected })
}

fn answer(fields: &mut Fields<'_>, column: Column) -> Result<Vec<Message>, BadReason> {
    let messages = match fields.cell(column)? {
        Cell::Text(content) => vec![Message { role: "assistant".to_owned(), content }],
        cell => messages(cell, fields.names.name(column))?,
    };
    check_response(&messages, fields.names.name(column), 0)?;
    Ok(messages)
}

fn check_prompt(prompt: &[Message], column: &str) -> Result<(), BadReason> {
    let Some(last) = prompt.last() else { return Err(BadReason::NoSharedPrompt) };
    let out_of_order = |message: usize, needed| BadReason::RoleOutOfOrder {
        column: column.to_owned(),
        message,
        role: prompt[message].role.clone(),
        needed,
    };
    if !matches!(last.role.as_str(), "user" | "tool") {
        return Err(out_of_order(prompt.len() - 1, "user"));
    }
    let n_system = prompt.iter().take_while(|message| message.role == "system").count();
    match prompt[n_system..].iter().position(|message| message.role == "system") {
        Some(late) => Err(out_of_order(n_system + late, "user")),
        None => Ok(()),
    }
}

fn with_system(mut content: PairContent, system: String) -> PairContent {
    if let PairContent::Chat { prompt, .. } = &mut content
        && !system.is_empty()
        && prompt.first().is_none_or(|message| message.role != "system")
    {
        prompt.insert(0, Message { role: "system".to_owned(), content: system });
    }
    content
}
