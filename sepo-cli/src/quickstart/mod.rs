//! The whole pipeline on built-in data, of which it is known which tokens matter: base from scratch, reference, oracle,
//! scores, selections, policies, samples judged by their true utility.

mod data;
mod draw;
mod models;
mod policies;
mod quality;
mod record;
mod sample;
mod settings;

use std::path::{Path, PathBuf};

use sepo_data::{AtomicFile, ContentSource, ScoredPair, ScoresMeta, ScoresReader, ScoresWriter};
use sepo_model::{Backend, Dtype};
use sepo_select::{Rule, ScoreConfig, ScoreReport, Scorer, SelectConfig, score_pairs};
use sepo_train::TrainBackend;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::args::QuickstartArgs;
use crate::command::select::{self, SelectJob};
use crate::console::{result, say};
use crate::exit::{CliError, Exit, io_error};
use crate::machine::{OnDevice, on_device};
use crate::provenance::OnChange;
pub(crate) use data::Data;
use models::Scorers;
pub(crate) use models::example;
use policies::PolicyResult;
use quality::Findings;
use record::Records;
use sample::Judgement;
pub(crate) use sample::Sampled;
pub(crate) use settings::Settings;
#[cfg(test)]
pub(crate) use settings::Shape;
use settings::methods;

/// What the pipeline came to; no times, so that the same seed gives the same text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) settings: Settings,
    pub(crate) n_parameters: usize,
    pub(crate) findings: Findings,
    /// Preference accuracy of the oracle's implicit reward on held-out pairs.
    pub(crate) oracle_accuracy: Option<f64>,
    pub(crate) scores: ScoreReport,
    /// The start of every policy, on the test prompts.
    pub(crate) reference: Judgement,
    pub(crate) policies: Vec<PolicyResult>,
}

/// Why a stage did not finish.
pub(crate) enum Stopped {
    Early(Exit),
    Failed(CliError),
}

impl<E: Into<CliError>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

pub(crate) fn run(args: &QuickstartArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    let settings = Settings::new(args.seed);
    let _lock = crate::claim::folder(&args.out, None)?;
    match on_device(Dtype::F32, Job { settings: &settings, out: &args.out }) {
        Ok((summary, scored, data)) => {
            draw::write(&summary, &data, &scored, &args.out)?;
            result(args.machine.form(), &summary, draw::table)?;
            say(format!("report: {}", args.out.join("report.html").display()));
            Ok(Exit::Done)
        }
        Err(Stopped::Early(exit)) => Ok(exit),
        Err(Stopped::Failed(error)) => Err(error),
    }
}

/// Everything in the folder `out` but the report; an exit code where it was stopped.
pub(crate) fn make(settings: &Settings, out: &Path) -> Result<Result<(), Exit>, CliError> {
    let _lock = crate::claim::folder(out, None)?;
    match on_device(Dtype::F32, Job { settings, out }) {
        Ok(_) => Ok(Ok(())),
        Err(Stopped::Early(exit)) => Ok(Err(exit)),
        Err(Stopped::Failed(error)) => Err(error),
    }
}

/// The whole, on the device that was chosen.
struct Job<'a> {
    settings: &'a Settings,
    out: &'a Path,
}

impl OnDevice for Job<'_> {
    type Output = Result<(Summary, Vec<ScoredPair>, Data), Stopped>;

    fn run<B: TrainBackend + 'static>(self, on: &B) -> Self::Output {
        let Job { settings, out } = self;
        let records = Records { settings, out };
        records.forget_data()?;
        let data = Data::make(settings, out)?;
        records.data()?;
        let (summary, scored) = Pipeline { on, settings, data: &data, out }.run(&records)?;
        Ok((summary, scored, data))
    }
}

/// What all parts of the pipeline share: where it computes, under what settings, on which data, into which folder.
pub(crate) struct Pipeline<'a, B> {
    pub(crate) on: &'a B,
    pub(crate) settings: &'a Settings,
    pub(crate) data: &'a Data,
    pub(crate) out: &'a Path,
}

impl<B: TrainBackend> Pipeline<'_, B> {
    fn run(&self, records: &Records<'_>) -> Result<(Summary, Vec<ScoredPair>), Stopped> {
        let Self { settings, data, out, .. } = *self;
        let base = self.base()?;
        let n_parameters = base.parameters.len();
        let scorers = self.scorers(base)?;
        records.models()?;
        let (scores, scored) = self.score(&scorers, records.scores()?)?;
        let rules: Vec<SelectConfig> = methods(settings)
            .iter()
            .filter_map(|method| method.rule)
            .map(|rule| select_config(settings, rule))
            .collect();
        for config in &rules {
            let report = select::make(&SelectJob {
                scores: &out.join("scores.parquet"),
                tokenizer: None,
                config: *config,
                on_change: OnChange::Refuse,
                out: &selection_file(out, config.rule),
            })?;
            let rule = config.rule.name();
            report.warnings.iter().for_each(|warning| say(format!("rule {rule}: {warning}")));
        }
        let eos = data.tokenizer.special_tokens().eos.map(|eos| eos.id);
        let findings = Findings::of(&data.planted, &scored, &rules, eos)?;
        let reference = self.sample_and_judge(&scorers.reference, &data.test_prompts)?;
        let policies = self.policies(&scorers.reference)?;
        records.policies()?;
        let summary = Summary {
            settings: settings.clone(),
            n_parameters,
            findings,
            oracle_accuracy: scorers.held_out.accuracy_by_reward,
            scores,
            reference,
            policies,
        };
        let path = out.join("summary.json");
        let text = serde_json::to_string_pretty(&summary).map_err(|error| CliError::of(Exit::Bug, error))?;
        AtomicFile::replace(&path, text + "\n").map_err(|source| io_error(&path, source))?;
        Ok((summary, scored))
    }
}

fn select_config(settings: &Settings, rule: Rule) -> SelectConfig {
    SelectConfig { rule, keep_chosen: settings.keep, keep_rejected: settings.keep, ..SelectConfig::default() }
}

/// Where a rule's selection lies.
pub(crate) fn selection_file(out: &Path, rule: Rule) -> PathBuf {
    out.join(format!("selection-{}.parquet", rule.name()))
}

impl<B: Backend> Pipeline<'_, B> {
    /// `scores.parquet`, written with `extra` in its metadata, and read back.
    pub(crate) fn score(
        &self,
        scorers: &Scorers,
        extra: Map<String, Value>,
    ) -> Result<(ScoreReport, Vec<ScoredPair>), CliError> {
        let (data, out) = (self.data, self.out);
        let source = |name: &str, content_hash: String| ContentSource { path: name.to_owned(), content_hash };
        let meta = ScoresMeta {
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            oracle: source("oracle", scorers.oracle.parameters.content_hash()),
            reference: source("reference", scorers.reference.parameters.content_hash()),
            tokenizer: data.tokenizer.tokenizer_hash().map(|hash| source("tokenizer", hash.to_owned())),
            inputs: crate::pairs::input_sources(&[out.join("data/pairs.jsonl").display().to_string()])?,
            dtype: "f32".to_owned(),
            device: crate::machine::device().to_owned(),
            eos_token_id: data.tokenizer.special_tokens().eos.map(|eos| eos.id),
            extra,
            ..ScoresMeta::default()
        };
        let path = out.join("scores.parquet");
        let mut writer = ScoresWriter::create(&path, meta)?;
        let mut scorer = Scorer::on(self.on, &scorers.oracle, &scorers.reference)?;
        let pairs = data.pairs.iter().cloned().map(Ok::<_, CliError>);
        let report = score_pairs(&mut scorer, pairs, ScoreConfig::default(), &mut writer, |_| {})?;
        writer.finish()?;
        let scored = ScoresReader::open(&path)?.collect::<Result<_, _>>()?;
        Ok((report, scored))
    }
}
