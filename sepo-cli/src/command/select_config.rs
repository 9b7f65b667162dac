//! What was asked of `select`, as the library takes it.

use clap::ValueEnum;
use sepo_select::weigh::{Affine, ChangePoints, Decay, ExpClamp, RankLinear, SharedLength};
use sepo_select::{Compat, Rule, Scope, SelectConfig};

use crate::args::{RuleArg, RuleSettings, ScopeArg, SelectArgs};
use crate::exit::CliError;

/// The quantile that Selective-DPO takes.
const QUANTILE: f64 = 0.6;

/// The settings of a selection; a flag that the rule or the scope has no use for is refused.
pub(super) fn config(args: &SelectArgs) -> Result<SelectConfig, CliError> {
    check_settings(args.rule, &args.settings)?;
    let default = SelectConfig::default();
    let rule = rule(args.rule, &args.settings);
    let shares = [("--keep-chosen", args.keep_chosen), ("--keep-rejected", args.keep_rejected)];
    if let Some((flag, _)) = shares.into_iter().find(|(_, share)| share.is_some() && !rule.keeps_a_share()) {
        return Err(foreign(flag, "--rule sepo|salience|random"));
    }
    if args.batch_pairs.is_some() && args.scope != ScopeArg::Batch {
        return Err(foreign("--batch-pairs", "--scope batch"));
    }
    let config = SelectConfig {
        rule,
        keep_chosen: args.keep_chosen.unwrap_or(default.keep_chosen),
        keep_rejected: args.keep_rejected.unwrap_or(default.keep_rejected),
        scope: match args.scope {
            ScopeArg::Response => Scope::Response,
            ScopeArg::Batch => Scope::Batch { n_pairs: args.batch_pairs.unwrap_or(0) },
            ScopeArg::DataSet => Scope::DataSet,
            ScopeArg::Length => Scope::Length,
        },
        side_rule: args.side_rule.map(Into::into),
        renormalize: args.renormalize.into(),
        eos: args.eos.into(),
        compat: if args.official_compat { Compat::Official } else { Compat::Exact },
    };
    config.check()?;
    Ok(config)
}

fn rule(rule: RuleArg, settings: &RuleSettings) -> Rule {
    match rule {
        RuleArg::Sepo => Rule::Sepo,
        RuleArg::Salience => Rule::Salience,
        RuleArg::Threshold => Rule::Threshold { at: settings.threshold.unwrap_or(0.0) },
        RuleArg::Random => Rule::Random { seed: settings.seed.unwrap_or(0) },
        RuleArg::Mean => Rule::Mean,
        RuleArg::Quantile => Rule::Quantile { q: settings.quantile.unwrap_or(QUANTILE) },
        RuleArg::Sign => Rule::Sign,
        RuleArg::Asr => {
            Rule::Asr(ChangePoints { penalty: settings.penalty.unwrap_or(ChangePoints::default().penalty) })
        }
        RuleArg::All => Rule::All,
        RuleArg::Tis => {
            let ExpClamp { k, mu, low, high } = ExpClamp::default();
            Rule::Tis(ExpClamp {
                k: settings.k.unwrap_or(k),
                mu: settings.mu.unwrap_or(mu),
                low: settings.low.unwrap_or(low),
                high: settings.high.unwrap_or(high),
            })
        }
        RuleArg::TisRank => {
            let RankLinear { low, high } = RankLinear::default();
            Rule::TisRank(RankLinear {
                low: settings.low.unwrap_or(low),
                high: settings.high.unwrap_or(high),
            })
        }
        RuleArg::Tgdpo => Rule::Tgdpo(Affine { slope: settings.slope.unwrap_or(Affine::default().slope) }),
        RuleArg::TReg => Rule::TReg,
        RuleArg::Critical => Rule::Critical,
        RuleArg::Probability => Rule::Probability,
        RuleArg::MinMax => Rule::MinMax,
        RuleArg::D2po => Rule::D2po(Decay { gamma: settings.decay.unwrap_or(Decay::default().gamma) }),
        RuleArg::LdDpo => Rule::LdDpo(SharedLength { alpha: settings.tail_weight.unwrap_or(1.0) }),
    }
}

/// Refuses settings of other rules.
fn check_settings(rule: RuleArg, settings: &RuleSettings) -> Result<(), CliError> {
    let given: [(&str, bool, &[RuleArg]); 11] = [
        ("--threshold", settings.threshold.is_some(), &[RuleArg::Threshold]),
        ("--seed", settings.seed.is_some(), &[RuleArg::Random]),
        ("--quantile", settings.quantile.is_some(), &[RuleArg::Quantile]),
        ("--penalty", settings.penalty.is_some(), &[RuleArg::Asr]),
        ("--k", settings.k.is_some(), &[RuleArg::Tis]),
        ("--mu", settings.mu.is_some(), &[RuleArg::Tis]),
        ("--low", settings.low.is_some(), &[RuleArg::Tis, RuleArg::TisRank]),
        ("--high", settings.high.is_some(), &[RuleArg::Tis, RuleArg::TisRank]),
        ("--slope", settings.slope.is_some(), &[RuleArg::Tgdpo]),
        ("--decay", settings.decay.is_some(), &[RuleArg::D2po]),
        ("--tail-weight", settings.tail_weight.is_some(), &[RuleArg::LdDpo]),
    ];
    match given.into_iter().find(|(_, is_given, rules)| *is_given && !rules.contains(&rule)) {
        Some((flag, _, rules)) => {
            let names = rules.iter().filter_map(|rule| Some(rule.to_possible_value()?.get_name().to_owned()));
            Err(foreign(flag, &format!("--rule {}", names.collect::<Vec<_>>().join("|"))))
        }
        None => Ok(()),
    }
}

fn foreign(flag: &str, beside: &str) -> CliError {
    CliError::usage(format!("`{flag}` has a meaning for `{beside}` only"), format!("leave `{flag}` out"))
}
