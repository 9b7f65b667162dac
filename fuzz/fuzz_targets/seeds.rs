//! Writes a starting corpus for every target, from valid files, into `corpus`: `cargo fuzz run seeds -- -runs=0`.
//!
//! It is built as a target, though it tests nothing, so that one build with the flags of fuzzing does for all.
#![no_main]

use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use sepo_fuzz::{Scratch, base};

/// Rows in every format, one of each kind a file.
const ROWS: [&str; 12] = [
    "{\"prompt\": \"p\", \"chosen\": \"a\", \"rejected\": \"b\"}\n{\"prompt\": \"\", \"chosen\": \"a\", \"rejected\": \"a\"}\n",
    "[{\"prompt\": \"p\", \"chosen\": \"a\\u00e9\\n\", \"rejected\": \"\\ud83d\\ude00\"}, {\"chosen\": null}]",
    "{\"chosen\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"a\"}], \
     \"rejected\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", \"content\": \"b\"}]}",
    "{\"prompt\": [{\"role\": \"user\", \"content\": \"q\"}], \"chosen\": [{\"role\": \"assistant\", \"content\": \"a\"}], \
     \"rejected\": [{\"role\": \"assistant\", \"content\": \"b\"}]}",
    "{\"chosen\": \"\\n\\nHuman: a\\n\\nAssistant: b\", \"rejected\": \"\\n\\nHuman: a\\n\\nAssistant: c\"}",
    "{\"conversations\": [{\"from\": \"human\", \"value\": \"q\"}], \"chosen\": {\"from\": \"gpt\", \"value\": \"a\"}, \
     \"rejected\": {\"from\": \"gpt\", \"value\": \"b\"}, \"system\": \"s\"}",
    "{\"prompt_ids\": [1, 2], \"chosen_ids\": [3], \"rejected_ids\": [4294967295, -1]}\r\n",
    "\u{feff}\"text\"\n\"more\"\n",
    "[\"text\", \"more\"]",
    "{\"text\": \"t\", \"x\": [[[[{\"a\": 1e400}]]]]}",
    "{\"prompt\": \"\\ud800\", \"chosen\": \"\\u0000\", \"rejected\": 1.5}",
    "",
];

fn write(corpus: &Path, target: &str, seeds: impl IntoIterator<Item = Vec<u8>>) {
    let dir = corpus.join(target);
    std::fs::create_dir_all(&dir).expect("the corpus folder can be made");
    for (i, seed) in seeds.into_iter().enumerate() {
        std::fs::write(dir.join(format!("seed-{i:03}")), seed).expect("a seed can be written");
    }
}

/// The file itself, and the file as one to be changed.
fn both(files: Vec<Vec<u8>>) -> impl Iterator<Item = Vec<u8>> {
    files.into_iter().zip(0..=u8::MAX).flat_map(|(file, i)| [[&[0], &file[..]].concat(), vec![0xff, i]])
}

fn texts(values: Vec<serde_json::Value>) -> Vec<Vec<u8>> {
    values.into_iter().map(|value| value.to_string().into_bytes()).collect()
}

fuzz_target!(init: write_all(), |_data: &[u8]| {});

fn write_all() {
    let corpus = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus"));
    let scratch = Scratch::new();
    let rows =
        ROWS.iter().flat_map(|row| [7, 0, 1, 2, 3, 4, 5].map(|format| [&[format], row.as_bytes()].concat()));
    write(&corpus, "json_import", rows);
    write(
        &corpus,
        "transcript",
        [b"\x00q\x01\xffa\xffb".to_vec(), b"\x02q\x03a\x02b\x01\xff\x09\xff\x0a".to_vec()],
    );
    write(&corpus, "sharegpt", (0..8u8).map(|i| (0..200).map(|j: u8| j.wrapping_mul(i * 2 + 1)).collect()));
    write(&corpus, "parquet_import", both(base::parquet_files()));
    write(&corpus, "arrow_import", both(base::arrow_files()));
    write(&corpus, "scores", both(base::scores_files(&scratch)));
    write(&corpus, "selection", both(base::selection_files(&scratch)));
    let as_parquet = both(base::selection_files(&scratch)).map(|seed| [&[1], &seed[..]].concat());
    write(&corpus, "weights", as_parquet.chain([vec![0, 0xff, 0], vec![0, 0xff, 1]]));
    write(&corpus, "model_config", both(texts(base::config_values())));
    write(&corpus, "safetensors", both(vec![base::safetensors_file(&scratch)]));
    write(&corpus, "safetensors_index", both(texts(vec![base::index_value(&scratch)])));
    write(&corpus, "tokenizer", both(texts(base::tokenizers())));
    write(&corpus, "tokenizer_config", both(texts(base::tokenizer_configs())));
    let sources = base::tokenizer_configs().into_iter().filter_map(|config| {
        let source = config.get("chat_template")?.as_str()?.as_bytes().to_vec();
        Some([&[0][..], &source].concat())
    });
    let pieces = (0..96u8).map(|piece| vec![0xff, 6, 10, 0, 16, 17, piece, 5, 7, 1, 1]);
    write(&corpus, "chat_template", sources.chain(pieces));
    let recipe = include_bytes!("../../sepo-cli/examples/recipe.toml").to_vec();
    let bare: String = String::from_utf8_lossy(&recipe)
        .lines()
        .map(|line| line.trim_start_matches("# ").to_owned() + "\n")
        .collect();
    let sections =
        bare.split("\n[").map(|section| format!("[{}", section.trim_start_matches('[')).into_bytes());
    let overridden = [b"!select.keep_chosen=0.5\n!run.out=x\n".to_vec(), recipe.clone()].concat();
    write(&corpus, "recipe", sections.chain([recipe, bare.clone().into_bytes(), overridden]));
}
