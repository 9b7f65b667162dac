//! Which loss, with settings that belong to it.

use clap::{Args, ValueEnum};
use sepo_loss::{IpoReduction, Normalizer, Objective};
use serde::{Deserialize, Serialize};

use crate::exit::CliError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ObjectiveName {
    /// Selected tokens, without a reference (arXiv 2408.13518)
    #[default]
    Sepo,
    /// arXiv 2305.18290
    Dpo,
    /// arXiv 2310.12036, over the mean of the tokens
    Ipo,
    /// The same over their sum
    IpoSum,
    /// arXiv 2305.10425, with a reference
    Hinge,
    /// arXiv 2405.14734
    Simpo,
    /// Negative log-likelihood of the chosen response
    Sft,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NormalizerArg {
    /// Sum of the weights: the number of selected tokens
    Count,
    /// Keep fraction times the response's length, as the paper writes
    Nominal,
}

impl ObjectiveName {
    /// The name as it is typed.
    pub(crate) fn spelled(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// The objective's flags; one that does not belong to the objective is refused.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Objective")]
pub(crate) struct ObjectiveArgs {
    /// Scale of the implicit reward (dpo, ipo, ipo-sum, hinge: 0.1; simpo: 2)
    #[arg(long, value_name = "X")]
    pub(crate) beta: Option<f64>,
    /// Scale of sepo (2.5), or target margin of simpo (0.5)
    #[arg(long, value_name = "X")]
    pub(crate) gamma: Option<f64>,
    /// Target margin of sepo (0)
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(crate) lambda: Option<f64>,
    /// Assumed share of flipped labels (dpo, simpo: 0)
    #[arg(long, value_name = "SHARE")]
    pub(crate) label_smoothing: Option<f64>,
    /// What sepo divides a side's sum by
    #[arg(long, value_enum)]
    pub(crate) normalizer: Option<NormalizerArg>,
}

/// A loss with the settings that were given for it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ObjectiveChoice {
    pub(crate) name: ObjectiveName,
    #[serde(flatten)]
    pub(crate) settings: ObjectiveArgs,
}

impl ObjectiveChoice {
    /// The objective.
    pub(crate) fn objective(&self) -> Result<Objective, CliError> {
        self.settings.objective(self.name)
    }
}

impl ObjectiveArgs {
    /// The objective of that name.
    pub(crate) fn objective(&self, name: ObjectiveName) -> Result<Objective, CliError> {
        if let Some(setting) = self.foreign(name) {
            let flag = setting.replace('_', "-");
            return Err(CliError::usage(
                format!("`--{flag}` has no meaning for `--objective {}`", name.spelled()),
                format!("leave `--{flag}` out"),
            ));
        }
        let objective = self.build(name);
        objective.check()?;
        Ok(objective)
    }

    /// The objective of that name from the settings that belong to it, unchecked.
    pub(crate) fn build(&self, name: ObjectiveName) -> Objective {
        let beta = |default| self.beta.unwrap_or(default);
        let label_smoothing = self.label_smoothing.unwrap_or(0.0);
        match name {
            ObjectiveName::Sft => Objective::Sft,
            ObjectiveName::Dpo => Objective::Dpo { beta: beta(0.1), label_smoothing },
            ObjectiveName::Ipo => Objective::Ipo { beta: beta(0.1), reduction: IpoReduction::Mean },
            ObjectiveName::IpoSum => Objective::Ipo { beta: beta(0.1), reduction: IpoReduction::Sum },
            ObjectiveName::Hinge => Objective::Hinge { beta: beta(0.1) },
            ObjectiveName::Simpo => {
                Objective::SimPo { beta: beta(2.0), gamma: self.gamma.unwrap_or(0.5), label_smoothing }
            }
            ObjectiveName::Sepo => Objective::SePo {
                gamma: self.gamma.unwrap_or(2.5),
                lambda: self.lambda.unwrap_or(0.0),
                normalizer: match self.normalizer {
                    None | Some(NormalizerArg::Count) => Normalizer::Count,
                    Some(NormalizerArg::Nominal) => Normalizer::Nominal,
                },
            },
        }
    }

    /// The first setting that was given and does not belong to the objective.
    pub(crate) fn foreign(&self, name: ObjectiveName) -> Option<&'static str> {
        use ObjectiveName as N;
        let takes_beta = !matches!(name, N::Sepo | N::Sft);
        let typed = [
            ("beta", self.beta.is_some(), takes_beta),
            ("gamma", self.gamma.is_some(), matches!(name, N::Sepo | N::Simpo)),
            ("lambda", self.lambda.is_some(), name == N::Sepo),
            ("label_smoothing", self.label_smoothing.is_some(), matches!(name, N::Dpo | N::Simpo)),
            ("normalizer", self.normalizer.is_some(), name == N::Sepo),
        ];
        typed.into_iter().find(|(_, is_typed, belongs)| *is_typed && !*belongs).map(|(setting, ..)| setting)
    }
}
