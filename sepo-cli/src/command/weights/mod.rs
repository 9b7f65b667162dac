//! `sepo-cli weights`

mod counts;
pub(crate) mod export;
pub(crate) mod import;
mod origin;
pub(crate) mod project;
mod rows;

use crate::args::WeightsCommand;
use crate::exit::{CliError, Exit};

pub(crate) fn run(command: &WeightsCommand) -> Result<Exit, CliError> {
    match command {
        WeightsCommand::Import(args) => import::run(args),
        WeightsCommand::Export(args) => export::run(args),
        WeightsCommand::Project(args) => project::run(args),
    }
}
