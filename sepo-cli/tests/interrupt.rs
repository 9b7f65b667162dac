//! A run that is stopped, politely or not, goes on with the same command and ends as one that was not.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{INTERRUPTED, World, json_lines, scored_world};

const N_STEPS: usize = 60;

/// A run of 60 steps, each of a few milliseconds, that saves each.
fn train(out: &str) -> String {
    format!(
        "train --model model --data pairs.jsonl --objective simpo --learning-rate 1e-3 --batch-size 2 \
         --max-steps {N_STEPS} --save-every 1 --out {out}"
    )
}

fn spawn(world: &World, line: &str) -> Child {
    world.command(line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(status.success(), "kill -s {name}");
}

/// Waits until `file` in the world has `n` lines.
fn wait_for_lines(world: &World, file: &str, n: usize) {
    let start = Instant::now();
    let lines =
        || std::fs::read(world.path(file)).map_or(0, |text| text.iter().filter(|b| **b == b'\n').count());
    while lines() < n {
        assert!(start.elapsed() < Duration::from_secs(30), "`{file}` never had {n} lines");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Metrics without what depends on the clock or the process.
fn metrics(world: &World, out: &str) -> Vec<Value> {
    let mut lines = json_lines(&world.read_text(&format!("{out}/metrics.jsonl")));
    for line in &mut lines {
        for name in ["tokens_per_s", "pairs_per_s", "peak_rss_bytes"] {
            line.as_object_mut().unwrap().remove(name);
        }
    }
    lines
}

#[track_caller]
fn assert_same_end(world: &World, out: &str) {
    for file in ["model.safetensors", "config.json", "tokenizer.json"] {
        let [found, expected] = [out, "whole"].map(|out| world.read(&format!("{out}/{file}")));
        assert!(found == expected, "{out}/{file} is not that of the whole run");
    }
    assert_eq!(metrics(world, out), metrics(world, "whole"), "{out}");
    assert_eq!(metrics(world, out).len(), N_STEPS);
}

#[test]
fn a_signal_saves_and_the_same_command_goes_on() {
    let world = World::new(8);
    world.sepo(&train("whole")).done();
    for (name, at) in [("INT", 5), ("TERM", 20)] {
        let child = spawn(&world, &train(name));
        wait_for_lines(&world, &format!("{name}/metrics.jsonl"), at);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(INTERRUPTED), "{text}");
        assert!(text.contains("the same command goes on"), "{text}");
        let made = metrics(&world, name).len();
        assert!((at..N_STEPS).contains(&made), "stopped after {made} steps");
        assert!(!std::path::Path::new(&world.path(&format!("{name}/model.safetensors"))).exists());
        let outcome = world.sepo(&format!("{} --json", train(name))).json();
        assert_eq!(outcome["resumed_from"], made, "nothing is done twice");
        assert_same_end(&world, name);
    }
}

#[test]
fn a_signal_saves_without_any_checkpoint_asked_for() {
    let world = World::new(8);
    world.sepo(&train("whole")).done();
    let line = train("rare").replace("--save-every 1 ", "");
    let child = spawn(&world, &line);
    wait_for_lines(&world, "rare/metrics.jsonl", 3);
    signal(&child, "TERM");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(INTERRUPTED));
    let made = metrics(&world, "rare").len();
    assert_eq!(world.sepo(&format!("{line} --json")).json()["resumed_from"], made);
    assert_same_end(&world, "rare");
}

#[test]
fn a_second_signal_ends_the_run_at_once() {
    let world = World::new(300);
    // One step takes all pairs, so that the second signal comes within it.
    let line =
        "train --model model --data pairs.jsonl --objective simpo --batch-size 300 --epochs 4 --out out";
    let child = spawn(&world, line);
    wait_for_lines(&world, "out/metrics.jsonl", 1);
    signal(&child, "INT");
    std::thread::sleep(Duration::from_millis(30));
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(metrics(&world, "out").len(), 1);
}

#[test]
fn a_reader_that_leaves_stops_nothing() {
    let world = World::new(8);
    let mut child = spawn(&world, &train("whole"));
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(metrics(&world, "whole").len(), N_STEPS);
    let mut check = world
        .command("data check pairs.jsonl --json")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(check.stdout.take());
    assert_eq!(check.wait().unwrap().code(), Some(0));
}

#[test]
fn killing_at_any_moment_loses_nothing() {
    let world = World::new(8);
    world.sepo(&train("whole")).done();
    let mut n_killed = 0;
    let mut is_done = false;
    for attempt in 0..200_u64 {
        let mut child = spawn(&world, &train("killed"));
        // Uneven pauses that grow, so that every part of a step is hit and the run ends at last.
        std::thread::sleep(Duration::from_micros(30_000 + attempt * 9_173));
        if child.try_wait().unwrap().is_none() {
            signal(&child, "KILL");
        }
        let output = child.wait_with_output().unwrap();
        is_done = output.status.success();
        if is_done {
            break;
        }
        assert_eq!(output.status.code(), None, "{}", String::from_utf8_lossy(&output.stderr));
        n_killed += 1;
    }
    assert!(is_done, "the run never came to its end");
    assert!(n_killed > 1, "the run ended before it could be killed");
    assert_same_end(&world, "killed");
}

#[test]
fn an_oracle_that_is_stopped_goes_on_in_either_stage() {
    let world = World::new(8);
    let oracle = |out: &str| {
        format!(
            "oracle --model model --data pairs.jsonl --oracle-fraction 0.75 --learning-rate 1e-3 --batch-size 1 \
             --epochs 40 --reference-epochs 40 --reference-learning-rate 1e-3 --out {out}"
        )
    };
    world.sepo(&oracle("whole")).done();
    for stage in ["reference", "oracle"] {
        let child = spawn(&world, &oracle("stopped"));
        wait_for_lines(&world, &format!("stopped/{stage}/metrics.jsonl"), 3);
        signal(&child, "INT");
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(INTERRUPTED), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!std::path::Path::new(&world.path(&format!("stopped/{stage}/model.safetensors"))).exists());
    }
    world.sepo(&oracle("stopped")).done();
    for stage in ["reference", "oracle"] {
        let [found, expected] =
            ["stopped", "whole"].map(|out| world.read(&format!("{out}/{stage}/model.safetensors")));
        assert!(found == expected, "the {stage} is not that of the whole run");
    }
}

#[test]
fn a_killed_score_leaves_no_half_file() {
    let world = scored_world(8);
    let line =
        "score --oracle oracle/oracle --reference oracle/reference --data pairs.jsonl --out killed.parquet";
    for pause_ms in [1, 5, 10, 20, 40, 80] {
        let mut child = spawn(&world, line);
        std::thread::sleep(Duration::from_millis(pause_ms));
        child.kill().unwrap();
        child.wait().unwrap();
        let path = world.path("killed.parquet");
        if std::path::Path::new(&path).exists() {
            sepo_data::ScoresReader::open(&path).unwrap().for_each(|pair| drop(pair.unwrap()));
        }
    }
    world.sepo(line).done();
    let [found, expected] = ["killed.parquet", "scores.parquet"].map(|name| world.read(name));
    assert!(found == expected);
}
