//! A stage, run by what its record says.

use std::path::{Path, PathBuf};

use sepo_data::OtherRun;
use sepo_oracle::DpoConfig;
use sepo_select::{SelectConfig, ShardConfig};
use serde::de::DeserializeOwned;

use super::inputs::Inputs;
use crate::command::classify::score::{self as judge, JudgeJob};
use crate::command::classify::train::{self as classifier, ClassifyJob};
use crate::command::oracle::{self, OracleJob};
use crate::command::score::{self, ScoreJob};
use crate::command::select::{self, SelectJob};
use crate::command::sft::{self, SftJob};
use crate::command::train::{self, TrainJob};
use crate::exit::{CliError, Exit};
use crate::interrupt::interrupted;
use crate::memory::Memory;
use crate::provenance::{
    ClassifierSettings, JudgeSettings, OnChange, OracleSettings, ScoreSettings, SftSettings, Subject,
    TrainSettings,
};
use crate::quickstart;

/// What is made, or the folder that it is made in together with others; an exit code where making it was stopped.
type Made = Result<PathBuf, Exit>;

/// Nothing where a stage came to its end; an exit code where it was stopped.
pub(super) type Done = Result<Result<(), Exit>, CliError>;

/// Where and how things are made again.
pub(super) struct Again<'a> {
    pub(super) out: &'a Path,
    pub(super) memory: Memory,
    pub(super) on_change: OnChange,
}

impl Again<'_> {
    /// Makes `subject` again, under its own name.
    pub(super) fn make(&self, subject: &Subject) -> Result<Made, CliError> {
        let inputs = Inputs::find(subject, self.on_change)?;
        let path = subject.path.canonicalize().unwrap_or_else(|_| subject.path.clone());
        let out = self.out.join(path.file_name().unwrap_or("again".as_ref()));
        let made = match subject.record.stage.as_str() {
            "sft" => self.sft(subject, &inputs, &out)?,
            "oracle" => self.oracle(subject, &inputs, self.out)?,
            "score" => self.score(subject, &inputs, &out)?,
            "select" => self.select(subject, &inputs, &out)?,
            "train" => self.train(subject, &inputs, &out)?,
            "classify train" => self.classifier(subject, &inputs, &out)?,
            "classify score" => self.judge(subject, &inputs, &out)?,
            "data convert" => self.convert(subject, &inputs, &out)?,
            "data generate" => self.generate(subject, &out)?,
            "data split" => self.split(subject, &inputs, &out)?,
            "weights export" => self.export(subject, &inputs, &out)?,
            "weights import" => self.import(subject, &inputs, &out)?,
            "weights project" => self.project(subject, &inputs, &out)?,
            "quickstart" => quickstart::make(&settings(subject)?, self.out)?,
            stage => {
                return Err(CliError::new(
                    Exit::Data,
                    format!(
                        "`{}` was made by `{stage}`, which is not run again from a record",
                        subject.path.display()
                    ),
                    "what every command of this version writes with a record is; a newer one may know this",
                ));
            }
        };
        let made_in = if subject.place().is_some() { self.out.to_owned() } else { out };
        Ok(made.map(|()| made_in))
    }

    fn sft(&self, subject: &Subject, inputs: &Inputs<'_>, out: &Path) -> Done {
        let SftSettings { read, tokens, train } = settings(subject)?;
        let made = sft::make(&SftJob {
            model: &inputs.one("model")?,
            data: inputs.all("data"),
            read: &read,
            tokens: inputs.tokens(tokens)?,
            train,
            memory: self.memory,
            on_change: self.on_change,
            out,
        })?;
        Ok(made.map(drop))
    }

    fn oracle(&self, subject: &Subject, inputs: &Inputs<'_>, out: &Path) -> Done {
        let recorded: OracleSettings = settings(subject)?;
        let made = oracle::make(&OracleJob {
            model: &inputs.one("model")?,
            reference: inputs.maybe("reference").as_deref(),
            data: inputs.all("data"),
            read: &recorded.read,
            tokens: inputs.tokens(recorded.tokens)?,
            fraction: recorded.fraction,
            eval_pairs: recorded.eval_pairs,
            reference_learning_rate: recorded.reference_learning_rate,
            reference_epochs: recorded.reference_epochs,
            dpo: DpoConfig { beta: recorded.beta, label_smoothing: recorded.label_smoothing },
            train: recorded.train,
            memory: self.memory,
            on_change: self.on_change,
            out,
        })?;
        Ok(made.map(drop))
    }

    fn score(&self, subject: &Subject, inputs: &Inputs<'_>, out: &Path) -> Done {
        let ScoreSettings { read, tokens, tokens_per_batch, tokens_per_shard, dtype } = settings(subject)?;
        let job = ScoreJob {
            oracle: &inputs.one("oracle")?,
            reference: &inputs.one("reference")?,
            data: inputs.all("data"),
            read: &read,
            tokens: inputs.tokens(tokens)?,
            shards: ShardConfig { tokens_per_batch, tokens_per_shard },
            dtype,
            memory: self.memory,
            other: OtherRun::Refuse,
            on_change: self.on_change,
            out,
        };
        Ok(score::make(&job, interrupted())?.map(drop).ok_or(Exit::Interrupted))
    }

    fn select(&self, subject: &Subject, inputs: &Inputs<'_>, out: &Path) -> Done {
        let config: SelectConfig = settings(subject)?;
        let tokenizer = inputs.maybe("tokenizer");
        select::make(&SelectJob {
            scores: &inputs.one("scores")?,
            tokenizer: tokenizer.as_deref(),
            config,
            on_change: self.on_change,
            out,
        })?;
        Ok(Ok(()))
    }

    fn train(&self, subject: &Subject, inputs: &Inputs<'_>, out: &Path) -> Done {
        let TrainSettings { objective, read, eval_read, tokens, train } = settings(subject)?;
        let [toward, away] = ["teacher", "reverse-teacher"].map(|role| inputs.maybe(role));
        let made = train::make(&TrainJob {
            model: &inputs.one("model")?,
            data: inputs.all("data"),
            read: &read,
            objective,
            reference: inputs.maybe("reference").as_deref(),
            teacher: toward.as_deref().zip(away.as_deref()).map(|(toward, away)| [toward, away]),
            eval_data: inputs.all("eval-data"),
            eval_read: &eval_read,
            tokens: inputs.tokens(tokens)?,
            train,
            memory: self.memory,
            on_change: self.on_change,
            out,
        })?;
        Ok(made.map(drop))
    }

    fn classifier(&self, subject: &Subject, inputs: &Inputs<'_>, out: &Path) -> Done {
        let ClassifierSettings { train } = settings(subject)?;
        let made = classifier::make(&ClassifyJob {
            model: &inputs.one("model")?,
            data: &inputs.one("data")?,
            eval_data: inputs.maybe("eval-data").as_deref(),
            train,
            memory: self.memory,
            on_change: self.on_change,
            out,
        })?;
        Ok(made.map(drop))
    }

    fn judge(&self, subject: &Subject, inputs: &Inputs<'_>, out: &Path) -> Done {
        let JudgeSettings { read, tokens, tokens_per_batch, dtype } = settings(subject)?;
        let made = judge::make(&JudgeJob {
            classifier: &inputs.one("classifier")?,
            model: &inputs.one("model")?,
            data: inputs.all("data"),
            read: &read,
            tokens: inputs.tokens(tokens)?,
            tokens_per_batch,
            dtype,
            memory: self.memory,
            on_change: self.on_change,
            out,
        })?;
        Ok(made.map(drop))
    }
}

/// The settings of its stage.
pub(super) fn settings<T: DeserializeOwned>(subject: &Subject) -> Result<T, CliError> {
    serde_json::from_value(subject.record.settings.clone()).map_err(|error| {
        CliError::of(Exit::Data, error).during(format!(
            "read the settings of `{}`, made by version {}",
            subject.path.display(),
            subject.record.program_version
        ))
    })
}
