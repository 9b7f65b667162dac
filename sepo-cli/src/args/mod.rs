//! What can be typed. What it means is in the libraries' configurations.

mod change;
mod choice;
mod classify;
mod data;
mod data_command;
mod lineage;
mod machine;
mod memory;
mod objective;
mod run;
mod scope;
mod select;
mod shards;
mod shown;
mod stage;
mod train;
mod watch;
mod weights;

use clap::{Parser, Subcommand};

pub(crate) use change::ChangeArgs;
pub(crate) use choice::{ObjectiveChoice, TokenWeights};
pub(crate) use classify::{ClassifyCommand, ClassifyScoreArgs, ClassifyTrainArgs};
pub(crate) use data::{
    DataArgs, ForwardArgs, HeldOutArgs, InputArgs, PairArgs, TemplateArgs, TokenArgs, template_choice,
};
pub(crate) use data_command::{CheckArgs, ConvertArgs, DataCommand, GenerateDataArgs, ShowArgs, SplitArgs};
pub(crate) use lineage::{LineageArgs, ReproduceArgs};
pub(crate) use machine::MachineArgs;
pub(crate) use memory::MemoryArgs;
pub(crate) use objective::{ObjectiveArgs, ObjectiveName, ObjectivesArgs};
pub(crate) use run::RunArgs;
pub(crate) use scope::ScopeArg;
pub(crate) use select::{RuleArg, RuleSettings, SelectArgs};
pub(crate) use shown::{
    BenchCommand, BenchMethodsArgs, ExplainArgs, GenerateArgs, QuickstartArgs, ReportArgs,
};
pub(crate) use stage::{EvalArgs, OracleArgs, ScoreArgs, SftArgs, TrainCommandArgs};
pub(crate) use train::TrainArgs;
pub(crate) use watch::WatchArgs;
pub(crate) use weights::{ExportArgs, ImportArgs, ProjectArgs, WeightsCommand};

/// Selective preference optimization: score every token of a preference data set, keep the few that matter, train on
/// those alone.
#[derive(Debug, Parser)]
#[command(name = "sepo-cli", version, propagate_version = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What is in a data set, what is wrong with it, row by row
    #[command(subcommand)]
    Data(DataCommand),
    /// Fine-tune a model on chosen responses
    Sft(SftArgs),
    /// Make an oracle: a reference by SFT and, from it, an oracle by DPO
    Oracle(OracleArgs),
    /// Score every response token with an oracle and its reference
    Score(ScoreArgs),
    /// Keep the tokens that carry the preference
    Select(SelectArgs),
    /// Take weights from elsewhere, hand them on, or carry them over to another tokenizer
    #[command(subcommand)]
    Weights(WeightsCommand),
    /// Learn which tokens are good from labels, and score tokens by it
    #[command(subcommand)]
    Classify(ClassifyCommand),
    /// Train a policy on selected tokens, or on whole responses
    Train(Box<TrainCommandArgs>),
    /// Methods that `train --objective` knows, with their settings and needs
    Objectives(ObjectivesArgs),
    /// Measure a model on held-out pairs
    Eval(EvalArgs),
    /// Sample responses
    Generate(GenerateArgs),
    /// Show the scores of one pair as a heat map
    Explain(ExplainArgs),
    /// Draw a run's curves and results as one HTML file
    Report(ReportArgs),
    /// What something was made from, what that was made from, and whether all is still there and the same
    Lineage(LineageArgs),
    /// Make something again from its record, and compare
    Reproduce(ReproduceArgs),
    /// The whole pipeline of a recipe; a stage whose inputs are unchanged is not redone
    Run(RunArgs),
    /// The whole pipeline on built-in data, in minutes
    Quickstart(QuickstartArgs),
    /// Compare methods
    #[command(subcommand)]
    Bench(BenchCommand),
    /// What this machine offers, what is missing, and the fix
    Doctor(MachineArgs),
}
