//! What people look at: samples, heat maps, and real models on real pairs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::json;
use support::{World, assert_near, json_lines, kept, scored_world, sepo, shared};

#[test]
fn generate_answers_every_prompt_once() {
    let world = World::new(5);
    let line =
        "generate --model model --prompts pairs.jsonl --out out.jsonl --max-new-tokens 8 --seed 1 --json";
    let summary = world.sepo(line).json();
    let samples = json_lines(&world.read_text("out.jsonl"));
    let prompts = json_lines(&world.read_text("pairs.jsonl"));
    assert_eq!((samples.len(), &summary["prompts"]), (5, &json!(5)));
    for (sample, row) in samples.iter().zip(&prompts) {
        assert_eq!(sample["prompt"], row["prompt"]);
        let n_tokens = sample["n_tokens"].as_u64().unwrap();
        assert!((1..=8).contains(&n_tokens) && (n_tokens == 8 || sample["finished"] == true), "{sample}");
    }
    let total: u64 = samples.iter().map(|sample| sample["n_tokens"].as_u64().unwrap()).sum();
    assert_eq!(summary["tokens"], total);
    world.sepo(line).done();
    assert_eq!(json_lines(&world.read_text("out.jsonl")), samples, "the same seed, the same samples");
    world.sepo(&line.replace("--seed 1", "--seed 2")).done();
    assert_ne!(json_lines(&world.read_text("out.jsonl")), samples);
    world.write_model("short", 64);
    let warned = world.sepo(&line.replace("--model model", "--model short").replace(" 8 ", " 60 ")).done();
    assert!(warned.stderr.contains("64 positions"), "{}", warned.stderr);
    world.write("prompts.txt", "Who?\nWhat?\n");
    let text =
        "generate --model model --prompts prompts.txt --out text.jsonl --max-new-tokens 2 --temperature 0";
    world.sepo(text).done();
    assert_eq!(json_lines(&world.read_text("text.jsonl"))[1]["prompt"], "What?");
}

#[test]
fn explain_marks_what_the_selection_keeps() {
    let world = scored_world(4);
    world.sepo("select --scores scores.parquet --rule salience --out selection.parquet").done();
    let explain = "explain --scores scores.parquet --row 2 --tokenizer model";
    let map = world.sepo(&format!("{explain} --selection selection.parquet --json")).json();
    let pair = &world.scores("scores.parquet")[2];
    let kept = kept(&world.selection("selection.parquet"));
    for (side, response) in [&pair.chosen, &pair.rejected].into_iter().enumerate() {
        let tokens = map["sides"][side]["tokens"].as_array().unwrap();
        assert_eq!(tokens.len(), response.ids.len());
        for (i, token) in tokens.iter().enumerate() {
            assert_near(&token["score"], f64::from(response.scores[i]), 1e-6);
            assert_eq!(token["selected"], kept[2][side][i]);
        }
    }
    let drawn = world.sepo(explain).done();
    let word = map["sides"][0]["tokens"][0]["text"].as_str().unwrap().trim().to_owned();
    assert!(drawn.stderr.contains(&word) && drawn.stderr.contains("row 2"), "{}", drawn.stderr);
    world.sepo(&format!("{explain} --html map.html")).done();
    assert!(world.read_text("map.html").contains("<html"));
}

#[test]
fn explain_without_a_tokenizer_finds_the_oracles_or_shows_ids() {
    let world = scored_world(3);
    let explain = "explain --scores scores.parquet --row 1";
    let text = |map: &serde_json::Value| map["sides"][0]["tokens"][0]["text"].as_str().unwrap().to_owned();
    let named = world.sepo(&format!("{explain} --tokenizer model --json")).json();
    let found = world.sepo(&format!("{explain} --json")).done();
    assert_eq!(found.stdout_json(), named);
    assert!(found.stderr.contains("tokenizer: oracle/oracle"), "{}", found.stderr);

    std::fs::remove_file(world.path("oracle/oracle/tokenizer.json")).unwrap();
    let pair = &world.scores("scores.parquet")[1];
    let (prompt, first) = (format!("⟨{}⟩", pair.prompt_ids[0]), format!("⟨{}⟩", pair.chosen.ids[0]));
    for flags in ["", "--tokenizer oracle/oracle"] {
        let ids = world.sepo(&format!("{explain} {flags} --json")).done();
        assert!(ids.stderr.contains("ids"), "{}", ids.stderr);
        let map = ids.stdout_json();
        assert!(map["prompt"].as_str().unwrap().starts_with(&prompt), "{map}");
        assert_eq!(text(&map), first);
        assert_eq!(map["sides"][0]["tokens"][0]["score"], named["sides"][0]["tokens"][0]["score"]);
        let drawn = world.sepo(&format!("{explain} {flags}")).done();
        assert!(drawn.stderr.contains(&first), "{}", drawn.stderr);
    }
    world.sepo(&format!("{explain} --html map.html")).done();
    assert!(world.read_text("map.html").contains(&first));

    world.write_model("other", 64);
    let tokenizer = world.read_text("other/tokenizer.json");
    world.write("other/tokenizer.json", tokenizer + "\n");
    let other = world.sepo(&format!("{explain} --tokenizer other")).done();
    assert!(other.stderr.contains("another tokenizer than that of `other`"), "{}", other.stderr);
    world.sepo(&format!("{explain} --tokenizer absent")).fails(support::USAGE, &["absent"]);
}

#[test]
fn a_real_model_scores_real_pairs() {
    let (Some(model), Some(pairs)) =
        (shared("models/stories260K"), shared("data/pairs/llmbar-Natural.jsonl"))
    else {
        return;
    };
    let world = World::new(1);
    let (model, pairs) = (model.to_str().unwrap(), pairs.to_str().unwrap());
    let tuned = world.path("tuned");
    let flags = ["--limit", "8", "--max-length", "256", "--json"];
    let train = ["train", "--model", model, "--data", pairs, "--objective", "simpo", "--out", &tuned];
    sepo(train.iter().chain(&flags).chain(&["--learning-rate", "1e-4", "--batch-size", "4"])).done();
    let out = world.path("scores.parquet");
    let score = ["score", "--oracle", &tuned, "--reference", model, "--data", pairs, "--out", &out];
    assert_eq!(sepo(score.iter().chain(&flags)).json()["scores"]["n_pairs"], 8);
    assert_eq!(world.scores("scores.parquet").len(), 8);
}
