//! What was made is made again from its record, and comes out the same.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{DATA, USAGE, World, scored_world};

/// A world with something of every stage.
fn made_world() -> World {
    let world = scored_world(12);
    world
        .sepo(
            "select --scores scores.parquet --out selection.parquet --rule random --seed 5 --tokenizer model",
        )
        .done();
    world
        .sepo(
            "train --model model --objective sepo --data selection.parquet --out policy --batch-size 4 \
             --learning-rate 1e-3 --seed 7 --save-every 1",
        )
        .done();
    world
}

fn names_of(reproduced: &Value) -> Vec<&str> {
    let compared = reproduced["compared"].as_array().unwrap();
    compared.iter().map(|compared| compared["name"].as_str().unwrap()).collect()
}

#[test]
fn everything_in_a_folder_is_made_again_and_agrees() {
    let world = made_world();
    let all = world.sepo("reproduce . --json").json();
    let all = all.as_array().unwrap();
    let made: Vec<Value> = all.iter().map(|one| json!([one["path"], one["stage"], one["agrees"]])).collect();
    assert_eq!(
        made,
        [
            json!(["./oracle/oracle", "oracle", true]),
            json!(["./oracle/reference", "oracle", true]),
            json!(["./policy", "train", true]),
            json!(["./scores.parquet", "score", true]),
            json!(["./selection.parquet", "select", true]),
        ]
    );
    assert_eq!(
        names_of(&all[2]),
        ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    );
    assert_eq!(names_of(&all[3]), ["rows", "metadata"]);
    let weights = sepo_data::content_hash(world.path("policy/model.safetensors")).unwrap();
    assert_eq!([&all[2]["compared"][1]["recorded"], &all[2]["compared"][1]["made"]], [&json!(weights); 2]);
}

#[test]
fn other_objectives_templates_and_references_are_made_again() {
    let world = World::new(10);
    world.write("template.jinja", "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}");
    world.write_pairs("held-out.jsonl", 4);
    world
        .sepo(
            "train --model model --reference model --objective dpo --beta 0.3 --data pairs.jsonl --limit 8 --text-as-chat \
             --chat-template template.jinja --eval-data held-out.jsonl --eval-every 1 --max-steps 2 --learning-rate 1e-3 \
             --out dpo",
        )
        .done();
    world.sepo("sft --model model --data pairs.jsonl --max-steps 2 --learning-rate 1e-3 --out tuned").done();
    world
        .sepo("oracle --model model --reference tuned --data pairs.jsonl --max-steps 1 --learning-rate 1e-3 --out brought")
        .done();
    world
        .sepo(
            "train --model model --objective aligndistil --teacher dpo --reverse-teacher tuned --data pairs.jsonl --max-steps 2 \
             --learning-rate 1e-3 --out distilled",
        )
        .done();
    for path in ["dpo", "tuned", "brought", "brought/reference", "distilled"] {
        let told = world.sepo(&format!("reproduce {path}")).done().stderr;
        assert!(told.contains("all of it agrees"), "{told}");
        assert!(!told.contains("DIFFERS"), "{told}");
    }
}

#[test]
fn files_of_pairs_and_weights_are_made_again() {
    let world = made_world();
    world.write_model_of("fine", 1024, 300);
    world.sepo("data split pairs.jsonl --eval-fraction 0.4 --out-train parts.jsonl --out-eval held.parquet --limit 10").done();
    world.sepo("data convert parts.jsonl --format explicit --out converted.parquet").done();
    world.sepo("data generate --pairs 7 --seed 3 --temperature 2 --out generated.jsonl").done();
    world.sepo("data generate --size 2KiB --out sized.parquet").done();
    world.sepo("weights export selection.parquet --out weights.jsonl").done();
    world.sepo("weights export selection.parquet --spans --out spans.parquet").done();
    world
        .sepo("weights import weights.jsonl --data pairs.jsonl --tokenizer model --out imported.parquet --rejected negate --how max")
        .done();
    world
        .sepo("weights project selection.parquet --data pairs.jsonl --tokenizer fine --how proportional --out fine.parquet --max-length 200")
        .done();
    for (path, names) in [
        ("parts.jsonl", &["parts.jsonl"][..]),
        ("held.parquet", &["held.parquet"]),
        ("converted.parquet", &["converted.parquet"]),
        ("generated.jsonl", &["generated.jsonl"]),
        ("sized.parquet", &["sized.parquet"]),
        ("weights.jsonl", &["weights.jsonl"]),
        ("spans.parquet", &["spans.parquet"]),
        ("imported.parquet", &["rows", "metadata"]),
        ("fine.parquet", &["rows", "metadata"]),
    ] {
        let made = world.sepo(&format!("reproduce {path} --json")).json();
        assert_eq!((&made[0]["agrees"], names_of(&made[0])), (&json!(true), names.to_vec()), "{made}");
    }
    for path in ["imported.parquet", "fine.parquet", "converted.parquet", "generated.jsonl", "spans.parquet"]
    {
        world.sepo(&format!("reproduce {path} --memory-limit 1GiB")).fails(USAGE, &["`--memory-limit`"]);
    }
    world.sepo("reproduce parts.jsonl --out again").done();
    assert_eq!(world.read("again/parts.jsonl"), world.read("parts.jsonl"));
    assert!(!Path::new(&world.path("again/held.parquet")).exists());
}

#[test]
fn inputs_that_changed_or_are_gone_are_named_first() {
    let world = made_world();
    let pairs = world.read_text("pairs.jsonl");
    world.write("pairs.jsonl", pairs.replacen("prompt\":\"", "prompt\":\"Well. ", 1));
    let names = ["the data `pairs.jsonl` is not what `scores.parquet` was made from", "--accept-changed"];
    world.sepo("reproduce scores.parquet").fails(DATA, &names);
    let other = world.sepo("reproduce scores.parquet --accept-changed");
    assert_eq!(other.code, Some(DATA), "{}", other.stderr);
    for told in ["2 of 2 differ", "`rows` DIFFERS", "processor of the same kind"] {
        assert!(other.stderr.contains(told), "no `{told}` in {}", other.stderr);
    }
    std::fs::remove_file(world.path("pairs.jsonl")).unwrap();
    world
        .sepo("reproduce scores.parquet")
        .fails(DATA, &["the data `pairs.jsonl`, which `scores.parquet` was made from, is not there"]);
}

#[test]
fn what_is_no_longer_what_its_record_says_is_told_and_the_record_counts() {
    let world = made_world();
    std::fs::copy(world.path("model/model.safetensors"), world.path("policy/model.safetensors")).unwrap();
    let told = world.sepo("reproduce policy").done().stderr;
    assert!(told.contains("`policy` is not what its record says: `model.safetensors` is blake3"), "{told}");
}

#[test]
fn what_is_made_again_can_be_kept_beside_and_never_over_the_original() {
    let world = made_world();
    world.sepo("reproduce policy --out again").done();
    assert_eq!(world.read("again/policy/model.safetensors"), world.read("policy/model.safetensors"));
    // Once more, it goes on from the end.
    world.sepo("reproduce policy --out again").done();
    for out in [".", "policy", "policy/again"] {
        world.sepo(&format!("reproduce policy --out {out}")).fails(USAGE, &["the original stays as it is"]);
    }
    assert!(!Path::new(&world.path("policy/again")).exists());
}
