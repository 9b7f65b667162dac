//! Whether everything that a recipe names is there, before anything is computed.

use std::path::Path;

use sepo_data::{DataError, PairSource, TemplateChoice, is_url};

use super::check::unusable;
use super::mistake::{Located, Mistake};
use super::place::Places;
use super::{Recipe, Stage};
use crate::args::DataArgs;
use crate::exit::{CliError, Exit, exit_of_data};
use crate::remote;

/// Fetches what URLs name; models are their folders from then on.
pub(super) fn fetch(recipe: &mut Recipe) -> Result<(), CliError> {
    let places = &recipe.places;
    let failed = |key: &str, error: DataError| {
        let help = crate::remedy::of_data(&error).unwrap_or("check the URL");
        let exit = exit_of_data(&error);
        unusable(places, key, error).with_help(help).exits(exit)
    };
    let reference = recipe.reference.iter_mut().map(|dir| ("models.reference", dir));
    let others = [("models.base", &mut recipe.base), ("models.policy", &mut recipe.policy)];
    for (key, dir) in reference.chain(others) {
        if let Some(url) = dir.to_str().filter(|typed| is_url(typed)) {
            *dir = remote::one(url).map_err(|error| failed(key, error))?;
        }
    }
    for (key, inputs) in [("data.inputs", &recipe.data.inputs), ("data.eval", &recipe.data.eval)] {
        remote::pairs(inputs).map_err(|error| failed(key, error))?;
    }
    Ok(())
}

/// Model folders and the template's file.
pub(super) fn check_models(recipe: &Recipe, places: &Places) -> Result<(), Located> {
    let reference = recipe.reference.iter().map(|dir| ("models.reference", dir.as_path()));
    let others = [("models.base", recipe.base.as_path()), ("models.policy", recipe.policy.as_path())];
    for (key, dir) in reference.chain(others) {
        let config = dir.join("config.json");
        if !config.is_file() {
            let mistake = Mistake::NoModel { key, missing: config.display().to_string() };
            return Err(places.at_value(key, mistake, "this folder").with_help(
                "paths in a recipe start from the recipe's folder; a model folder is in Hugging Face's layout",
            ));
        }
        if let Some(folder) =
            Stage::ALL.map(|stage| stage.dir(&recipe.out)).iter().find(|own| holds(own, dir))
        {
            let mistake = Mistake::OwnOutput { key, folder: folder.display().to_string() };
            return Err(places
                .at_value(key, mistake, "would be replaced")
                .with_help("copy the model to another place, or choose another `run.out`"));
        }
    }
    if let TemplateChoice::File(path) = &recipe.tokens.template
        && !path.is_file()
    {
        let mistake = Mistake::NoFile { key: "tokens.template", missing: path.display().to_string() };
        let help = format!("there is also `model`, and {}", sepo_data::BUILTIN_NAMES.join(", "));
        return Err(places.at_value("tokens.template", mistake, "this template").with_help(help));
    }
    Ok(())
}

/// Both data sets, opened as far as their format.
pub(super) fn check_data(recipe: &Recipe, places: &Places) -> Result<(), CliError> {
    let scratch = recipe.memory.spill(&recipe.out);
    let check = |key: &str, inputs: &[String], read: &DataArgs| match PairSource::open(
        inputs,
        &read.source_config(&scratch),
    ) {
        Ok(_) => Ok(()),
        Err(error @ (DataError::MixCount { .. } | DataError::MixWeight { .. })) => {
            Err(unusable(places, "data.mix", error).into())
        }
        Err(error) => Err(unreadable(places, key, error)),
    };
    check("data.inputs", &recipe.data.inputs, &recipe.data.read())?;
    if !recipe.data.eval.is_empty() {
        check("data.eval", &recipe.data.eval, &recipe.data.eval_read())?;
    }
    Ok(())
}

fn unreadable(places: &Places, key: &str, error: DataError) -> CliError {
    let mistake = Mistake::Unusable { key: key.to_owned(), source: Box::new(error) };
    let help = "paths in a recipe start from the recipe's folder";
    places.at_value(key, mistake, "this data").with_help(help).exits(Exit::Data)
}

fn holds(folder: &Path, path: &Path) -> bool {
    matches!((folder.canonicalize(), path.canonicalize()), (Ok(folder), Ok(path)) if path.starts_with(&folder))
}
