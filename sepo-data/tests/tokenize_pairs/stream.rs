//! The stream is the loop, on any number of threads.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::fixture::{Kind, text, tokenizer, wide};
use sepo_data::{BadRow, DataError, EncodedRow, PairRow, TokenizeReport};

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

/// The rows of a file: pairs, pairs that are skipped, rows that are no pairs, and perhaps an error at the end.
fn rows(n: u64, fails: bool) -> impl Iterator<Item = Result<PairRow, DataError>> + Send + 'static {
    let rows = pairs(n).map(|pair| {
        let bad = || BadRow {
            file: "pairs.jsonl".into(),
            row: pair.file_row,
            reason: sepo_data::BadReason::IdenticalSides,
        };
        Ok(if pair.row % 11 == 5 { PairRow::Bad(bad()) } else { PairRow::Pair(pair) })
    });
    let error = DataError::NoRows { files: Vec::new() };
    rows.collect::<Vec<_>>().into_iter().chain(fails.then_some(Err(error)))
}

#[test]
fn rows_come_out_in_order_with_all_that_became_of_them_on_any_number_of_threads() {
    let tokenizer = Arc::new(tokenizer(Kind::ByteLevel, &wide()));
    for (n, n_threads, fails) in
        [(0, 2, false), (1, 0, false), (600, 1, true), (600, 2, false), (601, 7, true)]
    {
        let mut encoded = tokenizer.encode_rows(rows(n, fails), n_threads);
        let mut by_hand = TokenizeReport::default();
        for row in rows(n, fails) {
            let found = encoded.next().unwrap();
            match row {
                Err(error) => assert_eq!(found.unwrap_err().to_string(), error.to_string()),
                Ok(PairRow::Bad(bad)) => {
                    assert!(matches!(found.unwrap(), EncodedRow::Bad(found) if found == bad));
                }
                Ok(PairRow::Pair(pair)) => match (found.unwrap(), tokenizer.encode(&pair)) {
                    (EncodedRow::Pair(found), Ok(expected)) => {
                        by_hand.add(&expected);
                        assert_eq!(found, expected);
                    }
                    (EncodedRow::Skipped(found), Err(expected)) => {
                        by_hand.add_skipped(&expected);
                        assert_eq!((found.row, found.file_row), (pair.row, pair.file_row));
                        assert_eq!(found.reason.to_string(), expected.to_string());
                    }
                    other => panic!("{other:?}"),
                },
            }
            assert_eq!(encoded.report(), &by_hand, "counts are those of what has come out");
        }
        assert!(encoded.next().is_none());
        assert!(encoded.next().is_none());
    }
}

#[test]
fn reading_ahead_is_bounded_and_ends_with_the_consumer() {
    let tokenizer = Arc::new(tokenizer(Kind::ByteLevel, &wide()));
    let n_read = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&n_read);
    let endless = (0..u64::MAX).map(move |row| {
        count.fetch_add(1, Ordering::Relaxed);
        let mut pair = text("the qui", "ck brown", " no");
        pair.row = row;
        Ok(PairRow::Pair(pair))
    });
    let mut encoded = tokenizer.encode_rows(endless, 2);
    assert!(encoded.next().is_some());
    std::thread::sleep(std::time::Duration::from_millis(100));
    // 4 places, 1 chunk with the consumer, 1 with the reader.
    assert!(n_read.load(Ordering::Relaxed) <= 6 * 64, "{n_read:?}");
    drop(encoded);
    while Arc::strong_count(&n_read) > 1 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
