//! What the training commands share: pairs as examples, and a run in a folder.

use std::path::Path;

use sepo_data::TokenizedPair;
use sepo_loss::Objective;
use sepo_model::Model;
use sepo_train::{
    RunOptions, Status, TrainBackend, TrainConfig, TrainData, TrainExample, TrainOutcome, train,
    unusual_settings,
};
use serde::Serialize;

use crate::console::{say, warn};
use crate::exit::{CliError, Exit};
use crate::interrupt::interrupted;
use crate::progress::Progress;
use crate::provenance::{Counts, counts};

/// What a training command came to.
#[derive(Debug, Serialize)]
pub(crate) struct Trained {
    /// Tokens of a sequence at most; absent where nothing but a selection was read, whose sequences have their length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_length: Option<usize>,
    #[serde(flatten)]
    pub(crate) outcome: TrainOutcome,
}

/// A pair as an example in which every response token counts.
pub(crate) fn example(pair: TokenizedPair) -> TrainExample {
    TrainExample::pair(pair.row, pair.prompt_ids, pair.chosen.ids, pair.rejected.ids)
}

/// Checks a training configuration, and warns of settings that are known to end badly with a model of this size.
pub(crate) fn check_config(
    objective: &Objective,
    config: &TrainConfig,
    n_parameters: usize,
) -> Result<(), CliError> {
    config.check()?;
    for unusual in unusual_settings(objective, config, n_parameters) {
        warn(unusual.to_string());
    }
    Ok(())
}

/// Trains `model` in `dir` on a device, resumable, with a progress bar.
pub(crate) fn run(
    on: &impl TrainBackend,
    name: &str,
    model: &mut Model,
    data: TrainData<'_>,
    (objective, config): (&Objective, &TrainConfig),
    dir: &Path,
) -> Result<TrainOutcome, CliError> {
    check_config(objective, config, model.parameters.len())?;
    let mut observer = Progress::new(name);
    let options = RunOptions { on, dir: Some(dir), observer: &mut observer, interrupt: interrupted() };
    Ok(train(model, data, objective, config, options)?)
}

/// Counts for the record of a model: the same whether or not the run was interrupted.
pub(crate) fn made(outcome: &TrainOutcome, data: TrainData<'_>) -> Counts {
    counts([
        ("steps", outcome.total_steps),
        ("pairs", data.examples.len() as u64),
        ("evaluation_pairs", data.eval.len() as u64),
        ("pairs_with_nothing_to_compare", outcome.progress.n_empty_pairs),
    ])
}

/// In words that a file has another hash than was recorded; nothing where it has not.
pub(crate) fn other_hash(name: &str, recorded: &str, found: &str) -> Vec<String> {
    let short = |hash: &str| hash.chars().take(12).collect::<String>();
    if recorded == found {
        return Vec::new();
    }
    vec![format!("`{name}` is blake3 {}, recorded was {}", short(found), short(recorded))]
}

/// A pair as an example of its chosen response alone.
pub(crate) fn chosen_only(pair: TokenizedPair) -> TrainExample {
    TrainExample::pair(pair.row, pair.prompt_ids, pair.chosen.ids, Vec::new())
}

/// Says that a run was stopped and how to go on; the exit code for it.
pub(crate) fn stopped(outcome: &TrainOutcome, dir: &Path) -> Option<Exit> {
    if let (Status::Guarded, Some(guard)) = (outcome.status, outcome.stopped_by) {
        say(format!(
            "stopped by `{guard}` after step {} of {}; a checkpoint is in `{}`; to go on from there, leave `{guard}` out of `--stop-on`",
            outcome.progress.step,
            outcome.total_steps,
            dir.display()
        ));
        return Some(Exit::Guard);
    }
    (outcome.status == Status::Interrupted).then(|| {
        say(format!(
            "stopped after step {} of {}; a checkpoint is in `{}`, the same command goes on from there",
            outcome.progress.step,
            outcome.total_steps,
            dir.display()
        ));
        Exit::Interrupted
    })
}
