//! What everything was made from is kept with it: in `sepo.json` and a model card, in the metadata of artifacts.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use sepo_data::{ScoresReader, SelectionReader};
use serde_json::{Value, json};
use support::{DATA, World, scored_world};

const TRAIN: &str = "train --model model --objective sepo --data selection.parquet --out policy --batch-size 4 \
                     --learning-rate 1e-3 --seed 7";

/// A world with scores, a selection and `policy`.
fn trained_world() -> World {
    let world = scored_world(12);
    world.sepo("select --scores scores.parquet --out selection.parquet --rule salience").done();
    world.sepo(TRAIN).done();
    world
}

fn record(world: &World, dir: &str) -> Value {
    serde_json::from_slice(&world.read(&format!("{dir}/sepo.json"))).unwrap()
}

fn blake3(world: &World, name: &str) -> Value {
    json!(sepo_data::content_hash(world.path(name)).unwrap())
}

fn input<'a>(record: &'a Value, role: &str) -> &'a Value {
    let inputs = record["inputs"].as_array().unwrap();
    inputs.iter().find(|input| input["role"] == role).unwrap_or_else(|| panic!("no `{role}` in {record}"))
}

/// Text without what differs from machine to machine: hashes, the figures of a loss, the sizes of compressed files.
fn masked(text: &str) -> String {
    let mask = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '.');
        let is_hash = bare.len() >= 12 && bare.chars().all(|c| c.is_ascii_hexdigit());
        let is_figure = bare.split_once('.').is_some_and(|(whole, part)| {
            part.len() == 4 && (whole.to_owned() + part).chars().all(|c| c.is_ascii_digit())
        });
        match (is_hash, is_figure) {
            (true, _) => word.replace(bare, "HASH"),
            (_, true) => word.replace(bare, "#").replace("-#", "#"),
            _ => word.to_owned(),
        }
    };
    let line = |line: &str| {
        let line = line.split(' ').map(mask).collect::<Vec<_>>().join(" ");
        match line
            .rsplit_once(".parquet` | ")
            .and_then(|(before, after)| Some((before, after.split_once(" | ")?.1)))
        {
            Some((before, after)) => format!("{before}.parquet` | # | {after}"),
            None => line,
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_model_folder_says_what_it_was_made_from() {
    let world = trained_world();
    let policy = record(&world, "policy");
    assert_eq!(
        [&policy["stage"], &policy["seed"], &policy["device"]],
        [&json!("train"), &json!(7), &json!("cpu")]
    );
    assert_eq!(policy["program_version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(policy["settings"]["objective"]["name"], "sepo");
    assert_eq!(policy["settings"]["train"]["learning_rate"], 1e-3);
    assert_eq!([&policy["counts"]["pairs"], &policy["counts"]["steps"]], [&json!(12), &json!(3)]);
    let data = input(&policy, "data");
    assert_eq!(
        [&data["given"], &data["path"]],
        [&json!(["selection.parquet"]), &json!(["../selection.parquet"])]
    );
    assert_eq!(data["files"][0]["blake3"], blake3(&world, "selection.parquet"));
    let model = input(&policy, "model");
    let names: Vec<&str> =
        model["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]);
    assert_eq!(model["files"][1]["blake3"], blake3(&world, "model/model.safetensors"));
    let bytes = std::fs::metadata(world.path("model/model.safetensors")).unwrap().len();
    assert_eq!(model["files"][1]["bytes"], bytes);
    assert_eq!(policy["outputs"][1]["blake3"], blake3(&world, "policy/model.safetensors"));

    // Selection, scores, oracle and reference, by the hashes of their records.
    let stages = |record: &Value| -> Vec<String> {
        let upstream = record["upstream"].as_object().unwrap();
        let name = |record: &Value| format!("{}{}", record["stage"], record["part"]);
        let mut stages: Vec<String> = upstream.values().map(name).collect();
        stages.sort();
        stages
    };
    assert_eq!(
        stages(&policy),
        ["\"oracle\"\"oracle\"", "\"oracle\"\"reference\"", "\"score\"null", "\"select\"null"]
    );
    let selection = &policy["upstream"][data["record"].as_str().unwrap()];
    assert_eq!(selection["settings"]["rule"], "salience");
    let selected = SelectionReader::open(world.path("selection.parquet")).unwrap();
    assert_eq!(selection["counts"]["chosen_tokens_selected"], selected.meta().chosen.n_selected);
    let scores = &policy["upstream"][input(selection, "scores")["record"].as_str().unwrap()];
    assert_eq!(input(scores, "data")["files"][0]["blake3"], blake3(&world, "pairs.jsonl"));
    let oracle = &policy["upstream"][input(scores, "oracle")["record"].as_str().unwrap()];
    assert_eq!(input(oracle, "start")["path"], json!(["../reference"]));
    assert_eq!(oracle["settings"]["fraction"], 0.5);

    // The selection's own metadata holds the record once.
    assert!(selected.meta().extra.contains_key("record"));
    assert!(!selected.meta().scores.as_ref().unwrap().extra.contains_key("record"));
    assert!(ScoresReader::open(world.path("scores.parquet")).unwrap().meta().extra.contains_key("record"));
}

#[test]
fn a_record_is_the_same_however_a_run_went() {
    let world = trained_world();
    let files = |dir: &str| ["sepo.json", "README.md"].map(|name| world.read(&format!("{dir}/{name}")));
    let before = files("policy");
    world.sepo(TRAIN).done();
    assert!(files("policy") == before, "a finished run, run again");
    std::fs::remove_dir_all(world.path("policy")).unwrap();
    world.sepo(&format!("{TRAIN} --threads 2 --memory-limit 300MiB --json")).done();
    assert!(files("policy") == before, "other threads, another limit");
}

#[test]
fn a_model_card_tells_people_the_same() {
    let world = trained_world();
    insta::assert_snapshot!("model_card_of_a_policy", masked(&world.read_text("policy/README.md")));
    insta::assert_snapshot!("model_card_of_an_oracle", masked(&world.read_text("oracle/oracle/README.md")));
    let reference = world.read_text("oracle/reference/README.md");
    assert!(
        reference.contains("The reference of an oracle, fine-tuned on chosen responses from `model`"),
        "{reference}"
    );
    world.sepo("oracle --model model --reference oracle/reference --data pairs.jsonl --out brought --max-steps 1").done();
    let copy = world.read_text("brought/reference/README.md");
    assert!(copy.contains("a copy of the model from `oracle/reference`"), "{copy}");
}

#[test]
fn a_readme_of_other_hands_stays() {
    let world = World::new(6);
    std::fs::create_dir(world.path("sft")).unwrap();
    world.write("sft/README.md", "mine");
    let told = world.sepo("sft --model model --data pairs.jsonl --out sft --max-steps 1").done().stderr;
    assert!(told.contains("`sft/README.md` is left as it is"), "{told}");
    assert_eq!(world.read_text("sft/README.md"), "mine");
    assert_eq!(record(&world, "sft")["stage"], "sft");
}

#[test]
fn names_on_the_hub_are_read_off_its_cache() {
    let world = World::new(6);
    let [model, data] = ["hub/models--org--tiny/snapshots/1", "hub/datasets--org--pairs/snapshots/1/data"];
    for dir in [model, data] {
        std::fs::create_dir_all(Path::new(&world.path(dir)).parent().unwrap()).unwrap();
    }
    std::fs::rename(world.path("model"), world.path(model)).unwrap();
    std::fs::create_dir(world.path(data)).unwrap();
    std::fs::rename(world.path("pairs.jsonl"), world.path(&format!("{data}/train.jsonl"))).unwrap();
    let data = data.trim_end_matches("/data");
    world.sepo(&format!("sft --model {model} --data {data} --out first --max-steps 1")).done();
    world.sepo(&format!("sft --model first --data {data} --out second --max-steps 1")).done();
    let card = world.read_text("second/README.md");
    let front = "---\nlibrary_name: transformers\npipeline_tag: text-generation\nbase_model: org/tiny\n\
                 base_model_relation: finetune\ndatasets:\n- org/pairs\ntags:\n";
    assert!(card.starts_with(front), "{card}");
    assert_eq!(
        input(&record(&world, "second"), "data")["path"],
        json!(["../hub/datasets--org--pairs/snapshots/1"])
    );
}

/// Puts other weights into a model folder: those of `model`.
fn swap_weights(world: &World, dir: &str) {
    std::fs::copy(world.path("model/model.safetensors"), world.path(&format!("{dir}/model.safetensors")))
        .unwrap();
}

#[test]
fn an_input_that_is_not_what_its_record_says_is_refused_or_accepted_aloud() {
    let world = scored_world(12);
    let score =
        "score --oracle oracle/oracle --reference oracle/reference --data pairs.jsonl --out again.parquet";
    swap_weights(&world, "oracle/oracle");
    let names = [
        "the oracle in `oracle/oracle` is not what `sepo-cli oracle` wrote there",
        "`model.safetensors` is blake3",
        "--accept-changed",
    ];
    world.sepo(score).fails(DATA, &names);
    assert!(!Path::new(&world.path("again.parquet")).exists());
    let told = world.sepo(&format!("{score} --accept-changed")).done().stderr;
    assert!(
        told.contains("is not what `sepo-cli oracle` wrote there") && told.contains("accepted"),
        "{told}"
    );
    let scores = ScoresReader::open(world.path("again.parquet")).unwrap();
    let accepted = &scores.meta().extra["record"]["accepted"][0];
    assert_eq!([&accepted["role"], &accepted["path"]], [&json!("oracle"), &json!("oracle/oracle")]);
}

#[test]
fn the_folder_that_an_oracle_started_from_holds_what_it_held_and_others_may_stand_in_for_it() {
    let world = World::new(12);
    world.sepo("sft --model model --data pairs.jsonl --out brought --max-steps 1").done();
    std::fs::remove_file(world.path("brought/sepo.json")).unwrap();
    world.sepo("train --objective dpo --model brought --reference brought --data pairs.jsonl --out dpo --learning-rate 1e-3").done();
    let score = |reference: &str| {
        world.sepo(&format!(
            "score --oracle dpo --reference {reference} --data pairs.jsonl --out scores.parquet"
        ))
    };
    let what = "is not the one that the oracle in `dpo` was trained from";
    assert!(!score("brought").done().stderr.contains(what));
    assert!(score("model").done().stderr.contains(what), "another model is said");
    swap_weights(&world, "brought");
    score("brought").fails(DATA, &[what, "--accept-changed"]);
}

#[test]
fn a_damaged_record_is_named() {
    let world = scored_world(12);
    world.write("oracle/oracle/sepo.json", "{\"format\": 1");
    world
        .sepo("score --oracle oracle/oracle --reference oracle/reference --data pairs.jsonl --out again.parquet")
        .fails(DATA, &["read the record in `oracle/oracle/sepo.json`", "damaged, or of a newer version"]);
}

#[test]
fn a_lineage_is_drawn_down_to_what_was_brought() {
    let world = trained_world();
    let lineage = |args: &str| world.sepo(&format!("lineage {args}"));
    assert_eq!(lineage("policy").done().stdout, "");
    let drawn = |path: &str| {
        let output = world.command(&format!("lineage {path}")).output().unwrap();
        masked(&String::from_utf8(output.stderr).unwrap())
    };
    insta::assert_snapshot!("lineage_of_a_policy", drawn("policy"));
    // Of a folder, what nothing else in it was made from.
    assert_eq!(drawn(".").lines().next(), drawn("./policy").lines().next());
    let trees = lineage("scores.parquet --json --check").json();
    let tree = &trees[0];
    assert_eq!([&tree["path"], &tree["made"]["stage"]], [&json!("scores.parquet"), &json!("score")]);
    assert_eq!(tree["made"]["inputs"][2]["blake3"], blake3(&world, "pairs.jsonl"));
    assert_eq!(tree["made"]["inputs"][0]["made"]["part"], "oracle");
}

#[test]
fn a_lineage_says_what_is_gone_and_what_is_other_than_it_was() {
    let world = trained_world();
    swap_weights(&world, "oracle/oracle");
    world.write("pairs.jsonl", world.read_text("pairs.jsonl").replacen("prompt", "Prompt", 1));
    std::fs::remove_file(world.path("scores.parquet")).unwrap();
    let told = world.sepo("lineage policy").done().stderr;
    for what in [
        "scores `scores.parquet`: score 0.1.0, cpu, 12 pairs",
        "NOT THERE",
        "oracle `oracle/oracle`: oracle (oracle) 0.1.0",
        "`model.safetensors` is blake3",
        "data `pairs.jsonl`",
        "CHANGED",
    ] {
        assert!(told.contains(what), "no `{what}` in {told}");
    }
    let checked = world.sepo("lineage policy --check --json");
    assert_eq!(checked.code, Some(DATA), "{}", checked.stderr);
    assert_eq!(checked.stdout_json()[0]["state"], "unchanged", "the policy itself");
}

#[test]
fn a_lineage_outlasts_a_move_of_everything() {
    let world = trained_world();
    let moved = world.path("moved");
    std::fs::create_dir(&moved).unwrap();
    for name in ["model", "pairs.jsonl", "oracle", "scores.parquet", "selection.parquet", "policy"] {
        std::fs::rename(world.path(name), Path::new(&moved).join(name)).unwrap();
    }
    world.sepo("lineage moved/policy --check").done();
}

/// `train.jsonl` and `eval.parquet` of the pairs, and the same once more in another order.
fn split_world() -> World {
    let world = World::new(12);
    world
        .sepo("data split pairs.jsonl --eval-fraction 0.4 --out-train train.jsonl --out-eval eval.parquet")
        .done();
    world
}

#[test]
fn a_file_of_pairs_has_its_record_beside_it() {
    let world = split_world();
    let [train, eval] = ["train.jsonl", "eval.parquet"].map(|name| {
        let record: Value = serde_json::from_slice(&world.read(&format!("{name}.sepo.json"))).unwrap();
        assert_eq!(record["stage"], "data split");
        assert_eq!(record["settings"]["eval_fraction"], 0.4);
        assert_eq!(input(&record, "data")["files"][0]["blake3"], blake3(&world, "pairs.jsonl"));
        assert_eq!(
            [&record["outputs"][0]["name"], &record["outputs"][0]["blake3"]],
            [&json!(name), &blake3(&world, name)]
        );
        record
    });
    assert_eq!([&train["part"], &eval["part"]], [&json!("train"), &json!("eval")]);
    let n_pairs = |record: &Value| record["counts"]["pairs"].as_u64().unwrap();
    assert_eq!(n_pairs(&train) + n_pairs(&eval), 12);
    // Neither a folder nor a pattern takes it for data.
    std::fs::create_dir(world.path("parts")).unwrap();
    for name in ["train.jsonl", "train.jsonl.sepo.json"] {
        std::fs::copy(world.path(name), world.path(&format!("parts/{name}"))).unwrap();
    }
    for inputs in ["parts", "parts/*"] {
        let checked = world.sepo(&format!("data check {inputs} --json")).json();
        assert_eq!(checked["rows"], n_pairs(&train), "{inputs}");
    }
    // Other content under the name has a record of its own.
    world.sepo("data convert eval.parquet --out train.jsonl").done();
    let record: Value = serde_json::from_slice(&world.read("train.jsonl.sepo.json")).unwrap();
    assert_eq!([&record["stage"], &record["part"]], [&json!("data convert"), &Value::Null]);
    let told = world.sepo("lineage train.jsonl --check").done().stderr;
    for what in ["data `eval.parquet`: data split (eval)", "data `pairs.jsonl` (blake3"] {
        assert!(told.contains(what), "no `{what}` in {told}");
    }
}

#[test]
fn data_that_was_generated_and_weights_that_were_exported_say_where_they_come_from() {
    let world = scored_world(6);
    world.sepo("data generate --pairs 5 --seed 9 --out generated.jsonl").done();
    let record =
        |name: &str| -> Value { serde_json::from_slice(&world.read(&format!("{name}.sepo.json"))).unwrap() };
    let generated = record("generated.jsonl");
    assert_eq!([&generated["stage"], &generated["seed"]], [&json!("data generate"), &json!(9)]);
    assert_eq!([&generated["settings"]["pairs"], &generated["counts"]["pairs"]], [&json!(5), &json!(5)]);
    world.sepo("select --scores scores.parquet --out selection.parquet").done();
    world.sepo("weights export selection.parquet --spans --out weights.parquet").done();
    let exported = record("weights.parquet");
    assert_eq!(
        [&exported["stage"], &exported["settings"]["spans"]],
        [&json!("weights export"), &json!(true)]
    );
    assert_eq!(input(&exported, "selection")["files"][0]["blake3"], blake3(&world, "selection.parquet"));
    assert_eq!(input(&exported, "scores")["path"], json!(["scores.parquet"]));
    // What is not as it was made is refused by these, too.
    world.write("generated.jsonl", world.read_text("pairs.jsonl"));
    let convert = "data convert generated.jsonl --out converted.jsonl";
    world
        .sepo(convert)
        .fails(DATA, &["is not what `sepo-cli data generate` wrote there", "--accept-changed"]);
    world.sepo(&format!("{convert} --accept-changed")).done();
    assert_eq!(record("converted.jsonl")["accepted"][0]["path"], "generated.jsonl");
}

#[test]
fn what_was_trained_on_a_part_of_a_split_comes_of_the_whole() {
    let world = split_world();
    world.sepo("sft --model model --data train.jsonl --out one --max-steps 1").done();
    world.sepo("sft --model model --data train.jsonl eval.parquet --out both --max-steps 1").done();
    let told = world.sepo("lineage one --check").done().stderr;
    for what in ["data `train.jsonl`: data split (train) 0.1.0", "data `pairs.jsonl` (blake3"] {
        assert!(told.contains(what), "no `{what}` in {told}");
    }
    let told = world.sepo("lineage both --check").done().stderr;
    for what in
        ["data `train.jsonl eval.parquet` (2 files", "file `train.jsonl`: data split (train)", "(eval)"]
    {
        assert!(told.contains(what), "no `{what}` in {told}");
    }
    assert!(world.sepo("lineage eval.parquet").done().stderr.contains("data split (eval)"));
    // What stands in the record is what was written.
    world.write("train.jsonl", world.read_text("train.jsonl").replacen("prompt", "Prompt", 1));
    let again = "sft --model model --data train.jsonl --prompt-column prompt --out again --max-steps 1";
    let names =
        ["the data in `train.jsonl` is not what `sepo-cli data split` wrote there", "--accept-changed"];
    world.sepo(again).fails(DATA, &names);
    assert_eq!(world.sepo("lineage one --check").code, Some(DATA));
    let accepted =
        "data split train.jsonl eval.parquet --eval-fraction 0.4 --out-train t.jsonl --out-eval e.jsonl";
    world.sepo(accepted).fails(DATA, &names);
    world.sepo(&format!("{accepted} --max-bad-rows 1 --accept-changed")).done();
    let record: Value = serde_json::from_slice(&world.read("t.jsonl.sepo.json")).unwrap();
    assert_eq!(record["accepted"][0]["path"], "train.jsonl");
}

#[test]
fn weights_that_were_brought_or_carried_over_say_where_they_come_from() {
    let world = scored_world(8);
    world.write_model_of("fine", 1024, 300);
    world.sepo("select --scores scores.parquet --out selection.parquet --rule tgdpo --slope 2").done();
    world.sepo("weights export selection.parquet --out weights.jsonl").done();
    let import = "weights import weights.jsonl --data pairs.jsonl --tokenizer model --out imported.parquet";
    world.sepo(import).done();
    let project =
        "weights project selection.parquet --data pairs.jsonl --tokenizer fine --how mean --out fine.parquet";
    world.sepo(project).done();
    let record = |name: &str| {
        SelectionReader::open(world.path(name)).unwrap().meta().extra.get("record").cloned().unwrap()
    };
    let imported = record("imported.parquet");
    assert_eq!(
        [&imported["stage"], &imported["settings"]["import"]["how"]],
        [&json!("weights import"), &json!("mean")]
    );
    assert_eq!(input(&imported, "weights")["files"][0]["blake3"], blake3(&world, "weights.jsonl"));
    assert_eq!(input(&imported, "tokenizer")["path"], json!(["model"]));
    let projected = record("fine.parquet");
    assert_eq!(
        [&projected["stage"], &projected["settings"]["how"]],
        [&json!("weights project"), &json!("mean")]
    );
    let selection = &projected["upstream"][input(&projected, "selection")["record"].as_str().unwrap()];
    assert_eq!(selection["stage"], "select");
    world.sepo("train --data fine.parquet --objective sepo --model fine --max-steps 1 --out policy").done();
    let told = world.sepo("lineage policy --check").done().stderr;
    for what in [
        "data `fine.parquet`: weights project 0.1.0",
        "selection `selection.parquet`: select",
        "oracle (oracle)",
    ] {
        assert!(told.contains(what), "no `{what}` in {told}");
    }
    // What is not as it was made is refused by these, too.
    world
        .sepo("data split pairs.jsonl --eval-fraction 0.4 --out-train part.jsonl --out-eval rest.jsonl")
        .done();
    world.write("part.jsonl", world.read_text("pairs.jsonl"));
    for line in [import, project] {
        let line = line.replace("pairs.jsonl", "part.jsonl");
        world.sepo(&line).fails(DATA, &["is not what `sepo-cli data split` wrote there"]);
        world.sepo(&format!("{line} --accept-changed")).done();
    }
}

#[test]
fn what_has_no_record_has_no_lineage() {
    let world = World::new(6);
    world.sepo("lineage model").fails(DATA, &["nothing in `model` says what it was made from"]);
    world.sepo("lineage pairs.jsonl").fails(DATA, &["nothing in `pairs.jsonl`"]);
    world.sepo("lineage absent").fails(DATA, &["absent"]);
}
