//! Flags of the commands that train.

use super::effect::{Effect, Effect::Changes, Effect::Same, assert_all_tried, compare};
use super::world::{DATA_FLAGS, world_with_splits};

/// Flags of every command that trains.
const TRAIN_FLAGS: &[(&str, Effect)] = &[
    ("--label-smoothing 0.2", Changes),
    ("--beta 1", Changes),
    // Sums of another order.
    ("--tokens-per-batch 200", Changes),
    ("--batch-size 3", Changes),
    ("--learning-rate 1e-4", Changes),
    ("--epochs 2", Changes),
    ("--max-steps 1", Changes),
    ("--scheduler linear", Changes),
    ("--scheduler constant", Changes),
    ("--warmup-ratio 0.9", Changes),
    ("--weight-decay 0.5", Changes),
    ("--adam-beta1 0.5", Changes),
    ("--adam-beta2 0.9", Changes),
    ("--max-grad-norm 0.01", Changes),
    ("--seed 1", Changes),
    ("--save-every 1 --keep-checkpoints 1", Same),
    ("--recompute", Same),
    // What these do is in `watching.rs`.
    ("--loss-watchdog 9", Same),
    ("--stop-on loss-rise,displacement", Same),
    ("--save-by 1h", Same),
    // Nothing has changed here: see `provenance.rs`.
    ("--accept-changed", Same),
    ("--dtype bf16", Changes),
];

pub(super) fn flags_of_train_change_the_weights_or_are_known_not_to() {
    let world = world_with_splits();
    let made = |line: &str| {
        let _ = std::fs::remove_dir_all(world.path("out"));
        world.sepo(line).done();
        world.read("out/model.safetensors")
    };
    let train = "train --model model --out out --learning-rate 1e-3";
    let rows = [
        &[
            ("--gamma 1", Changes),
            ("--eval-fraction 0.3", Changes),
            ("--eval-data pairs.jsonl --eval-every 1 --keep-best loss", Same),
        ],
        TRAIN_FLAGS,
        DATA_FLAGS,
    ];
    let mut tried =
        compare(&format!("{train} --data data --objective simpo --batch-size 4"), &rows.concat(), made);
    world.sepo("select --scores scores.parquet --out selection.parquet").done();
    let rows = [("--gamma 1", Changes), ("--lambda 0.5", Changes), ("--normalizer nominal", Changes)];
    tried.extend(compare(&format!("{train} --data selection.parquet --objective sepo"), &rows, made));
    for (objective, flags) in [
        ("cpo", "--nll 0.5"),
        ("bpo --reference oracle/reference", "--k 0.5"),
        ("discopop --reference oracle/reference", "--temperature 0.5"),
        ("hypo --reference oracle/reference", "--floor -1"),
        ("kto --reference oracle/reference", "--desirable 1.5"),
        ("kto --reference oracle/reference", "--undesirable 1.5"),
        ("bco --reference oracle/reference", "--shift 1"),
        ("selective-dpo --reference oracle/reference", "--quantile 0.1"),
        ("adpo --reference oracle/reference", "--window 2"),
        ("tdpo2 --reference oracle/reference", "--alpha 2"),
    ] {
        let base = format!("{train} --data pairs.jsonl --objective {objective} --batch-size 4");
        tried.extend(compare(&base, &[(flags, Changes)], made));
    }
    let distil = format!(
        "{train} --data pairs.jsonl --objective aligndistil --batch-size 4 --teacher oracle/oracle --reverse-teacher oracle/reference"
    );
    let rows = [("--teacher model", Changes), ("--reverse-teacher model", Changes), ("--boost 1", Changes)];
    tried.extend(compare(&distil, &rows, made));
    let cpo = "[objective]\nname = 'cpo'\n";
    world.write("cpo.toml", cpo);
    world.write("hinge.toml", format!("{cpo}link = 'hinge'\n"));
    let base = format!("{train} --data pairs.jsonl --objective-file cpo.toml --batch-size 4");
    assert_eq!(
        made(&base),
        made(&base.replace("-file cpo.toml", " cpo")),
        "the same loss, written and named"
    );
    tried.extend(compare(&base, &[("--objective-file hinge.toml", Changes)], made));
    let dpo = format!("{train} --data pairs.jsonl --objective dpo --batch-size 4 --reference");
    assert_ne!(made(&format!("{dpo} model")), made(&format!("{dpo} oracle/oracle")));
    tried.insert("--reference".to_owned());
    assert_all_tried("train", tried);
}

pub(super) fn flags_of_oracle_change_the_models_or_are_known_not_to() {
    let world = world_with_splits();
    let made = |line: &str| {
        let _ = std::fs::remove_dir_all(world.path("out"));
        let summary = world.sepo(&line.replace(" --json", "")).done();
        assert_eq!(summary.stdout, "");
        let again = world.sepo(&format!("{} --json", line.replace(" --json", ""))).json();
        let weights =
            ["reference", "oracle"].map(|stage| world.read(&format!("out/{stage}/model.safetensors")));
        [weights.concat(), again["held_out"].to_string().into_bytes()].concat()
    };
    let base = "oracle --model model --data data --out out --oracle-fraction 0.6 --learning-rate 1e-3 --batch-size 2 \
                --reference-learning-rate 1e-3";
    let rows = [
        ("--oracle-fraction 0.4", Changes),
        ("--eval-pairs 2", Changes),
        ("--eval-fraction 0.3", Changes),
        ("--reference-epochs 2", Changes),
        ("--reference-learning-rate 1e-4", Changes),
    ];
    let rows: Vec<(&str, Effect)> = [&rows, TRAIN_FLAGS, DATA_FLAGS].concat();
    let mut tried = compare(base, &rows, made);
    let base = base.replace(" --reference-learning-rate 1e-3", "");
    tried.extend(compare(&base, &[("--reference oracle/reference", Changes)], made));
    assert_all_tried("oracle", tried);
}

pub(super) fn flags_of_sft_change_the_weights_or_are_known_not_to() {
    let world = world_with_splits();
    let made = |line: &str| {
        let _ = std::fs::remove_dir_all(world.path("out"));
        world.sepo(line).done();
        world.read("out/model.safetensors")
    };
    let of_preferences = |flags: &str| flags.starts_with("--beta") || flags.starts_with("--label-smoothing");
    let mut rows: Vec<(&str, Effect)> =
        TRAIN_FLAGS.iter().filter(|(flags, _)| !of_preferences(flags)).chain(DATA_FLAGS).copied().collect();
    rows.push(("--eval-fraction 0.3", Changes));
    let base = "sft --model model --data data --out out --learning-rate 1e-3 --batch-size 4";
    assert_all_tried("sft", compare(base, &rows, made));
}
