//! Settings out of their range, or without a meaning beside the others.

use std::error::Error;

use sepo_loss::{LossError, Objective};
use sepo_select::{Scope, SelectError};
use sepo_train::{TrainConfig, TrainError, check_inputs, reads_teacher};

use super::Recipe;
use super::hashes;
use super::mistake::{Located, Mistake};
use super::place::Places;
use super::section::DataSection;
use crate::args::ObjectiveChoice;
use crate::command::train_data::divides_by_share;

/// The objective of the section, its settings in their ranges and its parts going together.
pub(super) fn objective(
    choice: &ObjectiveChoice,
    section: &str,
    places: &Places,
) -> Result<Objective, Located> {
    if let Some(setting) = choice.settings.foreign(choice.name) {
        let without = format!("for the objective `{}`", choice.name.preset().name);
        return Err(idle(places, &format!("{section}.{setting}"), &without));
    }
    let objective = choice.checked().map_err(|error| loss_error(places, section, error))?;
    // Before the stages in front of training take their hours.
    check_inputs(&objective).map_err(|error| {
        let part = if matches!(error, TrainError::WeightsLearned { .. }) { "weighting" } else { "partition" };
        unusable(places, &places.nearest_to(section, part, part), error)
    })?;
    Ok(objective)
}

/// Nothing, where the settings of `[data]` mean something beside each other.
pub(super) fn data(data: &DataSection, places: &Places) -> Result<(), Located> {
    if data.eval_fraction.is_some() {
        if !data.eval.is_empty() {
            let without = "beside `data.eval`: pairs to measure on are named, or held out of `data.inputs`";
            return Err(idle(places, "data.eval_fraction", without));
        }
        let of_eval = ["data.eval_split", "data.eval_limit"];
        if let Some(key) = of_eval.into_iter().find(|key| places.has(key)) {
            return Err(idle(places, key, "where pairs to measure on are held out of `data.inputs`"));
        }
    }
    let of_mix = ["data.mix_seed", "data.mix_end"];
    if data.mix.is_empty()
        && let Some(key) = of_mix.into_iter().find(|key| places.has(key))
    {
        return Err(idle(places, key, "without `data.mix`"));
    }
    Ok(())
}

/// Nothing, where every setting can be used.
pub(super) fn settings(recipe: &Recipe, places: &Places) -> Result<(), Located> {
    check_idle(recipe, places)?;
    if reads_teacher(&recipe.objective) {
        let key = ["objective.name", "train.objective"].into_iter().find(|key| places.has(key));
        let error = TrainError::NoTeacher { objective: recipe.objective.name() };
        let help =
            "a recipe makes no such models: train with `sepo-cli train --teacher DIR --reverse-teacher DIR`";
        return Err(unusable(places, key.unwrap_or("train.objective"), error).with_help(help));
    }
    hashes::check_form(recipe, places)?;
    let oracle = &recipe.oracle;
    if !(oracle.fraction > 0.0 && oracle.fraction <= 1.0) {
        let error = sepo_oracle::OracleError::Fraction { fraction: oracle.fraction };
        return Err(unusable(places, "oracle.fraction", error));
    }
    let dpo = Objective::Dpo { beta: oracle.beta, label_smoothing: oracle.label_smoothing };
    dpo.check().map_err(|error| loss_error(places, "oracle", error))?;
    let reference = TrainConfig {
        learning_rate: oracle.reference_learning_rate,
        epochs: oracle.reference_epochs,
        ..TrainConfig::default()
    };
    train_config(places, "oracle.reference_", &reference)?;
    train_config(places, "oracle.", &recipe.oracle_train)?;
    train_config(places, "train.", &recipe.train)?;
    recipe.select.check().map_err(|error| select_error(places, error))?;
    let eval = Objective::Dpo { beta: recipe.eval.beta, label_smoothing: 0.0 };
    eval.check().map_err(|error| loss_error(places, "eval", error))?;
    for (key, value) in [
        ("score.tokens_per_batch", recipe.score.tokens_per_batch),
        ("score.tokens_per_shard", recipe.score.tokens_per_shard),
        ("eval.tokens_per_batch", recipe.eval.tokens_per_batch),
    ] {
        if value == 0 {
            let mistake = Mistake::Value { key: key.to_owned(), reason: "it must be 1 or more".to_owned() };
            return Err(places.at_value(key, mistake, "this value"));
        }
    }
    Ok(())
}

/// Refuses keys that nothing would come of.
fn check_idle(recipe: &Recipe, places: &Places) -> Result<(), Located> {
    let needs_eval = ["data.eval_split", "data.eval_limit", "train.eval_every", "eval"];
    if recipe.data.eval.is_empty()
        && let Some(key) = needs_eval.into_iter().find(|key| places.has(key))
    {
        return Err(idle(places, key, "without pairs to evaluate on, `data.eval`"));
    }
    let of_evaluations = ["oracle.eval_every", "oracle.keep_best"];
    if let Some(key) = of_evaluations.into_iter().find(|key| places.has(key)) {
        return Err(idle(places, key, "since the oracle is measured once, at its end"));
    }
    if recipe.train.eval_every.is_none() && places.has("train.keep_best") {
        return Err(idle(places, "train.keep_best", "without evaluations on the way, `train.eval_every`"));
    }
    let of_reference = ["oracle.reference_learning_rate", "oracle.reference_epochs"];
    if recipe.reference.is_some()
        && let Some(key) = of_reference.into_iter().find(|key| places.has(key))
    {
        return Err(idle(places, key, "where a reference is given with `models.reference`"));
    }
    let nominal = divides_by_share(&recipe.objective);
    let of_share = [
        ("select.keep_chosen", true),
        ("select.keep_rejected", true),
        // Divides by the share.
        ("train.normalizer", nominal),
        ("objective.normalizer", nominal),
        ("objective.reduction", nominal),
    ];
    if !recipe.select.rule.keeps_a_share()
        && let Some((key, _)) = of_share.into_iter().find(|(key, needs_it)| *needs_it && places.has(key))
    {
        let without = format!("for the rule `{}`, which keeps no fixed share", recipe.select.rule.name());
        return Err(idle(places, key, &without));
    }
    let by_share = ["train.normalizer", "objective.normalizer", "objective.reduction"];
    if nominal
        && recipe.select.scope != Scope::Response
        && let Some(key) = by_share.into_iter().find(|key| places.has(key))
    {
        let without = "where `select.scope` is more than a response, and no response keeps a fixed share";
        return Err(idle(places, key, without));
    }
    Ok(())
}

pub(super) fn idle(places: &Places, key: &str, without: &str) -> Located {
    let mistake = Mistake::Idle { key: key.to_owned(), without: without.to_owned() };
    places.at_key(key, mistake, "nothing would come of it").with_help(format!("leave `{key}` out"))
}

fn train_config(places: &Places, prefix: &str, config: &TrainConfig) -> Result<(), Located> {
    config.check().map_err(|error| {
        let key = match &error {
            TrainError::InvalidConfig { field, .. } => format!("{prefix}{field}"),
            _ => prefix.trim_end_matches('.').to_owned(),
        };
        unusable(places, &key, error)
    })
}

/// Which key of `[select]` an error is about.
fn select_error(places: &Places, error: SelectError) -> Located {
    match &error {
        SelectError::ScopeWithoutMeaning { rule, .. } => idle(
            places,
            "select.scope",
            &format!("for the rule `{rule}`, which keeps no share of the tokens"),
        ),
        SelectError::SideRuleWithoutMeaning { rule, .. } => idle(
            places,
            "select.side_rule",
            &format!("for the rule `{rule}`, which does not look at the sign of scores"),
        ),
        SelectError::RenormalizeScope { .. } => idle(
            places,
            "select.renormalize",
            "where `select.scope` is more than a response, which gets as many tokens as it has of the best of several",
        ),
        SelectError::EmptyBatch => {
            let reason = "a batch has one pair at least".to_owned();
            let mistake = Mistake::Value { key: "select.scope".to_owned(), reason };
            places.at_value("select.scope", mistake, "this value")
        }
        _ => unusable(places, "select.rule", error),
    }
}

fn loss_error(places: &Places, section: &str, error: LossError) -> Located {
    let key = match &error {
        LossError::SettingOutOfRange { setting, part, .. } => places.nearest_to(section, part, setting),
        LossError::Composition { part, .. } => places.nearest_to(section, part, part),
        _ => section.to_owned(),
    };
    unusable(places, &key, error)
}

/// A value that is refused, for the reason of the crate that would use it.
pub(super) fn unusable(places: &Places, key: &str, error: impl Error + Send + Sync + 'static) -> Located {
    let mistake = Mistake::Unusable { key: key.to_owned(), source: Box::new(error) };
    places.at_value(key, mistake, "this value")
}
