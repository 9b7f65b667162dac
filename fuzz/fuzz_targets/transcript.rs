//! Transcripts of HH-RLHF: where a prompt ends, prompt and response must give the transcript back.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sepo_data::{PairContent, PairFormat, PairRow, ReadConfig, open_pairs};
use sepo_fuzz::{Scratch, watched};
use serde_json::json;

static SCRATCH: LazyLock<Scratch> = LazyLock::new(Scratch::new);

/// What the bytes below 16 stand for.
const PIECES: [&str; 16] = [
    "\n\nHuman:",
    "\n\nAssistant:",
    "\n\nHuman: ",
    "\n\nAssistant: ",
    "\n\n",
    "\n",
    " ",
    "Human:",
    "Assistant:",
    "é",
    "日本",
    "\u{0}",
    "\u{2028}",
    "\r\n",
    "\\",
    "\"",
];

fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match PIECES.get(usize::from(byte)) {
            Some(piece) => text.push_str(piece),
            None => text.push(char::from(byte)),
        }
    }
    text
}

fuzz_target!(init: sepo_fuzz::watch(), |data: &[u8]| {
    watched(|| {
        // Both sides share what stands before the first 0xFF; the next one divides them.
        let mut parts = data.split(|&byte| byte == 0xff);
        let [shared, chosen, rejected] = [(); 3].map(|()| text(parts.next().unwrap_or_default()));
        let (chosen, rejected) = (shared.clone() + &chosen, shared + &rejected);
        let path = SCRATCH.put("x.jsonl", json!({"chosen": chosen, "rejected": rejected}).to_string());
        let config = ReadConfig { format: Some(PairFormat::Transcript), ..ReadConfig::default() };
        let rows = open_pairs(&[path.display().to_string()], &config).expect("one row");
        for row in rows {
            let PairRow::Pair(pair) = row.expect("JSON") else { continue };
            match pair.content {
                PairContent::Text { prompt, chosen: a, rejected: b } => {
                    assert_eq!(prompt.clone() + &a, chosen);
                    assert_eq!(prompt + &b, rejected);
                }
                other => panic!("{other:?}"),
            }
        }
    });
});
