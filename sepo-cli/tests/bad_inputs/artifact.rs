//! `scores.parquet`, `selection.parquet` and the shards of scores.

use std::sync::Arc;

use super::case::{Case, as_it_is, check};
use super::support::{DATA, USAGE, World};
use super::table::{rewrite, sealed, texts, unsealed, with, with_first, without, write_parquet};
use super::world::halve;
use arrow::array::{Array, Int32Array, UInt64Array, new_null_array};

const SELECT: &str = "select --scores scores.parquet --out new.parquet";
const TRAIN: &str = "train --model model --data selection.parquet --objective sepo --out out";

/// The `sepo` metadata with one text replaced.
fn told(world: &World, name: &str, from: &str, to: &str) {
    rewrite(
        world,
        name,
        |batch| batch,
        |entry| {
            let value = entry.value.clone()?;
            if entry.key == "sepo" {
                assert!(value.contains(from), "no `{from}` in {value}");
            }
            Some(if entry.key == "sepo" { value.replacen(from, to, 1) } else { value })
        },
    );
}

const SCORES: &[Case] = &[
    Case {
        what: "scores that are not there",
        before: as_it_is,
        typed: "select --scores absent.parquet --out new.parquet",
        exit: DATA,
    },
    Case {
        what: "pairs for scores",
        before: as_it_is,
        typed: "select --scores pairs.jsonl --out new.parquet",
        exit: DATA,
    },
    Case {
        what: "a selection for scores",
        before: as_it_is,
        typed: "select --scores selection.parquet --out new.parquet",
        exit: DATA,
    },
    Case {
        what: "another table for scores",
        before: |world| write_parquet(world, "bad.parquet", &texts(&[("prompt", &[Some("Why?")])])),
        typed: "explain --scores bad.parquet --row 0",
        exit: DATA,
    },
    Case {
        what: "scores that are cut off",
        before: |world| halve(world, "scores.parquet"),
        typed: SELECT,
        exit: DATA,
    },
    Case {
        what: "scores without a column",
        before: |world| {
            rewrite(world, "scores.parquet", |batch| without(&batch, "rejected_scores"), unsealed);
        },
        typed: SELECT,
        exit: DATA,
    },
    Case {
        what: "a column of another type",
        before: |world| {
            let change = |batch: arrow::array::RecordBatch| {
                let numbers = Int32Array::from(vec![7; batch.num_rows()]);
                with(&batch, "chosen_scores", Arc::new(numbers))
            };
            rewrite(world, "scores.parquet", change, unsealed);
        },
        typed: SELECT,
        exit: DATA,
    },
    Case {
        what: "scores that are null",
        before: |world| {
            let change = |batch: arrow::array::RecordBatch| {
                let kind = batch.column_by_name("chosen_scores").unwrap().data_type().clone();
                let nulls = new_null_array(&kind, batch.num_rows());
                with(&batch, "chosen_scores", nulls)
            };
            rewrite(world, "scores.parquet", change, unsealed);
        },
        typed: SELECT,
        exit: DATA,
    },
    Case {
        what: "fewer scores than tokens",
        before: |world| {
            let change = |batch: arrow::array::RecordBatch| {
                let other = Arc::clone(batch.column_by_name("rejected_scores").unwrap());
                with(&batch, "chosen_scores", other)
            };
            rewrite(world, "scores.parquet", change, unsealed);
        },
        typed: SELECT,
        exit: DATA,
    },
    Case {
        what: "a score that is no number",
        before: |world| {
            let change = |batch| with_first(&batch, "chosen_scores", f32::NAN);
            rewrite(world, "scores.parquet", change, unsealed);
        },
        typed: SELECT,
        exit: DATA,
    },
    Case {
        what: "a score that was changed",
        before: |world| {
            let change = |batch| with_first(&batch, "chosen_scores", 3.0);
            rewrite(world, "scores.parquet", change, sealed);
        },
        typed: SELECT,
        exit: DATA,
    },
    Case {
        what: "scores without a word on their origin",
        before: |world| rewrite(world, "scores.parquet", |batch| batch, |_| None),
        typed: SELECT,
        exit: DATA,
    },
    Case {
        what: "scores with an origin that cannot be read",
        before: |world| told(world, "scores.parquet", "{", "["),
        typed: SELECT,
        exit: DATA,
    },
    Case {
        what: "scores without a row",
        before: |world| rewrite(world, "scores.parquet", |batch| batch.slice(0, 0), unsealed),
        typed: SELECT,
        exit: DATA,
    },
    Case {
        what: "a row that has no scores",
        before: as_it_is,
        typed: "explain --scores scores.parquet --row 99",
        exit: DATA,
    },
    Case {
        what: "a selection of other pairs",
        before: |world| {
            let change = |batch: arrow::array::RecordBatch| {
                let rows: Vec<u64> = (0..batch.num_rows() as u64).rev().collect();
                with(&batch, "row", Arc::new(UInt64Array::from(rows)))
            };
            rewrite(world, "selection.parquet", change, unsealed);
        },
        typed: "explain --scores scores.parquet --row 0 --selection selection.parquet --html new.html",
        exit: DATA,
    },
];

const SELECTIONS: &[Case] = &[
    Case {
        what: "a selection that is not there",
        before: as_it_is,
        typed: "train --model model --data absent.parquet --objective sepo --out out",
        exit: DATA,
    },
    Case {
        what: "scores for a selection",
        before: as_it_is,
        typed: "train --model model --data scores.parquet --objective sepo --out out",
        exit: USAGE,
    },
    Case {
        what: "a selection that is cut off",
        before: |world| halve(world, "selection.parquet"),
        typed: TRAIN,
        exit: DATA,
    },
    Case {
        what: "a weight that is no number",
        before: |world| {
            let change = |batch| with_first(&batch, "rejected_weights", f32::INFINITY);
            rewrite(world, "selection.parquet", change, unsealed);
        },
        typed: TRAIN,
        exit: DATA,
    },
    Case {
        what: "a weight that was changed",
        before: |world| {
            let change = |batch| with_first(&batch, "rejected_weights", 0.5);
            rewrite(world, "selection.parquet", change, sealed);
        },
        typed: TRAIN,
        exit: DATA,
    },
    Case {
        what: "a selection without a row",
        before: |world| rewrite(world, "selection.parquet", |batch| batch.slice(0, 0), unsealed),
        typed: TRAIN,
        exit: DATA,
    },
    Case {
        what: "a selection for another tokenizer",
        before: |world| {
            let text = world.read_text("model/tokenizer.json");
            drop(world.write("model/tokenizer.json", text + "\n"));
        },
        typed: TRAIN,
        exit: USAGE,
    },
    Case {
        what: "a selection longer than the model",
        before: |world| world.write_model("short", 16),
        typed: "train --model short --data selection.parquet --objective sepo --out out",
        exit: USAGE,
    },
    Case {
        what: "a selection of no fixed share",
        before: |world| {
            let line =
                "select --scores scores.parquet --rule threshold --threshold 0 --out selection.parquet";
            world.sepo(line).done();
        },
        typed: "train --model model --data selection.parquet --objective sepo --normalizer nominal --out out",
        exit: USAGE,
    },
    Case {
        what: "a rule that keeps nothing",
        before: as_it_is,
        typed: "select --scores scores.parquet --out new.parquet --rule threshold --threshold 1e9",
        exit: DATA,
    },
    Case {
        what: "a selection over its scores",
        before: as_it_is,
        typed: "select --scores scores.parquet --out scores.parquet",
        exit: USAGE,
    },
];

/// What a killed `score` leaves, with a manifest of that text.
fn parts(world: &World, manifest: &str) {
    std::fs::create_dir(world.path("new.parquet.parts")).unwrap();
    world.write("new.parquet.parts/manifest.json", manifest);
}

const SCORE: &str =
    "score --oracle oracle/oracle --reference oracle/reference --data pairs.jsonl --out new.parquet";

const SHARDS: &[Case] = &[
    Case {
        what: "shards with a manifest that is cut off",
        before: |world| parts(world, "{"),
        typed: SCORE,
        exit: DATA,
    },
    Case {
        what: "shards with a manifest of another kind",
        before: |world| parts(world, "\"no manifest\""),
        typed: SCORE,
        exit: DATA,
    },
    Case {
        what: "shards of a later program",
        before: |world| parts(world, "{\"version\": 99}"),
        typed: SCORE,
        exit: DATA,
    },
    Case {
        what: "a folder where the scores would lie",
        before: |world| std::fs::create_dir(world.path("new.parquet")).unwrap(),
        typed: SCORE,
        exit: USAGE,
    },
];

#[test]
fn scores_that_cannot_be_are_refused() {
    check("artifact_scores", SCORES);
}

#[test]
fn selections_that_cannot_be_are_refused() {
    check("artifact_selection", SELECTIONS);
}

#[test]
fn shards_that_cannot_be_are_refused() {
    check("artifact_shards", SHARDS);
}
