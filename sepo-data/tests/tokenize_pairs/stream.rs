//! The stream is the loop, on any number of threads.

use std::cell::Cell;

use crate::fixture::{Kind, text, tokenizer, wide};
use sepo_data::TokenizeReport;

fn pairs(n: u64) -> impl Iterator<Item = sepo_data::PreferencePair> {
    (0..n).map(|row| {
        let rejected = if row % 10 == 3 { String::new() } else { format!(" no {row}") };
        let mut pair = text("the qui", &format!("ck brown {row}</s>\n"), &rejected);
        (pair.row, pair.file_row) = (row, row + 1);
        pair
    })
}

#[test]
fn rows_come_in_order_and_are_counted() {
    let tokenizer = tokenizer(Kind::ByteLevel, &wide());
    let run = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            let mut stream = tokenizer.encode_stream(pairs(600));
            let mut rows = Vec::new();
            let mut encoded = Vec::new();
            for pair in stream.by_ref() {
                match pair {
                    Ok(pair) => {
                        rows.push(pair.row);
                        encoded.push(pair);
                    }
                    Err(skipped) => {
                        assert_eq!(skipped.file_row, skipped.row + 1);
                        assert!(skipped.to_string().ends_with("of pairs.jsonl)"), "{skipped}");
                        assert_eq!(skipped.reason.to_string(), "rejected is empty");
                        rows.push(skipped.row);
                    }
                }
            }
            assert!(stream.next().is_none());
            assert_eq!(rows, (0..600).collect::<Vec<_>>());
            (encoded, stream.report().clone())
        })
    };
    let (encoded, report) = run(1);
    assert_eq!((encoded.clone(), report.clone()), run(3));
    let mut by_hand = TokenizeReport::default();
    for pair in pairs(600) {
        match tokenizer.encode(&pair) {
            Ok(encoded) => by_hand.add(&encoded),
            Err(reason) => by_hand.add_skipped(&reason),
        }
    }
    assert_eq!(report, by_hand);
    assert_eq!((report.n_pairs, report.n_skipped()), (540, 60));
    assert_eq!(report.skipped["empty-side"], 60);
    assert_eq!((report.chosen.n_resplit, report.rejected.n_resplit), (540, 0));
    assert_eq!((report.chosen.n_dropped_tails, report.rejected.n_dropped_tails), (540, 0));
    let n_tokens: usize =
        encoded.iter().map(|p| p.prompt_ids.len() + p.chosen.ids.len() + p.rejected.ids.len()).sum();
    assert_eq!(report.n_tokens(), n_tokens as u64);
}

#[test]
fn no_more_than_a_chunk_is_read_ahead() {
    let tokenizer = tokenizer(Kind::ByteLevel, &wide());
    let n_read = Cell::new(0);
    let counted = pairs(10_000).inspect(|_| n_read.set(n_read.get() + 1));
    let mut stream = tokenizer.encode_stream(counted);
    assert!(stream.next().is_some());
    assert_eq!(n_read.get(), 256);
}
