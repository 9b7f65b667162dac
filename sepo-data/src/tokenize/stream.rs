//! A stream of pairs to ids, on all threads, in order.

use std::vec;

use rayon::prelude::*;

use super::{EncodedPair, PairTokenizer, SkippedPair, TokenizeReport};
use crate::{PreferencePair, TokenizedPair};

/// Pairs read ahead and encoded together. Enough to keep many threads busy, few enough that long pairs stay small.
const CHUNK_PAIRS: usize = 256;

type Encoded = Result<EncodedPair, SkippedPair>;

/// Pairs as ids, in the order of the pairs, with counts. Made by [`PairTokenizer::encode_stream`].
#[derive(Debug)]
pub struct EncodeStream<'a, I> {
    tokenizer: &'a PairTokenizer,
    pairs: I,
    ready: vec::IntoIter<Encoded>,
    report: TokenizeReport,
}

impl PairTokenizer {
    /// The same as `pairs.map(|pair| self.encode(&pair))`, encoding 256 pairs at a time on the current rayon pool.
    /// Order and results do not depend on the number of threads, and memory does not depend on the number of pairs.
    ///
    /// # Examples
    ///
    /// ```
    /// use sepo_data::{PairContent, PairTokenizer, PreferencePair, SpecialTokens, TokenizeConfig};
    ///
    /// let tokenizer = PairTokenizer::ids_only(None, SpecialTokens::default(), &TokenizeConfig::default())?;
    /// let pairs = (0..3).map(|row| {
    ///     let content = PairContent::Tokens { prompt_ids: vec![9], chosen_ids: vec![1], rejected_ids: vec![row] };
    ///     PreferencePair { row: row.into(), file: Default::default(), file_row: row.into(), content }
    /// });
    /// let mut stream = tokenizer.encode_stream(pairs);
    /// let rows: Vec<u64> = stream.by_ref().flatten().map(|pair| pair.row).collect();
    /// assert_eq!(rows, [0, 2]);
    /// assert_eq!(stream.report().skipped["identical-sides"], 1);
    /// # Ok::<(), sepo_data::TokenizeError>(())
    /// ```
    pub fn encode_stream<I>(&self, pairs: I) -> EncodeStream<'_, I::IntoIter>
    where
        I: IntoIterator<Item = PreferencePair>,
    {
        EncodeStream {
            tokenizer: self,
            pairs: pairs.into_iter(),
            ready: Vec::new().into_iter(),
            report: TokenizeReport::default(),
        }
    }

    pub(super) fn encode_or_skip(&self, pair: &PreferencePair) -> Encoded {
        self.encode(pair).map_err(|reason| SkippedPair {
            row: pair.row,
            file: pair.file.clone(),
            file_row: pair.file_row,
            reason,
        })
    }
}

impl<I> EncodeStream<'_, I> {
    /// Counts over what has come out so far.
    pub fn report(&self) -> &TokenizeReport {
        &self.report
    }
}

impl<I: Iterator<Item = PreferencePair>> Iterator for EncodeStream<'_, I> {
    type Item = Result<TokenizedPair, SkippedPair>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.len() == 0 {
            let chunk: Vec<PreferencePair> = self.pairs.by_ref().take(CHUNK_PAIRS).collect();
            let encoded: Vec<Encoded> =
                chunk.into_par_iter().map(|pair| self.tokenizer.encode_or_skip(&pair)).collect();
            self.ready = encoded.into_iter();
        }
        match self.ready.next()? {
            Ok(encoded) => {
                self.report.add(&encoded);
                Some(Ok(encoded.pair))
            }
            Err(skipped) => {
                self.report.add_skipped(&skipped.reason);
                Some(Err(skipped))
            }
        }
    }
}
