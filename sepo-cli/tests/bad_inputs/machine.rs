//! Devices, memory, and other processes.

use std::path::Path;

use super::case::{Case, as_it_is, assert_said, check};
use super::said::said;
use super::support::{BUSY, DEVICE, USAGE};
use super::world::fresh;

const CASES: &[Case] = &[
    Case {
        what: "a device that is none",
        before: as_it_is,
        typed: "score --oracle oracle/oracle --reference model --data pairs.jsonl --out new.parquet --device tpu",
        exit: USAGE,
    },
    Case {
        what: "no threads",
        before: as_it_is,
        typed: "eval --model model --data pairs.jsonl --threads 0",
        exit: USAGE,
    },
    Case {
        what: "more threads than can be",
        before: as_it_is,
        typed: "eval --model model --data pairs.jsonl --threads 99999999",
        exit: USAGE,
    },
    Case {
        what: "a memory limit without a unit",
        before: as_it_is,
        typed: "eval --model model --data pairs.jsonl --memory-limit lots",
        exit: USAGE,
    },
    Case {
        what: "a memory limit below what is needed",
        before: as_it_is,
        typed: "train --model model --data pairs.jsonl --objective simpo --out out --memory-limit 1MiB",
        exit: USAGE,
    },
];

const NO_GPU: &[Case] = &[
    Case {
        what: "a device that is not there",
        before: as_it_is,
        typed: "eval --model model --data pairs.jsonl --device cuda",
        exit: DEVICE,
    },
    Case {
        what: "a numbered device that is not there",
        before: as_it_is,
        typed: "train --model model --data pairs.jsonl --objective simpo --out out --device cuda:7",
        exit: DEVICE,
    },
];

#[test]
fn machines_that_do_not_offer_it_are_named() {
    check("machine", CASES);
}

#[test]
fn a_gpu_that_is_not_there_is_named_with_what_is_missing() {
    match sepo_kernels::cuda::probe_driver() {
        Ok(()) => println!("skipped: there is an NVIDIA driver"),
        Err(_) => check("no_gpu", NO_GPU),
    }
}

#[test]
fn a_folder_that_another_process_writes_to_is_left_alone() {
    let world = fresh();
    let locks = [
        sepo_data::Lock::folder(Path::new(&world.path("run"))).unwrap(),
        sepo_data::Lock::file(Path::new(&world.path("new.parquet"))).unwrap(),
    ];
    let mut page = String::new();
    for typed in [
        "train --model model --data pairs.jsonl --objective simpo --out run",
        "score --oracle oracle/oracle --reference oracle/reference --data pairs.jsonl --out new.parquet",
        "select --scores scores.parquet --out new.parquet",
    ] {
        let ran = said(&world, typed);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(BUSY), ""), "{}", ran.stderr);
        page += &format!("$ sepo-cli {typed}\n{}exit code {BUSY}\n\n", without_holder(&ran.stderr));
    }
    drop(locks);
    assert_said("machine_busy", &page);
}

/// Without the number, the machine and the time of the process that holds a lock.
fn without_holder(said: &str) -> String {
    let lines = said.lines().map(|line| match line.split_once(" by process ") {
        Some((before, _)) => format!("{before} by process …\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}
