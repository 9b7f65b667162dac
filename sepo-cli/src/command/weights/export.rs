//! `sepo-cli weights export`

use sepo_data::{SelectionReader, WeightsWriter};
use serde::Serialize;

use super::origin;
use crate::args::ExportArgs;
use crate::console::{grouped, result};
use crate::exit::{CliError, Exit};

#[derive(Debug, Serialize)]
struct Exported {
    n_pairs: u64,
    has_spans: bool,
}

pub(super) fn run(args: &ExportArgs) -> Result<Exit, CliError> {
    crate::machine::prepare_cpu(&args.machine)?;
    let reader = SelectionReader::open(&args.selection)?;
    let mut spans = match args.spans {
        true => Some(origin::spans(&origin::scores(reader.meta(), args.scores.as_deref())?)?),
        false => None,
    };
    let mut writer = WeightsWriter::create(&args.out)?;
    for pair in reader {
        let pair = pair?;
        let spans = spans.as_mut().map(|spans| spans.of(&pair)).transpose();
        writer.write(&pair, spans.map_err(|error| CliError::of(Exit::Data, error))?)?;
    }
    crate::provenance::forget(&args.out)?;
    let exported = Exported { n_pairs: writer.finish()?, has_spans: args.spans };
    result(args.machine.form(), &exported, |exported| {
        format!("{} pairs written to `{}`", grouped(exported.n_pairs), args.out.display())
    })?;
    Ok(Exit::Done)
}
