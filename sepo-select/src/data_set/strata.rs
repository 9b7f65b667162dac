//! A data set in strata: its responses by length, or all of them in one.

use std::collections::BTreeMap;

use sepo_data::Side;

use super::{DataSetCounter, DataSetCuts, DataSetRefiner, DataSetSelector, LengthCuts};
use crate::{PairScores, Scope, SelectConfig, SelectError, Selected};

/// A part of a pair that one stratum holds: both responses, or one beside an empty one.
type Part<'a> = (u32, PairScores<'a>);

/// The stratum of each response of a pair.
#[derive(Debug, Clone, Copy)]
struct Strata(Scope);

impl Strata {
    /// A response of from 2^i to 2^(i + 1) − 1 tokens is in stratum `i`, an empty one in stratum 0.
    fn parts(self, pair: PairScores<'_>) -> impl Iterator<Item = Part<'_>> {
        let of = |scores: &[f32]| if self.0 == Scope::Length { scores.len().max(1).ilog2() } else { 0 };
        let [chosen, rejected] = [of(pair.chosen_scores), of(pair.rejected_scores)];
        let parts = if chosen == rejected {
            [Some((chosen, pair)), None]
        } else {
            let [mut first, mut second] = [pair; 2];
            (first.rejected_scores, second.chosen_scores) = (&[], &[]);
            [Some((chosen, first)), Some((rejected, second))]
        };
        parts.into_iter().flatten()
    }
}

/// The first pass.
pub(super) struct StrataCounter {
    config: SelectConfig,
    strata: Strata,
    counters: BTreeMap<u32, DataSetCounter>,
}

impl StrataCounter {
    pub(super) fn new(config: &SelectConfig) -> Self {
        let strata = Strata(config.scope);
        Self { config: SelectConfig { scope: Scope::DataSet, ..*config }, strata, counters: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, pair: PairScores<'_>) -> Result<(), SelectError> {
        for (stratum, part) in self.strata.parts(pair) {
            if !self.counters.contains_key(&stratum) {
                self.counters.insert(stratum, DataSetCounter::new(&self.config)?);
            }
            if let Some(counter) = self.counters.get_mut(&stratum) {
                counter.add(part)?;
            }
        }
        Ok(())
    }

    pub(super) fn refine(self) -> Result<StrataRefiner, SelectError> {
        let refined = self.counters.into_iter().map(|(stratum, counter)| Ok((stratum, counter.refine()?)));
        Ok(StrataRefiner { strata: self.strata, refiners: refined.collect::<Result<_, SelectError>>()? })
    }
}

/// The second pass.
pub(super) struct StrataRefiner {
    strata: Strata,
    refiners: BTreeMap<u32, DataSetRefiner>,
}

impl StrataRefiner {
    pub(super) fn add(&mut self, pair: PairScores<'_>) -> Result<(), SelectError> {
        self.strata.parts(pair).try_for_each(|(stratum, part)| {
            self.refiners.get_mut(&stratum).ok_or(SelectError::PassesDiffer)?.add(part)
        })
    }

    pub(super) fn finish(self) -> Result<StrataSelector, SelectError> {
        let selectors = self.refiners.into_iter().map(|(stratum, refiner)| Ok((stratum, refiner.finish()?)));
        Ok(StrataSelector { strata: self.strata, selectors: selectors.collect::<Result<_, SelectError>>()? })
    }
}

/// The last pass.
pub(crate) struct StrataSelector {
    strata: Strata,
    selectors: BTreeMap<u32, DataSetSelector>,
}

impl StrataSelector {
    /// A weight for every response token of the next pair.
    pub(crate) fn select(&mut self, pair: PairScores<'_>) -> Result<Selected, SelectError> {
        let mut selected = Selected::default();
        for (stratum, part) in self.strata.parts(pair) {
            let of_part = self.selectors.get_mut(&stratum).ok_or(SelectError::PassesDiffer)?.select(part)?;
            for (side, weights) in
                [(Side::Chosen, of_part.chosen_weights), (Side::Rejected, of_part.rejected_weights)]
            {
                if !weights.is_empty() {
                    *selected.weights_mut(side) = weights;
                }
            }
        }
        Ok(selected)
    }

    /// Where the data set parts: as a whole, or by length.
    pub(crate) fn finish(self) -> Result<(Option<DataSetCuts>, Vec<LengthCuts>), SelectError> {
        let is_by_length = self.strata.0 == Scope::Length;
        let mut cuts = Vec::new();
        for (stratum, selector) in self.selectors {
            cuts.push(LengthCuts { from_tokens: 1 << stratum, cuts: selector.finish()? });
        }
        match is_by_length {
            true => Ok((None, cuts)),
            // Without pairs there is no stratum either.
            false => Ok((Some(cuts.first().map(|of| of.cuts).unwrap_or_default()), Vec::new())),
        }
    }
}
