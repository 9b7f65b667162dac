//! `sepo-cli run`: a pipeline in one file, of which only what changed is redone.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use serde_json::Value;
use support::{DATA, USAGE, World};

const RECIPE: &str = r#"[run]
out = "out"
seed = 3

[data]
inputs = ["pairs.jsonl"]
eval = ["held-out.jsonl"]

[models]
base = "model"
policy = "model"

[oracle]
fraction = 0.5
learning_rate = 1e-3
reference_learning_rate = 1e-3
batch_size = 4

[select]
keep_chosen = 0.3

[train]
learning_rate = 1e-4
batch_size = 4
max_steps = 3
"#;

const STAGES: [&str; 5] = ["oracle", "score", "select", "train", "eval"];

/// A world with [`RECIPE`] in `recipe.toml`.
fn world() -> World {
    let world = World::new(16);
    world.write_pairs("held-out.jsonl", 5);
    world.write("recipe.toml", RECIPE);
    world
}

/// What became of each stage.
#[track_caller]
fn actions(summary: &Value) -> Vec<(&str, &str)> {
    let stages = summary["stages"].as_array().unwrap();
    stages.iter().map(|stage| (stage["stage"].as_str().unwrap(), stage["action"].as_str().unwrap())).collect()
}

/// All stages, of which the first `n` were skipped.
fn skipped(n: usize) -> Vec<(&'static str, &'static str)> {
    STAGES.iter().enumerate().map(|(i, stage)| (*stage, if i < n { "skipped" } else { "ran" })).collect()
}

#[test]
fn a_whole_run_is_made_once_and_then_only_where_something_changed() {
    let world = world();
    let first = world.sepo("run recipe.toml --json").json();
    assert_eq!(actions(&first), skipped(0));
    assert!(first["stages"][4]["result"]["policy"]["pairs"]["n"] == 5, "{first}");
    for file in ["oracle/oracle", "oracle/reference", "train"] {
        assert!(Path::new(&world.path(&format!("out/{file}/model.safetensors"))).is_file(), "{file}");
    }
    let page = world.read_text("out/report.html");
    for part in ["Policy and its start", "Reference and oracle", "Tokens selected", "row 0"] {
        assert!(page.contains(part), "{part}");
    }
    for run in ["reference", "oracle", "train"] {
        assert!(page.contains(&format!("</svg>{run}</li>")), "no `{run}` in a legend");
    }
    let record: Value = serde_json::from_slice(&world.read("out/select/stage.json")).unwrap();
    assert_eq!(record["settings"]["select"]["keep_chosen"], "0.3");
    assert_eq!(record["inputs"][0]["name"], "score/scores.parquet");
    assert_eq!(record["status"], "done");

    let second = world.sepo("run recipe.toml --json").json();
    assert_eq!(actions(&second), skipped(5));
    assert_eq!(second["stages"][4]["result"], first["stages"][4]["result"]);

    // One setting of the selection: it and what follows are made anew, and why is said.
    let third = world.sepo("run recipe.toml --json --set select.keep_chosen=0.6").json();
    assert_eq!(actions(&third), skipped(2));
    let why = third["stages"][2]["why"].as_str().unwrap();
    assert_eq!(why, "`select.keep_chosen` \"0.3\" → \"0.6\"");
    let why = third["stages"][3]["why"].as_str().unwrap();
    assert!(why.contains("`select/selection.parquet` has other content"), "{why}");

    // A setting that changes no result: the selection comes out the same, so nothing after it is redone.
    let fourth =
        world.sepo("run recipe.toml --json --set select.keep_chosen=0.6 --set train.save_every=1").json();
    assert_eq!(actions(&fourth), skipped(5));

    std::fs::remove_file(world.path("out/eval/eval.json")).unwrap();
    let fifth = world.sepo("run recipe.toml --json --set select.keep_chosen=0.6").json();
    assert_eq!(actions(&fifth), skipped(4));
}

#[test]
fn without_pairs_to_evaluate_on_there_is_no_evaluation() {
    let world = world();
    let summary = world
        .sepo(
            "run recipe.toml --json --set data.eval=[] --set select.rule=salience --set train.objective=dpo",
        )
        .json();
    assert_eq!(actions(&summary), skipped(0)[..4]);
    assert_eq!(summary["stages"][2]["result"]["config"]["rule"], "salience");
}

#[test]
fn a_dry_run_says_what_would_happen_and_writes_nothing() {
    let world = world();
    let summary = world.sepo("run recipe.toml --dry-run --json").json();
    assert_eq!(actions(&summary), STAGES.map(|stage| (stage, "would_run")));
    assert_eq!(summary["stages"][0]["why"], "not done yet");
    assert!(!Path::new(&world.path("out")).exists());
    world
        .sepo("run recipe.toml --dry-run --set models.policy=nowhere")
        .fails(USAGE, &["models.policy", "nowhere"]);
    world.sepo("run recipe.toml --dry-run --set data.eval=[\"nowhere.jsonl\"]").fails(DATA, &["data.eval"]);
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_one() {
    let world = world();
    world.write("recipe.toml", RECIPE.replace("keep_chosen", "keep_chosn"));
    world.sepo("run recipe.toml").fails(
        USAGE,
        &["unknown key `select.keep_chosn`", "recipe.toml:20:1", "did you mean `select.keep_chosen`?"],
    );
    world.write("recipe.toml", RECIPE.replace("[select]", "[selct]"));
    world.sepo("run recipe.toml").fails(USAGE, &["`selct`", "recipe.toml:19:2", "did you mean `[select]`?"]);
    world.write("recipe.toml", RECIPE.replace("keep_chosen", "fraction"));
    world.sepo("run recipe.toml").fails(USAGE, &["`select.fraction`", "`fraction` belongs to `[oracle]`"]);
}

#[test]
fn an_override_is_checked_like_the_recipe() {
    let world = world();
    for (typed, names) in [
        (
            "select.keep_rejectd=0.5",
            &["`select.keep_rejectd`", "--set", "did you mean `select.keep_rejected`?"][..],
        ),
        ("select.keep_rejected=1.5", &["`select.keep_rejected`", "1.5 is not between 0 and 1", "--set"]),
        ("train.epochs=many", &["`train.epochs`", "\"many\"", "--set"]),
        ("train.epochs", &["is not of the form"]),
        ("select.rule=[1,", &["no TOML", "--set"]),
        ("run=3", &["is not of the form"]),
    ] {
        world.sepo(&format!("run recipe.toml --set {typed}")).fails(USAGE, names);
    }
    assert!(!Path::new(&world.path("out")).exists());
}

#[test]
fn a_value_that_cannot_be_used_is_named_with_its_line() {
    let world = world();
    for (good, bad, names) in [
        ("fraction = 0.5", "fraction = 1.5", &["`oracle.fraction`", "recipe.toml:14:12"][..]),
        ("max_steps = 3", "max_steps = 0", &["`train.max_steps`", "must be 1 or more", "recipe.toml:25:13"]),
        ("max_steps = 3", "max_steps = \"x\"", &["`train.max_steps`", "recipe.toml:25:13"]),
        ("max_steps = 3", "beta = 0.1", &["`train.beta` has no meaning", "`sepo`", "recipe.toml:25:1"]),
        ("keep_chosen = 0.3", "rule = \"best\"", &["`select.rule`", "`salience`", "recipe.toml:20:8"]),
        (
            "keep_chosen = 0.3",
            "rule = { tis = { low = 2.0, high = 1.0 } }",
            &["`select.rule`", "`high` is 1", "recipe.toml:20:8"],
        ),
        (
            "keep_chosen = 0.3",
            "rule = { tis = { nu = 2.0 } }",
            &["`select.rule.tis.nu`", "`mu`", "recipe.toml:20:18"],
        ),
        (
            "keep_chosen = 0.3",
            "rule = \"d2po\"\nside_rule = \"same\"",
            &["`select.side_rule` has no meaning", "`d2po`", "recipe.toml:21:1"],
        ),
        (
            "keep_chosen = 0.3",
            "rule = \"tgdpo\"\nscope = \"length\"",
            &["`select.scope` has no meaning", "keeps no share", "recipe.toml:21:1"],
        ),
        ("policy = \"model\"", "", &["`models.policy` is missing", "recipe.toml:9:2"]),
        (
            "keep_chosen = 0.3",
            "keep_chosen = 0.3\nrule = \"all\"",
            &["`select.keep_chosen` has no meaning", "recipe.toml:20:1"],
        ),
        (
            "keep_chosen = 0.3\n\n[train]",
            "rule = \"all\"\n\n[train]\nnormalizer = \"nominal\"",
            &["`train.normalizer` has no meaning", "rule `all`", "recipe.toml:23:1"],
        ),
        ("max_steps = 3", "tokens_per_batch = 0", &["`train.tokens_per_batch`", "recipe.toml:25:20"]),
        ("fraction = 0.5", "tokens_per_batch = 0", &["`oracle.tokens_per_batch`", "recipe.toml:14:20"]),
        (
            "max_steps = 3",
            "[score]\ntokens_per_batch = 0",
            &["`score.tokens_per_batch`", "recipe.toml:26:20"],
        ),
        ("max_steps = 3", "[eval]\ntokens_per_batch = 0", &["`eval.tokens_per_batch`", "recipe.toml:26:20"]),
        (
            "max_steps = 3",
            "[tokens]\nmax_length = 2000",
            &["`tokens.max_length` is 2000", "1024 positions", "`models.base`", "recipe.toml:26:14"],
        ),
        ("seed = 3", "seed = = 3", &["no TOML", "recipe.toml:3:8"]),
        ("policy = \"model\"", "policy = \"out/train\"", &["`models.policy` is no model folder"]),
    ] {
        assert!(RECIPE.contains(good));
        world.write("recipe.toml", RECIPE.replace(good, bad));
        world.sepo("run recipe.toml").fails(USAGE, names);
    }
}

#[test]
fn the_default_length_is_cut_to_the_positions_of_the_shortest_model() {
    let world = world();
    world.write_model("short", 64);
    let line = "run recipe.toml --json --set models.policy=short";
    let ran = world.sepo(&format!("{line} --dry-run")).done();
    assert!(ran.stderr.contains("max length: 64 tokens"), "{}", ran.stderr);
    let summary = world.sepo(line).json();
    for (stage, pointer) in [(0, "/max_length"), (1, "/max_length"), (4, "/policy/max_length")] {
        assert_eq!(summary["stages"][stage]["result"].pointer(pointer), Some(&Value::from(64)), "{summary}");
    }
    let record: Value = serde_json::from_slice(&world.read("out/score/stage.json")).unwrap();
    assert_eq!(record["settings"]["tokens"]["truncation"]["max_length"], 64);
    let typed = world.sepo(&format!("{line} --set tokens.max_length=100"));
    typed.fails(USAGE, &["`tokens.max_length` is 100", "64 positions", "`models.policy`", "--set"]);
}

#[test]
fn what_a_stage_refuses_is_told_with_keys_and_their_lines() {
    let world = world();
    let pairs = world.read_text("pairs.jsonl");
    world.write("pairs.jsonl", format!("{pairs}{{\"prompt\": \"p\"}}\n"));
    let recipe = RECIPE.replace("[models]", "strict = true\n\n[models]");
    world.write("recipe.toml", recipe);
    let strict = world.sepo("run recipe.toml");
    strict.fails(DATA, &["stage `oracle`", "row 16", "leave `data.strict` out", "recipe.toml:9:1"]);
    assert!(!strict.stderr.contains("--strict"), "{}", strict.stderr);
    world.write("recipe.toml", RECIPE.replace("keep_chosen = 0.3", "rule = { threshold = { at = 1e9 } }"));
    let none = world.sepo("run recipe.toml");
    none.fails(
        DATA,
        &["stage `select`", "`select.keep_chosen`", "`select.rule.threshold.at`", "recipe.toml:20:24"],
    );
    assert!(!none.stderr.contains("`--"), "{}", none.stderr);
}

#[test]
fn a_folder_that_no_run_made_is_left_alone() {
    let world = world();
    std::fs::create_dir_all(world.path("out/oracle")).unwrap();
    world.write("out/oracle/thesis.txt", "years of work");
    world.sepo("run recipe.toml").fails(USAGE, &["out/oracle", "no recipe made"]);
    assert_eq!(world.read("out/oracle/thesis.txt"), b"years of work");
}

#[test]
fn paths_start_from_the_recipe_and_typed_ones_from_where_they_are_typed() {
    let world = world();
    std::fs::create_dir(world.path("recipes")).unwrap();
    world.write("recipes/one.toml", RECIPE.replace("\"model\"", "\"../model\""));
    world.sepo("run recipes/one.toml --dry-run").fails(DATA, &["data.inputs", "recipes/pairs.jsonl"]);
    let typed = "--set data.inputs=[\"pairs.jsonl\"] --set data.eval=[\"held-out.jsonl\"]";
    let summary = world.sepo(&format!("run recipes/one.toml --dry-run --json {typed}")).json();
    assert_eq!(summary["out"], "recipes/out");
}

#[test]
fn the_example_recipe_has_no_unknown_key() {
    let world = world();
    let text = include_str!("../examples/recipe.toml");
    // With every key that is commented out put in, but those that exclude others.
    let is_key = |line: &str| {
        let key = line.strip_prefix("# ").and_then(|rest| rest.split_once(" = ")).map(|(key, _)| key);
        key.is_some_and(|key| !["reference", "eval_fraction"].contains(&key) && !key.contains(' '))
    };
    let all: String = text
        .lines()
        .map(
            |line| {
                if is_key(line) || ["# [score]", "# [hashes]"].contains(&line) { &line[2..] } else { line }
            },
        )
        .map(|line| format!("{line}\n"))
        .collect();
    for (name, text) in [("plain.toml", text), ("all.toml", &all)] {
        world.write(name, text);
        world.sepo(&format!("run {name} --dry-run")).fails(USAGE, &["models/small", "config.json"]);
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_goes_on_with_the_same_command() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    let world = world();
    let line = "run recipe.toml --json --set train.max_steps=400 --set train.save_every=10";
    let mut child = world.command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    let steps = || std::fs::read(world.path("out/train/metrics.jsonl")).map_or(0, |text| text.len());
    while steps() == 0 && child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(120), "training never began");
        std::thread::sleep(Duration::from_millis(2));
    }
    Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(support::INTERRUPTED));
    let summary = world.sepo(line).json();
    assert_eq!(actions(&summary), skipped(3));
    assert_eq!(summary["stages"][3]["why"], "begun and not finished; it goes on where it can");
    assert!(summary["stages"][3]["result"]["resumed_from"].is_u64(), "{summary}");
}

/// The lines from `[hashes]` on, as a dry run prints them.
fn hashes(world: &World) -> String {
    let output = world.command("run recipe.toml --dry-run").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let from = text.find("[hashes]").unwrap_or_else(|| panic!("{text}"));
    let lines = text[from..].lines().take_while(|line| line.starts_with('[') || line.contains(" = "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn inputs_are_held_to_the_hashes_that_a_recipe_says() {
    let world = world();
    let section = hashes(&world);
    let pairs = sepo_data::content_hash(world.path("pairs.jsonl")).unwrap();
    assert!(section.contains(&format!("inputs = \"{pairs}\"")), "{section}");
    let keys: Vec<&str> = section.lines().skip(1).map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(keys, ["inputs", "eval", "base", "policy"]);
    world.write("recipe.toml", format!("{RECIPE}\n{section}\n"));
    let printed = world.sepo("run recipe.toml --dry-run --json").json();
    assert_eq!(printed["hashes"][0]["blake3"], pairs.as_str());

    world.write("pairs.jsonl", world.read_text("pairs.jsonl").replacen("prompt\":\"", "prompt\":\"So. ", 1));
    let names = [
        "`data.inputs` is not what `[hashes]` says: blake3",
        &format!("expected was {pairs}"),
        "recipe.toml:28",
        "--accept-changed",
    ];
    for command in ["run recipe.toml", "run recipe.toml --dry-run"] {
        world.sepo(command).fails(DATA, &names);
    }
    assert!(!Path::new(&world.path("out")).exists());
    let told = world.sepo("run recipe.toml --accept-changed --dry-run").done().stderr;
    assert!(told.contains("warning: `data.inputs` is not what `[hashes]` says"), "{told}");
}

#[test]
fn a_hash_that_is_none_or_has_nothing_to_hold_is_refused() {
    let world = world();
    for (line, names) in [
        ("inputs = \"xyz\"", ["`hashes.inputs` cannot be read", "12 to 64 of the digits"]),
        ("base = \"0123\"", ["`hashes.base` cannot be read", "--dry-run"]),
        ("reference = \"0123456789ab\"", ["`hashes.reference` has no meaning", "without `models.reference`"]),
        ("bases = \"0123456789ab\"", ["unknown key `hashes.bases`", "hashes.base"]),
    ] {
        world.write("recipe.toml", format!("{RECIPE}\n[hashes]\n{line}\n"));
        world.sepo("run recipe.toml --dry-run").fails(USAGE, &names);
    }
}

#[test]
fn a_result_that_somebody_changed_is_refused_or_accepted_and_recorded() {
    let world = world();
    world.sepo("run recipe.toml").done();
    let selection = world.read("out/select/selection.parquet");
    world
        .sepo("select --scores out/score/scores.parquet --rule salience --out out/select/selection.parquet")
        .done();
    let names = [
        "the result in `out/select` is not what stage `select` wrote there",
        "`select/selection.parquet` has other content",
        "--accept-changed",
    ];
    world.sepo("run recipe.toml").fails(DATA, &names);
    world.sepo("run recipe.toml --dry-run").fails(DATA, &names);
    let summary = world.sepo("run recipe.toml --accept-changed --json").json();
    assert_eq!(actions(&summary), skipped(3));
    let record: Value = serde_json::from_slice(&world.read("out/select/stage.json")).unwrap();
    assert_eq!(record["accepted"][0]["role"], "select");
    // Accepted once, it is the stage's.
    assert_eq!(actions(&world.sepo("run recipe.toml --json").json()), skipped(5));
    world.write("out/select/selection.parquet", selection);
    world.sepo("run recipe.toml").fails(DATA, &names);
    std::fs::remove_dir_all(world.path("out/select")).unwrap();
    assert_eq!(actions(&world.sepo("run recipe.toml --json").json()), skipped(2));
}

#[test]
fn a_recipe_takes_methods_that_read_a_frozen_model_or_make_their_own_weights() {
    let world = world();
    world.sepo("run recipe.toml --json").json();
    let mut weights = vec![world.read("out/train/model.safetensors")];
    for objective in ["tdpo2", "confpo", "t-reg"] {
        world.write(
            "recipe.toml",
            RECIPE.replace("[train]", &format!("[train]\nobjective = \"{objective}\"")),
        );
        let run = world.sepo("run recipe.toml --json").json();
        assert_eq!(actions(&run), skipped(3), "{objective}");
        let made = world.read("out/train/model.safetensors");
        assert!(!weights.contains(&made), "{objective}");
        weights.push(made);
    }
    world.write("recipe.toml", RECIPE.replace("[train]", "[train]\nobjective = \"tdpo\""));
    world.sepo("run recipe.toml").fails(USAGE, &["recipe.toml:", "tdpo"]);
}

/// The first TOML of the page on methods.
fn documented_objective() -> &'static str {
    let page = include_str!("../../docs/methods.md");
    page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap()
}

#[test]
fn the_documented_objective_trains_from_a_recipe_and_from_a_file_and_is_made_again_from_its_record() {
    let world = world();
    let recipe = |section: &str| RECIPE.replace("[train]", &format!("{section}\n[train]"));
    world.write("recipe.toml", recipe(documented_objective()));
    world.sepo("run recipe.toml").done();
    let made = world.read("out/train/model.safetensors");

    world.write("mine.toml", documented_objective());
    let settings = "--learning-rate 1e-4 --batch-size 4 --max-steps 3 --seed 3";
    world
        .sepo(&format!(
            "train --model model --data out/select/selection.parquet --objective-file mine.toml --out again {settings}"
        ))
        .done();
    assert_eq!(world.read("again/model.safetensors"), made);
    let card = world.read_text("again/README.md");
    assert!(card.contains("composed") && !card.contains("objective `simpo`"), "{card}");
    let told = world.sepo("reproduce again").done().stderr;
    assert!(told.contains("all of it agrees"), "{told}");

    // Another part is another run, and what changed is named; the same parts in other words are not.
    world.write("recipe.toml", recipe(&documented_objective().replace("\"mean\"", "\"sum\"")));
    let changed = world.sepo("run recipe.toml --dry-run --json").json();
    let why = changed["stages"][3]["why"].as_str().unwrap();
    assert!(why.contains("`train.objective`") && why.contains("unit_sum: Sum"), "{why}");
    world.write("recipe.toml", recipe(&documented_objective().replace("beta = 4.0", "beta = 4")));
    assert_eq!(actions(&world.sepo("run recipe.toml --json").json()), skipped(5));
    let resumed = format!(
        "train --model model --data out/select/selection.parquet --objective-file mine.toml --out again {settings}"
    );
    world.write("mine.toml", documented_objective().replace("window = 8", "window = 4"));
    world.sepo(&resumed).fails(USAGE, &["other values of objective"]);
}

#[test]
fn another_quantile_of_weights_that_the_policy_makes_trains_again() {
    let world = world();
    let recipe = |quantile: f64| {
        let section = format!("[objective]\nname = \"selective-dpo\"\nquantile = {quantile}\n\n[train]");
        RECIPE.replace("[train]", &section)
    };
    world.write("recipe.toml", recipe(0.6));
    world.sepo("run recipe.toml").done();
    world.write("recipe.toml", recipe(0.3));
    assert_eq!(actions(&world.sepo("run recipe.toml --json").json()), skipped(3));
}

#[test]
fn a_printed_method_is_an_objective_file() {
    let world = world();
    let text = world.sepo("objectives simpo").done().stdout;
    world.write("simpo.toml", &text);
    let train = "train --model model --data pairs.jsonl --learning-rate 1e-3 --batch-size 4 --max-steps 2";
    world.sepo(&format!("{train} --objective simpo --out named")).done();
    world.sepo(&format!("{train} --objective-file simpo.toml --out written")).done();
    assert_eq!(world.read("named/model.safetensors"), world.read("written/model.safetensors"));
    let json = world.sepo("objectives simpo --json").json();
    assert_eq!(json["objective"]["reduction"], "weight-sum");
}
