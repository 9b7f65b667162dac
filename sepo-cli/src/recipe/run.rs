//! `sepo-cli run`

use super::{Summary, dry_run, execute, load};
use crate::args::{MachineArgs, RunArgs};
use crate::console::result;
use crate::exit::{CliError, Exit};

pub(crate) fn run(args: &RunArgs) -> Result<Exit, CliError> {
    crate::interrupt::save_by(args.save_by);
    let mut recipe = load(&args.recipe, &args.set)?;
    recipe.memory = args.memory.memory().or(recipe.memory);
    recipe.on_change = args.change.on_change();
    if args.dry_run {
        let summary = dry_run(&recipe)?;
        result(args.machine.form(), &summary, |summary| {
            format!("nothing was run; results would be in `{}`", summary.out.display())
        })?;
        return Ok(Exit::Done);
    }
    let threads = args.machine.threads.or(recipe.threads);
    crate::machine::prepare(&MachineArgs { threads, ..args.machine.clone() })?;
    match execute(&recipe)? {
        Ok(summary) => {
            result(args.machine.form(), &summary, describe)?;
            Ok(Exit::Done)
        }
        Err(exit) => Ok(exit),
    }
}

fn describe(summary: &Summary) -> String {
    let report = summary.report.as_ref().map(|path| format!("; report in `{}`", path.display()));
    format!("done: results in `{}`{}", summary.out.display(), report.unwrap_or_default())
}
