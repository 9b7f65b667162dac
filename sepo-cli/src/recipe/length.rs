//! The longest sequence of a recipe, beside the positions of its models.

use std::path::Path;

use super::Recipe;
use super::check::unusable;
use super::mistake::{Located, Mistake};
use crate::length::say_cut;
use crate::model_dir::read_config;

/// Cuts the default to the fewest positions; a length that is written and longer is a mistake.
pub(super) fn fit(recipe: &mut Recipe) -> Result<(), Located> {
    const KEY: &str = "tokens.max_length";
    let places = &recipe.places;
    let start = match &recipe.reference {
        Some(reference) => ("models.reference", reference),
        None => ("models.base", &recipe.base),
    };
    let truncation = &mut recipe.tokens.truncation;
    for (key, dir) in [start, ("models.policy", &recipe.policy)] {
        let positions = read_config(dir).map_err(|error| unusable(places, key, error))?.max_position;
        let max_length = truncation.max_length;
        if max_length <= positions {
            continue;
        }
        if places.has(KEY) {
            let mistake = Mistake::TooLong { max_length, positions, key };
            let help = format!("use {positions} or less, or leave `{KEY}` out");
            return Err(places.at_value(KEY, mistake, "this value").with_help(help));
        }
        say_cut(positions, Path::new(dir));
        truncation.max_length = positions;
    }
    truncation.check().map_err(|error| {
        let key = ["tokens.max_prompt_length", KEY].into_iter().find(|key| places.has(key));
        unusable(places, key.unwrap_or("tokens"), error)
    })
}
