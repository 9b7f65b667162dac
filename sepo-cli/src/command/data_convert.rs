//! `sepo-cli data convert`

use sepo_data::{PairRow, format::PairWriter, open_pairs};
use serde::Serialize;

use crate::args::ConvertArgs;
use crate::console::{grouped, result, say, warn};
use crate::exit::{CliError, Exit};
use crate::pairs::describe as describe_bad;

#[derive(Debug, Serialize)]
struct Converted {
    written: u64,
    unusable: u64,
}

pub(crate) fn run(args: &ConvertArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    let _lock = crate::claim::file(&args.out)?;
    let reader = open_pairs(&args.input.inputs, &args.input.read.read_config())?;
    say(format!("data: {} ({})", reader.format().format, reader.format().reason));
    let mut writer = PairWriter::create(&args.out)?;
    let (mut unusable, mut is_empty) = (0, true);
    for row in reader.take(args.input.read.limit.unwrap_or(usize::MAX)) {
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
    let written = writer.finish()?;
    result(args.machine.form(), &Converted { written, unusable }, |converted| {
        format!(
            "{} pairs written to `{}`, {} rows not usable",
            grouped(converted.written),
            args.out.display(),
            grouped(converted.unusable)
        )
    })?;
    Ok(Exit::Done)
}
