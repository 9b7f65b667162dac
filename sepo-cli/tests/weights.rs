//! Weights from elsewhere, for elsewhere, and for another tokenizer.
#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

mod support;

use std::fmt::Write as _;

use sepo_data::{SelectedPair, SelectionReader};
use serde_json::{Value, json};
use support::{DATA, USAGE, World, json_lines, scored_world};

fn selected_world(n_pairs: usize) -> World {
    let world = scored_world(n_pairs);
    world.sepo("select --scores scores.parquet --out selection.parquet --rule tgdpo --slope 2").done();
    world
}

fn sides(pair: &SelectedPair) -> [(&Vec<u32>, &Vec<f32>); 2] {
    [(&pair.chosen_ids, &pair.chosen_weights), (&pair.rejected_ids, &pair.rejected_weights)]
}

#[test]
fn what_is_exported_comes_back_the_same() {
    let world = selected_world(8);
    let selection = world.selection("selection.parquet");
    for file in ["weights.jsonl", "weights.parquet"] {
        let exported =
            world.sepo(&format!("weights export selection.parquet --out {file} --spans --json")).json();
        assert_eq!((&exported["n_pairs"], &exported["has_spans"]), (&json!(8), &json!(true)));
        let line = format!(
            "weights import {file} --data pairs.jsonl --tokenizer model --out back-{file}.parquet --json"
        );
        let report = world.sepo(&line).json();
        assert_eq!((&report["n_kept"], &report["n_dropped"]), (&json!(8), &json!({})));
        assert_eq!(world.selection(&format!("back-{file}.parquet")), selection);
    }
    let lines = json_lines(&world.read_text("weights.jsonl"));
    let scores = world.scores("scores.parquet");
    for (line, (pair, scored)) in lines.iter().zip(selection.iter().zip(&scores)) {
        assert_eq!(line["row"], json!(pair.row));
        assert_eq!(line["chosen_weights"].as_array().unwrap().len(), pair.chosen_ids.len());
        let spans = scored.rejected.spans.as_ref().unwrap();
        assert_eq!(line["rejected_spans"][1]["end"], json!(spans[1].end));
    }
    // Without spans nothing but the selection is needed.
    std::fs::remove_file(world.path("scores.parquet")).unwrap();
    world.sepo("weights export selection.parquet --out bare.jsonl").done();
    assert!(!world.read_text("bare.jsonl").contains("spans"));
    world
        .sepo("weights export selection.parquet --out bare.jsonl --spans")
        .fails(USAGE, &["scores.parquet", "`--scores FILE`"]);
    world.sepo("weights export selection.parquet --out bare.txt").fails(DATA, &["bare.txt"]);
}

#[test]
fn spans_of_bytes_and_of_characters_become_weights_of_tokens() {
    let world = World::new(1);
    let (chosen, rejected) = ("Grüße! It is near.", "No, 世界 it is not.");
    let pair = json!({"prompt": "Where?", "chosen": chosen, "rejected": rejected});
    world.write("pairs.jsonl", pair.to_string());
    let spans = |text: &str, part: &str, count: fn(&str) -> usize| {
        let start = count(&text[..text.find(part).unwrap()]);
        json!([{"start": start, "end": start + count(part), "weight": true}])
    };
    let made = |unit: &str, count: fn(&str) -> usize, flags: &str| {
        let line = json!({
            "chosen_weights": spans(chosen, "üße", count), "rejected_weights": spans(rejected, "界 it", count),
        });
        world.write("spans.jsonl", line.to_string());
        let line = format!(
            "weights import spans.jsonl --data pairs.jsonl --tokenizer model --out out.parquet --unit {unit} {flags}"
        );
        world.sepo(&line).done();
        world.selection("out.parquet").remove(0)
    };
    let bytes = made("bytes", str::len, "");
    assert_eq!(bytes, made("characters", |text| text.chars().count(), ""));
    let n_weighed =
        |pair: &SelectedPair, side: usize| sides(pair)[side].1.iter().filter(|w| **w != 0.0).count();
    // One token for each of the five bytes, which no text of the tokenizer's had.
    assert_eq!(n_weighed(&bytes, 0), 5);
    assert!(n_weighed(&bytes, 1) >= 3);
    let negated = made("bytes", str::len, "--rejected negate");
    assert_eq!(negated.chosen_weights, bytes.chosen_weights);
    assert!(negated.rejected_weights.iter().zip(&bytes.rejected_weights).all(|(a, b)| *a == -*b));

    // Labels of facts: what is not good in the rejected response counts.
    let (half, all) = (chosen.len() / 2, rejected.len());
    let labels = json!({
        "chosen_weights": [{"start": 0, "end": half, "weight": true}, {"start": half, "end": chosen.len(), "weight": false}],
        "rejected_weights": [{"start": 0, "end": all, "weight": false}],
    });
    world.write("facts.jsonl", labels.to_string());
    let line = "weights import facts.jsonl --data pairs.jsonl --tokenizer model --rejected one-minus --how max --out facts.parquet";
    world.sepo(line).done();
    let facts = world.selection("facts.parquet").remove(0);
    let (closing, text) = facts.rejected_weights.split_last().unwrap();
    assert!(*closing == 0.0 && text.iter().all(|w| *w == 1.0));
    assert!(facts.chosen_weights[0] == 1.0 && facts.chosen_weights[facts.chosen_ids.len() - 2] == 0.0);
    let reader = SelectionReader::open(world.path("facts.parquet")).unwrap();
    let settings = Value::Object(reader.meta().settings.clone());
    assert_eq!((reader.meta().rule.as_str(), &settings["rejected"]), ("import", &json!("one-minus")));
}

#[test]
fn weights_that_do_not_fit_are_named() {
    let world = World::new(3);
    let import = "weights import given.jsonl --data pairs.jsonl --tokenizer model --out out.parquet";
    for (line, code, names) in [
        (
            r#"{"chosen_weights": [1], "rejected_weights": [1]}"#,
            DATA,
            &["row 0", "1 weights for", "closing"][..],
        ),
        (
            r#"{"chosen_weights": [{"start": 0, "end": 99999, "weight": 1}], "rejected_weights": []}"#,
            DATA,
            &["row 0", "chosen", "0..99999", "bytes"],
        ),
        (r#"{"chosen": [1], "rejected_weights": [1]}"#, DATA, &["given.jsonl", "`chosen_weights`"]),
        (r#"{"row": 9, "chosen_weights": [1], "rejected_weights": [1]}"#, DATA, &["no pair is left"]),
    ] {
        world.write("given.jsonl", line);
        world.sepo(import).fails(code, names);
    }
    let row = r#"{"row": 1, "chosen_weights": [{"start": 0, "end": 5, "weight": 1}], "rejected_weights": [{"start": 0, "end": 5, "weight": 1}]}"#;
    world.write("given.jsonl", format!("{row}\n{row}\n"));
    world.sepo(import).fails(DATA, &["row 1 of", "row 1 of the data", "sort"]);
    world.write("given.jsonl", row);
    let report = world.sepo(&format!("{import} --json")).json();
    assert_eq!((&report["n_kept"], &report["n_dropped"]), (&json!(1), &json!({"no_weights": 2})));
    assert_eq!(world.selection("out.parquet")[0].row, 1);
    world.sepo(&import.replace("given.jsonl", "absent.jsonl")).fails(DATA, &["absent.jsonl"]);
    world.sepo(&import.replace("--tokenizer model", "--tokenizer nowhere")).fails(USAGE, &["nowhere"]);
}

#[test]
fn a_selection_is_carried_over_to_another_tokenizer() {
    let world = selected_world(10);
    world.write_model_of("fine", 1024, 300);
    let line =
        "weights project selection.parquet --data pairs.jsonl --tokenizer fine --out fine.parquet --json";
    let before = world.selection("selection.parquet");
    for how in ["sum", "mean", "max", "proportional"] {
        let report = world.sepo(&format!("{line} --how {how}")).json();
        let after = world.selection("fine.parquet");
        assert_eq!((&report["n_kept"], after.len()), (&json!(10), 10), "{how}");
        for side in ["chosen", "rejected"] {
            assert_eq!(
                (&report[side]["lost_share"], &report[side]["covered_share"]),
                (&json!(0.0), &json!(1.0))
            );
        }
        for (before, after) in before.iter().zip(&after) {
            assert!(after.chosen_ids.len() > before.chosen_ids.len());
            for ((_, a), (ids, b)) in sides(before).into_iter().zip(sides(after)) {
                assert_eq!(ids.len(), b.len());
                let sum = |weights: &[f32]| weights.iter().map(|w| f64::from(*w)).sum::<f64>();
                if how == "sum" || how == "proportional" {
                    assert!((sum(a) - sum(b)).abs() < 1e-4, "{how}: {} is not {}", sum(a), sum(b));
                }
                // The closing token is the closing token, whatever its id.
                assert_eq!(a.last(), b.last(), "{how}");
            }
        }
    }
    let reader = SelectionReader::open(world.path("fine.parquet")).unwrap();
    assert_eq!(
        (reader.meta().rule.as_str(), &reader.meta().extra["projection"]["how"]),
        ("tgdpo", &json!("proportional"))
    );
    // The policy whose tokens these are takes them, the oracle's does not any more.
    let train = "train --data fine.parquet --objective sepo --max-steps 1 --batch-size 2 --out out --model";
    world.sepo(&format!("{train} model")).fails(USAGE, &["another tokenizer", "weights project"]);
    world.sepo(&format!("{train} fine")).done();

    // Where the tokenizers agree, nothing changes.
    world.sepo("weights project selection.parquet --data pairs.jsonl --tokenizer model --how mean --out same.parquet").done();
    assert_eq!(world.selection("same.parquet"), before);
}

#[test]
fn a_projection_needs_the_data_and_the_scores_of_its_selection() {
    let world = selected_world(4);
    world.write_model_of("fine", 1024, 300);
    let line = "weights project selection.parquet --tokenizer fine --how mean --out out.parquet --data";
    world.write_pairs("others.jsonl", 5);
    world.sepo(&format!("{line} others.jsonl")).fails(USAGE, &["others.jsonl", "pairs.jsonl"]);
    world.sepo(&format!("{line} pairs.jsonl").replace("--how mean ", "")).fails(USAGE, &["--how"]);
    world.sepo("score --oracle oracle/oracle --reference oracle/reference --data pairs.jsonl --limit 2 --out two.parquet").done();
    world
        .sepo(&format!("{line} pairs.jsonl --scores two.parquet"))
        .fails(DATA, &["row 2", "not in the scores"]);
    std::fs::remove_file(world.path("scores.parquet")).unwrap();
    world.sepo(&format!("{line} pairs.jsonl")).fails(USAGE, &["scores.parquet", "`--scores FILE`"]);
}

#[test]
fn conversations_are_carried_over_between_templates() {
    let world = World::new(1);
    let mut chats = String::new();
    for i in 0..4 {
        let turn = |role: &str, content: &str| json!({"role": role, "content": content});
        let row = json!({
            "prompt": [turn("user", "Where is it?")],
            "chosen": [turn("assistant", &format!("It is near, take way {i}."))],
            "rejected": [turn("assistant", &format!("Find it yourself, number {i}."))],
        });
        writeln!(chats, "{row}").unwrap();
    }
    world.write("chats.jsonl", chats);
    world.write_model_of("fine", 1024, 300);
    let template = |folder: &str, text: &str| {
        world.write(&format!("{folder}/chat_template.jinja"), text);
    };
    template(
        "model",
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}",
    );
    template(
        "fine",
        "{% for m in messages %}<{{ m.role }}>: {{ m.content }} .{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<assistant>:{% endif %}",
    );
    world
        .sepo("oracle --model model --data chats.jsonl --out oracle --oracle-fraction 1 --batch-size 2 --learning-rate 1e-3")
        .done();
    world.sepo("score --oracle oracle/oracle --reference oracle/reference --data chats.jsonl --out scores.parquet").done();
    world.sepo("select --scores scores.parquet --out selection.parquet --rule all").done();
    let line = "weights project selection.parquet --data chats.jsonl --tokenizer fine --how mean --out out.parquet --json";
    let report = world.sepo(line).json();
    assert_eq!(report["n_kept"], json!(4));
    let reader = sepo_data::PairTokenizer::from_model_dir(
        world.path("fine").as_ref(),
        &sepo_data::TokenizeConfig::default(),
    )
    .unwrap();
    for pair in world.selection("out.parquet") {
        // Every token of the text has its weight, and what the policy's template puts around it has none but the first
        // token behind the text, which meets the oracle's closing token.
        let text: String = pair
            .chosen_ids
            .iter()
            .zip(&pair.chosen_weights)
            .filter(|(_, w)| **w == 1.0)
            .map(|(id, _)| reader.decode(&[*id]).unwrap())
            .collect();
        assert!(text.contains("It is near, take way"), "{text:?}");
    }
    // Without the oracle's folder its template is not known.
    std::fs::rename(world.path("oracle"), world.path("moved")).unwrap();
    world.sepo(line).fails(USAGE, &["chat template", "`--oracle DIR`"]);
    world.sepo(&format!("{line} --oracle moved/oracle")).done();
}
