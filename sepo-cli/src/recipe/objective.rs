//! `[objective]` of a recipe: a loss by its choices. A file of it alone is what `train --objective-file` takes.

use std::path::Path;
use std::rc::Rc;

use sepo_loss::CompositionForm;

use super::mistake::{Located, Mistake};
use super::place::Places;
use super::section::ObjectiveSection;
use super::sections::{OBJECTIVE, choices, names_of};
use super::source::Sources;
use super::tables::{Tables, text_of};
use super::{check, keys as known};
use crate::args::{ObjectiveArgs, ObjectiveChoice, ObjectiveName, TrainCommandArgs};
use crate::exit::{CliError, Exit, io_error};

const SECTION: &str = OBJECTIVE.name;

/// The section, taken out of the tables; nothing where it is not there.
pub(super) fn take(tables: &mut Tables<'_, '_, '_>) -> Result<Option<ObjectiveChoice>, Located> {
    let places = tables.places;
    if !places.has(SECTION) {
        return Ok(None);
    }
    let of_train = [vec!["objective".to_owned()], names_of::<ObjectiveArgs>()].concat();
    let twice = of_train.iter().map(|key| format!("train.{key}")).find(|key| places.has(key));
    if let Some(key) = twice {
        return Err(check::idle(places, &key, "beside `[objective]`, which says what the loss is"));
    }
    let mut settings: ObjectiveArgs = tables.part(SECTION, &names_of::<ObjectiveArgs>())?;
    let mut composition: CompositionForm = tables.part(SECTION, &choices())?;
    let ObjectiveSection { name, weights } = tables.whole(SECTION)?;
    let name = name.unwrap_or_else(ObjectiveName::dpo);
    if !name.preset().has("beta") {
        // Then it is the composition's, whatever the method calls its own scale.
        composition.beta = settings.beta.take();
    }
    Ok(Some(ObjectiveChoice { name, settings, composition, weights }))
}

/// The loss that `train` is given: by its name, or out of a file.
pub(crate) fn chosen(args: &TrainCommandArgs) -> Result<ObjectiveChoice, CliError> {
    match (&args.objective_file, args.objective) {
        (Some(file), _) => load(file),
        (None, Some(name)) => Ok(ObjectiveChoice::named(name, args.objective_settings.clone())),
        (None, None) => {
            Err(CliError::usage("there is no objective", "name one with `--objective` or `--objective-file`"))
        }
    }
}

/// The objective of a file, checked.
fn load(file: &Path) -> Result<ObjectiveChoice, CliError> {
    let text = text_of(file).map_err(|source| CliError { exit: Exit::Usage, ..io_error(file, source) })?;
    Ok(read(file, &text)?)
}

fn read(file: &Path, text: &str) -> Result<ObjectiveChoice, Located> {
    let sources = Rc::new(Sources::new(("objective file", file), text, &[])?);
    let mut root = sources.parse()?;
    known::check(&root, &sources, &[OBJECTIVE])?;
    let places = Places::of(&root, Rc::clone(&sources));
    let choice = take(&mut Tables { root: &mut root, places: &places })?.ok_or_else(|| {
        let missing = Located::nowhere(Mistake::Missing { key: SECTION });
        missing.with_help("write a section `[objective]`; `sepo-cli objectives dpo` prints one")
    })?;
    check::objective(&choice, SECTION, &places)?;
    Ok(choice)
}

#[cfg(test)]
mod tests {
    use std::mem::discriminant;

    use sepo_loss::{Composition, Objective, Preset, WeightSource};

    use super::*;
    use crate::args::TokenWeights;
    use crate::command::objectives;

    #[track_caller]
    fn choice(text: &str) -> ObjectiveChoice {
        read(Path::new("objective.toml"), text).unwrap()
    }

    #[track_caller]
    fn loss(text: &str) -> Composition {
        choice(text).objective().unwrap().composition().unwrap()
    }

    fn preset(name: &str) -> Composition {
        Preset::find(name).unwrap().objective(&[]).unwrap().composition().unwrap()
    }

    #[test]
    fn every_preset_as_it_is_printed_reads_back_as_the_same_loss_with_the_same_weights() {
        for preset in Preset::all() {
            let text = objectives::text(preset).unwrap();
            let read = choice(&text);
            let expected = preset.objective(&[]).unwrap();
            let found = read.objective().unwrap();
            assert_eq!(found.composition(), expected.composition(), "{}", preset.name);
            assert_eq!(found == Objective::Sft, expected == Objective::Sft, "{text}");
            assert_eq!(discriminant(&read.source()), discriminant(&preset.weights), "{}", preset.name);
            let quantile = preset.value("quantile", &[]).unwrap_or_default();
            assert!((read.quantile() - quantile).abs() < f64::EPSILON, "{text}");
        }
    }

    #[test]
    fn every_choice_in_the_documentation_reads_and_every_key_is_there() {
        let page = include_str!("../../../docs/methods.md");
        let section = page.split("## Composing a loss").nth(1).unwrap().split("\n## ").next().unwrap();
        for key in CompositionForm::KEYS {
            let row = section.lines().find(|line| line.starts_with(&format!("| `{key}` |"))).unwrap();
            let choices: Vec<&str> =
                row.rsplit(" | ").next().unwrap().split('`').skip(1).step_by(2).collect();
            for choice in choices.iter().filter(|choice| !["token_reward"].contains(*choice)) {
                let read = toml::from_str::<CompositionForm>(&format!("{key} = {choice}"));
                assert!(read.is_ok_and(|form| !form.is_empty()), "{key} = {choice}");
            }
        }
    }

    #[test]
    fn a_method_has_its_settings_and_choices_replace_its_own() {
        let simpo = preset("simpo");
        assert_eq!(loss("[objective]\nname = 'simpo'\nbeta = 3"), Composition { beta: 3.0, ..simpo });
        let windows = loss("[objective]\nname = 'simpo'\npartition = { window = 2 }\nbeta = 3");
        let expected = Composition { beta: 3.0, partition: sepo_loss::Partition::Window(2), ..simpo };
        assert_eq!(windows, expected);
        // DPO is where nothing else is said; a method without a setting `beta` has the composition's.
        assert_eq!(loss("[objective]\nscale = 2.0"), Composition { scale: 2.0, ..preset("dpo") });
        assert_eq!(loss("[objective]\nname = 'sepo'\nbeta = 7"), Composition { beta: 7.0, ..preset("sepo") });
        // Cal-DPO's own β is in its targets, and stays there.
        let cal = Preset::find("cal-dpo").unwrap().objective(&[("beta", 0.5)]).unwrap();
        assert_eq!(loss("[objective]\nname = 'cal-dpo'\nbeta = 0.5"), cal.composition().unwrap());
    }

    #[test]
    fn weights_are_where_they_are_said_to_come_from() {
        let source = |text: &str| choice(text).source();
        assert_eq!(source("[objective]\nname = 'confpo'\nscale = 2"), WeightSource::Confidence);
        assert_eq!(source("[objective]\nweights = 'confidence'"), WeightSource::Confidence);
        assert_eq!(source("[objective]\nname = 'sepo'\nweights = 'uniform'"), WeightSource::Uniform);
        let gap = choice("[objective]\nweights = { gap = { quantile = 0.25 } }");
        assert_eq!((gap.source(), gap.quantile()), (WeightSource::Gap, 0.25));
        let rewards = "[objective]\nregularizers = { token_reward = { alpha = 0.1 } }";
        assert!(matches!(source(rewards), WeightSource::Rewards(_)));
        assert_eq!(source("[objective]\nname = 't-reg'\nregularizers = {}"), WeightSource::Uniform);
    }

    #[test]
    fn a_record_reads_back_and_that_of_a_method_is_as_it_was() {
        let plain = choice("[objective]\nname = 'simpo'\ngamma = 1.0");
        let record = serde_json::to_value(&plain).unwrap();
        assert!(record.get("composition").is_none() && record.get("weights").is_none(), "{record}");
        let composed = choice("[objective]\nlink = 'hinge'\nweights = 'selection'");
        let record = serde_json::to_value(&composed).unwrap();
        let again: ObjectiveChoice = serde_json::from_value(record).unwrap();
        assert_eq!(again.objective().unwrap(), composed.objective().unwrap());
        assert_eq!(again.weights, Some(TokenWeights::Selection));
    }
}
