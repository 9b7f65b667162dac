//! Training that can be stopped at any moment and goes on as if it had not been.
//!
//! [`train()`] takes a model, examples as token ids and an objective of [`sepo_loss`], and moves the weights: shuffled
//! order, forward passes of bounded size, one exact gradient a step, clipping, AdamW, a learning rate [`Schedule`],
//! `metrics.jsonl`, checkpoints. [`evaluate_pairs`] measures a model on pairs; [`reference_logps`] computes what a loss
//! with a reference needs, once. Examples lie in memory, or, where they are too many, on disk: see [`Examples`].
//!
//! [`train_classifier`] trains a head that labels tokens, on a frozen model.
//!
//! What it promises:
//!
//! * **Accumulation is exact.** A step averages over the pairs (or tokens) of its whole batch, however it was cut.
//! * **Resume is exact.** Weights, moments and metrics of a resumed run are those of an uninterrupted one, bit for bit; a
//!   damaged checkpoint is recognised and passed over; a run of other settings is refused, never silently begun anew.
//! * **Nothing is hidden.** A number that is not finite stops the run and names the rows; empty pairs are counted; guards
//!   warn of a rising loss, of falling likelihoods, of margins that follow length ([`Alarm`]).
//! * **One run a folder.** A second one is refused with the name of the first; a dead one holds nothing.
//!
//! What it is not for: several devices, models that do not fit into memory with their moments, losses over logits.

#![forbid(unsafe_code)]

mod backend;
mod batch;
mod beside;
mod best;
mod checkpoint;
mod classifier;
mod config;
mod diagnose;
mod error;
mod evaluate;
mod example;
mod examples;
mod feed;
mod fingerprint;
mod footprint;
mod forward;
mod gradient;
mod groups;
mod guard;
mod learner;
mod length_moments;
mod mean;
mod memory;
mod metrics;
mod metrics_log;
mod n_steps;
mod observer;
mod optimizer;
mod order;
mod order_file;
mod pace;
mod pass;
mod permutation;
mod reference;
mod run;
mod run_folder;
mod schedule;
mod shuffle;
mod sums;
mod train;

pub use backend::{TrainBackend, Update};
pub use beside::{Beside, StepWeights, Teacher, check_inputs, reads_divergences, reads_teacher};
pub use best::Best;
pub use checkpoint::{Damage, checkpoint_folder};
pub use classifier::{ClassifierReport, ClassifierStep, evaluate_classifier, train_classifier};
pub use config::{ActivationPolicy, BestMetric, Scheduler, TrainConfig};
pub use diagnose::Quantity;
pub use error::TrainError;
pub use evaluate::{EvalReport, evaluate_pairs, evaluate_pairs_on};
pub use example::{ReferenceLogps, TrainExample};
pub use examples::{
    ExampleCollector, ExampleFile, ExampleWriter, Examples, HeldExamples, RecordDamage, Sides, Spill,
};
pub use footprint::Footprint;
pub use guard::{Alarm, GuardName, Repetition, TokenGroup, UnusualSetting, unusual_settings};
pub use metrics::{PreferenceMetrics, StepMetrics, WeightMetrics};
pub use observer::{Observer, Silent, Warning};
pub use permutation::{permutation, permutation_of_u32};
pub use reference::{reference_logps, reference_logps_by_pass, reference_logps_of_each, reference_logps_on};
pub use schedule::Schedule;
pub use shuffle::Cursor;
pub use train::{Progress, RunOptions, Status, TrainData, TrainOutcome, train};
