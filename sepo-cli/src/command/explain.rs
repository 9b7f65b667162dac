//! `sepo-cli explain`

use std::borrow::Cow;
use std::path::Path;

use sepo_data::{
    AtomicFile, ContentSource, PairTokenizer, ScoredPair, ScoredResponse, ScoresReader, SelectionReader,
    SpecialTokens, TokenizeConfig,
};
use sepo_select::{PairScores, ResponseEnd, SelectConfig, Selected, select_pair};

use crate::args::ExplainArgs;
use crate::console::{result, say, warn};
use crate::exit::{CliError, Exit, io_error};
use crate::heatmap::{Color, HeatmapPair, HeatmapSide, HeatmapToken, Width, ansi, html};
use crate::model_dir::load_tokenizer;

pub(crate) fn run(args: &ExplainArgs) -> Result<Exit, CliError> {
    crate::machine::prepare_cpu(&args.machine)?;
    let reader = ScoresReader::open(&args.scores)?;
    let tokenizer = tokenizer(args.tokenizer.as_deref(), reader.meta().tokenizer.as_ref())?;
    let eos = reader.meta().eos_token_id;
    let pair = find(reader, &args.scores, args.row, |pair| pair.row)?;
    let selected = match &args.selection {
        None => select(&pair, eos)?,
        Some(path) => {
            let kept = find(SelectionReader::open(path)?, path, args.row, |pair| pair.row)?;
            Selected { chosen_weights: kept.chosen_weights, rejected_weights: kept.rejected_weights }
        }
    };
    let map = heatmap(&tokenizer, format!("row {}", args.row), &pair, &selected)?;
    if let Some(path) = &args.html {
        let _lock = crate::claim::file(path)?;
        AtomicFile::replace(path, html(&map)).map_err(|source| io_error(path, source))?;
    }
    result(args.machine.form(), &map, |map| match &args.html {
        Some(path) => format!("heat map in `{}`", path.display()),
        None => {
            let color = if std::env::var_os("NO_COLOR").is_some() { Color::Never } else { Color::Always };
            ansi(map, Width::columns(terminal_width()), color)
        }
    })?;
    Ok(Exit::Done)
}

/// The tokenizer that names the tokens: the one in `typed`, or else the one that the scores were `made_with`, where it
/// still lies there unchanged. Without any, tokens are shown as ids.
fn tokenizer(typed: Option<&Path>, made_with: Option<&ContentSource>) -> Result<PairTokenizer, CliError> {
    let config = TokenizeConfig::default();
    if let Some(dir) = typed {
        let tokenizer = load_tokenizer(dir, &config)?;
        if let (Some(made_with), Some(hash)) = (made_with, tokenizer.tokenizer_hash())
            && made_with.content_hash != hash
        {
            warn(format!("the scores were made with another tokenizer than that of `{}`", dir.display()));
        }
        return Ok(tokenizer);
    }
    let Some(source) = made_with else {
        say("the scores were made from ids, so tokens are shown as ids; `--tokenizer DIR` would name them");
        return ids_only(&config);
    };
    let dir = Path::new(&source.path);
    match PairTokenizer::from_model_dir(dir, &config) {
        Ok(tokenizer) if tokenizer.tokenizer_hash() == Some(&source.content_hash) => {
            say(format!("tokenizer: {}", dir.display()));
            Ok(tokenizer)
        }
        _ => {
            say(format!(
                "the tokenizer of the scores is no longer in `{}`, so tokens are shown as ids; `--tokenizer DIR` would \
                 name them",
                dir.display()
            ));
            ids_only(&config)
        }
    }
}

fn ids_only(config: &TokenizeConfig) -> Result<PairTokenizer, CliError> {
    Ok(PairTokenizer::ids_only(None, SpecialTokens::default(), config)?)
}

/// Columns of the terminal, or of a page where there is none.
fn terminal_width() -> usize {
    terminal_size::terminal_size_of(std::io::stderr()).map_or(100, |(width, _)| usize::from(width.0))
}

/// The first row with that number.
fn find<T, E>(
    rows: impl Iterator<Item = Result<T, E>>,
    path: &Path,
    row: u64,
    number: impl Fn(&T) -> u64,
) -> Result<T, CliError>
where
    CliError: From<E>,
{
    for found in rows {
        let found = found?;
        if number(&found) == row {
            return Ok(found);
        }
    }
    Err(CliError::new(
        Exit::Data,
        format!("`{}` has no row {row}", path.display()),
        "rows are numbered from 0 as in the source; rows that were not usable or not kept are missing",
    ))
}

/// The paper's rule with its defaults.
fn select(pair: &ScoredPair, eos: Option<u32>) -> Result<Selected, CliError> {
    let end = |response: &ScoredResponse| ResponseEnd::of(&response.ids, eos, response.truncated);
    let scores = PairScores {
        row: pair.row,
        chosen_scores: &pair.chosen.scores,
        rejected_scores: &pair.rejected.scores,
        chosen_end: end(&pair.chosen),
        rejected_end: end(&pair.rejected),
    };
    Ok(select_pair(&SelectConfig::default(), scores)?)
}

/// What a heat map shows of a scored pair.
pub(crate) fn heatmap(
    tokenizer: &PairTokenizer,
    title: String,
    pair: &ScoredPair,
    selected: &Selected,
) -> Result<HeatmapPair, CliError> {
    let has_text = tokenizer.tokenizer_hash().is_some();
    // Ids stand apart like words, so that lines break between them.
    let id_text = |(i, id): (usize, u32)| match (has_text, i) {
        (true, _) | (false, 0) => format!("⟨{id}⟩"),
        (false, _) => format!(" ⟨{id}⟩"),
    };
    let side = |name: &str, response: &ScoredResponse, weights: &[f32]| {
        let tokens = response.ids.iter().enumerate().map(|(i, id)| HeatmapToken {
            text: tokenizer.token_text(*id).map_or_else(|| id_text((i, *id)), Cow::into_owned),
            score: Some(response.scores[i]),
            selected: weights[i] != 0.0,
            planted: None,
            oracle_logp: Some(response.oracle_logps[i]),
            reference_logp: Some(response.reference_logps[i]),
        });
        HeatmapSide { name: name.to_owned(), tokens: tokens.collect() }
    };
    for (name, response, weights) in [
        ("chosen", &pair.chosen, &selected.chosen_weights),
        ("rejected", &pair.rejected, &selected.rejected_weights),
    ] {
        if response.ids.len() != weights.len() {
            return Err(CliError::new(
                Exit::Data,
                format!(
                    "row {}: the {name} response has {} tokens in the scores and {} in the selection",
                    pair.row,
                    response.ids.len(),
                    weights.len()
                ),
                "give the selection that was made from these scores",
            ));
        }
    }
    Ok(HeatmapPair {
        title,
        prompt: if has_text {
            tokenizer.decode(&pair.prompt_ids)?
        } else {
            pair.prompt_ids.iter().copied().enumerate().map(id_text).collect()
        },
        sides: vec![
            side("chosen", &pair.chosen, &selected.chosen_weights),
            side("rejected", &pair.rejected, &selected.rejected_weights),
        ],
    })
}
