//! `sepo-cli data convert`

use sepo_data::{PairRow, format::PairWriter};
use serde::Serialize;

use crate::args::ConvertArgs;
use crate::console::{grouped, result, warn};
use crate::exit::{CliError, Exit};
use crate::memory::Memory;
use crate::pairs::{describe as describe_bad, open, say_left_out};

#[derive(Debug, Serialize)]
struct Converted {
    written: u64,
    unusable: u64,
    /// Left out, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicates: Option<u64>,
}

pub(crate) fn run(args: &ConvertArgs) -> Result<Exit, CliError> {
    crate::machine::prepare_cpu(&args.machine)?;
    let _lock = crate::claim::file(&args.out)?;
    let mut source =
        open(&args.input.inputs, &args.input.read, &Memory::default().spill(&std::env::temp_dir()))?;
    let mut writer = PairWriter::create(&args.out)?;
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
                if args.input.read.strict
                    || args.input.read.max_bad_rows.is_some_and(|bound| unusable > bound)
                {
                    let help = "mend the row, or allow more unusable rows";
                    return Err(CliError::new(Exit::Data, text, help));
                }
                warn(text);
            }
        }
    }
    if is_empty {
        let help = "`sepo-cli data check` names every row with its reason";
        return Err(CliError::new(Exit::Data, "no row of the data can be used", help));
    }
    crate::provenance::forget(&args.out)?;
    let written = writer.finish()?;
    let counts = source.tally().counts();
    say_left_out(&args.input.inputs, &args.input.read, &counts);
    let duplicates = args.input.read.dedup.then_some(counts.n_duplicates);
    let converted = Converted { written, unusable, duplicates };
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
