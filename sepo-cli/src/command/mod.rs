//! One file a subcommand: arguments in, libraries called, results printed.

mod bad_rows;
mod classify;
mod data_check;
mod data_convert;
mod data_generate;
mod data_show;
mod data_split;
mod doctor;
pub(crate) mod eval;
mod explain;
mod generate;
mod lineage;
pub(crate) mod objectives;
pub(crate) mod oracle;
mod report;
mod reproduce;
mod run;
pub(crate) mod score;
mod score_identity;
mod score_record;
mod score_result;
pub(crate) mod select;
mod select_config;
pub(crate) mod sft;
mod stage;
pub(crate) mod train;
pub(crate) mod train_data;
mod weights;

pub(crate) use explain::heatmap;
pub(crate) use report::{curves, find_runs};

use crate::args::{BenchCommand, Cli, Command, DataCommand};
use crate::exit::{CliError, Exit};

/// Runs the command that was typed.
pub(crate) fn run(mut cli: Cli) -> Result<Exit, CliError> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::builder()
                .with_default_directive(tracing::Level::WARN.into())
                .from_env_lossy(),
        )
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .init();
    crate::interrupt::listen();
    crate::remote::localize(&mut cli.command)?;
    match cli.command {
        Command::Data(DataCommand::Check(args)) => data_check::run(&args),
        Command::Data(DataCommand::Show(args)) => data_show::run(&args),
        Command::Data(DataCommand::Convert(args)) => data_convert::run(&args),
        Command::Data(DataCommand::Split(args)) => data_split::run(&args),
        Command::Data(DataCommand::Generate(args)) => data_generate::run(&args),
        Command::Sft(args) => sft::run(&args),
        Command::Classify(command) => classify::run(&command),
        Command::Oracle(args) => oracle::run(&args),
        Command::Score(args) => score::run(&args),
        Command::Select(args) => select::run(&args),
        Command::Weights(command) => weights::run(&command),
        Command::Train(args) => train::run(&args),
        Command::Objectives(args) => objectives::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Lineage(args) => lineage::run(&args),
        Command::Reproduce(args) => reproduce::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Quickstart(args) => crate::quickstart::run(&args),
        Command::Bench(BenchCommand::Methods(args)) => crate::methods::run(&args),
        Command::Doctor(args) => doctor::run(&args),
    }
}
