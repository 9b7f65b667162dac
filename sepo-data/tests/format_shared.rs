//! Real data sets, where they are at hand, read with the counts that they have.

#![expect(clippy::print_stdout, reason = "a test says what it skips and what it found")]

#[expect(dead_code, reason = "shared by several test binaries, each of which uses a part")]
mod format_fixture;

use std::path::{Path, PathBuf};

use format_fixture::{bad, contents, inputs, rows, rows_with};
use sepo_data::format::TextItem;
use sepo_data::{BadReason, PairContent, PairFormat, PairRow, ReadConfig, open_pairs, open_texts};

fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")).join(name);
    if !path.exists() {
        println!("skipped: `{}` is not there", path.display());
    }
    path.exists().then_some(path)
}

#[test]
fn reads_every_file_with_its_format_and_counts() {
    for (name, format, n_pairs, n_bad) in [
        ("pairs/hh-harmless-base-test.jsonl", PairFormat::Explicit, 2308, 0),
        ("pairs/llamafactory-dpo_en.jsonl", PairFormat::Explicit, 300, 0),
        ("pairs/llmbar-Natural.jsonl", PairFormat::Explicit, 100, 0),
        ("pairs/ultrafeedback-processed-eval_clean.jsonl", PairFormat::Explicit, 199, 1),
        ("raw/hh-rlhf-harmless-base-test.jsonl.gz", PairFormat::Transcript, 2308, 4),
        ("raw/llamafactory-dpo_en_demo.json", PairFormat::ShareGpt, 300, 0),
        ("ultrafeedback_binarized", PairFormat::Conversational, 149, 1),
    ] {
        let Some(path) = shared(name) else { continue };
        let reader = open_pairs(&inputs(&[&path]), &ReadConfig::default()).unwrap();
        println!("{name}: {}: {}", reader.format().format, reader.format().reason);
        assert_eq!(reader.format().format, format, "{name}");
        let found = reader.collect::<Result<Vec<_>, _>>().unwrap();
        for row in &found {
            if let PairRow::Bad(bad) = row {
                println!("  row {}: {}", bad.row, bad.reason);
            }
        }
        let pairs = found.iter().filter(|row| matches!(row, PairRow::Pair(_))).count();
        assert_eq!((pairs, found.len() - pairs), (n_pairs, n_bad), "{name}");
    }
}

#[test]
fn transcripts_split_as_the_released_pairs_are() {
    let (Some(raw), Some(pairs)) =
        (shared("raw/hh-rlhf-harmless-base-test.jsonl.gz"), shared("pairs/hh-harmless-base-test.jsonl"))
    else {
        return;
    };
    let (good, refused): (Vec<_>, Vec<_>) =
        rows(&raw).into_iter().partition(|row| matches!(row, PairRow::Pair(_)));
    assert!(contents(&good) == contents(&rows(&pairs)), "the pairs differ");
    assert!(refused.iter().all(|row| matches!(bad(row).reason, BadReason::TranscriptsDiffer { .. })));
    assert_eq!(refused.iter().map(|row| bad(row).row).collect::<Vec<_>>(), [1254, 1688, 1952, 2036]);
}

#[test]
fn sharegpt_answers_are_those_of_the_released_pairs() {
    let (Some(raw), Some(pairs)) =
        (shared("raw/llamafactory-dpo_en_demo.json"), shared("pairs/llamafactory-dpo_en.jsonl"))
    else {
        return;
    };
    for (chat, text) in contents(&rows(&raw)).iter().zip(contents(&rows(&pairs))) {
        let PairContent::Chat { prompt, chosen, rejected } = chat else { panic!("no conversation") };
        let (prompt, chosen, rejected) = (&prompt[prompt.len() - 1], &chosen[0], &rejected[0]);
        let [prompt, chosen, rejected] = [prompt, chosen, rejected].map(|message| message.content.clone());
        assert_eq!(PairContent::Text { prompt, chosen, rejected }, text);
    }
}

#[test]
fn conversations_of_parquet_shards_are_the_released_pairs() {
    let (Some(shards), Some(pairs)) =
        (shared("ultrafeedback_binarized"), shared("pairs/ultrafeedback-processed-eval_clean.jsonl"))
    else {
        return;
    };
    let split = |split: &str| {
        let config = ReadConfig { split: Some(split.to_owned()), ..ReadConfig::default() };
        rows_with(&shards, &config)
    };
    let shards = [split("train_prefs"), split("test_prefs")].concat();
    let pairs = rows(&pairs);
    assert_eq!((shards.len(), pairs.len()), (200, 200));
    for (index, (chat, text)) in shards.iter().zip(&pairs).enumerate() {
        let (PairRow::Pair(chat), PairRow::Pair(text)) = (chat, text) else {
            assert_eq!(bad(chat).reason, bad(text).reason, "row {index}");
            continue;
        };
        let PairContent::Chat { prompt, chosen, rejected } = &chat.content else { panic!("no conversation") };
        assert!(prompt.len() == 1 && chosen.len() == 1 && rejected.len() == 1, "row {index}");
        let [prompt, chosen, rejected] =
            [prompt, chosen, rejected].map(|messages| messages[0].content.clone());
        assert_eq!(PairContent::Text { prompt, chosen, rejected }, text.content, "row {index}");
    }
}

#[test]
fn reads_stories_as_plain_text() {
    let Some(path) = shared("raw/tinystories_1000.json") else { return };
    let texts = open_texts(&inputs(&[&path]), &ReadConfig::default()).unwrap();
    assert_eq!(texts.filter(|item| matches!(item, Ok(TextItem::Text(_)))).count(), 1000);
}
