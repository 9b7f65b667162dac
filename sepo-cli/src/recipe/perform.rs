//! One stage, by the same functions that the single commands call.

use std::path::Path;

use sepo_data::OtherRun;
use sepo_oracle::DpoConfig;
use sepo_select::ShardConfig;
use serde::Serialize;
use serde_json::Value;

use super::record::write_whole;
use super::stage::to_value;
use super::{Recipe, Stage, wording};
use crate::command::eval::{EvalJob, EvalResult};
use crate::command::oracle::OracleJob;
use crate::command::score::ScoreJob;
use crate::command::select::SelectJob;
use crate::command::train::TrainJob;
use crate::command::{eval, oracle, score, select, train};
use crate::console::{say, warn};
use crate::exit::{CliError, Exit};
use crate::interrupt::interrupted;

/// The policy beside its start, on pairs that neither was trained on.
#[derive(Debug, Serialize)]
pub(super) struct Evaluation {
    pub(super) start: EvalResult,
    pub(super) policy: EvalResult,
}

/// What the stage reports; an exit code where it was stopped.
pub(super) fn perform(stage: Stage, recipe: &Recipe) -> Result<Result<Value, Exit>, CliError> {
    let dir = stage.dir(&recipe.out);
    match stage {
        Stage::Oracle => make_oracle(recipe, &dir),
        Stage::Score => make_scores(recipe, &dir),
        Stage::Select => make_selection(recipe, &dir).map(Ok),
        Stage::Train => make_policy(recipe, &dir),
        Stage::Eval => evaluate(recipe, &dir).map(Ok),
    }
}

fn make_oracle(recipe: &Recipe, dir: &Path) -> Result<Result<Value, Exit>, CliError> {
    let settings = &recipe.oracle;
    let job = OracleJob {
        model: &recipe.base,
        reference: recipe.reference.as_deref(),
        data: &recipe.data.inputs,
        read: &recipe.data.read(),
        tokens: recipe.tokens.clone(),
        fraction: settings.fraction,
        eval_pairs: settings.eval_pairs,
        reference_learning_rate: settings.reference_learning_rate,
        reference_epochs: settings.reference_epochs,
        dpo: DpoConfig { beta: settings.beta, label_smoothing: settings.label_smoothing },
        train: recipe.oracle_train.clone(),
        memory: recipe.memory,
        on_change: recipe.on_change,
        out: dir,
    };
    finish(oracle::make(&job)?, |summary| oracle::describe(summary, dir))
}

fn make_scores(recipe: &Recipe, dir: &Path) -> Result<Result<Value, Exit>, CliError> {
    let models = Stage::Oracle.dir(&recipe.out);
    let out = dir.join("scores.parquet");
    let job = ScoreJob {
        oracle: &models.join("oracle"),
        reference: &models.join("reference"),
        data: &recipe.data.inputs,
        read: &recipe.data.read(),
        tokens: recipe.tokens.clone(),
        shards: ShardConfig {
            tokens_per_batch: recipe.score.tokens_per_batch,
            tokens_per_shard: recipe.score.tokens_per_shard,
        },
        dtype: recipe.score.dtype,
        memory: recipe.memory,
        // The stage's own record has told already that nothing has changed.
        other: OtherRun::Replace,
        on_change: recipe.on_change,
        out: &out,
    };
    let made = score::make(&job, interrupted())?.ok_or(Exit::Interrupted);
    finish(made, |scored| score::describe(scored, &out))
}

fn make_selection(recipe: &Recipe, dir: &Path) -> Result<Value, CliError> {
    let scores = Stage::Score.dir(&recipe.out).join("scores.parquet");
    let out = dir.join("selection.parquet");
    // Without a tokenizer there are ids only, and no classes of tokens.
    let oracle = Stage::Oracle.dir(&recipe.out).join("oracle");
    let tokenizer = oracle.join("tokenizer.json").is_file().then_some(oracle.as_path());
    let job = SelectJob {
        scores: &scores,
        tokenizer,
        config: recipe.select,
        on_change: recipe.on_change,
        out: &out,
    };
    let report = select::make(&job)?;
    for warning in &report.warnings {
        warn(wording::text(&warning.to_string(), Stage::Select));
    }
    say(select::describe(&report, &out));
    select::check_kept(&report)?;
    to_value(&report)
}

fn make_policy(recipe: &Recipe, dir: &Path) -> Result<Result<Value, Exit>, CliError> {
    let selection = Stage::Select.dir(&recipe.out).join("selection.parquet").display().to_string();
    let watched = recipe.train.eval_every.is_some();
    let job = TrainJob {
        model: &recipe.policy,
        data: &[selection],
        read: &recipe.data.read(),
        objective: recipe.objective_choice.clone(),
        // The policy is held to its own start: no other model is sure to read the same ids.
        reference: recipe.objective.needs_reference().then_some(recipe.policy.as_path()),
        // A recipe makes no such models, and is refused where it would need them.
        teacher: None,
        eval_data: if watched { &recipe.data.eval } else { &[] },
        eval_read: &recipe.data.eval_read(),
        tokens: recipe.tokens.clone(),
        train: recipe.train.clone(),
        memory: recipe.memory,
        on_change: recipe.on_change,
        out: dir,
    };
    finish(train::make(&job)?, |outcome| train::describe(outcome, dir))
}

fn evaluate(recipe: &Recipe, dir: &Path) -> Result<Value, CliError> {
    let read = recipe.data.eval_read();
    let measure = |model: &Path, reference: Option<&Path>| {
        eval::make(&EvalJob {
            model,
            reference,
            data: &recipe.data.eval,
            read: &read,
            tokens: recipe.tokens.clone(),
            beta: recipe.eval.beta,
            tokens_per_batch: recipe.eval.tokens_per_batch,
            memory: recipe.memory,
            scratch: dir,
        })
    };
    let start = measure(&recipe.policy, None)?;
    let policy = measure(&Stage::Train.dir(&recipe.out), Some(&recipe.policy))?;
    say(format!("start: {}\npolicy: {}", eval::describe(&start), eval::describe(&policy)));
    let evaluation = Evaluation { start, policy };
    let text = serde_json::to_string_pretty(&evaluation).map_err(|error| CliError::of(Exit::Bug, error))?;
    write_whole(&dir.join("eval.json"), &(text + "\n"))?;
    to_value(&evaluation)
}

fn finish<T: Serialize>(
    made: Result<T, Exit>,
    describe: impl FnOnce(&T) -> String,
) -> Result<Result<Value, Exit>, CliError> {
    match made {
        Ok(made) => {
            say(describe(&made));
            to_value(&made).map(Ok)
        }
        Err(exit) => Ok(Err(exit)),
    }
}
