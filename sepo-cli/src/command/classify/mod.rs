//! `sepo-cli classify`

pub(crate) mod score;
pub(crate) mod train;

use crate::args::ClassifyCommand;
use crate::exit::{CliError, Exit};

pub(crate) fn run(command: &ClassifyCommand) -> Result<Exit, CliError> {
    match command {
        ClassifyCommand::Train(args) => train::run(args),
        ClassifyCommand::Score(args) => score::run(args),
    }
}
