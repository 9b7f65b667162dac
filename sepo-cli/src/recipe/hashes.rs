//! `[hashes]`: what the inputs of a recipe must be, by content.

use std::path::{Path, PathBuf};

use sepo_data::TemplateChoice;
use serde::Serialize;

use super::checked::Recipe;
use super::mistake::{Located, Mistake};
use super::place::Places;
use super::section::HashesSection;
use crate::args::DataArgs;
use crate::console::warn;
use crate::exit::{CliError, Exit};
use crate::provenance::{Content, OnChange, content_digest, model_contents};

/// Fewest digits of a hash that may stand for it, as many as `lineage` shows.
const FEWEST_DIGITS: usize = 12;

/// An input from outside, with what `[hashes]` says of it.
struct Held<'a> {
    /// Its key in `[hashes]`.
    key: &'static str,
    /// The key that names it.
    of: &'static str,
    said: &'a Option<String>,
    what: What<'a>,
}

enum What<'a> {
    Data(&'a [String], DataArgs),
    Model(&'a Path),
    File(&'a Path),
    /// The recipe names none.
    Nothing,
}

impl<'a> What<'a> {
    fn data(paths: &'a [String], read: DataArgs) -> Self {
        if paths.is_empty() { Self::Nothing } else { Self::Data(paths, read) }
    }

    fn template(template: &'a TemplateChoice) -> Self {
        match template {
            TemplateChoice::File(path) => Self::File(path),
            _ => Self::Nothing,
        }
    }
}

/// An input's hash as it is now.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct InputHash {
    /// Its key in `[hashes]`.
    pub(crate) key: &'static str,
    pub(crate) blake3: String,
}

impl Held<'_> {
    fn hash(&self) -> Result<Option<String>, CliError> {
        let of_files = |paths: &[PathBuf]| -> Result<String, CliError> {
            let content = |path: &PathBuf| Content::of(path.display().to_string(), path);
            Ok(content_digest(&paths.iter().map(content).collect::<Result<Vec<_>, _>>()?))
        };
        Ok(match &self.what {
            What::Data(inputs, read) => Some(of_files(&read.files(inputs)?.concat())?),
            What::Model(dir) => Some(content_digest(&model_contents(dir)?)),
            What::File(path) => Some(of_files(&[(*path).to_owned()])?),
            What::Nothing => None,
        })
    }
}

/// Every input that a recipe may name, in the order of the pipeline.
fn held(recipe: &Recipe) -> [Held<'_>; 6] {
    let HashesSection { inputs, eval, base, reference, policy, template } = &recipe.hashes;
    let held = |[key, of]: [&'static str; 2], said, what| Held { key, of, said, what };
    [
        held(["inputs", "data.inputs"], inputs, What::data(&recipe.data.inputs, recipe.data.read())),
        held(["eval", "data.eval"], eval, What::data(&recipe.data.eval, recipe.data.eval_read())),
        held(["base", "models.base"], base, What::Model(&recipe.base)),
        held(
            ["reference", "models.reference"],
            reference,
            recipe.reference.as_deref().map_or(What::Nothing, What::Model),
        ),
        held(["policy", "models.policy"], policy, What::Model(&recipe.policy)),
        held(["template", "tokens.template"], template, What::template(&recipe.tokens.template)),
    ]
}

/// Refuses what is no hash, and a hash of what the recipe does not name.
pub(super) fn check_form(recipe: &Recipe, places: &Places) -> Result<(), Located> {
    for Held { key, of, said, what } in held(recipe) {
        let (key, Some(said)) = (format!("hashes.{key}"), said) else { continue };
        if matches!(what, What::Nothing) {
            let mistake = Mistake::Idle { key: key.clone(), without: format!("without `{of}`") };
            return Err(places
                .at_key(&key, mistake, "nothing would come of it")
                .with_help(format!("leave `{key}` out")));
        }
        let is_hash = (FEWEST_DIGITS..=64).contains(&said.len())
            && said.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit));
        if !is_hash {
            let reason = format!("a hash is {FEWEST_DIGITS} to 64 of the digits 0 to 9 and a to f");
            let mistake = Mistake::Value { key: key.clone(), reason };
            return Err(places
                .at_value(&key, mistake, "this value")
                .with_help("`sepo-cli run RECIPE --dry-run` prints the hashes of what is there"));
        }
    }
    Ok(())
}

/// Refuses inputs that are not what `[hashes]` says, or accepts them aloud.
pub(super) fn check_content(recipe: &Recipe) -> Result<(), CliError> {
    for input in held(recipe) {
        let Some(said) = input.said else { continue };
        let found = input.hash()?.unwrap_or_default();
        if found.starts_with(said.as_str()) {
            continue;
        }
        let mistake = Mistake::OtherContent {
            of: input.of,
            found: found.chars().take(said.len()).collect(),
            said: said.clone(),
        };
        if recipe.on_change == OnChange::Accept {
            warn(format!("{mistake}; accepted"));
            continue;
        }
        let place = recipe.places.at_value(&format!("hashes.{}", input.key), mistake, "this content");
        let help = "bring that content back, or write down the hash of the new one; `--accept-changed` goes on with what is there";
        return Err(place.with_help(help).exits(Exit::Data));
    }
    Ok(())
}

/// The hashes of all inputs from outside, as they are now.
pub(super) fn now(recipe: &Recipe) -> Result<Vec<InputHash>, CliError> {
    let hashes = held(recipe)
        .into_iter()
        .map(|input| Ok(input.hash()?.map(|blake3| InputHash { key: input.key, blake3 })));
    hashes.filter_map(Result::transpose).collect()
}

/// The section that holds a recipe to these.
pub(super) fn as_section(hashes: &[InputHash]) -> String {
    let line = |hash: &InputHash| format!("{} = \"{}\"", hash.key, hash.blake3);
    std::iter::once("[hashes]".to_owned()).chain(hashes.iter().map(line)).collect::<Vec<_>>().join("\n")
}
