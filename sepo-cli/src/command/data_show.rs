//! `sepo-cli data show`

use std::cmp::Ordering;

use sepo_data::{PairContent, PairRow, PairSource, PairTokenizer, PreferencePair, TokenizedResponse};
use serde::Serialize;

use crate::args::ShowArgs;
use crate::console::result;
use crate::exit::{CliError, Exit};
use crate::length::max_length_of_tokenizer;
use crate::memory::Memory;
use crate::model_dir::load_tokenizer;
use crate::pairs::describe as describe_bad;

/// One row, from text to ids.
#[derive(Debug, Serialize)]
struct Shown {
    file: String,
    file_row: u64,
    format: String,
    template: Option<String>,
    /// What was tokenized; absent for ready-made ids.
    text: Option<Texts>,
    prompt_ids: Vec<u32>,
    prompt_tokens: Vec<String>,
    prompt_truncated: bool,
    chosen: Side,
    rejected: Side,
}

#[derive(Debug, Serialize)]
struct Texts {
    prompt: String,
    chosen: String,
    rejected: String,
}

#[derive(Debug, Serialize)]
struct Side {
    ids: Vec<u32>,
    tokens: Vec<String>,
    truncated: bool,
    closed: bool,
}

pub(crate) fn run(args: &ShowArgs) -> Result<Exit, CliError> {
    refuse_foreign(args)?;
    crate::machine::prepare_cpu(&args.machine)?;
    let length = max_length_of_tokenizer(args.tokens.max_length, &args.tokenizer);
    let tokenizer = load_tokenizer(&args.tokenizer, &args.tokens.config(length))?;
    let scratch = Memory::default().spill(&std::env::temp_dir());
    let source = PairSource::open(&args.input.inputs, &args.input.read.source_config(&scratch))?;
    let (row, format) = find(source, args.row)?;
    let pair = match row {
        PairRow::Pair(pair) => pair,
        PairRow::Bad(bad) => {
            return Err(CliError::new(
                Exit::Data,
                describe_bad(&bad),
                "this row cannot be used as it stands",
            ));
        }
    };
    let encoded = tokenizer.encode(&pair).map_err(|reason| CliError::of(Exit::Data, reason))?.pair;
    let texts = tokenizer.texts(&pair).map_err(|reason| CliError::of(Exit::Data, reason))?;
    let shown = Shown {
        file: pair.file.display().to_string(),
        file_row: pair.file_row,
        format,
        template: template(&pair, &tokenizer),
        text: texts.map(|t| Texts { prompt: t.prompt, chosen: t.chosen, rejected: t.rejected }),
        prompt_tokens: tokens(&tokenizer, &encoded.prompt_ids),
        chosen: side(&tokenizer, &encoded.chosen),
        rejected: side(&tokenizer, &encoded.rejected),
        prompt_truncated: encoded.prompt_truncated,
        prompt_ids: encoded.prompt_ids,
    };
    result(args.machine.form(), &shown, describe)?;
    Ok(Exit::Done)
}

/// The row of this number, and its format.
fn find(mut source: PairSource, number: u64) -> Result<(PairRow, String), CliError> {
    let absent = |message| Err(CliError::new(Exit::Data, message, "rows are numbered from 0"));
    while let Some(row) = source.next().transpose()? {
        match (source.n_rows() - 1).cmp(&number) {
            Ordering::Less => {}
            Ordering::Equal => return Ok((row, source.format().format.to_string())),
            Ordering::Greater => break,
        }
    }
    // It was read, and did not come out.
    if source.n_rows() > number {
        return absent(format!("row {number} of the data is a duplicate, which `--dedup` leaves out"));
    }
    absent(format!("the data has no row {number}"))
}

/// One row is shown, so bounds on many rows have no meaning.
fn refuse_foreign(args: &ShowArgs) -> Result<(), CliError> {
    let typed = [
        ("--limit", args.input.read.limit.is_some()),
        ("--strict", args.input.read.strict),
        ("--max-bad-rows", args.input.read.max_bad_rows.is_some()),
    ];
    match typed.into_iter().find(|(_, is_typed)| *is_typed) {
        Some((flag, _)) => {
            let message = format!("`{flag}` has no meaning for `data show`, which shows one row");
            Err(CliError::usage(message, format!("leave `{flag}` out")))
        }
        None => Ok(()),
    }
}

/// Where the template comes from, where one was used.
fn template(pair: &PreferencePair, tokenizer: &PairTokenizer) -> Option<String> {
    let used = match pair.content {
        PairContent::Chat { .. } => true,
        PairContent::Text { .. } => tokenizer.config().text == sepo_data::TextHandling::AsChat,
        PairContent::Tokens { .. } => false,
    };
    tokenizer.template().filter(|_| used).map(|template| format!("{:?}", template.origin()))
}

fn tokens(tokenizer: &PairTokenizer, ids: &[u32]) -> Vec<String> {
    let text =
        |id: &u32| tokenizer.token_text(*id).map_or_else(|| format!("⟨{id}⟩"), std::borrow::Cow::into_owned);
    ids.iter().map(text).collect()
}

fn side(tokenizer: &PairTokenizer, response: &TokenizedResponse) -> Side {
    let closing = &tokenizer.special_tokens().closing_ids;
    Side {
        tokens: tokens(tokenizer, &response.ids),
        closed: response.ids.last().is_some_and(|last| closing.contains(last)),
        truncated: response.truncated,
        ids: response.ids.clone(),
    }
}

fn describe(shown: &Shown) -> String {
    let mut text = format!("{}, row {} ({})", shown.file, shown.file_row, shown.format);
    text += &format!(
        "\ntemplate: {}",
        shown.template.as_deref().unwrap_or("none, the text is used as it stands")
    );
    if let Some(texts) = &shown.text {
        for (name, part) in
            [("prompt", &texts.prompt), ("chosen", &texts.chosen), ("rejected", &texts.rejected)]
        {
            text += &format!("\n\n{name}, as tokenized:\n{part:?}");
        }
    }
    let cut = |cut: bool, place: &str| if cut { format!(", cut at its {place}") } else { String::new() };
    text +=
        &format!("\n\nprompt, {} tokens{}:", shown.prompt_ids.len(), cut(shown.prompt_truncated, "start"));
    text += &list(&shown.prompt_ids, &shown.prompt_tokens);
    for (name, side) in [("chosen", &shown.chosen), ("rejected", &shown.rejected)] {
        let closed = if side.closed { ", closed by an end-of-sequence token" } else { ", not closed" };
        text +=
            &format!("\n\n{name} response, {} tokens{}{closed}:", side.ids.len(), cut(side.truncated, "end"));
        text += &list(&side.ids, &side.tokens);
    }
    text
}

/// `id"text"`, several a line.
fn list(ids: &[u32], tokens: &[String]) -> String {
    const PER_LINE: usize = 8;
    let items: Vec<String> = ids.iter().zip(tokens).map(|(id, token)| format!("{id}{token:?}")).collect();
    items.chunks(PER_LINE).map(|line| format!("\n  {}", line.join(" "))).collect()
}
