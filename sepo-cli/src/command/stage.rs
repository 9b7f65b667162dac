//! What the training commands share: pairs as examples, and a run in a folder.

use std::path::Path;

use sepo_data::TokenizedPair;
use sepo_loss::Objective;
use sepo_model::Model;
use sepo_train::{RunOptions, Status, TrainConfig, TrainData, TrainExample, TrainOutcome, train};
use serde::Serialize;

use crate::console::{say, warn};
use crate::exit::{CliError, Exit};
use crate::interrupt::interrupted;
use crate::progress::Progress;

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

/// Checks a training configuration, and warns of rates that are known to end badly.
pub(crate) fn check_config(config: &TrainConfig) -> Result<(), CliError> {
    config.check()?;
    if config.learning_rate > 1e-3 {
        warn(format!(
            "a learning rate of {} is far above what preference training stands; 1e-7 to 1e-5 is usual for large models",
            config.learning_rate
        ));
    }
    Ok(())
}

/// Trains `model` in `dir`, resumable, with a progress bar.
pub(crate) fn run(
    name: &str,
    model: &mut Model,
    data: TrainData<'_>,
    (objective, config): (&Objective, &TrainConfig),
    dir: &Path,
) -> Result<TrainOutcome, CliError> {
    check_config(config)?;
    let mut observer = Progress::new(name);
    let options = RunOptions { dir: Some(dir), observer: &mut observer, interrupt: interrupted() };
    Ok(train(model, data, objective, config, options)?)
}

/// A pair as an example of its chosen response alone.
pub(crate) fn chosen_only(pair: TokenizedPair) -> TrainExample {
    TrainExample::pair(pair.row, pair.prompt_ids, pair.chosen.ids, Vec::new())
}

/// Says that a run was stopped and how to go on; the exit code for it.
pub(crate) fn stopped(outcome: &TrainOutcome, dir: &Path) -> Option<Exit> {
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
