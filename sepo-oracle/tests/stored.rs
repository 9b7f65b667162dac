//! Stored log-probs of the reference: used again where they are the same, made again where anything differs.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use sepo_data::{ContentSource, LogpsMeta, LogpsReader, LogpsWriter, PairLogps};
use sepo_model::{Cpu, Model, ModelConfig};
use sepo_oracle::{
    OracleError, Origin, REFERENCE_LOGPS_FILE, ReferencePass, stored_reference_logps,
    stored_reference_logps_of_each,
};
use sepo_train::{ExampleWriter, Examples, ReferenceLogps, TrainError, TrainExample, reference_logps};

fn model(seed: u64) -> Model {
    let config = ModelConfig::from_json(
        r#"{"model_type": "llama", "vocab_size": 23, "hidden_size": 8, "intermediate_size": 12,
            "num_hidden_layers": 1, "num_attention_heads": 2, "initializer_range": 0.3}"#,
    );
    Model::random(config.unwrap(), seed).unwrap()
}

fn pairs() -> Vec<TrainExample> {
    let ids = |n: u32, salt: u32| (0..n).map(|t| (t * 5 + salt) % 23).collect();
    // An empty prompt and an empty response are stored like any other.
    (0..12)
        .map(|i| {
            TrainExample::pair(u64::from(i) + 7, ids(i % 4, i), ids(1 + i % 5, 2 * i), ids(i % 3, 3 * i))
        })
        .collect()
}

fn references(pairs: &[TrainExample]) -> Vec<ReferenceLogps> {
    pairs.iter().map(|pair| pair.reference.clone().unwrap()).collect()
}

static NEVER: AtomicBool = AtomicBool::new(false);

fn pass(path: &Path) -> ReferencePass<'_> {
    ReferencePass { on: &Cpu, path, tokens_per_batch: 20, tokens_per_shard: 1000, interrupt: &NEVER }
}

/// A folder with a file made from `model(1)` and [`pairs`].
struct Stored {
    dir: tempfile::TempDir,
    computed: Vec<ReferenceLogps>,
}

impl Stored {
    fn new() -> Self {
        let stored = Self { dir: tempfile::tempdir().unwrap(), computed: Vec::new() };
        let (origin, computed) = stored.ask(&model(1), &pairs());
        assert_eq!(origin, Origin::Computed);
        Self { computed, ..stored }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join(REFERENCE_LOGPS_FILE)
    }

    fn ask(&self, model: &Model, pairs: &[TrainExample]) -> (Origin, Vec<ReferenceLogps>) {
        let mut pairs = pairs.to_vec();
        let origin = stored_reference_logps(model, &mut pairs, &self.path(), 20).unwrap();
        (origin, references(&pairs))
    }

    /// Asks for the log-probs of `model(1)` and [`pairs`] after `spoil`: computed again, right, and stored again.
    fn is_replaced_after(&self, spoil: impl Fn(&Path)) {
        spoil(&self.path());
        assert_eq!(self.ask(&model(1), &pairs()), (Origin::Computed, self.computed.clone()));
        assert_eq!(self.ask(&model(1), &pairs()), (Origin::Stored, self.computed.clone()));
    }
}

#[test]
fn the_file_is_used_again_for_the_same_weights_and_ids() {
    let stored = Stored::new();
    let mut fresh = pairs();
    reference_logps(&model(1), &mut fresh, 20).unwrap();
    assert_eq!(stored.computed, references(&fresh));
    let bytes = fs::read(stored.path()).unwrap();
    assert_eq!(stored.ask(&model(1), &pairs()), (Origin::Stored, stored.computed.clone()));
    assert_eq!(fs::read(stored.path()).unwrap(), bytes, "reading leaves the file alone");

    // Neither weights nor a reference that was there matter.
    let mut selected = pairs();
    selected[3].chosen_weights = Some(vec![0.0; selected[3].chosen_ids.len()]);
    selected[4].reference = Some(ReferenceLogps::default());
    assert_eq!(stored.ask(&model(1), &selected), (Origin::Stored, stored.computed.clone()));
}

#[test]
fn examples_on_disk_have_the_same_file_and_log_probs_as_in_memory() {
    let stored = Stored::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(REFERENCE_LOGPS_FILE);
    let mut writer = ExampleWriter::scratch(dir.path()).unwrap();
    pairs().iter().for_each(|pair| writer.write(pair).unwrap());
    let file = writer.finish().unwrap();
    for expected in [Origin::Computed, Origin::Stored] {
        let mut found = Vec::new();
        let origin = stored_reference_logps_of_each(&model(1), Examples::from(&file), pass(&path), |pair| {
            found.push(pair);
            Ok(())
        });
        assert_eq!(origin.unwrap(), expected);
        assert_eq!(references(&found), stored.computed);
        assert_eq!(fs::read(&path).unwrap(), fs::read(stored.path()).unwrap());
    }
    let refused =
        stored_reference_logps_of_each(&model(1), &file, pass(&path), |_| Err(TrainError::NoExamples));
    assert!(matches!(refused, Err(OracleError::Train { source: TrainError::NoExamples, .. })));
}

#[test]
fn other_weights_are_computed_again() {
    let stored = Stored::new();
    let mut nearly = model(1);
    *nearly.parameters.as_mut_slice().last_mut().unwrap() += 0.5;
    let (origin, logps) = stored.ask(&nearly, &pairs());
    assert_eq!(origin, Origin::Computed);
    assert_ne!(logps, stored.computed);
    assert_eq!(stored.ask(&nearly, &pairs()), (Origin::Stored, logps));
}

#[test]
fn other_ids_rows_or_borders_are_computed_again() {
    let spoil: [fn(&mut Vec<TrainExample>); 7] = [
        |pairs| pairs[5].prompt_ids[0] += 1,
        |pairs| pairs[5].chosen_ids[0] += 1,
        |pairs| pairs[5].rejected_ids[0] += 1,
        |pairs| pairs[5].row += 1,
        |pairs| pairs.swap(0, 1),
        |pairs| drop(pairs.pop()),
        // The same ids in the same order, but the prompt is longer by the first response token.
        |pairs| {
            let first = pairs[4].chosen_ids.remove(0);
            pairs[4].prompt_ids.push(first);
        },
    ];
    for (i, spoil) in spoil.into_iter().enumerate() {
        let stored = Stored::new();
        let mut others = pairs();
        spoil(&mut others);
        let (origin, logps) = stored.ask(&model(1), &others);
        assert_eq!(origin, Origin::Computed, "change {i}");
        reference_logps(&model(1), &mut others, 20).unwrap();
        assert_eq!(logps, references(&others), "change {i}");
        assert_eq!(stored.ask(&model(1), &pairs()).0, Origin::Computed, "change {i}: the old file is gone");
    }
}

#[test]
fn a_damaged_file_is_replaced() {
    let stored = Stored::new();
    let whole = fs::read(stored.path()).unwrap();
    stored.is_replaced_after(|path| fs::remove_file(path).unwrap());
    stored.is_replaced_after(|path| fs::write(path, b"").unwrap());
    stored.is_replaced_after(|path| fs::write(path, b"PAR1 not really PAR1").unwrap());
    for n in [4, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        stored.is_replaced_after(|path| fs::write(path, &whole[..n]).unwrap());
    }
}

#[test]
fn a_file_of_the_right_origin_with_other_rows_is_replaced() {
    let stored = Stored::new();
    let rewrite = |change: &dyn Fn(&mut Vec<PairLogps>), spoil_meta: &dyn Fn(&mut LogpsMeta)| {
        stored.is_replaced_after(|path| {
            let reader = LogpsReader::open(path).unwrap();
            let mut meta = reader.meta().clone();
            let mut rows: Vec<PairLogps> = reader.collect::<Result<_, _>>().unwrap();
            change(&mut rows);
            spoil_meta(&mut meta);
            let mut writer = LogpsWriter::create(path, meta).unwrap();
            rows.iter().for_each(|row| writer.write(row).unwrap());
            writer.finish().unwrap();
        });
    };
    rewrite(&|rows| drop(rows.pop()), &|_| {});
    rewrite(&|rows| rows.swap(2, 3), &|_| {});
    rewrite(&|rows| rows[6].chosen_logps.push(-1.0), &|_| {});
    rewrite(&|rows| rows[8].rejected_logps.clear(), &|_| {});
    rewrite(&|_| {}, &|meta| meta.model = ContentSource::default());
    rewrite(&|_| {}, &|meta| meta.inputs.clear());
}

/// A flipped bit that no decoder notices would train an oracle against another reference.
#[test]
fn a_flipped_byte_is_never_taken_for_a_log_prob() {
    let stored = Stored::new();
    let whole = fs::read(stored.path()).unwrap();
    let mut wrong = Vec::new();
    // Every third: each makes a file anew, and waits for the disk.
    for at in (0..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(stored.path(), bytes).unwrap();
        let (origin, logps) = stored.ask(&model(1), &pairs());
        if logps != stored.computed {
            wrong.push((at, origin));
        }
    }
    assert!(wrong.is_empty(), "of {} bytes, {} taken for log-probs: {wrong:?}", whole.len(), wrong.len());
}

#[test]
fn what_cannot_run_or_be_written_is_an_error() {
    let stored = Stored::new();
    let mut bad = pairs();
    bad[2].prompt_ids[0] = 99;
    let error = stored_reference_logps(&model(1), &mut bad, &stored.path(), 20).unwrap_err();
    assert!(matches!(error, OracleError::Train { source: TrainError::Model(_), .. }), "{error:?}");
    assert_eq!(stored.ask(&model(1), &pairs()).0, Origin::Stored, "the failure left the file alone");

    let nowhere = stored.dir.path().join("missing").join("file");
    let error = stored_reference_logps(&model(1), &mut pairs(), &nowhere, 20).unwrap_err();
    assert!(matches!(error, OracleError::Shards(_)), "{error:?}");
}

/// Many pairs, so that there are several shards.
fn many_pairs() -> Vec<TrainExample> {
    let ids = |n: u32, salt: u32| (0..n).map(|t| (t * 5 + salt) % 23).collect();
    (0..260)
        .map(|i| TrainExample::pair(u64::from(i), ids(3, i), ids(1500 + i, i), ids(1700 - i, i)))
        .collect()
}

#[test]
fn a_pass_that_is_interrupted_goes_on_behind_its_last_shard() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, path) = (dir.path().join("whole"), dir.path().join("logps"));
    let pairs = many_pairs();
    let make = |path: &Path, interrupt: &AtomicBool| {
        let pass =
            ReferencePass { on: &Cpu, path, tokens_per_batch: 100, tokens_per_shard: 20_000, interrupt };
        let mut n_taken = 0;
        let origin = stored_reference_logps_of_each(&model(1), &pairs, pass, |_| {
            n_taken += 1;
            Ok(())
        });
        (origin.unwrap(), n_taken)
    };
    assert_eq!(make(&whole, &NEVER), (Origin::Computed, pairs.len()));

    let parts = dir.path().join("logps.parts");
    let interrupt = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..60_000 {
                if parts.join("part-00001.parquet").exists() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            interrupt.store(true, Ordering::Relaxed);
        });
        assert_eq!(make(&path, &interrupt), (Origin::Interrupted, 0));
    });
    assert!(!path.exists());
    // Damage is made good.
    fs::write(parts.join("part-00000.parquet"), b"PAR1").unwrap();
    assert_eq!(make(&path, &NEVER), (Origin::Computed, pairs.len()));
    assert!(fs::read(&path).unwrap() == fs::read(&whole).unwrap(), "the same bytes");
    assert!(!parts.exists(), "the shards are gone");
    assert_eq!(make(&path, &NEVER), (Origin::Stored, pairs.len()));
}

#[test]
fn shards_of_a_pass_that_was_killed_after_the_file_was_whole_are_removed() {
    let stored = Stored::new();
    let parts = stored.path().with_file_name(format!("{REFERENCE_LOGPS_FILE}.parts"));
    assert!(!parts.exists());
    fs::create_dir(&parts).unwrap();
    fs::write(parts.join("part-00000.parquet"), "cut off").unwrap();
    assert_eq!(stored.ask(&model(1), &pairs()).0, Origin::Stored);
    assert!(!parts.exists());
}
