//! A memory limit changes where examples lie, never what is made of them; what cannot fit is refused before it begins.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fmt::Write as _;

use support::{USAGE, World, scored_world};

/// Keeps less than [`many_pairs`] in memory.
const LIMIT: &str = "--memory-limit 130MiB";

/// A world whose `pairs.jsonl` holds 90 000 short pairs of ids, which take more than an eighth of [`LIMIT`].
fn many_pairs() -> World {
    let world = World::new(0);
    let mut text = String::new();
    for row in 0..90_000_u32 {
        let id = |salt: u32| 2 + (row * 7 + salt * row / 3 + salt) % 300;
        let (prompt, [a, b, c]) = (id(1), [id(5), id(11), 302 + id(3) % 50]);
        writeln!(text, r#"{{"prompt_ids":[{prompt}],"chosen_ids":[{a},{b}],"rejected_ids":[{c}]}}"#).unwrap();
    }
    world.write("pairs.jsonl", text);
    world
}

#[test]
fn training_from_disk_makes_the_same_bytes() {
    let world = many_pairs();
    let train = |out: &str, flags: &str| {
        let line = format!(
            "train --model model --data pairs.jsonl --objective simpo --max-steps 3 --batch-size 8 \
             --learning-rate 1e-3 --out {out} {flags}"
        );
        let ran = world.sepo(&line).done();
        assert_eq!(ran.stderr.contains("so they lie on disk"), flags.contains(LIMIT), "{}", ran.stderr);
    };
    train("memory", "");
    train("disk", LIMIT);
    for name in ["model.safetensors", "checkpoints/step-00000003/state.json"] {
        let [memory, disk] = ["memory", "disk"].map(|out| world.read(&format!("{out}/{name}")));
        assert!(memory == disk, "{name}");
    }
    let mut names: Vec<String> = std::fs::read_dir(world.path("disk"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    let [checkpoints, weights] = ["checkpoints", "model.safetensors"].map(str::to_owned);
    assert!(names.contains(&checkpoints) && names.contains(&weights), "{names:?}");
    assert!(names.iter().all(|name| !name.ends_with(".tmp")), "nothing is left of the examples: {names:?}");
}

#[test]
fn an_oracle_from_disk_is_the_same_oracle() {
    let world = many_pairs();
    let made = |out: &str, flags: &str| {
        let line = format!(
            "oracle --model model --data pairs.jsonl --oracle-fraction 0.01 --eval-pairs 20 --max-steps 2 \
             --reference-epochs 0.1 --learning-rate 1e-3 --out {out} {flags} --json"
        );
        let mut result = world.sepo(&line).json();
        for timing in ["tokens_per_s", "pairs_per_s", "peak_rss_bytes"] {
            result["oracle"]["last_step"].as_object_mut().unwrap().remove(timing);
        }
        let weights =
            ["reference", "oracle"].map(|stage| world.read(&format!("{out}/{stage}/model.safetensors")));
        (result, weights)
    };
    assert!(made("memory", "") == made("disk", LIMIT));
}

#[test]
fn what_does_not_fit_is_refused_with_what_it_takes() {
    let world = scored_world(8);
    let commands = [
        "sft --model model --data pairs.jsonl --out out",
        "train --model model --data pairs.jsonl --objective simpo --out out",
        "oracle --model model --data pairs.jsonl --out out",
        "score --oracle oracle/oracle --reference oracle/reference --data pairs.jsonl --out out",
        "eval --model model --data pairs.jsonl",
    ];
    for command in commands {
        let fixed = world.sepo(&format!("{command} --memory-limit 90MiB"));
        fixed.fails(USAGE, &["`--memory-limit 90MiB` is too little for", "or use a smaller model"]);
        let tokens = world.sepo(&format!("{command} --memory-limit 200MiB --tokens-per-batch 1000000"));
        tokens.fails(USAGE, &["for the tokens of a forward pass", "use fewer `--tokens-per-batch`"]);
        assert!(!std::path::Path::new(&world.path("out")).exists(), "{command} wrote something");
        world.sepo(&format!("{command} --memory-limit 1XB")).fails(USAGE, &["--memory-limit", "512MiB"]);
    }
}
