//! The methods that are compared, each with where its weights come from.

use sepo_loss::{Composition, Nll, NllReduction, Objective, Preset, Reduction, Regularizers, WeightSource};
use sepo_select::weigh::SharedLength;
use sepo_select::{EosRule, Rule, SelectConfig};

use crate::exit::{CliError, Exit};

/// One line of the comparison.
#[derive(Debug, Clone)]
pub(crate) struct Method {
    /// Name of the preset, or of one of our compositions.
    pub(crate) name: String,
    pub(crate) preset: &'static Preset,
    /// A share of the chosen response's likelihood that is added.
    nll: Option<f64>,
    pub(crate) weights: Weights,
}

/// Where the weights of tokens come from.
#[derive(Debug, Clone)]
pub(crate) enum Weights {
    /// 1 everywhere, or made by the policy.
    None,
    /// From the oracle's scores.
    Selected(SelectConfig),
    /// From what is known of the built-in data, in place of people's annotations.
    Planted,
}

/// A scale that is the same for all: the slope of the margin in one token's log-prob, on the mean over all tokens.
pub(crate) const EFFECTIVE_BETA: f64 = 0.1;

/// What a scale is matched with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Mean weight of a response token.
    pub(crate) mean_weight: f64,
    /// Mean tokens of a response.
    pub(crate) mean_length: f64,
}

/// All methods: every preset, and compositions of ours.
pub(crate) fn catalogue(seed: u64) -> Result<Vec<Method>, CliError> {
    let presets = Preset::all().map(|preset| {
        let weights = match preset.weights {
            WeightSource::Uniform | WeightSource::Confidence | WeightSource::Gap => Weights::None,
            WeightSource::Selection("weights import") => Weights::Planted,
            WeightSource::Selection(rule) | WeightSource::Rewards(rule) => Weights::Selected(config(rule)?),
        };
        Ok(Method { name: preset.name.to_owned(), preset, nll: None, weights })
    });
    let mut methods = presets.collect::<Result<Vec<_>, CliError>>()?;
    methods.extend(compositions(seed)?);
    Ok(methods)
}

/// What may cure SePO's weak spots, and what it is to be told apart from.
fn compositions(seed: u64) -> Result<Vec<Method>, CliError> {
    let of = |name: &str, loss: &str, select: SelectConfig, nll: Option<f64>| {
        let preset = Preset::find(loss).ok_or_else(|| unknown(loss))?;
        Ok(Method { name: name.to_owned(), preset, nll, weights: Weights::Selected(select) })
    };
    let sepo = SelectConfig::default();
    let salience = SelectConfig { rule: Rule::Salience, ..sepo };
    let eos = |eos, config: SelectConfig| SelectConfig { eos, ..config };
    [
        of("sepo, eos never", "sepo", eos(EosRule::Never, sepo), None),
        of("sepo, eos both", "sepo", eos(EosRule::Both, sepo), None),
        of("sepo, salience", "sepo", salience, None),
        of("sepo, above mean", "sepo", SelectConfig { rule: Rule::Mean, ..sepo }, None),
        of("sepo, likelihood", "sepo", sepo, Some(0.1)),
        of("sepo, random tokens", "sepo", SelectConfig { rule: Rule::Random { seed }, ..sepo }, None),
        of("dpo on sepo", "dpo", sepo, None),
        of("dpo on sepo, eos both", "dpo", eos(EosRule::Both, sepo), None),
        of("dpo on min-max", "dpo", SelectConfig { rule: Rule::MinMax, ..sepo }, None),
        of("rpo on salience", "rpo", salience, Some(0.1)),
    ]
    .into_iter()
    .collect()
}

/// The selection by a rule's name, with its defaults.
fn config(rule: &str) -> Result<SelectConfig, CliError> {
    if rule == "ld-dpo" {
        // The paper's middle; it has no default.
        return Ok(SelectConfig {
            rule: Rule::LdDpo(SharedLength { alpha: 0.5 }),
            ..SelectConfig::default()
        });
    }
    serde_json::from_value(serde_json::json!({ "rule": rule }))
        .map_err(|error| CliError::of(Exit::Bug, error))
}

fn unknown(name: &str) -> CliError {
    CliError::usage(format!("`{name}` is no method"), "`sepo-cli objectives` lists them")
}

impl Method {
    /// The loss at the common scale, and the β that it takes.
    pub(crate) fn objective(&self, scale: Scale) -> Result<(Objective, f64), CliError> {
        let plain = self.preset.objective(&[])?;
        let Some(loss) = plain.composition() else {
            return Ok((plain, self.preset.value("beta", &[]).unwrap_or_default()));
        };
        let setting = match self.preset.name {
            "sepo" | "sepo-paper" => "gamma",
            _ => "beta",
        };
        if !self.preset.has(setting) {
            return Ok((plain, loss.beta));
        }
        let beta = matched(&loss, self.preset, scale);
        let objective = self.preset.objective(&[(setting, beta)])?;
        let (Some(coefficient), Some(loss)) = (self.nll, objective.composition()) else {
            return Ok((objective, beta));
        };
        let nll = Some(Nll { coefficient, reduction: NllReduction::Mean });
        let regularizers = Regularizers { nll, ..loss.regularizers };
        Ok((Objective::composed(self.preset.name, Composition { regularizers, ..loss }), beta))
    }
}

/// β such that a token's log-prob moves the margin as much, on the mean, as in DPO at [`EFFECTIVE_BETA`].
fn matched(loss: &Composition, preset: &Preset, scale: Scale) -> f64 {
    // Here β says where a square has its bottom, and not how steep a link is.
    if ["ipo", "ipo-sum", "cal-dpo", "sppo"].contains(&preset.name) {
        return EFFECTIVE_BETA;
    }
    match loss.reduction {
        Reduction::WeightSum | Reduction::Nominal => EFFECTIVE_BETA * scale.mean_length,
        // A mask that the policy makes keeps what is above the quantile.
        _ => match preset.value("quantile", &[]) {
            Some(quantile) => EFFECTIVE_BETA / (1.0 - quantile),
            None => EFFECTIVE_BETA / scale.mean_weight,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_compared_twice() {
        let scale = Scale { mean_weight: 0.5, mean_length: 20.0 };
        let mut seen = std::collections::HashMap::new();
        for method in catalogue(0).unwrap() {
            let (objective, _) = method.objective(scale).unwrap();
            let source =
                crate::args::TokenWeights::of(method.preset.weights, method.preset.value("quantile", &[]));
            let of_policy = source.filter(|_| matches!(method.weights, Weights::None));
            let loss = objective.composition().map_or(format!("{objective:?}"), |loss| format!("{loss:?}"));
            let same = seen.insert(format!("{loss} {:?} {of_policy:?}", method.weights), method.name.clone());
            assert!(same.is_none(), "{} is {same:?}", method.name);
        }
    }

    #[test]
    fn every_preset_is_compared_once_and_at_one_scale() {
        let methods = catalogue(0).unwrap();
        for preset in Preset::all() {
            assert_eq!(methods.iter().filter(|method| method.name == preset.name).count(), 1);
        }
        let scale = Scale { mean_weight: 0.5, mean_length: 20.0 };
        for method in &methods {
            let (objective, beta) = method.objective(scale).unwrap();
            objective.check().unwrap();
            let Some(loss) = objective.composition() else { continue };
            let means = matches!(loss.reduction, Reduction::WeightSum | Reduction::Nominal);
            if means && !["ipo", "orpo"].contains(&method.name.as_str()) {
                assert!((loss.beta - 2.0).abs() < 1e-12 && (beta - 2.0).abs() < 1e-12, "{}", method.name);
            }
        }
        let find = |name: &str| methods.iter().find(|method| method.name == name).unwrap();
        assert!((find("tis-dpo").objective(scale).unwrap().1 - 0.2).abs() < 1e-12);
        assert!((find("selective-dpo").objective(scale).unwrap().1 - 0.25).abs() < 1e-12);
    }
}
