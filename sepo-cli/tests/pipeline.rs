//! Every stage from a base model to a report, on a random model and planted pairs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::f64::consts::LN_2;

use sepo_data::ScoredPair;
use serde_json::{Value, json};
use support::{USAGE, World, assert_near, json_lines, kept, scored_world};

#[test]
fn oracle_and_score_write_what_they_report() {
    let world = World::new(24);
    let made = world.sepo(
        "oracle --model model --data pairs.jsonl --out oracle --oracle-fraction 0.5 --batch-size 4 \
         --learning-rate 1e-3 --reference-learning-rate 1e-3 --json",
    );
    let made = made.json();
    assert_eq!((&made["pairs_used"], &made["pairs_held_out"]), (&json!(12), &json!(12)));
    assert_eq!((&made["oracle"]["status"], &made["oracle"]["total_steps"]), (&json!("done"), &json!(3)));
    assert_eq!(made["held_out"]["oracle"]["n"], 12);
    // A reference beside itself has no preference; its log-probs are kept in f32.
    assert_near(&made["held_out"]["reference"]["loss"], LN_2, 1e-6);
    for stage in ["reference", "oracle"] {
        for file in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
            assert!(!world.read(&format!("oracle/{stage}/{file}")).is_empty());
        }
    }
    let scored = world.sepo(
        "score --oracle oracle/oracle --reference oracle/reference --data pairs.jsonl --out scores.parquet --json",
    );
    let scored = scored.json();
    assert_eq!(scored["rows"], json!({"used": 24, "unusable": {}}));
    let pairs = world.scores("scores.parquet");
    assert_eq!(pairs.iter().map(|pair| pair.row).collect::<Vec<_>>(), (0..24).collect::<Vec<_>>());
    let mut n_tokens = 0;
    for response in pairs.iter().flat_map(|pair| [&pair.chosen, &pair.rejected]) {
        n_tokens += response.ids.len();
        assert_eq!(response.ids.len(), response.scores.len());
        assert_eq!(response.spans.as_ref().map(Vec::len), Some(response.ids.len()));
        assert!(response.scores.iter().any(|score| *score != 0.0));
        for (i, score) in response.scores.iter().enumerate() {
            let difference = response.oracle_logps[i] - response.reference_logps[i];
            assert!((score - difference).abs() < 1e-5 * response.oracle_logps[i].abs().max(1.0));
        }
    }
    assert_eq!(scored["scores"]["n_tokens"], n_tokens);
    world.sepo(
        "score --oracle oracle/oracle --reference oracle/reference --data pairs.jsonl --out rounded.parquet --dtype bf16",
    );
    let rounded = world.scores("rounded.parquet");
    let logps = |pairs: &[ScoredPair]| -> Vec<f32> {
        pairs.iter().flat_map(|pair| pair.chosen.oracle_logps.clone()).collect()
    };
    let (exact, rounded) = (logps(&pairs), logps(&rounded));
    assert_ne!(exact, rounded);
    let largest = exact.iter().map(|logp| logp.abs()).fold(0.0, f32::max);
    assert!(exact.iter().zip(&rounded).all(|(a, b)| (a - b).abs() < largest * 12.0 / 512.0));
    let brought = "oracle --model model --reference oracle/reference --data pairs.jsonl --out brought --json";
    assert_eq!(world.sepo(brought).json()["oracle"]["status"], "done");
    assert_eq!(
        world.read("brought/reference/model.safetensors"),
        world.read("oracle/reference/model.safetensors")
    );
}

#[test]
fn the_default_length_is_cut_to_what_every_model_has_positions_for() {
    let world = World::new(6);
    world.write_model("short", 64);
    world.write_model("middle", 128);
    let told = |line: &str| {
        let ran = world.sepo(&format!("{line} --json")).done();
        (ran.stdout_json()["max_length"].as_u64(), ran.stderr)
    };
    let small = "--max-steps 1 --batch-size 4";
    for (line, length, named) in [
        (format!("sft --model short --data pairs.jsonl --out sft {small}"), 64, "`short`"),
        (format!("sft --model model --data pairs.jsonl --out whole {small}"), 1024, ""),
        (format!("sft --model short --data pairs.jsonl --out typed {small} --max-length 40"), 40, ""),
        (
            format!(
                "train --objective dpo --model middle --reference short --data pairs.jsonl --out dpo {small}"
            ),
            64,
            "`short`",
        ),
        (format!("oracle --model short --data pairs.jsonl --out oracle {small}"), 64, "`short`"),
        ("eval --model middle --data pairs.jsonl".to_owned(), 128, "`middle`"),
        (
            "score --oracle sft --reference short --data pairs.jsonl --out scores.parquet".to_owned(),
            64,
            "`sft`",
        ),
        ("data check pairs.jsonl --tokenizer middle".to_owned(), 128, "`middle`"),
    ] {
        let (found, stderr) = told(&line);
        assert_eq!(found, Some(length), "{line}");
        let cut = format!("max length: {length} tokens, since the model in {named}");
        assert_eq!(stderr.contains(&cut), !named.is_empty(), "{line}: {stderr}");
    }
    let scores = sepo_data::ScoresReader::open(world.path("scores.parquet")).unwrap();
    assert_eq!(scores.meta().max_length, Some(64));
    let longest = world.scores("scores.parquet").iter().map(|pair| pair.prompt_ids.len()).max();
    assert!(longest < Some(64));
    // A selection has its lengths already.
    world.sepo("select --scores scores.parquet --out selection.parquet").done();
    let line = format!("train --objective sepo --model short --data selection.parquet --out sepo {small}");
    assert_eq!(told(&line).0, None);
}

/// What a rule ranks by, largest first: of a score and its side.
type Key = fn(f32, usize) -> f32;

#[test]
fn every_rule_keeps_the_tokens_that_it_says() {
    let world = scored_world(24);
    let scored = world.scores("scores.parquet");
    let select = |flags: &str| {
        let line = format!("select --scores scores.parquet --out selection.parquet --json {flags}");
        let report = world.sepo(&line).json();
        let selection = world.selection("selection.parquet");
        assert_eq!((&report["n_pairs"], &report["n_kept"]), (&json!(24), &json!(selection.len())), "{flags}");
        let kept = kept(&selection);
        let n = |side: usize| kept.iter().map(|sides| sides[side].iter().filter(|k| **k).count()).sum();
        let n: [usize; 2] = [n(0), n(1)];
        assert_eq!(json!(n), json!([report["chosen"]["n_selected"], report["rejected"]["n_selected"]]));
        (kept, n)
    };
    let expected: [usize; 2] = [0, 1].map(|side| {
        let n = |pair: &ScoredPair| [&pair.chosen, &pair.rejected][side].ids.len();
        scored.iter().map(|pair| (n(pair) * 3 / 10).max(1)).sum()
    });
    let extreme: [(&str, Key); 2] = [
        ("sepo", |score, side| if side == 0 { score } else { -score }),
        ("salience", |score, _| score.abs()),
    ];
    for (rule, key) in extreme {
        let (kept, n) = select(&format!("--rule {rule}"));
        assert_eq!(n, expected, "{rule}");
        for (pair, sides) in scored.iter().zip(&kept) {
            for (side, response) in [&pair.chosen, &pair.rejected].into_iter().enumerate() {
                let of = |wanted| {
                    let scores = response.scores.iter().zip(&sides[side]).filter(move |(_, k)| **k == wanted);
                    scores.map(move |(score, _)| key(*score, side))
                };
                let (least, most) = (of(true).fold(f32::MAX, f32::min), of(false).fold(f32::MIN, f32::max));
                assert!(least >= most, "{rule}, row {}: {least} kept, {most} not", pair.row);
            }
        }
    }
    let (random, n) = select("--rule random --seed 1");
    assert_eq!(n, expected);
    assert_ne!(random, select("--rule random --seed 2").0);
    assert_eq!(random, select("--rule random --seed 1").0);
    let (all, _) = select("--rule all");
    assert!(all.iter().flatten().flatten().all(|kept| *kept));
    let (threshold, _) = select("--rule threshold --threshold 0.0 --tokenizer model");
    for (pair, [chosen, rejected]) in scored.iter().zip(&threshold) {
        assert!(pair.chosen.scores.iter().zip(chosen).all(|(score, kept)| *kept == (*score >= 0.0)));
        assert!(pair.rejected.scores.iter().zip(rejected).all(|(score, kept)| *kept == (*score <= 0.0)));
    }
}

#[test]
fn every_objective_trains_and_writes_the_contracts_metrics() {
    let world = scored_world(12);
    world.sepo("select --scores scores.parquet --out selection.parquet").done();
    for (objective, flags) in [
        ("sepo", "--data selection.parquet"),
        ("dpo", "--data pairs.jsonl --reference model"),
        ("ipo", "--data pairs.jsonl --reference model"),
        ("simpo", "--data pairs.jsonl --eval-data pairs.jsonl --eval-every 2"),
        ("sft", "--data pairs.jsonl"),
    ] {
        let line = format!(
            "train --model model --objective {objective} {flags} --out runs/{objective} --batch-size 4 \
             --learning-rate 1e-3 --json"
        );
        let outcome = world.sepo(&line).json();
        assert_eq!((&outcome["status"], &outcome["total_steps"]), (&json!("done"), &json!(3)), "{objective}");
        let lines = json_lines(&world.read_text(&format!("runs/{objective}/metrics.jsonl")));
        let steps: Vec<&Value> = lines.iter().filter(|line| line.get("loss").is_some()).collect();
        assert_eq!(steps.len(), 3, "{objective}");
        for name in names(objective) {
            assert!(steps.iter().all(|step| step[name].is_number()), "{objective}: `{name}` in {steps:?}");
        }
        let weights = format!("runs/{objective}/model.safetensors");
        assert_ne!(
            world.read(&weights),
            world.read("model/model.safetensors"),
            "{objective} learned nothing"
        );
        assert_eq!(lines.len() - steps.len(), if objective == "simpo" { 2 } else { 0 }, "evaluations");
        let before = world.read(&weights);
        let again = world.sepo(&line).json();
        // Nothing is left to do, and the last step is told as it was.
        assert_eq!((&again["resumed_from"], &again["last_step"]["step"]), (&json!(3), &json!(3)));
        assert_eq!(world.read(&weights), before);
    }
    let drawn = world.sepo("report runs --json").json();
    assert_eq!(drawn["runs"].as_array().unwrap().len(), 5);
    let page = world.read_text("runs/report.html");
    assert!(page.contains("<svg") && page.contains("simpo") && !page.contains("src=\"http"));
}

/// Names that a line of `metrics.jsonl` must have.
fn names(objective: &str) -> Vec<&'static str> {
    let mut names = vec![
        "step",
        "epoch",
        "loss",
        "learning_rate",
        "grad_norm",
        "logps/chosen",
        "tokens",
        "rows",
        "flops",
    ];
    names.extend(["tokens_per_s", "pairs_per_s", "peak_rss_bytes"]);
    if objective != "sft" {
        names.extend(["rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins"]);
        names.push("logps/rejected");
    }
    if objective == "sepo" {
        names.extend(["logps/chosen_selected", "logps/rejected_selected"]);
    }
    names
}

#[test]
fn a_learning_rate_of_zero_shows_the_loss_and_leaves_the_weights() {
    let world = World::new(6);
    let train = "train --model model --data pairs.jsonl --learning-rate 0 --max-steps 1 --batch-size 6";
    world.sepo(&format!("{train} --objective sft --out sft")).done();
    world.sepo(&format!("{train} --objective dpo --reference model --out dpo")).done();
    let eval = world.sepo("eval --model model --reference model --data pairs.jsonl --json").json();
    for (run, expected) in [("sft", eval["chosen_loss"].as_f64().unwrap()), ("dpo", LN_2)] {
        let weights = world.read(&format!("{run}/model.safetensors"));
        assert_eq!(weights, world.read("model/model.safetensors"), "{run}");
        let steps = json_lines(&world.read_text(&format!("{run}/metrics.jsonl")));
        assert_eq!(steps.len(), 1);
        assert_near(&steps[0]["loss"], expected, 1e-5);
    }
    assert_near(&eval["pairs"]["loss"], LN_2, 1e-6);
    assert_near(&eval["pairs"]["rewards/margins"], 0.0, 1e-5);
    assert_near(&eval["pairs"]["accuracies/logp_sum"], 0.5, 0.5);
    assert_eq!(eval["pairs"]["n"], 6);
}

/// What a rule makes of a score and its side.
type Weight = fn(f64, usize) -> f64;

#[test]
fn rules_that_weigh_give_every_token_its_due_and_say_so() {
    let world = scored_world(12);
    let scored = world.scores("scores.parquet");
    let rules: [(&str, Weight); 5] = [
        ("tis --mu 2", |s, side| ([2.0, -2.0][side] * s.clamp(-0.5, 1.5)).exp()),
        ("tgdpo --slope 3", |s, side| 1.0 + [3.0, -3.0][side] * s),
        ("t-reg", |s, _| 1.0 / (1.0 + (-s).exp()) - 0.5),
        ("t-reg --side-rule negate", |s, side| 1.0 / (1.0 + ([-s, s][side]).exp()) - 0.5),
        ("critical", |s, side| if side == 0 { 1.0 } else { 1.0 - 1.0 / (1.0 + (-s).exp()) }),
    ];
    for (rule, weight) in rules {
        let line = format!("select --scores scores.parquet --out weighed.parquet --json --rule {rule}");
        let report = world.sepo(&line).json();
        let mut sums = [0.0; 2];
        for (pair, weighed) in scored.iter().zip(world.selection("weighed.parquet")) {
            let sides = [(&pair.chosen, weighed.chosen_weights), (&pair.rejected, weighed.rejected_weights)];
            for (side, (response, weights)) in sides.into_iter().enumerate() {
                for (score, found) in response.scores.iter().zip(weights) {
                    let expected = weight(f64::from(*score), side);
                    assert!((f64::from(found) - expected).abs() <= 1e-6 * (1.0 + expected.abs()), "{rule}");
                    sums[side] += f64::from(found);
                }
            }
        }
        for (name, sum) in ["chosen", "rejected"].into_iter().zip(sums) {
            let side = &report[name];
            assert_near(&side["mean_weight"], sum / side["n_tokens"].as_f64().unwrap(), 1e-9);
        }
        let told = world.sepo(line.trim_end_matches(" --json").replace(" --json", "").as_str()).done().stderr;
        assert!(told.contains("mean weight"), "{told}");
    }
}

#[test]
fn a_share_of_the_whole_data_set_is_that_of_sorting_all_of_it() {
    let world = scored_world(24);
    let line = "select --scores scores.parquet --out all.parquet --scope data-set --keep-chosen 0.2 --json";
    let report = world.sepo(line).json();
    let scores = world.scores("scores.parquet");
    let mut all: Vec<f32> = scores.iter().flat_map(|pair| pair.chosen.scores.clone()).collect();
    all.sort_by(|a, b| b.total_cmp(a));
    let cut = &report["cuts"]["chosen"];
    let count = all.len() / 5;
    assert_eq!(
        (cut["n_candidates"].as_u64(), cut["n_selected"].as_u64()),
        (Some(all.len() as u64), Some(count as u64))
    );
    assert_near(&cut["score"], f64::from(all[count - 1]), 0.0);
    for pair in world.selection("all.parquet") {
        let scored = scores.iter().find(|scored| scored.row == pair.row).unwrap();
        for (weight, score) in pair.chosen_weights.iter().zip(&scored.chosen.scores) {
            assert_eq!(*weight == 1.0, *score >= all[count - 1]);
        }
    }
    let text = world.sepo(line.trim_end_matches(" --json")).done().stderr;
    assert!(text.contains("of all chosen candidates"), "{text}");
    for rule in ["all", "threshold --threshold 0.1"] {
        let refused = world.sepo(&format!("{line} --rule {rule}").replace("--keep-chosen 0.2 ", ""));
        refused.fails(USAGE, &["`--scope data-set`", "keeps no share of the tokens"]);
    }
    let train = "train --model model --data all.parquet --objective sepo --normalizer nominal --out policy";
    world.sepo(train).fails(USAGE, &["--normalizer nominal"]);
}
