//! The pass of a reference over all examples, in shards that outlast whatever ends the process.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use sepo_data::{ArtifactError, LogpsMeta, OtherRun, PairLogps, ShardError, ShardStore, TokenizeReport};
use sepo_model::{Backend, Cpu, FrozenModel, Model};
use sepo_train::{Examples, TrainError, reference_logps_by_pass};
use serde_json::{Map, Value};

use crate::OracleError;

/// Where a reference's log-probs are kept, and how they are made.
#[derive(Debug)]
pub struct ReferencePass<'a, B = Cpu> {
    /// Where the model runs.
    pub on: &'a B,
    /// The file. While it is made, its shards lie in a folder of the same name with `.parts` behind it.
    pub path: &'a Path,
    /// Tokens of a forward pass at most, or one longer example.
    pub tokens_per_batch: usize,
    /// Response tokens of a shard: after the forward pass with which it has so many, it ends.
    pub tokens_per_shard: usize,
    /// Set from elsewhere, it ends the work at the next forward pass; finished shards stay.
    pub interrupt: &'a AtomicBool,
}

impl<B> Clone for ReferencePass<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for ReferencePass<'_, B> {}

impl ReferencePass<'_> {
    /// Response tokens of a shard that suit most uses: some minutes of work for a small model.
    pub const TOKENS_PER_SHARD: usize = 1 << 18;
}

impl<B: Backend> ReferencePass<'_, B> {
    /// Shards of all examples, those of an earlier pass among them; `None` where it was interrupted.
    pub(crate) fn complete(
        self,
        model: &Model,
        examples: Examples<'_>,
        meta: &LogpsMeta,
    ) -> Result<Option<ShardStore<PairLogps>>, OracleError> {
        let mut store = ShardStore::open(self.parts(), self.identity(meta), OtherRun::Replace)?;
        let undone = undone(store.done(), examples.len() as u64);
        if !undone.is_empty() {
            let failed = |source| OracleError::Train { stage: "reference", source };
            let mut model = FrozenModel::on(self.on, model).map_err(TrainError::Model).map_err(failed)?;
            for numbers in undone {
                match self.make((&mut model, examples), numbers, (&mut store, meta)) {
                    Ok(()) => {}
                    Err(Ended::Interrupted) => return Ok(None),
                    Err(Ended::Failed(error)) => return Err(error),
                }
            }
        }
        store.check_whole()?;
        Ok(Some(store))
    }

    /// Shards of the examples of these numbers.
    fn make(
        self,
        (model, examples): (&mut FrozenModel<'_, B>, Examples<'_>),
        numbers: Range<usize>,
        (store, meta): (&mut ShardStore<PairLogps>, &LogpsMeta),
    ) -> Result<(), Ended> {
        let next = Shard { start: numbers.start as u64, n_tokens: 0 };
        let mut shards = Shards { store, meta, n_full: self.tokens_per_shard, open: None, next };
        reference_logps_by_pass(model, examples, numbers, self.tokens_per_batch, |examples, logps| {
            if self.interrupt.load(Ordering::Relaxed) {
                return Err(Ended::Interrupted);
            }
            let rows = examples.iter().zip(logps).map(|(example, logps)| PairLogps {
                row: example.row,
                chosen_logps: logps.chosen,
                rejected_logps: logps.rejected,
            });
            shards.take(rows)
        })?;
        shards.end()
    }

    /// Removes the shards of a pass that was killed when its file was whole already.
    pub(crate) fn remove_parts(self, meta: &LogpsMeta) -> Result<(), OracleError> {
        let dir = self.parts();
        if dir.is_dir() {
            ShardStore::<PairLogps>::open(dir, self.identity(meta), OtherRun::Replace)?.remove()?;
        }
        Ok(())
    }

    fn parts(self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".parts");
        self.path.with_file_name(name)
    }

    /// Everything that decides the shards' bytes.
    fn identity(self, meta: &LogpsMeta) -> Map<String, Value> {
        let inputs = meta.inputs.iter().map(|input| Value::from(input.content_hash.clone())).collect();
        Map::from_iter([
            ("program_version".to_owned(), meta.program_version.clone().into()),
            ("model".to_owned(), meta.model.content_hash.clone().into()),
            ("inputs".to_owned(), Value::Array(inputs)),
            ("tokens_per_batch".to_owned(), self.tokens_per_batch.into()),
            ("tokens_per_shard".to_owned(), self.tokens_per_shard.into()),
            ("device".to_owned(), meta.device.clone().into()),
            ("dtype".to_owned(), meta.dtype.clone().into()),
        ])
    }
}

/// The numbers below `n` that are in none of the ranges, which are in order.
fn undone(done: &[Range<u64>], n: u64) -> Vec<Range<usize>> {
    let starts = std::iter::once(0).chain(done.iter().map(|range| range.end));
    let ends = done.iter().map(|range| range.start).chain([n]);
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    starts.zip(ends).map(|(start, end)| number(start)..number(end)).filter(|gap| !gap.is_empty()).collect()
}

/// A shard to come: its first example, and what it holds so far.
struct Shard {
    start: u64,
    n_tokens: usize,
}

/// Shards of a run of examples.
struct Shards<'s> {
    store: &'s mut ShardStore<PairLogps>,
    meta: &'s LogpsMeta,
    /// Tokens of a full shard.
    n_full: usize,
    open: Option<(sepo_data::LogpsWriter, u64)>,
    next: Shard,
}

impl Shards<'_> {
    /// Takes what one forward pass has made.
    fn take(&mut self, rows: impl Iterator<Item = PairLogps>) -> Result<(), Ended> {
        let (mut writer, mut end) = match self.open.take() {
            Some(open) => open,
            None => (self.store.writer(self.next.start, self.meta.clone())?, self.next.start),
        };
        for row in rows {
            self.next.n_tokens += row.chosen_logps.len() + row.rejected_logps.len();
            writer.write(&row)?;
            end += 1;
        }
        self.open = Some((writer, end));
        if self.next.n_tokens < self.n_full { Ok(()) } else { self.end() }
    }

    fn end(&mut self) -> Result<(), Ended> {
        let Some((writer, end)) = self.open.take() else { return Ok(()) };
        self.store.commit(writer, self.next.start..end, TokenizeReport::default())?;
        self.next = Shard { start: end, n_tokens: 0 };
        Ok(())
    }
}

/// What ends a pass before its end.
enum Ended {
    Interrupted,
    Failed(OracleError),
}

impl From<TrainError> for Ended {
    fn from(source: TrainError) -> Self {
        Self::Failed(OracleError::Train { stage: "reference", source })
    }
}

impl From<ArtifactError> for Ended {
    fn from(error: ArtifactError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<ShardError> for Ended {
    fn from(error: ShardError) -> Self {
        Self::Failed(error.into())
    }
}
