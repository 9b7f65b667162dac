//! What stages say, in a recipe's words.
//!
//! A stage is run by the same functions as a single command, and its errors advise on flags, in backticks: `` `--rule all` ``.
//! Whoever runs a recipe has keys instead, at a line of their file.

use super::Stage;
use super::mistake::{Mistake, Told};
use super::place::Places;
use super::sections::SECTIONS;
use crate::exit::CliError;

/// Flags whose key has another name, and the key.
const RENAMED: [(&str, &str); 21] = [
    ("--oracle-fraction", "oracle.fraction"),
    ("--threshold", "select.rule.threshold.at"),
    ("--quantile", "select.rule.quantile.q"),
    ("--penalty", "select.rule.asr.penalty"),
    ("--k", "select.rule.tis.k"),
    ("--mu", "select.rule.tis.mu"),
    ("--low", "select.rule.tis.low"),
    ("--high", "select.rule.tis.high"),
    ("--slope", "select.rule.tgdpo.slope"),
    ("--decay", "select.rule.d2po.gamma"),
    ("--tail-weight", "select.rule.ld-dpo.alpha"),
    ("--batch-pairs", "select.scope.batch.n_pairs"),
    ("--official-compat", "select.compat"),
    ("--chat-template", "tokens.template"),
    ("--text-as-chat", "tokens.text"),
    ("--no-eos", "tokens.eos"),
    ("--data", "data.inputs"),
    ("--eval-data", "data.eval"),
    ("--reference", "models.reference"),
    ("--recompute", "train.activations"),
    ("--objective-file", "objective.name"),
];

/// The error of a stage with keys in place of flags, at the first of these keys that is written.
pub(super) fn error(error: CliError, stage: Stage, places: &Places) -> CliError {
    let mut keys = Vec::new();
    let mut reworded = |text: String| {
        let (text, named) = with_keys(&text, stage);
        keys.extend(named);
        text
    };
    let help = error.report.help().map(|help| reworded(help.to_string()));
    let texts: Vec<String> = error.report.chain().map(|cause| reworded(cause.to_string())).collect();
    let told = texts.into_iter().rev().fold(None, |cause, text| Some(Box::new(Told { text, cause })));
    let (false, Some(told)) = (keys.is_empty(), told) else {
        return error.during(format!("stage `{stage}`"));
    };
    let key = keys.iter().find(|key| places.has(key)).unwrap_or(&keys[0]);
    let mistake = Mistake::Stage { stage: stage.name(), source: *told };
    let located = places.at_key(key, mistake, "this setting");
    match help {
        Some(help) => located.with_help(help),
        None => located,
    }
    .exits(error.exit)
}

/// The text with keys in place of flags.
pub(super) fn text(text: &str, stage: Stage) -> String {
    with_keys(text, stage).0
}

fn with_keys(text: &str, stage: Stage) -> (String, Vec<String>) {
    let mut keys = Vec::new();
    let parts = text.split('`').enumerate().map(|(i, part)| {
        let (flag, value) = match part.split_once([' ', '=']) {
            Some((flag, value)) => (flag, Some(value)),
            None => (part, None),
        };
        // Every second part stands between backticks.
        let key = if i % 2 == 1 { key_of(flag, stage) } else { None };
        let Some(key) = key else { return part.to_owned() };
        let assigned = match value {
            None => key.clone(),
            Some(value) if value.parse::<f64>().is_ok() => format!("{key} = {value}"),
            Some(value) => format!("{key} = \"{value}\""),
        };
        keys.push(key);
        assigned
    });
    let reworded = parts.collect::<Vec<_>>().join("`");
    (reworded, keys)
}

/// The key that stands for a flag of a stage; `None` where it has none, and where it is no flag.
fn key_of(flag: &str, stage: Stage) -> Option<String> {
    // A stage's own key before one of all stages, or of another name.
    let name = flag.strip_prefix("--")?.replace('-', "_");
    let section = SECTIONS.iter().find(|section| section.name == stage.name())?;
    if (section.keys)().contains(&name) {
        return Some(format!("{}.{name}", section.name));
    }
    if let Some((_, key)) = RENAMED.iter().find(|(renamed, _)| *renamed == flag) {
        return Some((*key).to_owned());
    }
    // Train may speak of what select was told.
    let owner = SECTIONS.iter().find(|section| (section.keys)().contains(&name))?;
    Some(format!("{}.{name}", owner.name))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Flags that a recipe has no use for: it says by itself what goes where and how it is told.
    const WITHOUT_KEY: [&str; 13] = [
        // Of `run` itself.
        "--accept-changed",
        "--save-by",
        "--restart",
        "--help",
        "--version",
        "--json",
        "--device",
        "--model",
        "--oracle",
        "--scores",
        "--tokenizer",
        "--teacher",
        "--reverse-teacher",
    ];

    #[test]
    fn every_flag_of_a_stage_has_a_key_that_exists() {
        let mut command = crate::args::Cli::command();
        command.build();
        for stage in Stage::ALL {
            let own = command.find_subcommand(stage.name()).unwrap();
            for flag in own.get_arguments().filter_map(|argument| argument.get_long()) {
                let flag = format!("--{flag}");
                let key = key_of(&flag, stage);
                assert_eq!(key.is_none(), WITHOUT_KEY.contains(&flag.as_str()), "{stage}: {flag}: {key:?}");
                let Some(key) = key else { continue };
                let names: Vec<&str> = key.split('.').collect();
                let section = SECTIONS.iter().find(|section| section.name == names[0]).unwrap();
                assert!((section.keys)().iter().any(|known| known == names[1]), "{key}");
            }
        }
    }

    #[test]
    fn flags_in_backticks_become_keys_and_the_rest_stays() {
        let said = "a -- b `x` (`--eos both`, `--keep-chosen` and `--max-length 64`); `--set a.b=1`, --beta";
        let expected = "a -- b `x` (`select.eos = \"both\"`, `select.keep_chosen` and `tokens.max_length = 64`); `--set a.b=1`, --beta";
        assert_eq!(text(said, Stage::Select), expected);
        assert_eq!(text("`--beta`", Stage::Eval), "`eval.beta`");
        assert_eq!(text("`--beta`", Stage::Oracle), "`oracle.beta`");
    }
}
