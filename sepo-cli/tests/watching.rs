//! Runs that are watched: locks, checkpoints on demand and in time, guards that stop.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::{BUSY, GUARD, INTERRUPTED, USAGE, World, json_lines, scored_world};

/// A run of many steps of a few milliseconds each.
fn train(out: &str, n_steps: u32) -> String {
    format!(
        "train --model model --data pairs.jsonl --objective simpo --learning-rate 1e-3 --batch-size 2 \
         --max-steps {n_steps} --out {out}"
    )
}

fn spawn(world: &World, line: &str) -> Child {
    world.command(line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(status.success(), "kill -s {name}");
}

/// Waits until something is so.
#[track_caller]
fn wait_until(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "it never came to be");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn n_lines(world: &World, file: &str) -> usize {
    std::fs::read(world.path(file)).map_or(0, |text| text.iter().filter(|byte| **byte == b'\n').count())
}

fn exists(world: &World, file: &str) -> bool {
    Path::new(&world.path(file)).exists()
}

#[test]
fn a_second_run_in_the_same_folder_is_told_who_is_there() {
    let world = World::new(8);
    let line = train("out", 4000);
    let child = spawn(&world, &line);
    wait_until(|| n_lines(&world, "out/metrics.jsonl") > 2);
    let pid = format!("process {} on", child.id());
    for other in [line.as_str(), "sft --model model --data pairs.jsonl --out out"] {
        world.sepo(other).fails(BUSY, &["`out` is in use by", &pid, "since"]);
    }
    // A dead process holds nothing, and nobody has to clean up.
    signal(&child, "KILL");
    child.wait_with_output().unwrap();
    assert!(exists(&world, "out/.lock"));
    world.sepo(&train("out", 4)).done();
    assert!(!exists(&world, "out/.lock"));
    assert!(!exists(&world, "out/checkpoints/.lock"));
}

#[test]
fn scores_and_recipes_are_locked_too() {
    let world = scored_world(8);
    world.write_pairs("many.jsonl", 2000);
    let score =
        "score --oracle oracle/oracle --reference oracle/reference --data many.jsonl --out many.parquet";
    let child = spawn(&world, score);
    wait_until(|| exists(&world, ".many.parquet.lock"));
    world.sepo(score).fails(BUSY, &["`many.parquet` is in use by", &format!("process {} on", child.id())]);
    signal(&child, "KILL");
    child.wait_with_output().unwrap();
    let recipe = "[run]\nout = \"runs\"\n[data]\ninputs = [\"many.jsonl\"]\n[models]\nbase = \"model\"\npolicy = \"model\"\n";
    world.write("recipe.toml", recipe);
    let child = spawn(&world, "run recipe.toml");
    wait_until(|| exists(&world, "runs/oracle/reference"));
    let pid = format!("process {} on", child.id());
    world.sepo("run recipe.toml").fails(BUSY, &["`runs` is in use by", &pid]);
    world
        .sepo("oracle --model model --data pairs.jsonl --out runs/oracle")
        .fails(BUSY, &["runs/oracle", &pid]);
    signal(&child, "KILL");
    child.wait_with_output().unwrap();
}

#[test]
fn a_signal_saves_a_checkpoint_and_the_run_goes_on() {
    let world = World::new(8);
    let line = train("out", 3000);
    let child = spawn(&world, &line);
    wait_until(|| n_lines(&world, "out/metrics.jsonl") > 2);
    signal(&child, "USR1");
    let n_checkpoints = || {
        let entries = std::fs::read_dir(world.path("out/checkpoints")).into_iter().flatten();
        let is_whole = |name: String| name.starts_with("step-");
        entries.filter(|entry| is_whole(entry.as_ref().unwrap().file_name().into_string().unwrap())).count()
    };
    wait_until(|| n_checkpoints() == 1);
    let steps = n_lines(&world, "out/metrics.jsonl");
    wait_until(|| n_lines(&world, "out/metrics.jsonl") > steps + 5);
    signal(&child, "KILL");
    let output = child.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("saves a checkpoint"));
    world.sepo(&format!("{line} --save-by 1ms")).fails(INTERRUPTED, &["goes on after step", "deadline"]);
}

#[test]
fn a_signal_while_a_run_is_loading_ends_nothing() {
    let world = World::new(8);
    let child = spawn(&world, &train("out", 3));
    std::thread::sleep(Duration::from_millis(30));
    signal(&child, "USR1");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
}

#[test]
fn before_a_deadline_a_run_saves_and_stops_and_the_same_command_goes_on() {
    let world = World::new(8);
    let line = train("out", 60_000);
    let start = Instant::now();
    let ran = world.sepo(&format!("{line} --save-by 1500ms"));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    ran.fails(INTERRUPTED, &["deadline", "the same command goes on"]);
    let made = n_lines(&world, "out/metrics.jsonl");
    assert!(made > 0);
    let again = world.sepo(&format!("{line} --save-by 1ms"));
    again.fails(INTERRUPTED, &[&format!("goes on after step {made}")]);
    assert_eq!(n_lines(&world, "out/metrics.jsonl"), made);
    world.sepo(&format!("{line} --save-by soon")).fails(USAGE, &["--save-by"]);
}

#[test]
fn a_recipe_stops_before_its_deadline_in_whatever_stage() {
    let world = World::new(60);
    let recipe = "[run]\nout = \"out\"\n[data]\ninputs = [\"pairs.jsonl\"]\n[models]\nbase = \"model\"\npolicy = \"model\"\n\
                  [oracle]\nbatch_size = 1\nepochs = 100.0\n[train]\nbatch_size = 1\nepochs = 200.0\n";
    world.write("recipe.toml", recipe);
    for budget in ["1ms", "300ms", "900ms"] {
        let start = Instant::now();
        let ran = world.sepo(&format!("run recipe.toml --save-by {budget}"));
        assert_eq!(ran.code, Some(INTERRUPTED), "{}", ran.stderr);
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn a_guard_stops_a_run_with_a_code_of_its_own_until_it_is_left_out() {
    let world = World::new(64);
    let line = "train --model model --data pairs.jsonl --objective simpo --learning-rate 0.3 --batch-size 32 \
                --scheduler constant --epochs 30 --loss-watchdog 0.01 --out out";
    let stopping = format!("{line} --stop-on displacement,loss-rise");
    let ran = world.sepo(&stopping);
    ran.fails(
        GUARD,
        &["a learning rate of 0.3 is outside", "stopped by `", "a checkpoint is in `out`", "--stop-on"],
    );
    assert!(!exists(&world, "out/model.safetensors"));
    let made = n_lines(&world, "out/metrics.jsonl");
    assert!((20..60).contains(&made));
    world.sepo(&stopping).fails(GUARD, &["stopped by"]);
    assert_eq!(n_lines(&world, "out/metrics.jsonl"), made, "nothing was trained");
    let outcome = world.sepo(&format!("{line} --json")).json();
    assert_eq!((&outcome["status"], &outcome["resumed_from"]), (&"done".into(), &made.into()));
    world.sepo(&format!("{line} --stop-on loss")).fails(USAGE, &["loss-rise", "displacement", "length-bias"]);
}

#[test]
fn the_best_checkpoint_is_kept_and_named() {
    let world = World::new(8);
    world.write_pairs("eval.jsonl", 6);
    let line = format!("{} --eval-data eval.jsonl", train("out", 12).replace("1e-3", "3e-2"));
    let outcome =
        world.sepo(&format!("{line} --eval-every 1 --keep-best loss --keep-checkpoints 1 --json")).json();
    let best = outcome["best"]["step"].as_u64().unwrap();
    let lines = json_lines(&world.read_text("out/metrics.jsonl"));
    let losses: Vec<f64> = lines.iter().filter_map(|line| line["eval_loss"].as_f64()).collect();
    let smallest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(outcome["best"]["value"], smallest);
    assert!(exists(&world, &format!("out/checkpoints/step-{best:08}/model.safetensors")));
    world.sepo(&format!("{line} --keep-best loss")).fails(USAGE, &["--eval-every"]);
    let none = train("none", 2);
    world.sepo(&format!("{none} --eval-every 1 --keep-best loss")).fails(USAGE, &["--eval-data"]);
}

#[test]
fn a_model_of_another_configuration_is_not_written_over() {
    let world = World::new(8);
    world.write_model("other", 512);
    let before = world.read("other/model.safetensors");
    for line in [train("other", 2), "sft --model model --data pairs.jsonl --out other".to_owned()] {
        world.sepo(&line).fails(USAGE, &["`other` holds a model of another configuration", "--out"]);
    }
    assert_eq!(world.read("other/model.safetensors"), before);
}

#[test]
fn settings_of_which_it_is_known_where_they_lead_are_warned_of() {
    let world = World::new(8);
    let ran = world.sepo(&format!("{} --beta 0.1", train("out", 1))).done();
    for part in [
        "warning: a beta of 0.1 is outside of 2.0 to 10.0",
        "arXiv 2405.14734",
        "ratio of gamma to beta of 5.0",
    ] {
        assert!(ran.stderr.contains(part), "no `{part}` in: {}", ran.stderr);
    }
    let usual = world.sepo(&train("usual", 1)).done();
    assert!(!usual.stderr.contains("warning"), "{}", usual.stderr);
}

#[test]
fn samples_that_repeat_themselves_are_counted() {
    let world = World::new(8);
    world.write("prompts.txt", "Hello\nWhy?\n");
    let line =
        "generate --model model --prompts prompts.txt --out responses.jsonl --max-new-tokens 200 --json";
    let summary = world.sepo(&format!("{line} --temperature 0")).json();
    let share = summary["repetition"].as_f64().unwrap();
    let ran = world.sepo(&format!("{line} --temperature 0")).done();
    // A random model that always takes the likeliest token goes in circles.
    assert!(share > 0.25 && ran.stderr.contains("the model repeats itself"), "{share} {}", ran.stderr);
}
