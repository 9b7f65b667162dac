//! Where a selection came from.

use std::path::{Path, PathBuf};

use sepo_data::{ContentSource, PairTokenizer, ScoresMeta, SelectionMeta};
use sepo_select::ScoreSpans;

use crate::exit::{CliError, Exit};

/// The spans of a selection's tokens, from its scores.
pub(super) fn spans(scores: &Path) -> Result<ScoreSpans, CliError> {
    ScoreSpans::open(scores).map_err(|error| CliError::of(Exit::Data, error))
}

/// The scores of a selection: `typed`, or where the selection says that they were.
pub(super) fn scores(meta: &SelectionMeta, typed: Option<&Path>) -> Result<PathBuf, CliError> {
    let told = meta.scores_source.as_ref().map(|source| PathBuf::from(&source.path));
    match (typed, told) {
        (Some(path), _) => Ok(path.to_owned()),
        (None, Some(path)) if path.is_file() => Ok(path),
        (None, told) => {
            let message = match told {
                Some(path) => format!("the selection was made of `{}`, which is not there", path.display()),
                None => "the selection does not say which scores it was made of".to_owned(),
            };
            let help = "name the scores with `--scores FILE`: they know which bytes each token stands for";
            Err(CliError::usage(message, help))
        }
    }
}

/// What a selection for the tokens of `tokenizer` says about the scores behind it.
pub(super) fn scores_meta(before: ScoresMeta, tokenizer: &PairTokenizer, dir: &Path) -> ScoresMeta {
    let source = |hash: Option<String>| {
        hash.map(|content_hash| ContentSource { path: dir.display().to_string(), content_hash })
    };
    ScoresMeta {
        tokenizer: source(tokenizer.tokenizer_hash().map(str::to_owned)),
        chat_template: source(tokenizer.template_hash()),
        eos_token_id: tokenizer.special_tokens().eos.map(|eos| eos.id),
        max_length: Some(tokenizer.config().truncation.max_length as u64),
        ..before
    }
}
