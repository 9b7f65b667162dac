//! Flags of scores, selections and weights.

use super::effect::{Effect, Effect::Changes, Effect::Same, assert_all_tried, compare};
use super::support::{self, World, scored_world};
use super::world::{DATA_FLAGS, printed, world_with_splits};

pub(super) fn flags_of_score_change_the_scores_or_are_known_not_to() {
    let world = world_with_splits();
    let made = |line: &str| {
        world.sepo(line).done();
        format!("{:?}", world.scores("out.parquet")).into_bytes()
    };
    let base = "score --oracle oracle/oracle --reference model --data data --out out.parquet";
    // By rounding: sums of another order.
    let rows = [
        ("--tokens-per-batch 100", Changes),
        ("--dtype bf16", Changes),
        ("--restart", Same),
        ("--eval-fraction 0.3", Changes),
        // Nothing has changed here: see `provenance.rs`.
        ("--accept-changed", Same),
    ];
    let mut tried = compare(base, &[&rows, DATA_FLAGS].concat(), made);
    let few = format!("{base} --limit 13");
    tried.extend(compare(&few, &[("--tokens-per-shard 100", Changes)], made));
    assert_all_tried("score", tried);
    for (flags, names) in [
        ("--format hh-rlhf", "hh-rlhf"),
        ("--split validation", "validation"),
        ("--prompt-column absent", "absent"),
        ("--limit 0", "no row of the data"),
    ] {
        world.sepo(&format!("{base} {flags}")).fails(support::DATA, &[names]);
    }
}

pub(super) fn flags_of_select_change_the_selection_or_are_known_not_to() {
    let world = scored_world(12);
    let made = |line: &str| {
        world.sepo(line).done();
        format!("{:?}", world.selection("out.parquet")).into_bytes()
    };
    let rows = [
        ("--keep-chosen 0.5", Changes),
        ("--keep-rejected 0.5", Changes),
        ("--scope data-set", Changes),
        ("--scope length", Changes),
        ("--scope batch --batch-pairs 3", Changes),
        ("--side-rule same", Changes),
        ("--renormalize count", Changes),
        ("--rule salience", Changes),
        ("--rule quantile --quantile 0.2", Changes),
        ("--rule asr --penalty 0.1", Changes),
        ("--rule tis --k 2 --mu 0.5 --low -0.1 --high 0.1", Changes),
        ("--rule tgdpo --slope 2", Changes),
        ("--rule d2po --decay 0.5", Changes),
        ("--rule ld-dpo --tail-weight 0.5", Changes),
        ("--rule random --seed 3", Changes),
        ("--rule threshold --threshold 0.01", Changes),
        ("--rule all", Changes),
        ("--eos both", Changes),
        ("--eos rule", Same),
        ("--official-compat", Changes),
        ("--tokenizer model", Same),
        ("--device cpu", Same),
        ("--threads 2", Same),
        ("--json", Same),
        ("--accept-changed", Same),
    ];
    assert_all_tried("select", compare("select --scores scores.parquet --out out.parquet", &rows, made));
    assert_ne!(
        made("select --scores scores.parquet --out out.parquet --rule all --eos never"),
        made("select --scores scores.parquet --out out.parquet --rule all")
    );
}

/// A world with selections, weights by token and by span, and a model of another tokenizer.
fn weighed_world() -> World {
    let world = world_with_splits();
    world.sepo("select --scores scores.parquet --out selection.parquet --rule tgdpo --slope 2").done();
    world.sepo("weights export selection.parquet --out weights.jsonl").done();
    world.write_model_of("fine", 1024, 300);
    world
}

pub(super) fn flags_of_import_change_the_weights_or_are_known_not_to() {
    let world = weighed_world();
    let made = |line: &str| {
        let _ = std::fs::remove_file(world.path("out.parquet"));
        let code = world.sepo(line).code;
        let is_made = std::path::Path::new(&world.path("out.parquet")).exists();
        let selection = is_made.then(|| world.selection("out.parquet"));
        format!("{code:?} {selection:?}").into_bytes()
    };
    let pair = serde_json::json!({"prompt": "Question: why?\nAns", "chosen": "wer: Grüße! It is.", "rejected": "wer: 世界 it is not."});
    world.write("abroad.jsonl", pair.to_string());
    // One a byte, so that every token is met by several.
    let span: Vec<_> = (0..15)
        .map(|at| serde_json::json!({"start": at, "end": at + 1, "weight": 0.1 * f64::from(at % 3 + 1)}))
        .collect();
    world.write(
        "spans.jsonl",
        serde_json::json!({"chosen_weights": span, "rejected_weights": span}).to_string(),
    );
    let base = "weights import spans.jsonl --data abroad.jsonl --tokenizer model --out out.parquet";
    let rows = [
        ("--unit characters", Changes),
        ("--how max", Changes),
        ("--rejected negate", Changes),
        ("--boundary strict", Changes),
        ("--rejected-weights chosen_weights", Same),
        ("--rejected-weights others", Changes),
        ("--chosen-weights others", Changes),
        ("--tokenizer fine", Changes),
        // Nothing has changed here: see `provenance.rs`.
        ("--accept-changed", Same),
    ];
    let mut tried = compare(base, &rows, made);
    let base = "weights import weights.jsonl --data data --tokenizer model --out out.parquet";
    let rows = [
        ("--row other", Same),
        ("--format tokenized", Changes),
        ("--split test", Changes),
        ("--prompt-column question", Changes),
        ("--chosen-column rejected --rejected-column chosen", Changes),
        ("--strict", Same),
        ("--max-bad-rows 0", Same),
        ("--limit 5", Changes),
        // The one that was there before has no weights.
        ("--dedup", Same),
        ("--data data pairs.jsonl --mix 1,3", Changes),
        ("--data data pairs.jsonl --mix 1,3 --mix-seed 4 --mix-end all", Changes),
        ("--max-length 50", Changes),
        ("--max-prompt-length 10", Changes),
        ("--long-prompt skip --max-prompt-length 30", Changes),
        ("--text-as-chat --chat-template chatml", Changes),
        ("--bos never", Changes),
        ("--no-eos", Changes),
    ];
    tried.extend(compare(base, &rows, made));
    let zero: Vec<_> =
        (0..15).map(|at| serde_json::json!({"start": at, "end": at + 1, "weight": 0.0})).collect();
    let zeros = serde_json::json!({"chosen_weights": span, "rejected_weights": zero});
    world.write("zeros.jsonl", zeros.to_string());
    let base = "weights import zeros.jsonl --data abroad.jsonl --tokenizer model --out out.parquet";
    tried.extend(compare(base, &[("--labels", Changes)], made));
    assert_all_tried("weights import", tried);
}

pub(super) fn flags_of_export_change_the_file_or_are_known_not_to() {
    let world = weighed_world();
    std::fs::copy(world.path("scores.parquet"), world.path("same.parquet")).unwrap();
    let made = printed(&world, "out.jsonl");
    let rows = [
        ("--spans", Changes),
        ("--spans --scores absent.parquet", Changes),
        ("--spans --scores same.parquet", Changes),
        // Nothing has changed here: see `provenance.rs`.
        ("--accept-changed", Same),
    ];
    let tried = compare("weights export selection.parquet --out out.jsonl", &rows, made);
    assert_all_tried("weights export", tried);
}

pub(super) fn flags_of_project_change_the_weights_or_are_known_not_to() {
    let world = weighed_world();
    let made = |line: &str| {
        let _ = std::fs::remove_file(world.path("out.parquet"));
        let code = world.sepo(line).code;
        let is_made = std::path::Path::new(&world.path("out.parquet")).exists();
        let selection = is_made.then(|| world.selection("out.parquet"));
        format!("{code:?} {selection:?}").into_bytes()
    };
    let base =
        "weights project selection.parquet --data pairs.jsonl --tokenizer fine --how mean --out out.parquet";
    let rows = [
        ("--how sum", Changes),
        ("--tokenizer model", Changes),
        ("--scores absent.parquet", Changes),
        ("--oracle absent", Changes),
        ("--format tokenized", Changes),
        ("--split test", Changes),
        ("--prompt-column question", Changes),
        ("--chosen-column rejected --rejected-column chosen", Changes),
        ("--strict", Same),
        ("--max-bad-rows 0", Same),
        ("--limit 5", Changes),
        // The scores' data has none that was there before, and a mix of it is other data.
        ("--dedup", Same),
        ("--data data pairs.jsonl --mix 1,3", Changes),
        ("--data data pairs.jsonl --mix 1,3 --mix-seed 4 --mix-end all", Changes),
        ("--max-length 50", Changes),
        ("--max-prompt-length 10", Changes),
        ("--long-prompt skip --max-prompt-length 12", Changes),
        ("--text-as-chat --chat-template chatml", Changes),
        ("--bos never", Changes),
        ("--no-eos", Changes),
        ("--boundary strict", Same),
        // Nothing has changed here: see `provenance.rs`.
        ("--accept-changed", Same),
    ];
    assert_all_tried("weights project", compare(base, &rows, made));
}

/// A world with labels, a model to classify with, and a classifier of it.
fn labelled_world() -> World {
    let world = world_with_splits();
    world.sepo("select --scores scores.parquet --rule min-max --out labels.parquet").done();
    world.sepo("classify train --model model --data labels.parquet --out head").done();
    world
}

pub(super) fn flags_of_classify_train_change_the_head_or_are_known_not_to() {
    let world = labelled_world();
    let made = |line: &str| {
        let _ = std::fs::remove_dir_all(world.path("out"));
        world.sepo(line).done();
        world.read("out/classifier.safetensors")
    };
    let rows = [
        ("--learning-rate 0.1", Changes),
        ("--batch-size 3", Changes),
        ("--epochs 2", Changes),
        ("--max-steps 1", Changes),
        ("--weight-decay 0.5", Changes),
        ("--seed 1", Changes),
        ("--dtype bf16", Changes),
        ("--model oracle/oracle", Changes),
        // A pair is a pass of its own then, and its states are the same.
        ("--tokens-per-batch 1", Same),
        ("--eval-data labels.parquet", Same),
        ("--accept-changed", Same),
        ("--memory-limit 300MiB", Same),
    ];
    let base = "classify train --model model --data labels.parquet --out out --batch-size 4";
    assert_all_tried("classify train", compare(base, &rows, made));
}

pub(super) fn flags_of_classify_score_change_the_scores_or_are_known_not_to() {
    let world = labelled_world();
    world.sepo("classify train --model model --data labels.parquet --learning-rate 0.1 --out other").done();
    let made = |line: &str| {
        let _ = std::fs::remove_file(world.path("out.parquet"));
        world.sepo(line).done();
        format!("{:?}", world.scores("out.parquet")).into_bytes()
    };
    let rows = [
        ("--classifier other", Changes),
        ("--dtype bf16", Changes),
        // By rounding: sums of another order.
        ("--tokens-per-batch 1", Changes),
        ("--eval-fraction 0.3", Changes),
        ("--accept-changed", Same),
    ];
    let rows: Vec<(&str, Effect)> = [&rows, DATA_FLAGS].concat();
    let base = "classify score --classifier head --model model --data data --out out.parquet";
    assert_all_tried("classify score", compare(base, &rows, made));
}
