//! Pairs mixed, without duplicates and held out, through the commands and a recipe.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use support::{DATA, USAGE, World};

/// The rows of a JSON lines file, as they stand.
fn lines(world: &World, name: &str) -> Vec<String> {
    world.read_text(name).lines().map(str::to_owned).collect()
}

/// The same rows whatever the order of their columns.
fn set(rows: &[String]) -> BTreeSet<String> {
    rows.iter()
        .map(|row| serde_json::from_str::<Value>(row).unwrap())
        .map(|row| row["prompt"].to_string() + &row["chosen"].to_string() + &row["rejected"].to_string())
        .collect()
}

#[test]
fn a_split_puts_every_pair_into_one_file_wherever_it_stands() {
    let world = World::new(60);
    let split =
        "data split pairs.jsonl --eval-fraction 0.3 --out-train train.jsonl --out-eval eval.jsonl --json";
    let made = world.sepo(split).json();
    let (train, eval) = (lines(&world, "train.jsonl"), lines(&world, "eval.jsonl"));
    assert_eq!((&made["train"], &made["eval"]), (&json!(train.len()), &json!(eval.len())));
    assert!(eval.len() > 8 && eval.len() < 30, "{}", eval.len());
    assert!(set(&train).is_disjoint(&set(&eval)));
    let pairs = lines(&world, "pairs.jsonl");
    assert_eq!(&set(&train) | &set(&eval), set(&pairs));

    // Backwards, twice, in another format: every pair goes where it went.
    let backwards: Vec<String> = pairs.iter().rev().chain(&pairs).cloned().collect();
    world.write("backwards.jsonl", backwards.join("\n"));
    world.sepo("data convert backwards.jsonl --out backwards.parquet").done();
    let split = "data split backwards.parquet --eval-fraction 0.3 --out-train t.jsonl --out-eval e.jsonl";
    world.sepo(split).done();
    assert_eq!(set(&lines(&world, "e.jsonl")), set(&eval));
    assert_eq!(lines(&world, "e.jsonl").len(), 2 * eval.len());
    let unique = world.sepo(&format!("{split} --dedup --json")).json();
    assert_eq!(unique["duplicates"], 60);
    assert_eq!(lines(&world, "e.jsonl").len(), eval.len());
    // What a smaller share holds out, this one does, too.
    world.sepo(&split.replace("0.3", "0.1")).done();
    assert!(set(&lines(&world, "e.jsonl")).is_subset(&set(&eval)));
}

#[test]
fn a_split_without_a_pair_on_one_side_is_refused_and_leaves_nothing() {
    let world = World::new(5);
    let split = "data split pairs.jsonl --out-train train.jsonl --out-eval eval.jsonl --eval-fraction";
    world.sepo(&format!("{split} 1e-9")).fails(DATA, &["holds out none of the 5 pairs"]);
    world.sepo(&format!("{split} 0.999999999")).fails(DATA, &["holds out all of the 5 pairs"]);
    for share in ["0", "1", "-0.1", "nan", "many"] {
        world.sepo(&format!("{split}={share}")).fails(USAGE, &["more than 0 and less than 1", share]);
    }
    world
        .sepo("data split pairs.jsonl --out-train a.jsonl --out-eval a.jsonl --eval-fraction 0.5")
        .fails(USAGE, &["both `a.jsonl`"]);
    for name in ["train.jsonl", "eval.jsonl", "a.jsonl"] {
        assert!(!Path::new(&world.path(name)).exists(), "{name}");
    }
}

#[test]
fn what_is_trained_on_is_never_measured_on() {
    let world = World::new(40);
    let rows = |name: &str| -> BTreeSet<u64> { world.scores(name).iter().map(|pair| pair.row).collect() };
    let held_out = "--eval-fraction 0.25";
    world.sepo(&format!("data split pairs.jsonl {held_out} --out-train t.jsonl --out-eval e.jsonl")).done();
    let n_eval = lines(&world, "e.jsonl").len();

    let sft = world
        .sepo(&format!("sft --model model --data pairs.jsonl --out sft {held_out} --batch-size 8 --json"));
    assert_eq!(sft.json()["eval"]["n"], n_eval);
    let oracle = "oracle --model model --data pairs.jsonl --out oracle --oracle-fraction 0.5 --batch-size 4 \
                  --learning-rate 1e-3 --reference-learning-rate 1e-3 --json";
    let made = world.sepo(&format!("{oracle} {held_out}")).json();
    assert_eq!((&made["pairs_held_out"], &made["held_out"]["oracle"]["n"]), (&json!(n_eval), &json!(n_eval)));
    assert_eq!(made["pairs_used"], (40 - n_eval) / 2);

    let score = "score --oracle oracle/oracle --reference oracle/reference --data pairs.jsonl --out";
    world.sepo(&format!("{score} all.parquet")).done();
    let scored = world.sepo(&format!("{score} scores.parquet {held_out} --json")).json();
    assert_eq!(scored["rows"]["of_other_part"], n_eval);
    // Rows keep their numbers, so what is missing is what was held out.
    assert_eq!(rows("all.parquet").len(), 40);
    assert!(rows("scores.parquet").is_subset(&rows("all.parquet")));
    assert_eq!(rows("scores.parquet").len(), 40 - n_eval);

    for name in ["all", "scores"] {
        world.sepo(&format!("select --scores {name}.parquet --out {name}-selection.parquet")).done();
    }
    let train = format!("train --model model --objective sepo --out aligned {held_out} --json --data");
    world
        .sepo(&format!("{train} all-selection.parquet --eval-data pairs.jsonl"))
        .fails(USAGE, &["the selection was made of all pairs", "`sepo-cli score --eval-fraction 0.25`"]);
    world
        .sepo(&format!("{train} scores-selection.parquet"))
        .fails(USAGE, &["is a selection", "`--eval-data`"]);
    world
        .sepo(&format!("{train} scores-selection.parquet --eval-data pairs.jsonl --mix 1,1"))
        .fails(USAGE, &["`--mix`", "is a selection"]);
    let trained = world.sepo(&format!("{train} scores-selection.parquet --eval-data pairs.jsonl")).json();
    assert_eq!(trained["eval"]["n"], n_eval);
    let trained = world.sepo(
        &format!("train --model model --objective simpo --out simpo --data pairs.jsonl --json {held_out} --eval-every 1"),
    );
    assert_eq!(trained.json()["eval"]["n"], n_eval);
    let eval = world.sepo(&format!("eval --model model --data pairs.jsonl --json {held_out}")).json();
    assert_eq!(eval["pairs"]["n"], n_eval);
}

#[test]
fn duplicates_are_left_out_and_counted() {
    let world = World::new(9);
    let pairs = world.read_text("pairs.jsonl");
    world.write("pairs.jsonl", format!("{pairs}{{\"prompt\": 1}}\n{pairs}"));
    let check = world.sepo("data check pairs.jsonl --dedup --json").json();
    assert_eq!(
        (&check["rows"], &check["usable"], &check["source"]["n_duplicates"]),
        (&json!(19), &json!(9), &json!(9))
    );
    let converted = world.sepo("data convert pairs.jsonl --out once.jsonl --dedup --json").json();
    assert_eq!(converted, json!({ "written": 9, "unusable": 1, "duplicates": 9 }));
    assert_eq!(world.read_text("once.jsonl"), pairs.replace("\": ", "\":").replace(", \"", ",\""));
    world
        .sepo("data show pairs.jsonl --dedup --row 11 --tokenizer model")
        .fails(DATA, &["row 11", "duplicate"]);
    world.write("texts.json", "[\"once\", \"once\"]");
    world.sepo("data check texts.json --dedup").fails(USAGE, &["`--dedup` is for pairs"]);
}

#[test]
fn a_mix_is_said_repeated_by_its_seed_and_another_one_is_another_run() {
    let world = World::new(12);
    world.write_pairs("more.jsonl", 40);
    let oracle = "oracle --model model --data pairs.jsonl --out oracle --oracle-fraction 0.5 --batch-size 4 \
                  --learning-rate 1e-3 --reference-learning-rate 1e-3";
    world.sepo(oracle).done();
    let score = "score --oracle oracle/oracle --reference oracle/reference --data pairs.jsonl more.jsonl";
    let mix = |flags: &str| {
        let out = format!("{}.parquet", flags.replace([' ', ','], "_"));
        let ran = world.sepo(&format!("{score} --out {out} --mix {flags}")).done();
        (ran.stderr, world.scores(&out).iter().map(|pair| pair.prompt_ids.clone()).collect::<Vec<_>>())
    };
    let (said, first) = mix("1,2");
    assert!(
        said.contains("pairs of `pairs.jsonl`, ") && said.contains("the mix ends with the last pair of"),
        "{said}"
    );
    assert_ne!(mix("1,2 --mix-seed 1").1, first);
    assert_ne!(mix("2,1").1, first);
    let (_, all) = mix("1,2 --mix-end all");
    assert_eq!(all.len(), 52);
    assert_eq!(all[..first.len()], first);

    // What was made of a mix is made of it again.
    world.sepo(&format!("{score} --out mixed.parquet --mix 1,2 --dedup --eval-fraction 0.2")).done();
    world.sepo("reproduce mixed.parquet --json").done();
    let show = |row: usize| {
        let shown = world.sepo(&format!(
            "data show pairs.jsonl more.jsonl --mix 1,2 --row {row} --tokenizer model --json"
        ));
        serde_json::from_value::<Vec<u32>>(shown.json()["prompt_ids"].clone()).unwrap()
    };
    assert_eq!([0, 1, 2, 3].map(show).to_vec(), first[..4]);
    for (flags, names) in [
        ("--mix 1", &["a mix of 2 inputs has 1 weights"][..]),
        ("--mix 1,0", &["weight 0 of input 1"]),
        ("--mix-seed 3", &["--mix"]),
        ("--mix-end all", &["--mix"]),
    ] {
        world.sepo(&format!("{score} --out no.parquet {flags}")).fails(USAGE, names);
    }
}

#[test]
fn training_on_another_mix_or_another_part_is_refused_in_the_same_folder() {
    let world = World::new(12);
    world.write_pairs("more.jsonl", 30);
    let train = "train --model model --objective simpo --out out --data pairs.jsonl more.jsonl --max-steps 1 --mix 1,1";
    world.sepo(train).done();
    world.sepo(train).done();
    for other in ["1,3", "1,1 --mix-seed 5", "1,1 --eval-fraction 0.3", "1,1 --dedup"] {
        let line = train.replace("1,1", other);
        world.sepo(&line).fails(USAGE, &["data"]);
    }
}

const RECIPE: &str = r#"[run]
out = "out"

[data]
inputs = ["pairs.jsonl", "more.jsonl"]
mix = [0.6, 0.4]
dedup = true
eval_fraction = 0.3

[models]
base = "model"
policy = "model"

[oracle]
fraction = 0.5
learning_rate = 1e-3
reference_learning_rate = 1e-3
batch_size = 4

[train]
learning_rate = 1e-4
batch_size = 4
max_steps = 2
eval_every = 1
"#;

#[test]
fn a_recipe_mixes_and_holds_out_and_a_change_of_either_makes_all_anew() {
    let world = World::new(24);
    world.write_pairs("more.jsonl", 40);
    world.write("recipe.toml", RECIPE);
    let run = |set: &str| world.sepo(&format!("run recipe.toml --json {set}"));
    let first = run("").json();
    let result = |summary: &Value, stage: usize| summary["stages"][stage]["result"].clone();
    let n_eval = result(&first, 4)["policy"]["pairs"]["n"].as_u64().unwrap();
    assert!(n_eval > 3, "{first}");
    assert_eq!(result(&first, 0)["pairs_held_out"], n_eval);
    assert_eq!(result(&first, 1)["rows"]["of_other_part"], n_eval);
    assert_eq!(result(&first, 3)["eval"]["n"], n_eval);
    let again = run("").json();
    assert!(again["stages"].as_array().unwrap().iter().all(|stage| stage["action"] == "skipped"), "{again}");
    for (set, why) in [
        ("--set data.mix=[0.5,0.5]", "`data.mix` [0.6,0.4] → [0.5,0.5]"),
        ("--set data.mix_seed=1", "`data.mix_seed` 0 → 1"),
        ("--set data.dedup=false", "`data.dedup` true → null"),
        ("--set data.eval_fraction=0.2", "`data.eval_fraction` 0.3 → 0.2"),
    ] {
        let plan = run(&format!("--dry-run {set}")).json();
        assert_eq!(plan["stages"][0]["why"], why);
    }
}

#[test]
fn a_recipe_names_the_key_that_has_no_meaning_or_no_use() {
    let world = World::new(24);
    world.write_pairs("more.jsonl", 5);
    world.write("recipe.toml", RECIPE);
    for (set, names) in [
        ("data.mix=[1.0]", &["`data.mix` cannot be used", "a mix of 2 inputs has 1 weights"][..]),
        ("data.mix=[]", &[]),
        ("data.mix_end=\"last\"", &["`data.mix_end`", "last"]),
        ("data.eval_fraction=1.5", &["`data.eval_fraction`", "less than 1"]),
        ("data.eval=[\"more.jsonl\"]", &["`data.eval_fraction` has no meaning beside `data.eval`"]),
        ("data.eval_limit=3", &["`data.eval_limit` has no meaning"]),
        ("data.mixt=[1.0,1.0]", &["unknown key `data.mixt`", "did you mean `data.mix`?"]),
    ] {
        let ran = world.sepo(&format!("run recipe.toml --dry-run --set {set}"));
        if names.is_empty() {
            ran.done();
        } else {
            ran.fails(USAGE, names);
        }
    }
    world.write("recipe.toml", RECIPE.replace("mix = [0.6, 0.4]", "mix_seed = 3"));
    world
        .sepo("run recipe.toml --dry-run")
        .fails(USAGE, &["`data.mix_seed` has no meaning without `data.mix`", "recipe.toml:6:1"]);
}
