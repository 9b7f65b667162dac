//! `sepo-cli data split`

use std::path::Path;

use sepo_data::format::PairWriter;
use sepo_data::{PairRow, Part, pair_hash};
use serde::Serialize;

use crate::args::SplitArgs;
use crate::console::{grouped, result, warn};
use crate::exit::{CliError, Exit};
use crate::pairs::{describe as describe_bad, open, say_left_out};

#[derive(Debug, Serialize)]
struct SplitResult {
    train: u64,
    eval: u64,
    unusable: u64,
    duplicates: u64,
}

pub(crate) fn run(args: &SplitArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    if args.out_train == args.out_eval {
        return Err(CliError::usage(
            format!("`--out-train` and `--out-eval` are both `{}`", args.out_train.display()),
            "name two files",
        ));
    }
    let _locks = [crate::claim::file(&args.out_train)?, crate::claim::file(&args.out_eval)?];
    let read = &args.input.read;
    let memory = args.memory.memory();
    memory.check("splitting", &[])?;
    let folder = args.out_train.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let mut source = open(&args.input.inputs, read, &memory.spill(folder))?;
    let mut train = PairWriter::create(&args.out_train)?;
    let mut eval = PairWriter::create(&args.out_eval)?;
    let (mut n_train, mut n_eval, mut unusable) = (0, 0, 0);
    for row in source.by_ref() {
        match row? {
            PairRow::Pair(pair) => match args.eval_fraction.part(pair_hash(&pair.content)) {
                Part::Train => {
                    train.write(&pair.content)?;
                    n_train += 1;
                }
                Part::Eval => {
                    eval.write(&pair.content)?;
                    n_eval += 1;
                }
            },
            PairRow::Bad(bad) => {
                unusable += 1;
                let text = describe_bad(&bad);
                if read.strict || read.max_bad_rows.is_some_and(|bound| unusable > bound) {
                    return Err(CliError::new(Exit::Data, text, "mend the row, or allow more unusable rows"));
                }
                warn(text);
            }
        }
    }
    check_parts(args, n_train, n_eval)?;
    let counts = source.tally().counts();
    say_left_out(&args.input.inputs, read, &counts);
    let made = SplitResult {
        train: train.finish()?,
        eval: eval.finish()?,
        unusable,
        duplicates: counts.n_duplicates,
    };
    result(args.machine.form(), &made, |made| {
        format!(
            "{} pairs written to `{}`, {} held out in `{}`, {} rows not usable",
            grouped(made.train),
            args.out_train.display(),
            grouped(made.eval),
            args.out_eval.display(),
            grouped(made.unusable)
        )
    })?;
    Ok(Exit::Done)
}

/// Refuses parts of which one has no pair.
fn check_parts(args: &SplitArgs, n_train: u64, n_eval: u64) -> Result<(), CliError> {
    if n_train > 0 && n_eval > 0 {
        return Ok(());
    }
    let share = args.eval_fraction.get();
    let (message, help) = match n_train + n_eval {
        0 => (
            "no row of the data can be used".to_owned(),
            "`sepo-cli data check` names every row with its reason",
        ),
        n => {
            let which = if n_eval == 0 { "none" } else { "all" };
            let message = format!("`--eval-fraction {share}` holds out {which} of the {} pairs", grouped(n));
            (message, "choose another share, or use more data")
        }
    };
    Err(CliError::new(Exit::Data, message, help))
}
