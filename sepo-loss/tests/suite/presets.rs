//! Methods by their names.

use std::collections::HashSet;

use sepo_loss::{Input, LossBatch, LossError, Objective, PairRows, Preset, evaluate};

use crate::batches::close;

/// Two pairs with every array.
fn with_batch<R>(use_it: impl FnOnce(&LossBatch<'_>) -> R) -> R {
    let logps = [-1.0, -2.0, -0.5, -1.5, -0.7, -2.5, -0.3, -1.1];
    let reference = [-1.2, -1.5, -0.6, -1.0, -0.9, -2.0, -0.4, -1.3];
    let pair = |start: usize| PairRows {
        chosen: start..start + 3,
        rejected: start + 3..start + 4,
        chosen_nominal: 1.5,
        rejected_nominal: 1.5,
    };
    use_it(&LossBatch {
        logps: &logps,
        reference_logps: Some(&reference),
        forward_kls: Some(&[0.1, 0.2, 0.3, 0.1, 0.0, 0.4, 0.2, 0.1]),
        reverse_kls: Some(&[0.2, 0.1, 0.1, 0.3, 0.1, 0.2, 0.0, 0.3]),
        token_rewards: Some(&[0.5, -0.5, 0.1, 0.2, -0.3, 0.4, 0.5, -0.1]),
        extrapolations: Some(&[0.5, 1.0, 2.0, 0.1, 0.4, 1.5, 3.0, 1.0]),
        log_collisions: Some(&[-0.5, -0.4, -0.2, -0.6, -0.3, -0.9, -0.1, -0.5]),
        segments: Some(&[0, 0, 1, 0, 0, 1, 1, 0]),
        weights: &[1.0; 8],
        pairs: &[pair(0), pair(4)],
    })
}

#[test]
fn every_preset_is_a_loss_with_its_defaults_and_names_are_unique() {
    let mut names = HashSet::new();
    for preset in Preset::all() {
        assert!(names.insert(preset.name), "{} twice", preset.name);
        assert!(Preset::find(preset.name).is_some());
        let objective = preset.objective(&[]).unwrap();
        objective.check().unwrap();
        // `sepo-paper` is `sepo` with another count.
        assert!(objective.name() == preset.name || ["ipo-sum", "sepo-paper"].contains(&preset.name));
        let evaluation = with_batch(|batch| evaluate(&objective, batch)).unwrap();
        let gradients = evaluation.dlogps.iter().chain(&evaluation.dreverse_kls);
        assert!(gradients.into_iter().any(|d| *d != 0.0), "{}", preset.name);
    }
    assert!(names.len() >= 40, "{}", names.len());
}

#[test]
fn every_setting_changes_its_loss() {
    for preset in Preset::all() {
        // Of the masks that the policy makes and of the teacher, not of the loss.
        for setting in preset.settings.iter().filter(|setting| !["quantile", "boost"].contains(&setting.name))
        {
            let of = |value| {
                let objective = preset.objective(&[(setting.name, value)]).unwrap();
                with_batch(|batch| evaluate(&objective, batch)).unwrap().loss_sum
            };
            let other = if setting.name == "window" { 2.0 } else { setting.default + 0.17 };
            assert_ne!(of(setting.default), of(other), "{} {}", preset.name, setting.name);
        }
    }
}

#[test]
fn an_input_that_is_missing_is_named() {
    for preset in Preset::all() {
        let objective = preset.objective(&[]).unwrap();
        for input in objective.inputs() {
            let error = with_batch(|batch| {
                let mut batch = *batch;
                match input {
                    Input::ReferenceLogps => batch.reference_logps = None,
                    Input::ForwardKls => batch.forward_kls = None,
                    Input::ReverseKls => batch.reverse_kls = None,
                    Input::TokenRewards => batch.token_rewards = None,
                    Input::Extrapolations => batch.extrapolations = None,
                    Input::LogCollisions => batch.log_collisions = None,
                    Input::Segments => batch.segments = None,
                    other => panic!("{} needs {other}", preset.name),
                }
                evaluate(&objective, &batch).unwrap_err()
            });
            assert!(
                matches!(error, LossError::InputMissing { input: missing, .. } if missing == input),
                "{}: {error}",
                preset.name
            );
        }
    }
}

#[test]
fn a_setting_that_a_preset_has_not_is_refused_by_name() {
    let error = Preset::find("dpop").unwrap().objective(&[("gamma", 1.0)]).unwrap_err();
    assert_eq!(error.to_string(), "set `gamma` of `dpop`, which has `beta`, `lambda`");
    let error = Preset::find("sft").unwrap().objective(&[("beta", 1.0)]).unwrap_err();
    assert_eq!(error.to_string(), "set `beta` of `sft`, which has none");
}

#[test]
fn a_window_is_a_whole_number_of_tokens() {
    let adpo = Preset::find("adpo").unwrap();
    for window in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY] {
        assert!(adpo.objective(&[("window", window)]).unwrap().check().is_err(), "{window}");
    }
}

#[test]
fn presets_that_are_older_objectives_are_the_same() {
    let find = |name: &str| Preset::find(name).unwrap();
    assert_eq!(
        find("dpo").objective(&[("label_smoothing", 0.2)]).unwrap(),
        Objective::Dpo { beta: 0.1, label_smoothing: 0.2 }
    );
    let [robust, dpo] = [("robust", 0.0), ("dpo", 0.0)].map(|(name, noise)| {
        let objective = find(name).objective(&[("label_smoothing", noise)]).unwrap();
        with_batch(|batch| evaluate(&objective, batch)).unwrap().loss_sum
    });
    assert!(close(robust, dpo, 1e-14));
}
