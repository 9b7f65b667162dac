//! Rows to ids ahead of their consumer: one thread reads, several tokenize, and all comes out in order.
//!
//! ```text
//!  reader ──chunks──▶ tokenizing threads ──┐
//!     └──────places in order──────────────▶ consumer
//! ```
//!
//! Each chunk has a channel of its own for what becomes of it. The consumer receives these channels in the order of the
//! chunks, so a chunk that is ready early waits for those before it. Their number is bounded, so memory is too.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::vec;

use super::{EncodedPair, PairTokenizer, SkippedPair, TokenizeReport};
use crate::{BadRow, DataError, PairContent, PairRow};

/// Rows that are tokenized together at most.
const CHUNK_ROWS: usize = 64;
/// Bytes of text, or of ids, at which a chunk ends before it has so many rows.
const CHUNK_BYTES: usize = 256 << 10;

/// What became of a row.
#[derive(Debug)]
pub enum EncodedRow {
    /// A pair of ids.
    Pair(EncodedPair),
    /// A pair that the tokenizer refused.
    Skipped(SkippedPair),
    /// A row that is no pair.
    Bad(BadRow),
}

type Outcome = Result<EncodedRow, DataError>;
type Row = Result<PairRow, DataError>;
type Job = (Vec<Row>, Sender<Vec<Outcome>>);

/// The rows of an input as ids, in order, with counts. Made by [`PairTokenizer::encode_rows`].
#[derive(Debug)]
pub struct EncodedRows {
    chunks: Receiver<Receiver<Vec<Outcome>>>,
    ready: vec::IntoIter<Outcome>,
    report: TokenizeReport,
}

impl PairTokenizer {
    /// The same as encoding each row in turn, but reading and tokenizing go on in the background, on `n_threads` threads
    /// and one that reads, while the caller works on what has come out.
    ///
    /// Order and results do not depend on the threads, nor does what has been counted when a row comes out. Memory is
    /// bounded by a few chunks of at most 64 rows a thread. Dropped early, it stops reading.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use sepo_data::{EncodedRow, PairTokenizer, ReadConfig, SpecialTokens, TokenizeConfig, open_pairs};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let path = dir.path().join("pairs.jsonl");
    /// let row = r#"{"prompt_ids": [1], "chosen_ids": [2], "rejected_ids": [3, 4]}"#;
    /// std::fs::write(&path, format!("{row}\nno row\n{row}\n"))?;
    ///
    /// let reader = open_pairs(&[path.display().to_string()], &ReadConfig::default())?;
    /// let tokenizer = PairTokenizer::ids_only(None, SpecialTokens::default(), &TokenizeConfig::default())?;
    /// let rows = Arc::new(tokenizer).encode_rows(reader, 2).collect::<Result<Vec<_>, _>>()?;
    /// assert!(matches!(&rows[..], [EncodedRow::Pair(_), EncodedRow::Bad(_), EncodedRow::Pair(_)]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn encode_rows<I>(self: &Arc<Self>, rows: I, n_threads: usize) -> EncodedRows
    where
        I: Iterator<Item = Row> + Send + 'static,
    {
        let n_threads = n_threads.max(1);
        let (jobs, to_do) = sync_channel::<Job>(n_threads);
        let (places, chunks) = sync_channel(2 * n_threads);
        let to_do = Arc::new(Mutex::new(to_do));
        for _ in 0..n_threads {
            let (tokenizer, to_do) = (Arc::clone(self), Arc::clone(&to_do));
            thread::spawn(move || tokenizer.work(&to_do));
        }
        thread::spawn(move || read(rows, &jobs, &places));
        EncodedRows { chunks, ready: Vec::new().into_iter(), report: TokenizeReport::default() }
    }

    /// Tokenizes chunks until there are no more.
    fn work(&self, to_do: &Mutex<Receiver<Job>>) {
        loop {
            // A receiver is whole even where a thread has panicked while it held it.
            let job = to_do.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((rows, answer)) = job else { return };
            // Nobody waits for it where the consumer was dropped.
            let _ = answer.send(rows.into_iter().map(|row| self.encode_row(row)).collect());
        }
    }

    fn encode_row(&self, row: Row) -> Outcome {
        Ok(match row? {
            PairRow::Bad(bad) => EncodedRow::Bad(bad),
            PairRow::Pair(pair) => match self.encode_or_skip(&pair) {
                Ok(encoded) => EncodedRow::Pair(encoded),
                Err(skipped) => EncodedRow::Skipped(skipped),
            },
        })
    }
}

/// Hands chunks to the threads, and their places to the consumer, until the rows or the consumer end.
fn read(
    mut rows: impl Iterator<Item = Row>,
    jobs: &SyncSender<Job>,
    places: &SyncSender<Receiver<Vec<Outcome>>>,
) {
    loop {
        let mut chunk = Vec::new();
        let mut n_bytes = 0;
        while chunk.len() < CHUNK_ROWS && n_bytes < CHUNK_BYTES {
            let Some(row) = rows.next() else { break };
            n_bytes += row_bytes(&row);
            chunk.push(row);
        }
        if chunk.is_empty() {
            return;
        }
        let (answer, place) = channel();
        // The place first: it is what bounds how many chunks there are.
        if places.send(place).is_err() || jobs.send((chunk, answer)).is_err() {
            return;
        }
    }
}

fn row_bytes(row: &Row) -> usize {
    let Ok(PairRow::Pair(pair)) = row else { return 0 };
    match &pair.content {
        PairContent::Text { prompt, chosen, rejected } => prompt.len() + chosen.len() + rejected.len(),
        PairContent::Chat { prompt, chosen, rejected } => {
            [prompt, chosen, rejected].into_iter().flatten().map(|message| message.content.len()).sum()
        }
        PairContent::Tokens { prompt_ids, chosen_ids, rejected_ids } => {
            size_of::<u32>() * (prompt_ids.len() + chosen_ids.len() + rejected_ids.len())
        }
    }
}

impl EncodedRows {
    /// Counts over what has come out so far.
    pub fn report(&self) -> &TokenizeReport {
        &self.report
    }
}

impl Iterator for EncodedRows {
    type Item = Outcome;

    fn next(&mut self) -> Option<Outcome> {
        while self.ready.len() == 0 {
            let place = self.chunks.recv().ok()?;
            // It ends without an answer where the tokenizer panicked, which is a bug, and said so.
            let Ok(chunk) = place.recv() else { panic!("a thread that tokenizes has panicked") };
            self.ready = chunk.into_iter();
        }
        let outcome = self.ready.next()?;
        match &outcome {
            Ok(EncodedRow::Pair(encoded)) => self.report.add(encoded),
            Ok(EncodedRow::Skipped(skipped)) => self.report.add_skipped(&skipped.reason),
            Ok(EncodedRow::Bad(_)) | Err(_) => {}
        }
        Some(outcome)
    }
}
