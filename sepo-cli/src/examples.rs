//! Pairs as examples, in memory while they are few.

use std::path::Path;

use sepo_data::TokenizedPair;
use sepo_model::{Backend, FrozenModel, Model};
use sepo_oracle::{Origin, ReferencePass, stored_reference_logps_of_each};
use sepo_train::{
    ExampleCollector, Examples, HeldExamples, Spill, TrainError, TrainExample, reference_logps_of_each,
};

use crate::console::{grouped, say};
use crate::exit::{CliError, Exit};
use crate::interrupt::interrupted;
use crate::memory::ByteSize;
use crate::pairs::PairStream;

/// All pairs of the stream as examples, with [`PairStream::close`].
pub(crate) fn of_pairs(
    mut pairs: PairStream<'_>,
    spill: Spill,
    example: impl Fn(TokenizedPair) -> Result<TrainExample, CliError>,
) -> Result<HeldExamples, CliError> {
    let held = collect(pairs.by_ref().map(|pair| example(pair?)), spill)?;
    pairs.close()?;
    Ok(held)
}

/// All of these examples.
pub(crate) fn collect(
    examples: impl Iterator<Item = Result<TrainExample, CliError>>,
    spill: Spill,
) -> Result<HeldExamples, CliError> {
    let mut collector = ExampleCollector::new(spill.clone());
    for example in examples {
        collector.push(example?)?;
    }
    finish(collector, &spill)
}

/// The same examples with the reference's log-probs.
pub(crate) fn with_reference(
    on: &impl Backend,
    reference: &Model,
    examples: Examples<'_>,
    tokens_per_batch: usize,
    spill: Spill,
) -> Result<HeldExamples, CliError> {
    let mut collector = ExampleCollector::new(spill.clone());
    let mut reference = FrozenModel::on(on, reference).map_err(TrainError::from)?;
    reference_logps_of_each(&mut reference, examples, tokens_per_batch, |example, logps| {
        collector.push(TrainExample { reference: Some(logps), ..example.clone() })
    })?;
    finish(collector, &spill)
}

/// The same examples with the reference's log-probs, which are kept at `path`; [`Exit::Interrupted`] where they are not
/// all there yet.
pub(crate) fn with_stored_reference(
    on: &impl Backend,
    reference: &Model,
    examples: Examples<'_>,
    (path, tokens_per_batch): (&Path, usize),
    spill: Spill,
) -> Result<Result<HeldExamples, Exit>, CliError> {
    let mut collector = ExampleCollector::new(spill.clone());
    let push = |example| -> Result<(), TrainError> { collector.push(example) };
    let tokens_per_shard = ReferencePass::TOKENS_PER_SHARD;
    let pass = ReferencePass { on, path, tokens_per_batch, tokens_per_shard, interrupt: interrupted() };
    match stored_reference_logps_of_each(reference, examples, pass, push)? {
        Origin::Computed => {}
        Origin::Stored => say(format!("reference: log-probs of `{}` are used again", path.display())),
        Origin::Interrupted => {
            say("stopped while the reference's log-probs were computed; the same command goes on from there");
            return Ok(Err(Exit::Interrupted));
        }
    }
    Ok(Ok(finish(collector, &spill)?))
}

fn finish(collector: ExampleCollector, spill: &Spill) -> Result<HeldExamples, CliError> {
    let held = collector.finish()?;
    if let HeldExamples::File(file) = &held {
        say(format!(
            "data: {} examples take more than {} of memory, so they lie on disk ({} in `{}`) until the command ends",
            grouped(file.len() as u64),
            ByteSize(spill.bytes_in_memory),
            ByteSize(file.n_bytes()?),
            spill.dir.display()
        ));
    }
    Ok(held)
}
