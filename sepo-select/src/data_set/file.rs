//! The first two passes over a `scores.parquet`.

use std::path::Path;

use sepo_data::{ResponseScores, TokenScores, TokenScoresReader};

use super::StrataSelector;
use super::strata::StrataCounter;
use crate::{PairScores, ResponseEnd, SelectConfig, SelectError};

/// What selects from the pairs of a file, one after the other.
///
/// # Errors
///
/// Those of [`DataSetCounter`](crate::DataSetCounter), and [`SelectError::Artifact`] where the file cannot be read.
pub(crate) fn selector(path: &Path, config: &SelectConfig) -> Result<StrataSelector, SelectError> {
    let mut counter = StrataCounter::new(config);
    pass(path, |pair| counter.add(pair))?;
    let mut refiner = counter.refine()?;
    pass(path, |pair| refiner.add(pair))?;
    refiner.finish()
}

fn pass(
    path: &Path,
    mut add: impl FnMut(PairScores<'_>) -> Result<(), SelectError>,
) -> Result<(), SelectError> {
    let reader = TokenScoresReader::open(path)?;
    let eos_token_id = reader.meta().eos_token_id;
    let end = |response: &ResponseScores| ResponseEnd::of(&response.ids, eos_token_id, response.truncated);
    for pair in reader {
        let TokenScores { row, chosen, rejected } = pair?;
        add(PairScores {
            row,
            chosen_scores: &chosen.scores,
            rejected_scores: &rejected.scores,
            chosen_end: end(&chosen),
            rejected_end: end(&rejected),
        })?;
    }
    Ok(())
}
