//! Compositions as they are written.

use proptest::prelude::*;
use sepo_loss::{
    Comparison, Composition, CompositionForm, CustomLink, Link, LossError, Margin, Objective, PairWeight,
    Pairing, Partition, Preset, SideLink, UnitSum, Weighting,
};

use crate::algebra::any_composition;

fn back(loss: Composition) -> (Composition, Composition) {
    let text = toml::to_string(&loss).unwrap();
    let json = serde_json::to_string(&loss).unwrap();
    (toml::from_str(&text).unwrap(), serde_json::from_str(&json).unwrap())
}

#[test]
fn every_preset_reads_back_from_toml_and_json_as_the_same_loss() {
    for preset in Preset::all() {
        let Some(loss) = preset.objective(&[]).unwrap().composition() else {
            assert!(!preset.objective(&[]).unwrap().is_pairwise());
            continue;
        };
        assert_eq!(back(loss), (loss, loss), "{}", preset.name);
    }
}

proptest! {
    #[test]
    fn any_composition_that_is_no_code_reads_back(loss in any_composition(), beta in 1e-9..1e9_f64) {
        let loss = Composition { beta, ..loss };
        if matches!(loss.comparison, Comparison::Pairs { link: Link::Custom(_), .. }) {
            prop_assert!(toml::to_string(&loss).is_err());
        } else {
            prop_assert_eq!(back(loss), (loss, loss));
        }
    }
}

#[test]
fn keys_are_those_of_the_two_comparisons_together() {
    let sides = Composition { comparison: Comparison::Sides(SideLink::Nca), ..Composition::default() };
    for loss in [Composition::default(), sides] {
        let serde_json::Value::Object(written) = serde_json::to_value(loss).unwrap() else { panic!() };
        assert!(written.keys().all(|key| CompositionForm::KEYS.contains(&key.as_str())), "{written:?}");
    }
    let both = ["margin", "link", "side_link"];
    let rest = serde_json::to_value(sides).unwrap().as_object().unwrap().len() - 1;
    assert_eq!(rest + both.len(), CompositionForm::KEYS.len());
}

#[test]
fn what_is_left_out_stays_as_it_was() {
    let simpo = Preset::find("simpo").unwrap().objective(&[]).unwrap().composition().unwrap();
    let form: CompositionForm = toml::from_str("partition = { window = 4 }\nunit_sum = 'mean'").unwrap();
    let expected = Composition { partition: Partition::Window(4), unit_sum: UnitSum::Mean, ..simpo };
    assert_eq!(form.over(simpo).unwrap(), expected);
    assert!(CompositionForm::default().is_empty() && !form.is_empty());
    let form: CompositionForm = toml::from_str("link = 'hinge'").unwrap();
    let nca = Composition { comparison: Comparison::Sides(SideLink::Nca), ..simpo };
    assert_eq!(form.over(nca).unwrap(), nca.comparing(Margin::Constant(0.0), Link::Hinge));
    let whole: Composition = toml::from_str("").unwrap();
    assert_eq!(whole, Composition::default());
}

#[test]
fn a_key_a_choice_and_a_number_that_there_are_not_are_refused_by_name() {
    let refusals = [
        ("lnik = 'hinge'", "unknown field `lnik`"),
        ("link = 'hing'", "unknown variant `hing`"),
        ("link = { custom = 'cauchy' }", "unknown variant `custom`"),
        ("link = { logistic = { smoothing = 0.1 } }", "smoothing, available keys: label_smoothing"),
        ("margin = { constant = 'much' }", "invalid type: string"),
        ("regularizers = { nll = { coefficient = 1.0 } }", "missing field `reduction`"),
        ("beta = [1]", "invalid type: sequence"),
        ("side_link = 'nca'\nlink = 'hinge'", "`side_link` looks at each response by itself"),
    ];
    for (written, expected) in refusals {
        let error = toml::from_str::<Composition>(written).unwrap_err().to_string();
        assert!(error.contains(expected), "{written}: {error}");
    }
}

#[test]
fn what_parts_exclude_each_other_is_refused_with_the_key_of_one() {
    let refusals = [
        ("pairing = 'by-weight'", "pairing"),
        ("regularizers = { l1 = { coefficient = 0.1 } }", "regularizers.l1"),
        ("transform = 'log-odds'", "transform"),
        ("partition = { window = 0 }", "partition"),
        ("reduction = 'nominal'\nweighting = 'learned'", "reduction"),
    ];
    for (written, key) in refusals {
        let loss: Composition = toml::from_str(written).unwrap();
        let error = loss.check("composed").unwrap_err();
        assert!(matches!(error, LossError::Composition { part, .. } if part == key), "{written}: {error}");
    }
    let loss: Composition =
        toml::from_str("statistic = { divergence = { forward = { alpha = nan, detach = 'both' } } }")
            .unwrap();
    let error = loss.check("composed").unwrap_err();
    let at =
        matches!(error, LossError::SettingOutOfRange { part: "statistic.divergence", setting: "alpha", .. });
    assert!(at, "{error}");
}

#[test]
fn a_link_of_ones_own_is_told_by_its_name_alone() {
    // Runs are told apart by this text, and an address is another one in every process.
    let link = Link::Custom(CustomLink { name: "cubic", loss: |z| (z.powi(3), 3.0 * z.powi(2)) });
    assert_eq!(format!("{link:?}"), "Custom(CustomLink { name: \"cubic\", .. })");
}

#[test]
fn every_choice_of_a_loss_is_in_the_text_that_tells_runs_apart() {
    let base = Composition::default();
    let others = [
        Composition { weighting: Weighting::Learned, ..base },
        Composition { pairing: Pairing::BatchOrder, ..base },
        Composition { unit_sum: UnitSum::Mean, ..base },
        Composition { pair_weight: PairWeight::Likelihood, ..base },
        Composition { beta: 0.1 + f64::EPSILON, ..base },
        base.comparing(Margin::Constant(1e-300), Link::Hinge),
    ];
    let text = |loss| format!("{:?}", Objective::composed("composed", loss));
    for other in others {
        assert_ne!(text(base), text(other));
    }
}
