//! URLs among what was typed: fetched before a command begins, so that it sees files and folders.

use std::path::PathBuf;

use sepo_data::{DataError, SelectionReader, is_url, local_paths, local_paths_unless};

use crate::args::{ClassifyCommand, Command, DataCommand, InputArgs, PairArgs, WeightsCommand};
use crate::console::say;
use crate::exit::CliError;
use crate::interrupt::stoppable;

/// Fetches what a command's URLs name. Models and files are named by their paths from then on; pairs keep their URLs, which
/// stand for the same files to the end.
pub(crate) fn localize(command: &mut Command) -> Result<(), CliError> {
    match command {
        Command::Data(command) => data_command(command),
        Command::Sft(args) => all([&mut args.model], [], &args.pairs),
        Command::Oracle(args) => all([&mut args.model], [&mut args.reference], &args.pairs),
        Command::Score(args) => all([&mut args.oracle, &mut args.reference], [], &args.pairs),
        Command::Eval(args) => all([&mut args.model], [&mut args.reference], &args.pairs),
        Command::Select(args) => paths([&mut args.scores], [&mut args.tokenizer]),
        Command::Weights(command) => weights_command(command),
        Command::Classify(ClassifyCommand::Train(args)) => {
            paths([&mut args.model, &mut args.data], [&mut args.eval_data])
        }
        Command::Classify(ClassifyCommand::Score(args)) => {
            all([&mut args.classifier, &mut args.model], [], &args.pairs)
        }
        Command::Train(args) => {
            let teacher = [&mut args.teacher, &mut args.reverse_teacher];
            paths([], teacher)?;
            paths([&mut args.model], [&mut args.reference, &mut args.objective_file])?;
            pairs(&args.eval_data)?;
            pairs(&args.data)?;
            selection(&mut args.data)
        }
        Command::Generate(args) => paths([&mut args.model, &mut args.prompts], []),
        Command::Explain(args) => paths([&mut args.scores], [&mut args.tokenizer, &mut args.selection]),
        // A recipe says where its inputs are: see `recipe::load`. The others read what was made here.
        Command::Run(_)
        | Command::Objectives(_)
        | Command::Report(_)
        | Command::Lineage(_)
        | Command::Reproduce(_)
        | Command::Quickstart(_)
        | Command::Bench(_)
        | Command::Doctor(_) => Ok(()),
    }
}

fn data_command(command: &mut DataCommand) -> Result<(), CliError> {
    let input = |input: &InputArgs| Ok(pairs(&input.inputs)?);
    match command {
        DataCommand::Check(args) => paths([], [&mut args.tokenizer]).and_then(|()| input(&args.input)),
        DataCommand::Show(args) => path(&mut args.tokenizer).and_then(|()| input(&args.input)),
        DataCommand::Convert(args) => input(&args.input),
        DataCommand::Split(args) => input(&args.input),
        DataCommand::Generate(_) => Ok(()),
    }
}

fn weights_command(command: &mut WeightsCommand) -> Result<(), CliError> {
    match command {
        WeightsCommand::Import(args) => all([&mut args.weights, &mut args.tokenizer], [], &args.pairs),
        WeightsCommand::Export(args) => paths([&mut args.selection], [&mut args.scores]),
        WeightsCommand::Project(args) => {
            all([&mut args.selection, &mut args.tokenizer], [&mut args.scores, &mut args.oracle], &args.pairs)
        }
    }
}

fn all<const N: usize, const M: usize>(
    needed: [&mut PathBuf; N],
    optional: [&mut Option<PathBuf>; M],
    args: &PairArgs,
) -> Result<(), CliError> {
    paths(needed, optional)?;
    Ok(pairs(&args.data)?)
}

fn paths<const N: usize, const M: usize>(
    needed: [&mut PathBuf; N],
    optional: [&mut Option<PathBuf>; M],
) -> Result<(), CliError> {
    needed.into_iter().chain(optional.into_iter().flatten()).try_for_each(path)
}

fn path(path: &mut PathBuf) -> Result<(), CliError> {
    if let Some(here) = path.to_str().filter(|typed| is_url(typed)).map(one).transpose()? {
        *path = here;
    }
    Ok(())
}

/// The one file or folder that a URL stands for.
pub(crate) fn one(url: &str) -> Result<PathBuf, DataError> {
    say(format!("fetching `{}`", crate::provenance::without_credentials(url)));
    let mut paths = stoppable(|stop| local_paths_unless(url, stop))?;
    match (paths.pop(), paths.is_empty()) {
        (Some(path), true) => {
            say(format!("it is `{}`", path.display()));
            Ok(path)
        }
        _ => Err(DataError::NotOne { url: crate::provenance::without_credentials(url) }),
    }
}

/// Fetches the URLs among inputs of pairs.
pub(crate) fn pairs(inputs: &[String]) -> Result<(), DataError> {
    for url in inputs.iter().filter(|input| is_url(input)) {
        say(format!("fetching `{}`", crate::provenance::without_credentials(url)));
        for path in stoppable(|stop| local_paths_unless(url, stop))? {
            say(format!("it is `{}`", path.display()));
        }
    }
    Ok(())
}

/// Names a selection by its path: whether the data is one is asked again and again.
fn selection(data: &mut [String]) -> Result<(), CliError> {
    if let [url] = data
        && is_url(url)
        && let [file] = &local_paths(url)?[..]
        && SelectionReader::open(file).is_ok()
    {
        *url = file.display().to_string();
    }
    Ok(())
}
