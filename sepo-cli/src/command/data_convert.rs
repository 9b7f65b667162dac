//! `sepo-cli data convert`

use std::path::Path;

use sepo_data::{PairRow, format::PairWriter};
use serde::Serialize;

use crate::args::{ConvertArgs, DataArgs};
use crate::console::{grouped, result, warn};
use crate::exit::{CliError, Exit};
use crate::memory::Memory;
use crate::pairs::{check_unusable, describe as describe_bad, open, say_left_out};
use crate::provenance::{self, ConvertSettings, OnChange, Origin};

/// What the command came to.
#[derive(Debug, Serialize)]
pub(crate) struct Converted {
    written: u64,
    unusable: u64,
    /// Left out, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicates: Option<u64>,
}

/// Everything that decides the file.
#[derive(Debug)]
pub(crate) struct ConvertJob<'a> {
    pub(crate) data: &'a [String],
    pub(crate) read: &'a DataArgs,
    /// What happens where an input is not what its record says.
    pub(crate) on_change: OnChange,
    pub(crate) out: &'a Path,
}

pub(crate) fn run(args: &ConvertArgs) -> Result<Exit, CliError> {
    crate::machine::prepare_cpu(&args.machine)?;
    let _lock = crate::claim::file(&args.out)?;
    let converted = make(&ConvertJob {
        data: &args.input.inputs,
        read: &args.input.read,
        on_change: args.change.on_change(),
        out: &args.out,
    })?;
    result(args.machine.form(), &converted, |converted| {
        format!(
            "{} pairs written to `{}`, {} rows not usable",
            grouped(converted.written),
            args.out.display(),
            grouped(converted.unusable)
        )
    })?;
    Ok(Exit::Done)
}

/// How many pairs there are, once the file and its record are written.
pub(crate) fn make(job: &ConvertJob<'_>) -> Result<Converted, CliError> {
    let &ConvertJob { data, read, on_change, out } = job;
    let mut origin = Origin::beside(out.parent().unwrap_or(Path::new("")), on_change);
    origin.data("data", data, read)?;
    let record = origin.into_record("data convert", None, &ConvertSettings { read: read.clone() })?;
    let mut source = open(data, read, &Memory::default().spill(&std::env::temp_dir()))?;
    let mut writer = PairWriter::create(out)?;
    let (mut unusable, mut is_empty) = (0, true);
    for row in source.by_ref() {
        match row? {
            PairRow::Pair(pair) => {
                writer.write(&pair.content)?;
                is_empty = false;
            }
            PairRow::Bad(bad) => {
                unusable += 1;
                let text = describe_bad(&bad);
                check_unusable(read, unusable, &text)?;
                warn(text);
            }
        }
    }
    if is_empty {
        let help = "`sepo-cli data check` names every row with its reason";
        return Err(CliError::new(Exit::Data, "no row of the data can be used", help));
    }
    provenance::forget(out)?;
    let written = writer.finish()?;
    provenance::beside(out, record, provenance::counts([("pairs", written)]))?;
    let counts = source.tally().counts();
    say_left_out(data, read, &counts);
    Ok(Converted { written, unusable, duplicates: read.dedup.then_some(counts.n_duplicates) })
}
