//! The folder of a run: checkpoints, metrics, and what goes with them.

use super::case::{Case, as_it_is, check};
use super::support::{DATA, USAGE};
use super::world::{halve, replace};

/// The command that made `run`.
const RUN: &str = "train --model model --data pairs.jsonl --objective simpo --batch-size 2 --out run --max-steps 4 --save-every 2";

const CASES: &[Case] = &[
    Case {
        what: "a run of another seed",
        before: as_it_is,
        typed: "train --model model --data pairs.jsonl --objective simpo --batch-size 2 --out run --max-steps 4 --seed 1",
        exit: USAGE,
    },
    Case {
        what: "a run of other pairs and another objective",
        before: |world| world.write_pairs("fewer.jsonl", 4),
        typed: "train --model model --data fewer.jsonl --objective simpo --beta 3 --batch-size 2 --out run --max-steps 4",
        exit: USAGE,
    },
    Case {
        what: "a run of other pairs, accepted",
        before: |world| world.write_pairs("fewer.jsonl", 4),
        typed: "train --model model --data fewer.jsonl --objective simpo --batch-size 2 --out run --max-steps 4 --save-every 2 --accept-changed",
        exit: USAGE,
    },
    Case {
        what: "a newest checkpoint whose weights are cut off",
        before: |world| halve(world, "run/checkpoints/step-00000004/model.safetensors"),
        typed: RUN,
        exit: 0,
    },
    Case {
        what: "a newest checkpoint whose state is no JSON",
        before: |world| halve(world, "run/checkpoints/step-00000004/state.json"),
        typed: RUN,
        exit: 0,
    },
    Case {
        what: "a newest checkpoint whose state was changed",
        before: |world| {
            replace(
                world,
                "run/checkpoints/step-00000004/state.json",
                "\"adam_step\": 4",
                "\"adam_step\": 3",
            );
        },
        typed: RUN,
        exit: 0,
    },
    Case {
        what: "a newest checkpoint without moments",
        before: |world| {
            std::fs::remove_file(world.path("run/checkpoints/step-00000004/optimizer.safetensors")).unwrap();
        },
        typed: RUN,
        exit: 0,
    },
    Case {
        what: "a newest checkpoint of a later program",
        before: |world| {
            drop(world.write("run/checkpoints/step-00000004/state.json", "{\"format\": 99}"));
        },
        typed: RUN,
        exit: 0,
    },
    Case {
        what: "no checkpoint that is whole",
        before: |world| {
            for step in [2, 4] {
                halve(world, &format!("run/checkpoints/step-0000000{step}/model.safetensors"));
            }
        },
        typed: RUN,
        exit: 0,
    },
    Case {
        what: "a file for the folder of a run",
        before: |world| drop(world.write("out", "")),
        typed: "train --model model --data pairs.jsonl --objective simpo --out out",
        exit: DATA,
    },
    Case {
        what: "a file for the folder of checkpoints",
        before: |world| {
            std::fs::create_dir(world.path("out")).unwrap();
            drop(world.write("out/checkpoints", ""));
        },
        typed: "train --model model --data pairs.jsonl --objective simpo --out out",
        exit: DATA,
    },
    Case {
        what: "a checkpoint that is cut off, for a model",
        before: |world| halve(world, "run/checkpoints/step-00000004/model.safetensors"),
        typed: "eval --model run/checkpoints/step-00000004 --data pairs.jsonl",
        exit: USAGE,
    },
    Case { what: "a report of what is no run", before: as_it_is, typed: "report model", exit: DATA },
    Case { what: "a report of what is not there", before: as_it_is, typed: "report absent", exit: DATA },
    Case {
        what: "metrics with a line that is no JSON",
        before: |world| replace(world, "run/metrics.jsonl", "{", "["),
        typed: "report run",
        exit: DATA,
    },
];

#[test]
fn runs_that_cannot_go_on_say_so_and_damaged_checkpoints_are_passed_over() {
    check("checkpoint", CASES);
}
