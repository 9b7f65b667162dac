//! Where examples lie decides nothing: the same weights, metrics and checkpoints from memory and from disk.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use sepo_loss::Objective;
use sepo_model::{Cpu, FrozenModel};
use sepo_train::{
    ExampleCollector, ExampleFile, ExampleWriter, Examples, HeldExamples, RecordDamage, ReferenceLogps,
    RunOptions, Sides, Spill, TrainConfig, TrainData, TrainError, TrainExample, evaluate_pairs,
    reference_logps, reference_logps_of_each, train,
};
use support::{
    DPO, Recorder, SEPO, bits, checkpoint_file, metrics, quick_config, random_pairs, run, run_until,
    tiny_model, weighted_pairs,
};

fn on_disk(examples: &[TrainExample]) -> ExampleFile {
    let mut writer = ExampleWriter::scratch(&std::env::temp_dir()).unwrap();
    examples.iter().for_each(|example| writer.write(example).unwrap());
    writer.finish().unwrap()
}

/// Pairs of every kind: with weights, with a reference, with neither.
fn mixed_pairs(n: u64) -> Vec<TrainExample> {
    let mut pairs = weighted_pairs(n, 4);
    let mut plain = random_pairs(n, 5);
    reference_logps(&tiny_model(2), &mut plain, 40).unwrap();
    for (index, pair) in pairs.iter_mut().enumerate().filter(|(index, _)| index % 3 != 0) {
        *pair = plain[index].clone();
        if index % 3 == 2 {
            pair.reference = None;
        }
    }
    pairs
}

/// The weights after a run, and the steps it reported.
fn trained(
    dir: Option<&Path>,
    data: TrainData<'_>,
    objective: &Objective,
    config: &TrainConfig,
) -> (Vec<u32>, usize) {
    let mut model = tiny_model(1);
    let mut recorder = Recorder::default();
    let interrupt = AtomicBool::new(false);
    let options = RunOptions { on: &Cpu, dir, observer: &mut recorder, interrupt: &interrupt };
    train(&mut model, data, objective, config, options).unwrap();
    (bits(&model), recorder.steps.len())
}

#[test]
fn a_run_from_disk_ends_bit_for_bit_as_one_from_memory() {
    let examples = weighted_pairs(11, 2);
    let eval = random_pairs(5, 9);
    let (file, eval_file) = (on_disk(&examples), on_disk(&eval));
    for batch_size in [1, 3, 4, 11, 50] {
        let config = TrainConfig { batch_size, eval_every: Some(2), ..quick_config() };
        let [memory, disk] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let data = TrainData::new(&examples).with_eval(&eval);
        let expected = trained(Some(memory.path()), data, &SEPO, &config);
        let data = TrainData::new(&file).with_eval(&eval_file);
        assert_eq!(trained(Some(disk.path()), data, &SEPO, &config), expected, "{batch_size}");
        assert_eq!(metrics(disk.path()), metrics(memory.path()));
        let last = metrics(disk.path()).last().unwrap()["step"].as_u64().unwrap();
        for file in ["model.safetensors", "optimizer.safetensors", "state.json"] {
            let [memory, disk] = [&memory, &disk].map(|dir| checkpoint_file(dir.path(), last, file));
            assert_eq!(disk, memory, "{file}");
        }
    }
}

#[test]
fn a_run_begun_in_memory_goes_on_from_disk() {
    let examples = weighted_pairs(7, 2);
    let file = on_disk(&examples);
    let (expected, ..) = run(None, &examples, &SEPO, &quick_config());
    for step in 1..6 {
        let dir = tempfile::tempdir().unwrap();
        run_until(step, dir.path(), &examples, &SEPO, &quick_config());
        let (weights, n_steps) = trained(Some(dir.path()), TrainData::new(&file), &SEPO, &quick_config());
        assert_eq!(weights, bits(&expected));
        assert_eq!(n_steps as u64, 6 - step);
    }
}

#[test]
fn a_part_of_a_file_is_the_part_of_the_examples() {
    let examples = random_pairs(9, 3);
    let file = on_disk(&examples);
    let picked = [7, 2, 5, 0, 4];
    let part: Vec<TrainExample> = picked.iter().map(|number| examples[*number as usize].clone()).collect();
    let chosen: Vec<TrainExample> = part
        .iter()
        .map(|pair| {
            TrainExample::pair(pair.row, pair.prompt_ids.clone(), pair.chosen_ids.clone(), Vec::new())
        })
        .collect();
    let simpo = Objective::SimPo { beta: 2.0, gamma: 0.5, label_smoothing: 0.0 };
    let of = |data: TrainData<'_>, objective| trained(None, data, objective, &quick_config());
    let expected = of(TrainData::new(&part), &simpo);
    let expected_chosen = of(TrainData::new(&chosen), &Objective::Sft);
    for whole in [Examples::from(&examples), Examples::from(&file)] {
        let view = whole.picked(&picked);
        assert_eq!(of(TrainData::new(view), &simpo), expected);
        let chosen = view.with_sides(Sides::ChosenOnly);
        assert_eq!(of(TrainData::new(chosen), &Objective::Sft), expected_chosen);
    }
}

#[test]
fn a_measure_and_a_reference_from_disk_are_those_from_memory() {
    let mut examples = random_pairs(13, 8);
    let file = on_disk(&examples);
    let mut found = Vec::new();
    reference_logps_of_each(&mut FrozenModel::new(&tiny_model(3)), &file, 30, |example, reference| {
        found.push((example.row, reference));
        Ok::<(), TrainError>(())
    })
    .unwrap();
    reference_logps(&tiny_model(3), &mut examples, 30).unwrap();
    let expected: Vec<(u64, ReferenceLogps)> =
        examples.iter().map(|example| (example.row, example.reference.clone().unwrap())).collect();
    assert_eq!(found, expected);
    let with_reference = on_disk(&examples);
    let [memory, disk] = [Examples::from(&examples), Examples::from(&with_reference)]
        .map(|examples| evaluate_pairs(&tiny_model(1), examples, &DPO, 25).unwrap());
    assert_eq!(disk, memory);
}

#[test]
fn what_an_objective_lacks_is_noticed_before_the_first_step() {
    let mut examples = random_pairs(6, 1);
    reference_logps(&tiny_model(3), &mut examples, 30).unwrap();
    examples[4].reference = None;
    let file = on_disk(&examples);
    for examples in [Examples::from(&examples), Examples::from(&file), Examples::from(&file).picked(&[1, 4])]
    {
        assert!(matches!(examples.check(&DPO), Err(TrainError::NoReference { row: 104 })));
        examples.check(&SEPO).unwrap();
    }
    Examples::from(&file).picked(&[0, 5]).check(&DPO).unwrap();
    let mut wrong = examples[0].clone();
    wrong.chosen_weights = Some(vec![f32::NAN; wrong.chosen_ids.len()]);
    let mut writer = ExampleWriter::scratch(&std::env::temp_dir()).unwrap();
    assert!(matches!(writer.write(&wrong), Err(TrainError::NotFinite { row: 100, .. })));
    assert_eq!(writer.finish().unwrap().len(), 0);
}

#[test]
fn a_collector_keeps_order_and_examples_on_both_sides_of_its_bound() {
    let examples = mixed_pairs(20);
    let total: u64 = examples.iter().map(TrainExample::memory_bytes).sum();
    let dir = tempfile::tempdir().unwrap();
    for bytes_in_memory in [0, 1, total / 2, total - 1, total, u64::MAX] {
        let spill = Spill { bytes_in_memory, dir: dir.path().join("not-there-yet") };
        let mut collector = ExampleCollector::new(spill);
        examples.iter().for_each(|example| collector.push(example.clone()).unwrap());
        let held = collector.finish().unwrap();
        // A clone may take less than the original, never more.
        if bytes_in_memory >= total {
            assert!(matches!(held, HeldExamples::Memory(_)));
        } else if bytes_in_memory <= total / 2 {
            assert!(matches!(held, HeldExamples::File(_)));
            assert_eq!(std::fs::read_dir(dir.path().join("not-there-yet")).unwrap().count(), 0);
        }
        let found: Vec<TrainExample> =
            held.examples().iter().map(|example| example.unwrap().into_owned()).collect();
        assert_eq!(found, examples);
    }
}

#[test]
fn damage_is_an_error_that_names_the_record() {
    let examples = mixed_pairs(12);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pairs.examples");
    let mut writer = ExampleWriter::create(&path).unwrap();
    examples.iter().for_each(|example| writer.write(example).unwrap());
    assert!(!path.exists(), "it appears when it is complete");
    writer.finish().unwrap();
    let whole = std::fs::read(&path).unwrap();
    let read = || -> Result<Vec<TrainExample>, TrainError> {
        let file = ExampleFile::open(&path)?;
        Examples::from(&file).iter().map(|example| Ok(example?.into_owned())).collect()
    };
    assert_eq!(read().unwrap(), examples);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(read(), Err(TrainError::DamagedExamples { .. })), "byte {at}");
    }
    for n_bytes in 0..whole.len() {
        std::fs::write(&path, &whole[..n_bytes]).unwrap();
        assert!(matches!(read(), Err(TrainError::DamagedExamples { record: None, .. })), "{n_bytes} bytes");
    }
    let mut bytes = whole;
    bytes[20] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = read().unwrap_err();
    assert!(matches!(error, TrainError::DamagedExamples { damage: RecordDamage::Hash, .. }));
    assert_eq!(
        error.to_string(),
        format!(
            "record 0 of the examples on disk at `{}` cannot be used: it does not match its content hash",
            path.display()
        )
    );
}

#[test]
fn damage_during_a_run_stops_it() {
    let examples = random_pairs(9, 1);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pairs.examples");
    let mut writer = ExampleWriter::create(&path).unwrap();
    examples.iter().for_each(|example| writer.write(example).unwrap());
    let file = writer.finish().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    // In place: the open file sees it.
    std::fs::write(&path, bytes).unwrap();
    let mut model = tiny_model(1);
    let interrupt = AtomicBool::new(false);
    let options =
        RunOptions { on: &Cpu, dir: None, observer: &mut Recorder::default(), interrupt: &interrupt };
    let simpo = Objective::SimPo { beta: 2.0, gamma: 0.5, label_smoothing: 0.0 };
    let outcome = train(&mut model, TrainData::new(&file), &simpo, &quick_config(), options);
    assert!(matches!(outcome, Err(TrainError::DamagedExamples { record: Some(_), .. })), "{outcome:?}");
}
