//! Pairs of a data set as a stream.

use super::mix::Draws;
use super::pair_hash::pair_hash;
use super::seen::Seen;
use super::{EvalFraction, Part, SourceConfig, Tally};
use crate::format::SplitChoice;
use crate::{DataError, Detected, PairContent, PairReader, PairRow, PreferencePair, open_pairs};

/// The rows of a data set, in order. An `Err` ends the iteration: nothing behind it can be trusted.
///
/// # Examples
///
/// The two parts of a split are the whole:
///
/// ```
/// use sepo_data::{EvalFraction, PairRow, Part, PairSource, SourceConfig};
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("pairs.jsonl");
/// let row = |i| format!("{{\"prompt\": \"{i}\", \"chosen\": \"yes\", \"rejected\": \"no\"}}\n");
/// std::fs::write(&path, (0..50).map(row).collect::<String>())?;
///
/// let rows_of = |part| {
///     let config = SourceConfig { part: Some((EvalFraction::new(0.2)?, part)), ..SourceConfig::default() };
///     let source = PairSource::open(&[path.display().to_string()], &config)?;
///     let row = |row| if let Ok(PairRow::Pair(pair)) = row { Some(pair.row) } else { None };
///     Ok::<_, Box<dyn std::error::Error>>(source.filter_map(row).collect::<Vec<u64>>())
/// };
/// let mut rows = [rows_of(Part::Train)?, rows_of(Part::Eval)?].concat();
/// rows.sort();
/// assert_eq!(rows, (0..50).collect::<Vec<_>>());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PairSource {
    /// One an input of a mix, or one.
    readers: Vec<PairReader>,
    draws: Option<Draws>,
    /// The reader that gives the next pair, where it is settled.
    turn: Option<usize>,
    /// The reader that gave the last row.
    last: usize,
    seen: Option<Seen>,
    limit: u64,
    part: Option<(EvalFraction, Part)>,
    n_rows: u64,
    tally: Tally,
    has_ended: bool,
}

impl PairSource {
    /// Opens `inputs`, each as [`open_pairs`] takes it, up to their first rows. The inputs of a mix may have different
    /// formats.
    ///
    /// # Errors
    ///
    /// * As [`open_pairs`].
    /// * [`DataError::MixCount`], [`DataError::MixWeight`]: the weights do not fit the inputs.
    ///
    /// The iterator yields an error, and ends, where a file cannot be read on, or the hashes of pairs cannot be kept
    /// ([`DataError::Hashes`]).
    pub fn open(inputs: &[String], config: &SourceConfig) -> Result<Self, DataError> {
        let readers = match &config.mix {
            None => vec![open_pairs(inputs, &config.read)?],
            Some(mix) => {
                mix.check(inputs.len())?;
                let open = |input| open_pairs(std::slice::from_ref(input), &config.read_of(input, inputs));
                inputs.iter().map(open).collect::<Result<_, _>>()?
            }
        };
        let tally = Tally::default();
        if config.mix.is_some() {
            tally.change(|counts| counts.inputs = vec![0; readers.len()]);
        }
        Ok(Self {
            readers,
            draws: config.mix.as_ref().map(Draws::new),
            turn: None,
            last: 0,
            seen: config.dedup.clone().map(Seen::new),
            limit: config.limit.unwrap_or(u64::MAX),
            part: config.part,
            n_rows: 0,
            tally,
            has_ended: false,
        })
    }

    /// The format of the rows and why it is that one: of each input of a mix, or of all.
    pub fn formats(&self) -> impl Iterator<Item = &Detected> {
        self.readers.iter().map(PairReader::format)
    }

    /// The split that is read of each input that is a folder.
    pub fn splits(&self) -> impl Iterator<Item = &SplitChoice> {
        self.readers.iter().flat_map(|reader| reader.splits())
    }

    /// The format of the last row that came out.
    #[must_use]
    pub fn format(&self) -> &Detected {
        self.readers[self.last].format()
    }

    /// Rows read so far; the last one that came out has this number less one.
    #[must_use]
    pub fn n_rows(&self) -> u64 {
        self.n_rows
    }

    /// Counts, which go on to change while the source is read elsewhere.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally.clone()
    }

    fn next_row(&mut self) -> Result<Option<PairRow>, DataError> {
        while self.n_rows < self.limit {
            let Some(input) = self.turn() else { return Ok(None) };
            let Some(row) = self.readers[input].next().transpose()? else {
                self.turn = None;
                if self.draws.as_mut().is_some_and(|draws| draws.exhausted(input)) {
                    continue;
                }
                if self.draws.is_some() {
                    self.tally.change(|counts| counts.ended_by = Some(input));
                }
                return Ok(None);
            };
            self.n_rows += 1;
            self.last = input;
            self.tally.change(|counts| counts.n_rows += 1);
            match row {
                PairRow::Bad(bad) => {
                    self.tally.change(|counts| counts.n_bad += 1);
                    return Ok(Some(PairRow::Bad(bad)));
                }
                PairRow::Pair(pair) => {
                    if self.takes(&pair.content, input)? {
                        return Ok(Some(PairRow::Pair(PreferencePair { row: self.n_rows - 1, ..pair })));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The reader that gives the next pair.
    fn turn(&mut self) -> Option<usize> {
        if self.turn.is_none() {
            self.turn = self.draws.as_mut().map_or(Some(0), Draws::draw);
        }
        self.turn
    }

    /// Whether the pair comes out; counted either way.
    fn takes(&mut self, content: &PairContent, input: usize) -> Result<bool, DataError> {
        let hash = (self.seen.is_some() || self.part.is_some()).then(|| pair_hash(content));
        if let (Some(seen), Some(hash)) = (&mut self.seen, hash)
            && !seen.insert(hash)?
        {
            self.tally.change(|counts| counts.n_duplicates += 1);
            return Ok(false);
        }
        self.turn = None;
        let is_ours = match (self.part, hash) {
            (Some((fraction, part)), Some(hash)) => fraction.part(hash) == part,
            _ => true,
        };
        self.tally.change(|counts| {
            if let Some(n) = counts.inputs.get_mut(input) {
                *n += 1;
            }
            if is_ours {
                counts.n_pairs += 1;
            } else {
                counts.n_other_part += 1;
            }
        });
        Ok(is_ours)
    }
}

impl Iterator for PairSource {
    type Item = Result<PairRow, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let next = self.next_row().transpose();
        self.has_ended = !matches!(next, Some(Ok(_)));
        next
    }
}
