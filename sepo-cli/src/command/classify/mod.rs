//! `sepo-cli classify`

mod score;
mod train;

use crate::args::ClassifyCommand;
use crate::exit::{CliError, Exit};

pub(crate) fn run(command: &ClassifyCommand) -> Result<Exit, CliError> {
    match command {
        ClassifyCommand::Train(args) => train::run(args),
        ClassifyCommand::Score(args) => score::run(args),
    }
}
