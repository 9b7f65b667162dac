//! From what was typed to the command that does it.

use crate::args::{BenchCommand, Cli, Command, DataCommand};
use crate::command::{
    classify, data_check, data_convert, data_generate, data_show, data_split, doctor, eval, explain,
    generate, lineage, objectives, oracle, report, score, select, sft, train, weights,
};
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
        Command::Train(args) => train::run(&args, crate::recipe::chosen(&args)?),
        Command::Objectives(args) => objectives::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Lineage(args) => lineage::run(&args),
        Command::Reproduce(args) => crate::reproduce::run(&args),
        Command::Run(args) => crate::recipe::run(&args),
        Command::Quickstart(args) => crate::quickstart::run(&args),
        Command::Bench(BenchCommand::Methods(args)) => crate::methods::run(&args),
        Command::Doctor(args) => doctor::run(&args),
    }
}
