//! Methods side by side on built-in data of which the true utility is known: `sepo-cli bench methods`.
//!
//! Of every seed: data, base, reference, oracle and scores as `quickstart` makes them; then every method trains a policy from the same
//! reference, on the same pairs, with the same steps, at every learning rate of a small grid, and at a scale that is
//! [matched](catalogue). What is finished is kept in a file of its own, so that the same command goes on after any interruption.

mod catalogue;
mod draw;
mod measure;
mod seed;

use std::collections::BTreeMap;

use sepo_data::AtomicFile;
use sepo_model::Dtype;
use sepo_train::TrainBackend;
use serde::{Deserialize, Serialize};

use crate::args::BenchMethodsArgs;
use crate::console::{result, say};
use crate::exit::{CliError, Exit, io_error};
use crate::machine::{OnDevice, on_device};
use crate::quickstart::Stopped;
use catalogue::{Method, catalogue};
use measure::{Measure, OverSeeds};
use seed::Seed;

/// One method over all seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) method: String,
    /// Means over the seeds.
    pub(crate) utility: OverSeeds,
    pub(crate) win_rate: OverSeeds,
    pub(crate) kl: OverSeeds,
    pub(crate) length: OverSeeds,
    pub(crate) finished: OverSeeds,
    pub(crate) chosen: OverSeeds,
    /// Utility above the reference's of the same seed: what methods are ranked by.
    pub(crate) gain: OverSeeds,
    /// Of each seed: β or γ, and the learning rate that was chosen on other prompts.
    pub(crate) beta: Vec<f64>,
    pub(crate) learning_rate: Vec<f64>,
}

/// What all of it came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Comparison {
    pub(crate) seeds: Vec<u64>,
    pub(crate) reference: OverSeeds,
    pub(crate) reference_length: OverSeeds,
    /// The best first.
    pub(crate) methods: Vec<Line>,
}

pub(crate) fn run(args: &BenchMethodsArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    let asked = wanted(args)?;
    let _lock = crate::claim::folder(&args.out, None)?;
    match on_device(Dtype::F32, Job { args, wanted: &asked }) {
        Ok(comparison) => {
            let path = args.out.join("methods.json");
            let text =
                serde_json::to_string_pretty(&comparison).map_err(|error| CliError::of(Exit::Bug, error))?;
            AtomicFile::replace(&path, text + "\n").map_err(|source| io_error(&path, source))?;
            draw::write(&comparison, &args.out)?;
            result(args.machine.form(), &comparison, draw::table)?;
            say(format!("report: {}", args.out.join("report.html").display()));
            Ok(Exit::Done)
        }
        Err(Stopped::Early(exit)) => Ok(exit),
        Err(Stopped::Failed(error)) => Err(error),
    }
}

/// Names of the methods that were asked for; all where none was.
fn wanted(args: &BenchMethodsArgs) -> Result<Vec<String>, CliError> {
    let known: Vec<String> = catalogue(0)?.into_iter().map(|method| method.name).collect();
    if let Some(unknown) = args.only.iter().find(|name| !known.contains(name)) {
        return Err(CliError::usage(
            format!("`{unknown}` is no method that is compared"),
            format!("there are {}", known.join("; ")),
        ));
    }
    Ok(if args.only.is_empty() { known } else { args.only.clone() })
}

/// The whole, on the device that was chosen.
struct Job<'a> {
    args: &'a BenchMethodsArgs,
    wanted: &'a [String],
}

impl OnDevice for Job<'_> {
    type Output = Result<Comparison, Stopped>;

    fn run<B: TrainBackend + 'static>(self, on: &B) -> Self::Output {
        compare(on, self.args, self.wanted)
    }
}

fn compare<B: TrainBackend>(
    on: &B,
    args: &BenchMethodsArgs,
    wanted: &[String],
) -> Result<Comparison, Stopped> {
    let seeds: Vec<u64> = (0..args.seeds.get()).map(|n| args.first_seed + n).collect();
    let mut found: BTreeMap<String, Vec<seed::Found>> = BTreeMap::new();
    let mut references: Vec<Measure> = Vec::new();
    for &seed in &seeds {
        let methods: Vec<Method> =
            catalogue(seed)?.into_iter().filter(|method| wanted.contains(&method.name)).collect();
        let of_seed = Seed::prepare(on, seed, args)?;
        references.push(of_seed.reference);
        for method in &methods {
            found.entry(method.name.clone()).or_default().push(of_seed.run(method)?);
        }
    }
    let over = |of: fn(&Measure) -> f64, measures: &[Measure]| {
        OverSeeds::of(&measures.iter().map(of).collect::<Vec<_>>())
    };
    let line = |(method, found): (String, Vec<seed::Found>)| {
        let measures: Vec<Measure> = found.iter().map(|found| found.measure).collect();
        let gains = measures.iter().zip(&references).map(|(policy, start)| policy.utility - start.utility);
        Line {
            method,
            utility: over(|m| m.utility, &measures),
            win_rate: over(|m| m.win_rate, &measures),
            kl: over(|m| m.kl, &measures),
            length: over(|m| m.length, &measures),
            finished: over(|m| m.finished, &measures),
            chosen: over(|m| m.chosen, &measures),
            gain: OverSeeds::of(&gains.collect::<Vec<_>>()),
            beta: found.iter().map(|found| found.beta).collect(),
            learning_rate: found.iter().map(|found| found.learning_rate).collect(),
        }
    };
    let mut methods: Vec<Line> = found.into_iter().map(line).collect();
    methods.sort_by(|a, b| b.gain.mean.total_cmp(&a.gain.mean));
    Ok(Comparison {
        seeds,
        reference: over(|m| m.utility, &references),
        reference_length: over(|m| m.length, &references),
        methods,
    })
}
