//! Model folders as commands need them: weights, tokenizer, and whether the two fit.

use std::path::Path;

use sepo_data::{PairTokenizer, SpecialTokens, TokenizeConfig};
use sepo_model::{Model, ModelConfig, ModelError};

use crate::console::say;
use crate::exit::{CliError, Exit};

/// The model in `dir`, said on stderr.
pub(crate) fn load_model(name: &str, dir: &Path) -> Result<Model, CliError> {
    let model = Model::load(dir)
        .map_err(|error| CliError::from(error).during(format!("load the {name} from `{}`", dir.display())))?;
    let hash = model.parameters.content_hash();
    let parameters = crate::console::grouped(model.parameters.len() as u64);
    say(format!(
        "{name}: {} ({:?}, {parameters} parameters, blake3 {})",
        dir.display(),
        model.config.family,
        &hash[..12]
    ));
    Ok(model)
}

/// The tokenizer of a model folder; one for ready-made ids where the folder has none.
pub(crate) fn load_tokenizer(dir: &Path, config: &TokenizeConfig) -> Result<PairTokenizer, CliError> {
    let failed = |error: sepo_data::TokenizeError| {
        CliError::from(error).during(format!("load the tokenizer from `{}`", dir.display()))
    };
    if dir.join("tokenizer.json").is_file() {
        return PairTokenizer::from_model_dir(dir, config).map_err(failed);
    }
    let model = read_config(dir)?;
    say(format!("`{}` has no tokenizer.json: only pairs that hold ids can be used", dir.display()));
    let vocab = u32::try_from(model.vocab).map_err(|error| CliError::of(Exit::Usage, error))?;
    let special = SpecialTokens { closing_ids: model.eos_token_ids, ..SpecialTokens::default() };
    PairTokenizer::ids_only(Some(vocab), special, config).map_err(failed)
}

/// The configuration of the model in `dir`, without its weights.
pub(crate) fn read_config(dir: &Path) -> Result<ModelConfig, ModelError> {
    ModelConfig::from_model_dir(dir)
}

/// Checks that every id the tokenizer can produce has an embedding.
pub(crate) fn check_fit(model: &Model, tokenizer: &PairTokenizer) -> Result<(), CliError> {
    if let Some(largest) = tokenizer.max_id() {
        model.check_vocabulary(largest)?;
    }
    Ok(())
}
