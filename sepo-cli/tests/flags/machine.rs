//! Flags that say where a command runs and how it tells, on every command that has them.

use super::support::{USAGE, World, scored_world};
use super::tree::{commands, flags_of};

/// Each command as it works, in the folder that [`world`] makes.
const WORKING: &[&str] = &[
    "data check pairs.jsonl",
    "data show pairs.jsonl --row 0 --tokenizer model",
    "data convert pairs.jsonl --out converted.jsonl",
    "data split pairs.jsonl --eval-fraction 0.5 --out-train train.jsonl --out-eval eval.jsonl",
    "data generate --pairs 2 --out generated.jsonl",
    "sft --model model --data pairs.jsonl --out sft",
    "oracle --model model --data pairs.jsonl --out other --batch-size 2",
    "score --oracle oracle/oracle --reference oracle/reference --data pairs.jsonl --out other.parquet",
    "select --scores scores.parquet --out chosen.parquet",
    "weights import weights.jsonl --data pairs.jsonl --tokenizer model --out imported.parquet",
    "weights export selection.parquet --out exported.jsonl",
    "weights project selection.parquet --data pairs.jsonl --tokenizer fine --how mean --out projected.parquet",
    "classify train --model model --data labels.parquet --out head",
    "classify score --classifier trained --model model --data pairs.jsonl --out judged.parquet",
    "train --model model --data pairs.jsonl --objective simpo --out train",
    "eval --model model --data pairs.jsonl",
    "generate --model model --prompts pairs.jsonl --max-new-tokens 2 --out responses.jsonl",
    "explain --scores scores.parquet --row 0",
    "report oracle",
    "objectives tdpo2",
    "lineage selection.parquet",
    "reproduce scores.parquet",
    "run recipe.toml",
    "bench methods --seeds 1 --pairs 24 --prompts 3 --base-texts 60 --only simpo --learning-rates 1e-3",
    "doctor",
];

fn world() -> World {
    let world = scored_world(4);
    world.sepo("select --scores scores.parquet --out selection.parquet").done();
    world.sepo("weights export selection.parquet --out weights.jsonl").done();
    world.write_model_of("fine", 1024, 300);
    world.sepo("select --scores scores.parquet --rule min-max --out labels.parquet").done();
    world.sepo("classify train --model model --data labels.parquet --out trained").done();
    let recipe = r#"
        run = { out = "run" }
        data = { inputs = ["pairs.jsonl"] }
        models = { base = "model", policy = "model" }
        oracle = { fraction = 0.5, batch_size = 4 }
        train = { max_steps = 1 }
    "#;
    world.write("recipe.toml", recipe);
    world
}

#[test]
fn every_command_answers_in_json_and_refuses_devices_threads_and_memory_that_are_not_there() {
    let world = world();
    for name in commands().iter().filter(|name| *name != "quickstart") {
        let line = WORKING.iter().find(|line| line.starts_with(name.as_str()));
        let line = line.unwrap_or_else(|| panic!("`{name}` has no line that works"));
        let flags = flags_of(name);
        let refused = [
            ("--device", "--device tpu", "`tpu` is no device"),
            ("--threads", "--threads 1025", "`--threads 1025`"),
            ("--memory-limit", "--memory-limit 1KiB", "1KiB"),
        ];
        for (flag, typed, names) in refused {
            if flags.contains(flag) {
                world.sepo(&format!("{line} {typed}")).fails(USAGE, &[names]);
            }
        }
        if flags.contains("--threads") {
            let ran = world.sepo(&format!("{line} --threads 2 --device cpu")).done();
            assert!(ran.stderr.contains("device: cpu (as asked), 2 threads"), "{name}: {}", ran.stderr);
        }
        if flags.contains("--json") {
            world.sepo(&format!("{line} --json")).json();
        }
    }
}
