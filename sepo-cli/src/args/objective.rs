//! Which loss, with settings that belong to it.

use std::str::FromStr;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use sepo_loss::{LossError, Normalizer, Objective, Preset};
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::exit::CliError;

/// A method by its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ObjectiveName(&'static Preset);

impl ObjectiveName {
    /// The method itself.
    pub(crate) fn preset(self) -> &'static Preset {
        self.0
    }

    /// What clap takes for one, with a nearest name where it is none.
    pub(crate) fn parser() -> impl TypedValueParser<Value = Self> {
        let known = Preset::all().map(|preset| PossibleValue::new(preset.name).help(preset.title));
        PossibleValuesParser::new(known).try_map(|name| name.parse::<Self>())
    }
}

impl FromStr for ObjectiveName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Preset::find(name).map(Self).ok_or_else(|| format!("`{name}` is no objective"))
    }
}

impl ObjectiveName {
    /// What a composition starts from where nothing is said.
    pub(crate) fn dpo() -> Self {
        Self::known("dpo")
    }

    fn known(name: &'static str) -> Self {
        match Preset::find(name) {
            Some(preset) => Self(preset),
            None => unreachable!("`{name}` is a preset"),
        }
    }
}

impl Default for ObjectiveName {
    fn default() -> Self {
        Self::known("sepo")
    }
}

impl PartialEq for ObjectiveName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Serialize for ObjectiveName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name)
    }
}

impl<'de> Deserialize<'de> for ObjectiveName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(|_| {
            let known = Preset::all().map(|preset| format!("`{}`", preset.name)).collect::<Vec<_>>();
            D::Error::invalid_value(Unexpected::Str(&name), &&*known.join(", "))
        })
    }
}

/// What SePO divides a side's sum by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NormalizerArg {
    /// Sum of the weights: the number of selected tokens
    Count,
    /// Keep fraction times the response's length, as the paper writes
    Nominal,
}

#[derive(Debug, Args)]
pub(crate) struct ObjectivesArgs {
    /// One of them, with its formula
    #[arg(value_name = "NAME", value_parser = ObjectiveName::parser(), hide_possible_values = true)]
    pub(crate) name: Option<ObjectiveName>,
    /// Print them as JSON on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

/// The objective's flags; one that does not belong to the objective is refused. `sepo-cli objectives` has the defaults.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Objective")]
pub(crate) struct ObjectiveArgs {
    /// Scale of the reward (dpo and its kin: 0.1; simpo: 2)
    #[arg(long, value_name = "X")]
    pub(crate) beta: Option<f64>,
    /// Scale of sepo (2.5), or target margin of simpo (0.5)
    #[arg(long, value_name = "X")]
    pub(crate) gamma: Option<f64>,
    /// Target margin of sepo (0), penalty of dpop (50), share of orpo (0.1)
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) lambda: Option<f64>,
    /// Share of a divergence, of a length or of rewards (tdpo2, tis-dpo-kl, r-dpo, t-reg, …)
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) alpha: Option<f64>,
    /// Assumed share of flipped labels (dpo, simpo: 0)
    #[arg(long, value_name = "SHARE")]
    pub(crate) label_smoothing: Option<f64>,
    /// What sepo divides a side's sum by
    #[arg(long, value_enum)]
    pub(crate) normalizer: Option<NormalizerArg>,
    /// Share of the chosen response's likelihood (cpo, rpo: 1)
    #[arg(long, value_name = "X")]
    pub(crate) nll: Option<f64>,
    /// Exponent of the Basu divergence (bpo, tbpo-a: 0.2)
    #[arg(long, value_name = "X")]
    pub(crate) k: Option<f64>,
    /// Width of the change from logistic to exponential (discopop: 0.05)
    #[arg(long, value_name = "X")]
    pub(crate) temperature: Option<f64>,
    /// Least margin (hypo: 0)
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) floor: Option<f64>,
    /// Weight of desirable responses (kto: 1)
    #[arg(long, value_name = "X")]
    pub(crate) desirable: Option<f64>,
    /// Weight of undesirable responses (kto: 1)
    #[arg(long, value_name = "X")]
    pub(crate) undesirable: Option<f64>,
    /// What rewards are compared with (bco: 0)
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) shift: Option<f64>,
    /// Share of the tokens without weight (selective-dpo: 0.6)
    #[arg(long, value_name = "SHARE")]
    pub(crate) quantile: Option<f64>,
    /// Tokens that are compared as one (adpo: 1)
    #[arg(long, value_name = "TOKENS")]
    pub(crate) window: Option<f64>,
    /// How far a teacher is moved on, in distances of its two models (aligndistil: 10)
    #[arg(long, value_name = "X")]
    pub(crate) boost: Option<f64>,
}

impl ObjectiveArgs {
    /// The objective of that name.
    pub(crate) fn objective(&self, name: ObjectiveName) -> Result<Objective, CliError> {
        if let Some(setting) = self.foreign(name) {
            let flag = setting.replace('_', "-");
            return Err(CliError::usage(
                format!("`--{flag}` has no meaning for `--objective {}`", name.preset().name),
                format!("leave `--{flag}` out"),
            ));
        }
        let objective = self.build(name)?;
        objective.check()?;
        Ok(objective)
    }

    /// The objective of that name, unchecked but for the names of its settings.
    pub(crate) fn build(&self, name: ObjectiveName) -> Result<Objective, LossError> {
        let objective = name.preset().objective(&self.given())?;
        Ok(match (objective, self.normalizer) {
            (Objective::SePo { gamma, lambda, .. }, Some(NormalizerArg::Nominal)) => {
                Objective::SePo { gamma, lambda, normalizer: Normalizer::Nominal }
            }
            (objective, _) => objective,
        })
    }

    /// The first setting that was given and does not belong to the objective.
    pub(crate) fn foreign(&self, name: ObjectiveName) -> Option<&'static str> {
        let normalizer = self.normalizer.filter(|_| name != ObjectiveName::default()).map(|_| "normalizer");
        self.given().into_iter().map(|(setting, _)| setting).find(|s| !name.preset().has(s)).or(normalizer)
    }

    /// A setting of the method, given or its default; `None` where the method has it not.
    pub(crate) fn value(&self, setting: &str, name: ObjectiveName) -> Option<f64> {
        name.preset().value(setting, &self.given())
    }

    /// The numbers that were given, by the names of presets.
    fn given(&self) -> Vec<(&'static str, f64)> {
        let settings = [
            ("beta", self.beta),
            ("gamma", self.gamma),
            ("lambda", self.lambda),
            ("alpha", self.alpha),
            ("label_smoothing", self.label_smoothing),
            ("nll", self.nll),
            ("k", self.k),
            ("temperature", self.temperature),
            ("floor", self.floor),
            ("desirable", self.desirable),
            ("undesirable", self.undesirable),
            ("shift", self.shift),
            ("quantile", self.quantile),
            ("window", self.window),
            ("boost", self.boost),
        ];
        settings.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_of_every_preset_is_a_flag() {
        let Ok(serde_json::Value::Object(flags)) = serde_json::to_value(ObjectiveArgs::default()) else {
            panic!("settings are an object");
        };
        for preset in Preset::all() {
            for setting in preset.settings {
                let given = serde_json::json!({ setting.name: 0.25 });
                assert!(flags.contains_key(setting.name), "{} has {}", preset.name, setting.name);
                let settings: ObjectiveArgs = serde_json::from_value(given).unwrap();
                assert_eq!(settings.given(), [(setting.name, 0.25)]);
            }
        }
    }

    #[test]
    fn a_name_reads_back_and_another_is_refused_with_those_that_there_are() {
        for preset in Preset::all() {
            let name: ObjectiveName = serde_json::from_value(preset.name.into()).unwrap();
            assert_eq!(serde_json::to_value(name).unwrap(), preset.name);
        }
        let refused = serde_json::from_value::<ObjectiveName>("best".into()).unwrap_err().to_string();
        assert!(refused.contains("`tdpo2`"), "{refused}");
    }
}
