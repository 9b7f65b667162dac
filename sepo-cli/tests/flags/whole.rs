//! Flags of commands that run the whole pipeline.

use super::effect::{Effect::Changes, Effect::Same, assert_all_tried, compare};
use super::support::{self, World};
use super::world::printed;

const RECIPE: &str = r#"
run = { out = "out" }
data = { inputs = ["pairs.jsonl"] }
models = { base = "model", policy = "model" }
oracle = { fraction = 0.5, batch_size = 4 }
train = { max_steps = 1, batch_size = 4 }
"#;

pub(super) fn flags_of_run_change_what_is_run_or_are_known_not_to() {
    let world = World::new(6);
    world.write("recipe.toml", RECIPE);
    let made = |line: &str| {
        let _ = std::fs::remove_dir_all(world.path("out"));
        let code = world.sepo(line).code;
        let model = std::fs::read(world.path("out/train/model.safetensors")).unwrap_or_default();
        [format!("{code:?}").into_bytes(), model].concat()
    };
    let rows = [
        ("--set train.learning_rate=1e-3", Changes),
        ("--dry-run", Changes),
        // What these do is in `watching.rs` and `memory.rs`.
        ("--save-by 1h", Same),
        ("--memory-limit 1GiB", Same),
        // Nothing has changed here: see `provenance.rs`.
        ("--accept-changed", Same),
    ];
    assert_all_tried("run", compare("run recipe.toml", &rows, made));
}

/// What the pipeline makes takes minutes; what its flags do is seen in its first file, by a run that is then ended.
pub(super) fn flags_of_quickstart_change_the_data() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    let world = World::empty();
    let made = |line: &str| {
        for dir in ["out", "sepo-quickstart"] {
            let _ = std::fs::remove_dir_all(world.path(dir));
        }
        let mut child = world.command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        let files = ["out", "sepo-quickstart"].map(|dir| world.path(&format!("{dir}/data/held_out.jsonl")));
        let found = loop {
            assert!(started.elapsed() < Duration::from_secs(120), "no data is written");
            // Files appear when they are whole.
            if let Some(file) = files.iter().find(|file| std::path::Path::new(file).exists()) {
                break [file.as_bytes(), &std::fs::read(file).unwrap()].concat();
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        child.kill().unwrap();
        child.wait().unwrap();
        found
    };
    let rows = [("--seed 1", Changes), ("--out out", Changes)];
    assert_all_tried("quickstart", compare("quickstart", &rows, made));
}

pub(super) fn doctor_has_no_flags_but_those_of_the_machine() {
    let world = World::empty();
    let tried = compare("doctor", &[("--json", Changes)], printed(&world, "none"));
    assert_all_tried("doctor", tried);
}

pub(super) fn flags_of_bench_change_what_is_compared_and_it_goes_on() {
    let world = World::new(2);
    let printed = |line: &str| world.sepo(line).done().stdout.into_bytes();
    let made = |line: &str| {
        let _ = std::fs::remove_dir_all(world.path("out"));
        printed(line)
    };
    let base = "bench methods --json --seeds 1 --pairs 24 --prompts 3 --base-texts 60 --only simpo \
        --learning-rates 1e-3 --out out";
    let rows = [
        ("--seeds 2", Changes),
        ("--first-seed 5", Changes),
        ("--only tdpo2", Changes),
        ("--only confpo", Changes),
        ("--only t-reg", Changes),
        ("--only mask-dpo", Changes),
        ("--pairs 30", Changes),
        ("--prompts 4", Changes),
        ("--base-texts 80", Changes),
        ("--learning-rates 1e-4", Changes),
        ("--out other", Same),
    ];
    assert_all_tried("bench methods", compare(base, &rows, made));
    // What is there is read back; what is asked for in addition is added.
    let first = made(base);
    let seed = world.read("out/seed-0/methods/simpo.json");
    let chart = String::from_utf8(world.read("out/utility.svg")).unwrap();
    assert!(
        chart.starts_with("<svg xmlns=") && chart.contains("simpo") && chart.contains("<rect"),
        "{chart}"
    );
    assert_eq!(printed(base), first);
    assert_ne!(printed(&format!("{base} --only dpo")), first);
    assert_eq!(world.read("out/seed-0/methods/simpo.json"), seed);
    world.sepo("bench methods --only best").fails(support::USAGE, &["`best`", "salience"]);
}
