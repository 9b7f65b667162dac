//! The longest sequence: what was typed, or what the models have positions for.

use std::path::Path;

use sepo_data::TruncationConfig;

use crate::console::say;
use crate::exit::CliError;
use crate::model_dir::read_config;

/// Tokens of a sequence at most, of which every model in `models` has positions: `typed`, or else the default of 1024
/// cut to the fewest positions.
pub(crate) fn max_length(typed: Option<usize>, models: &[&Path]) -> Result<usize, CliError> {
    let mut length = typed.unwrap_or_else(default_length);
    for dir in models {
        let config = read_config(dir).map_err(|error| {
            CliError::from(error).during(format!("load the model from `{}`", dir.display()))
        })?;
        length = fit(length, typed, config.max_position, dir)?;
    }
    Ok(length)
}

/// The same for a folder that is there for its tokenizer: it need not hold a model, and no model is run.
pub(crate) fn max_length_of_tokenizer(typed: Option<usize>, dir: &Path) -> usize {
    let cut = |default: usize| match read_config(dir) {
        Ok(config) if config.max_position < default => {
            say_cut(config.max_position, dir);
            config.max_position
        }
        _ => default,
    };
    typed.unwrap_or_else(|| cut(default_length()))
}

/// Tokens of a sequence at most where none were typed and positions do not matter.
pub(crate) fn default_length() -> usize {
    TruncationConfig::default().max_length
}

/// Says that the default was cut, and why.
pub(crate) fn say_cut(positions: usize, dir: &Path) {
    say(format!(
        "max length: {positions} tokens, since the model in `{}` has no more positions",
        dir.display()
    ));
}

fn fit(length: usize, typed: Option<usize>, positions: usize, dir: &Path) -> Result<usize, CliError> {
    if length <= positions {
        return Ok(length);
    }
    if typed.is_some() {
        return Err(CliError::usage(
            format!(
                "`--max-length {length}` is more than the {positions} positions (max_position_embeddings) of the \
                 model in `{}`",
                dir.display()
            ),
            format!("use `--max-length {positions}` or less"),
        ));
    }
    say_cut(positions, dir);
    Ok(positions)
}
