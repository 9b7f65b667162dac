//! `sepo-cli classify`: a head that labels tokens, from labels to a policy trained on what it says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fmt::Write as _;

use sepo_data::{ScoresReader, SelectionReader};
use serde_json::Value;
use support::{DATA, USAGE, World};

/// A world with labels by the spans of a letter, imported in `labels.parquet`: tokens with an `e` in them are good.
fn labelled_world() -> World {
    let world = World::new(24);
    let mut lines = String::new();
    for line in world.read_text("pairs.jsonl").lines() {
        let pair: Value = serde_json::from_str(line).unwrap();
        let spans = |side: &str| -> Vec<Value> {
            let text = pair[side].as_str().unwrap();
            let is_good = |byte: u8| byte == b'e';
            let bytes = text.bytes().enumerate();
            bytes
                .map(|(i, byte)| serde_json::json!({ "start": i, "end": i + 1, "weight": f64::from(u8::from(is_good(byte))) }))
                .collect()
        };
        let labels =
            serde_json::json!({ "chosen_weights": spans("chosen"), "rejected_weights": spans("rejected") });
        writeln!(lines, "{labels}").unwrap();
    }
    world.write("labels.jsonl", lines);
    world
        .sepo("weights import labels.jsonl --data pairs.jsonl --tokenizer model --how max --labels --out labels.parquet")
        .done();
    world
}

#[test]
fn labels_become_a_classifier_that_scores_tokens_and_a_selection_of_what_it_says() {
    let world = labelled_world();
    let train = "classify train --model model --data labels.parquet --eval-data labels.parquet --epochs 40 --learning-rate 0.05 --out head --json";
    let made = world.sepo(train).json();
    assert!(made["eval"]["auroc"].as_f64().unwrap() > 0.75, "{made}");
    assert!(made["last_loss"].as_f64().unwrap() < 2f64.ln(), "{made}");
    let head = world.read("head/classifier.safetensors");
    world.sepo(train).done();
    assert_eq!(world.read("head/classifier.safetensors"), head, "the same command makes the same bytes");

    world
        .sepo("classify score --classifier head --model model --data pairs.jsonl --out scores.parquet")
        .done();
    let labels: Vec<_> =
        SelectionReader::open(world.path("labels.parquet")).unwrap().map(Result::unwrap).collect();
    let scores: Vec<_> =
        ScoresReader::open(world.path("scores.parquet")).unwrap().map(Result::unwrap).collect();
    assert_eq!(labels.len(), scores.len());
    let (mut right, mut n) = (0, 0);
    for (labels, scores) in labels.iter().zip(&scores) {
        assert_eq!((labels.row, &labels.chosen_ids), (scores.row, &scores.chosen.ids));
        for (label, score) in labels.chosen_weights.iter().zip(&scores.chosen.scores) {
            right += usize::from((*label > 0.5) == (*score > 0.0));
            n += 1;
        }
    }
    assert!(right * 10 > n * 7, "{right} of {n}");

    world
        .sepo("select --scores scores.parquet --rule probability --tokenizer model --out selection.parquet")
        .done();
    let selected = SelectionReader::open(world.path("selection.parquet")).unwrap().next().unwrap().unwrap();
    for (weight, logp) in selected.chosen_weights.iter().zip(&scores[0].chosen.oracle_logps) {
        assert!((weight - logp.exp()).abs() < 1e-5);
    }
    world
        .sepo("train --model model --reference model --objective dpo --data selection.parquet --max-steps 1 --out policy")
        .done();
    let told = world.sepo("lineage policy --check").done().stderr;
    for part in ["classify score", "classify train", "labels.parquet", "head"] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
    for path in ["head", "scores.parquet"] {
        let told = world.sepo(&format!("reproduce {path} --memory-limit 1GiB")).done().stderr;
        assert!(told.contains("all of it agrees") && !told.contains("DIFFERS"), "{told}");
    }
}

#[test]
fn what_a_classifier_cannot_be_made_of_or_used_with_is_refused() {
    let world = labelled_world();
    world.sepo("classify train --model model --data labels.parquet --max-steps 2 --out head").done();
    let score = "classify score --data pairs.jsonl --out scores.parquet";
    world.sepo("sft --model model --data pairs.jsonl --max-steps 1 --learning-rate 1e-2 --out tuned").done();
    world
        .sepo(&format!("{score} --classifier head --model tuned"))
        .fails(USAGE, &["the classifier was made for a model with weights of blake3"]);
    world.sepo(&format!("{score} --classifier model --model model")).fails(USAGE, &["classifier.json"]);
    world
        .sepo("classify train --model model --data labels.parquet --out model")
        .fails(USAGE, &["`model` holds a model"]);
    world.sepo("classify train --model model --data pairs.jsonl --out other").fails(DATA, &["pairs.jsonl"]);
    world
        .sepo("classify train --model model --data labels.parquet --learning-rate=-1 --out other")
        .fails(USAGE, &["learning_rate"]);
    // Weights that are no labels.
    let labels = world.read_text("labels.jsonl").replace("\"weight\":1.0", "\"weight\":2.0");
    world.write("weights.jsonl", labels);
    world
        .sepo("weights import weights.jsonl --data pairs.jsonl --tokenizer model --how max --labels --out weights.parquet")
        .done();
    world
        .sepo("classify train --model model --data weights.parquet --out other")
        .fails(DATA, &["has the label 2", "labels are from 0 to 1"]);
    assert!(!std::path::Path::new(&world.path("other/classifier.json")).exists());
}
