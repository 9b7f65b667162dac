//! `score` that is stopped, politely or not, goes on with the same command and ends with the same bytes.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use support::{DATA, INTERRUPTED, USAGE, World, scored_world};

/// A run of a dozen shards and more.
fn score(out: &str) -> String {
    format!(
        "score --oracle oracle/oracle --reference oracle/reference --data many.jsonl --tokens-per-shard 1500 \
         --tokens-per-batch 500 --out {out}"
    )
}

/// A world with models, and more pairs, some of which are of no use.
fn world() -> World {
    let world = scored_world(8);
    world.write_pairs("many.jsonl", 160);
    let mut lines: Vec<String> = world.read_text("many.jsonl").lines().map(str::to_owned).collect();
    // A line that is no pair, one without a response, one whose sides differ in nothing but what is cut off.
    lines.insert(20, "{".to_owned());
    lines.insert(70, json!({"prompt": "p", "chosen": "", "rejected": "r"}).to_string());
    lines.insert(90, json!({"prompt": "a <", "chosen": "<|endoftext|>", "rejected": "r"}).to_string());
    world.write("many.jsonl", lines.join("\n"));
    world
}

fn spawn(world: &World, line: &str) -> Child {
    world.command(line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(status.success(), "kill -s {name}");
}

fn wait_for(path: &str) {
    let start = Instant::now();
    while !Path::new(path).exists() {
        assert!(start.elapsed() < Duration::from_secs(30), "`{path}` never came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[track_caller]
fn assert_same_end(world: &World, out: &str) {
    assert!(world.read(out) == world.read("whole.parquet"), "{out} is not that of the whole run");
    assert!(!Path::new(&world.path(&format!("{out}.parts"))).exists(), "the shards are gone");
}

#[test]
fn a_signal_stops_it_and_the_same_command_goes_on() {
    let world = world();
    let whole = world.sepo(&format!("{} --json", score("whole.parquet"))).json();
    assert_eq!(whole["resumed_pairs"], 0);
    for (name, part) in [("INT", "part-00002.parquet"), ("TERM", "part-00000.parquet")] {
        let out = format!("{name}.parquet");
        let child = spawn(&world, &score(&out));
        wait_for(&world.path(&format!("{out}.parts/{part}")));
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(INTERRUPTED), "{text}");
        assert!(text.contains("the same command goes on"), "{text}");
        assert!(!Path::new(&world.path(&out)).exists());
        let again = world.sepo(&format!("{} --json", score(&out))).json();
        assert!(again["resumed_pairs"].as_u64().unwrap() > 0, "nothing is done twice: {again}");
        assert_eq!([&again["scores"], &again["rows"]], [&whole["scores"], &whole["rows"]]);
        assert_same_end(&world, &out);
    }
}

#[test]
fn killing_it_at_any_moment_loses_nothing() {
    let world = world();
    world.sepo(&score("whole.parquet")).done();
    let mut n_killed = 0;
    let mut is_done = false;
    for attempt in 0..200_u64 {
        let mut child = spawn(&world, &score("killed.parquet"));
        // Uneven pauses that grow, so that every part of a shard is hit and the run ends at last.
        std::thread::sleep(Duration::from_micros(25_000 + attempt * 4_171));
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
    assert_same_end(&world, "killed.parquet");
}

/// Leaves shards of a run that was stopped.
fn stop(world: &World, out: &str) {
    let child = spawn(world, &score(out));
    wait_for(&world.path(&format!("{out}.parts/part-00003.parquet")));
    signal(&child, "KILL");
    child.wait_with_output().unwrap();
}

#[test]
fn a_damaged_shard_is_made_again() {
    let world = world();
    world.sepo(&score("whole.parquet")).done();
    stop(&world, "out.parquet");
    let mut bytes = world.read("out.parquet.parts/part-00001.parquet");
    bytes[30] ^= 4;
    world.write("out.parquet.parts/part-00001.parquet", bytes);
    let again = world.sepo(&score("out.parquet")).done();
    assert!(again.stderr.contains("1 damaged shards are made again"), "{}", again.stderr);
    assert_same_end(&world, "out.parquet");
}

#[test]
fn shards_of_other_settings_are_refused_until_restarted() {
    let world = world();
    world.sepo(&score("whole.parquet")).done();
    stop(&world, "out.parquet");
    let other = score("out.parquet").replace("--tokens-per-batch 500", "--tokens-per-batch 400");
    world
        .sepo(&other)
        .fails(USAGE, &["out.parquet.parts", "`tokens_per_batch` was 500, is 400", "--restart"]);
    let pairs = world.read_text("many.jsonl");
    world.write("many.jsonl", format!("{pairs}\n"));
    world.sepo(&score("out.parquet")).fails(USAGE, &["`inputs` was", "--restart"]);
    world.write("many.jsonl", pairs);
    world.sepo(&format!("{other} --restart")).done();
    stop(&world, "out.parquet");
    let fresh = world.sepo(&format!("{} --restart --json", score("out.parquet"))).json();
    assert_eq!(fresh["resumed_pairs"], 0);
    assert_same_end(&world, "out.parquet");

    std::fs::create_dir(world.path("broken.parquet.parts")).unwrap();
    world.write("broken.parquet.parts/manifest.json", "{");
    world.sepo(&score("broken.parquet")).fails(DATA, &["broken.parquet.parts/manifest.json", "--restart"]);
    world.sepo(&score("oracle")).fails(USAGE, &["`oracle` is a folder"]);
    world
        .sepo(&score("absent/out.parquet"))
        .fails(DATA, &["`absent/out.parquet` cannot be written: `absent` is no folder"]);
}

#[test]
fn the_number_of_threads_does_not_matter_to_the_shards() {
    let world = world();
    world.sepo(&score("whole.parquet")).done();
    stop(&world, "out.parquet");
    world.sepo(&format!("{} --threads 3", score("out.parquet"))).done();
    assert_same_end(&world, "out.parquet");
}
