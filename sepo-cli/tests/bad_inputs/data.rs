//! Files of pairs, and of prompts.

use super::case::{Case, as_it_is, check};
use super::support::{DATA, USAGE, World};
use super::table::{texts, write_arrow, write_parquet};
use super::world::halve;

const GOOD: &str = r#"{"prompt": "Why?", "chosen": "So.", "rejected": "No."}"#;

/// `good`, then the row, then `good`.
fn second_row(world: &World, row: &str) {
    world.write("bad.jsonl", format!("{GOOD}\n{row}\n{GOOD}\n"));
}

fn pairs_batch() -> arrow::array::RecordBatch {
    let column = |text| vec![Some(text); 50];
    let columns = [("prompt", column("Why?")), ("chosen", column("So.")), ("rejected", column("No."))];
    texts(&columns.each_ref().map(|(name, values)| (*name, values.as_slice())))
}

const STRICT: &str = "sft --model model --data bad.jsonl --out out --strict";
const PLAIN: &str = "sft --model model --data bad.jsonl --out out";

/// Files that cannot be read, whatever their rows hold.
const FILES: &[Case] = &[
    Case { what: "a file that is not there", before: as_it_is, typed: PLAIN, exit: DATA },
    Case {
        what: "a glob that fits nothing",
        before: as_it_is,
        typed: "sft --model model --data bad-*.jsonl --out out",
        exit: DATA,
    },
    Case {
        what: "a glob that is none",
        before: as_it_is,
        typed: "score --oracle oracle/oracle --reference model --data bad[.jsonl --out new.parquet",
        exit: DATA,
    },
    Case {
        what: "a file of another kind",
        before: |world| drop(world.write("bad.txt", GOOD)),
        typed: "data check bad.txt",
        exit: DATA,
    },
    Case {
        what: "a file without a row",
        before: |world| drop(world.write("bad.jsonl", "")),
        typed: PLAIN,
        exit: DATA,
    },
    Case {
        what: "a file of which no row is JSON",
        before: |world| drop(world.write("bad.jsonl", "prompt,chosen,rejected\nWhy?,So.,No.\n")),
        typed: PLAIN,
        exit: DATA,
    },
    Case {
        what: "a JSON array that is cut off",
        before: |world| drop(world.write("bad.json", format!("[{GOOD},\n{GOOD},\n{{\"prompt\": \"Wh"))),
        typed: "sft --model model --data bad.json --out out",
        exit: DATA,
    },
    Case {
        what: "a JSON array with something behind it",
        before: |world| drop(world.write("bad.json", format!("[{GOOD}]\n  {GOOD}\n"))),
        typed: "data convert bad.json --out new.jsonl",
        exit: DATA,
    },
    Case {
        what: "columns that fit no format",
        before: |world| {
            drop(world.write("bad.jsonl", r#"{"question": "Why?", "good": "So.", "bad": "No."}"#))
        },
        typed: PLAIN,
        exit: DATA,
    },
    Case {
        what: "strings without a prompt",
        before: |world| drop(world.write("bad.jsonl", r#"{"chosen": "Why? So.", "rejected": "Why? No."}"#)),
        typed: PLAIN,
        exit: DATA,
    },
    Case {
        what: "plain text where pairs are needed",
        before: |world| drop(world.write("bad.jsonl", r#"{"text": "Once upon a time."}"#)),
        typed: PLAIN,
        exit: DATA,
    },
    Case {
        what: "two files of two formats",
        before: |world| {
            let ids = r#"{"prompt_ids": [5], "chosen_ids": [6], "rejected_ids": [7]}"#;
            drop(world.write("bad.jsonl", ids));
        },
        typed: "sft --model model --data pairs.jsonl bad.jsonl --out out",
        exit: DATA,
    },
    Case {
        what: "a format that the file does not have",
        before: as_it_is,
        typed: "sft --model model --data pairs.jsonl --format sharegpt --out out",
        exit: DATA,
    },
    Case {
        what: "a column that is not there",
        before: as_it_is,
        typed: "sft --model model --data pairs.jsonl --chosen-column better --out out",
        exit: DATA,
    },
    Case {
        what: "a Parquet file that is cut off",
        before: |world| {
            write_parquet(world, "bad.parquet", &pairs_batch());
            halve(world, "bad.parquet");
        },
        typed: "sft --model model --data bad.parquet --out out",
        exit: DATA,
    },
    Case {
        what: "JSON lines by a Parquet file's name",
        before: |world| drop(world.write("bad.parquet", GOOD)),
        typed: "data convert bad.parquet --out new.jsonl",
        exit: DATA,
    },
    Case {
        what: "a Parquet file with a damaged page",
        before: |world| {
            write_parquet(world, "bad.parquet", &pairs_batch());
            let mut bytes = world.read("bad.parquet");
            bytes[4..40].fill(0xff);
            world.write("bad.parquet", bytes);
        },
        typed: "sft --model model --data bad.parquet --out out",
        exit: DATA,
    },
    Case {
        what: "an Arrow file that is cut off",
        before: |world| {
            write_arrow(world, "bad.arrow", &pairs_batch());
            halve(world, "bad.arrow");
        },
        typed: "sft --model model --data bad.arrow --out out",
        exit: DATA,
    },
    Case {
        what: "JSON lines by an Arrow file's name",
        before: |world| drop(world.write("bad.arrow", GOOD)),
        typed: "data check bad.arrow",
        exit: DATA,
    },
    Case {
        what: "a gzip file that is none",
        before: |world| drop(world.write("bad.jsonl.gz", GOOD)),
        typed: "sft --model model --data bad.jsonl.gz --out out",
        exit: DATA,
    },
    Case {
        what: "a folder without data",
        before: |world| std::fs::create_dir(world.path("bad")).unwrap(),
        typed: "sft --model model --data bad --out out",
        exit: DATA,
    },
    Case {
        what: "a folder without that split",
        before: splits,
        typed: "sft --model model --data bad --split train --out out",
        exit: DATA,
    },
    Case {
        what: "a folder with several splits",
        before: splits,
        typed: "sft --model model --data bad --out out",
        exit: DATA,
    },
];

fn splits(world: &World) {
    std::fs::create_dir(world.path("bad")).unwrap();
    world.write("bad/test.jsonl", GOOD);
    world.write("bad/validation.jsonl", GOOD);
}

/// Rows that cannot be used, among others.
const ROWS: &[Case] = &[
    Case {
        what: "a line that is no JSON",
        before: |world| second_row(world, r#"{"prompt": "Why?", "chosen": So.}"#),
        typed: STRICT,
        exit: DATA,
    },
    Case {
        what: "a line that is no UTF-8",
        before: |world| {
            let row = [GOOD.as_bytes(), b"\n{\"prompt\": \"\xff\"}\n"].concat();
            drop(world.write("bad.jsonl", row));
        },
        typed: STRICT,
        exit: DATA,
    },
    Case {
        what: "a line of a thousand brackets",
        before: |world| second_row(world, &"[".repeat(1000)),
        typed: STRICT,
        exit: DATA,
    },
    Case {
        what: "a row without a column",
        before: |world| second_row(world, r#"{"prompt": "Why?", "chosen": "So."}"#),
        typed: STRICT,
        exit: DATA,
    },
    Case {
        what: "a row with a null",
        before: |world| second_row(world, r#"{"prompt": "Why?", "chosen": "So.", "rejected": null}"#),
        typed: STRICT,
        exit: DATA,
    },
    Case {
        what: "a row with a number for text",
        before: |world| second_row(world, r#"{"prompt": "Why?", "chosen": 7, "rejected": "No."}"#),
        typed: STRICT,
        exit: DATA,
    },
    Case {
        what: "a row with an empty response",
        before: |world| second_row(world, r#"{"prompt": "Why?", "chosen": "", "rejected": "No."}"#),
        typed: STRICT,
        exit: DATA,
    },
    Case {
        what: "a row without a preference",
        before: |world| second_row(world, r#"{"prompt": "Why?", "chosen": "So.", "rejected": "So."}"#),
        typed: STRICT,
        exit: DATA,
    },
    Case {
        what: "a null in a Parquet file",
        before: |world| {
            let columns: [(&str, &[Option<&str>]); 3] = [
                ("prompt", &[Some("Why?"), None]),
                ("chosen", &[Some("So."), Some("So.")]),
                ("rejected", &[Some("No."), Some("No.")]),
            ];
            write_parquet(world, "bad.parquet", &texts(&columns));
        },
        typed: "sft --model model --data bad.parquet --out out --strict",
        exit: DATA,
    },
    Case {
        what: "Anthropic transcripts with two prompts",
        before: |world| {
            let row = r#"{"chosen": "\n\nHuman: Why?\n\nAssistant: So.", "rejected": "\n\nHuman: How?\n\nAssistant: No."}"#;
            drop(world.write("bad.jsonl", row));
        },
        typed: STRICT,
        exit: DATA,
    },
    Case {
        what: "an Anthropic transcript without an assistant",
        before: |world| {
            let good = r#"{"chosen": "\n\nHuman: Why?\n\nAssistant: So.", "rejected": "\n\nHuman: Why?\n\nAssistant: No."}"#;
            let bad = r#"{"chosen": "\n\nHuman: Why?", "rejected": "\n\nHuman: Why?\n\nAssistant: No."}"#;
            drop(world.write("bad.jsonl", format!("{good}\n{bad}\n")));
        },
        typed: STRICT,
        exit: DATA,
    },
    Case {
        what: "a ShareGPT message from somebody unknown",
        before: |world| {
            let row = |from: &str| {
                format!(
                    r#"{{"conversations": [{{"from": "{from}", "value": "Why?"}}], "chosen": {{"from": "gpt", "value": "So."}}, "rejected": {{"from": "gpt", "value": "No."}}}}"#
                )
            };
            drop(world.write("bad.jsonl", format!("{}\n{}\n", row("human"), row("martian"))));
        },
        typed: "sft --model model --data bad.jsonl --out out --strict --chat-template chatml",
        exit: DATA,
    },
    Case {
        what: "a message without content",
        before: |world| {
            let row = |message: &str| {
                format!(
                    r#"{{"prompt": [{message}], "chosen": [{{"role": "assistant", "content": "So."}}], "rejected": [{{"role": "assistant", "content": "No."}}]}}"#
                )
            };
            let good = row(r#"{"role": "user", "content": "Why?"}"#);
            drop(world.write("bad.jsonl", format!("{good}\n{}\n", row(r#"{"role": "user"}"#))));
        },
        typed: "sft --model model --data bad.jsonl --out out --strict --chat-template chatml",
        exit: DATA,
    },
    Case {
        what: "an id that is negative",
        before: |world| {
            let good = r#"{"prompt_ids": [5], "chosen_ids": [6], "rejected_ids": [7]}"#;
            let bad = r#"{"prompt_ids": [5], "chosen_ids": [6, -6], "rejected_ids": [7]}"#;
            drop(world.write("bad.jsonl", format!("{good}\n{bad}\n")));
        },
        typed: STRICT,
        exit: DATA,
    },
    Case {
        what: "an id beyond the vocabulary",
        before: |world| {
            let good = r#"{"prompt_ids": [5], "chosen_ids": [6], "rejected_ids": [7]}"#;
            let bad = r#"{"prompt_ids": [5], "chosen_ids": [6, 4000], "rejected_ids": [7]}"#;
            drop(world.write("bad.jsonl", format!("{good}\n{bad}\n")));
        },
        typed: STRICT,
        exit: DATA,
    },
    Case {
        what: "more unusable rows than may be",
        before: |world| {
            let bad = r#"{"prompt": "Why?", "chosen": "", "rejected": "No."}"#;
            drop(world.write("bad.jsonl", format!("{bad}\n{GOOD}\n{bad}\n{bad}\n")));
        },
        typed: "sft --model model --data bad.jsonl --out out --max-bad-rows 2",
        exit: DATA,
    },
    Case {
        what: "no usable row at all",
        before: |world| {
            drop(world.write("bad.jsonl", r#"{"prompt": "Why?", "chosen": "", "rejected": "No."}"#))
        },
        typed: "score --oracle oracle/oracle --reference model --data bad.jsonl --out new.parquet",
        exit: DATA,
    },
    Case {
        what: "a row beyond the last one",
        before: as_it_is,
        typed: "data show pairs.jsonl --row 99 --tokenizer model",
        exit: DATA,
    },
];

/// What is read and written otherwise.
const PROMPTS: &[Case] = &[
    Case {
        what: "prompts that are not there",
        before: as_it_is,
        typed: "generate --model model --prompts bad.jsonl --out new.jsonl",
        exit: DATA,
    },
    Case {
        what: "a file without a prompt",
        before: |world| drop(world.write("bad.jsonl", "")),
        typed: "generate --model model --prompts bad.jsonl --out new.jsonl",
        exit: DATA,
    },
    Case {
        what: "a line of prompts that is no JSON",
        before: |world| drop(world.write("bad.jsonl", "{\"prompt\": \"Why?\"}\n{\"prompt\": Why?}\n")),
        typed: "generate --model model --prompts bad.jsonl --out new.jsonl",
        exit: DATA,
    },
    Case {
        what: "a line of prompts without one",
        before: |world| drop(world.write("bad.jsonl", "{\"question\": \"Why?\"}\n")),
        typed: "generate --model model --prompts bad.jsonl --out new.jsonl",
        exit: DATA,
    },
    Case {
        what: "a prompt that is a number",
        before: |world| drop(world.write("bad.jsonl", "{\"prompt\": 7}\n")),
        typed: "generate --model model --prompts bad.jsonl --out new.jsonl",
        exit: DATA,
    },
    Case {
        what: "prompts that are no UTF-8",
        before: |world| drop(world.write("bad.txt", b"Why?\n\xff\n")),
        typed: "generate --model model --prompts bad.txt --out new.jsonl",
        exit: DATA,
    },
    Case {
        what: "a kind of file that is not written",
        before: as_it_is,
        typed: "data convert pairs.jsonl --out new.csv",
        exit: DATA,
    },
    Case {
        what: "a folder to write to that is not there",
        before: as_it_is,
        typed: "generate --model model --prompts pairs.jsonl --out absent/new.jsonl",
        exit: DATA,
    },
    Case {
        what: "a folder to convert to that is not there",
        before: as_it_is,
        typed: "data convert pairs.jsonl --out absent/new.jsonl",
        exit: DATA,
    },
    Case {
        what: "a folder for a page that is not there",
        before: as_it_is,
        typed: "explain --scores scores.parquet --row 0 --html absent/new.html",
        exit: DATA,
    },
    Case {
        what: "a folder for a report that is not there",
        before: as_it_is,
        typed: "report run --out absent/new.html",
        exit: DATA,
    },
    Case {
        what: "a folder for pairs to write to that is a file",
        before: as_it_is,
        typed: "data generate --pairs 3 --out pairs.jsonl/new.jsonl",
        exit: DATA,
    },
    Case {
        what: "noise that is none",
        before: as_it_is,
        typed: "data generate --pairs 3 --out new.jsonl --temperature 0",
        exit: USAGE,
    },
];

#[test]
fn files_that_are_no_pairs_are_refused() {
    check("data_files", FILES);
}

#[test]
fn rows_that_are_no_pairs_are_named() {
    check("data_rows", ROWS);
}

#[test]
fn prompts_and_results_that_cannot_be_are_refused() {
    check("data_prompts", PROMPTS);
}
