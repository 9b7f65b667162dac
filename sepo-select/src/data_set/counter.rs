//! The first two passes over a data set.

use sepo_data::Side;

use super::histogram::{Boundary, Histogram, lower, upper};
use super::key::Ranking;
use super::selector::{DataSetSelector, SideCut};
use super::{DataSetCut, DataSetCuts};
use crate::candidates::candidates;
use crate::{PairScores, Scope, SelectConfig, SelectError};

/// The first pass of a selection from a whole data set ([`Scope::DataSet`]).
///
/// Each side's candidates are taken together over all pairs, `n` of them, and `min(n, max(1, floor(k · n)))` are kept:
/// equal to sorting all of them, stably, in the order of the pairs, and taking the first. What a candidate is,
/// [`EosRule`](crate::EosRule) and [`Compat`](crate::Compat) say as they do for a single response; so is what becomes of
/// the closing token. A pair of which a side has nothing selected is of no use: see
/// [`Selected::drop_reason`](crate::Selected::drop_reason). Its tokens count as candidates nevertheless.
///
/// Three passes over the same pairs in the same order: [`add`](Self::add) to this, `add` to what [`refine`](Self::refine)
/// gives, and [`select`](DataSetSelector::select) from what that gives. Two megabytes hold what is counted, whatever the
/// size of the data set.
///
/// # Ties
///
/// The earlier pair first, then the lower position; -0 equals 0.
///
/// # Examples
///
/// ```
/// use sepo_select::{DataSetCounter, PairScores, Scope, SelectConfig};
///
/// let config = SelectConfig { scope: Scope::DataSet, ..SelectConfig::default() };
/// let pairs = [
///     PairScores { row: 0, chosen_scores: &[0.1, 0.2, 0.3, 0.0], rejected_scores: &[0.5; 5], ..Default::default() },
///     PairScores { row: 1, chosen_scores: &[2.0, -1.0, 3.0], rejected_scores: &[-0.5; 5], ..Default::default() },
/// ];
///
/// let mut counter = DataSetCounter::new(&config)?;
/// pairs.iter().try_for_each(|pair| counter.add(*pair))?;
/// let mut refiner = counter.refine()?;
/// pairs.iter().try_for_each(|pair| refiner.add(*pair))?;
/// let mut selector = refiner.finish()?;
///
/// // Two of seven chosen tokens and three of ten rejected ones, all of them in the second pair.
/// assert!(selector.select(pairs[0])?.drop_reason().is_some());
/// let selected = selector.select(pairs[1])?;
/// assert_eq!(selected.chosen_weights, [1.0, 0.0, 1.0]);
/// assert_eq!(selected.rejected_weights, [1.0, 1.0, 1.0, 0.0, 0.0]);
/// assert_eq!(selector.finish()?.chosen.score, Some(2.0));
/// # Ok::<(), sepo_select::SelectError>(())
/// ```
#[derive(Debug, Clone)]
pub struct DataSetCounter {
    config: SelectConfig,
    sides: [(Ranking, Histogram); 2],
}

/// The second pass of a selection from a whole data set; made by [`DataSetCounter::refine`].
#[derive(Debug, Clone)]
pub struct DataSetRefiner {
    config: SelectConfig,
    sides: [RefinedSide; 2],
}

#[derive(Debug, Clone)]
struct RefinedSide {
    ranking: Ranking,
    n_candidates: u64,
    /// How many are selected.
    count: u64,
    /// `None` where none are.
    boundary: Option<Boundary>,
    within: Histogram,
    n_seen: u64,
}

impl DataSetCounter {
    /// The first pass for a rule.
    ///
    /// # Errors
    ///
    /// * [`SelectError::OtherScope`]: `config` is for single responses or batches.
    /// * [`SelectError::ScopeWithoutMeaning`]: the rule keeps no share.
    pub fn new(config: &SelectConfig) -> Result<Self, SelectError> {
        config.check()?;
        if config.scope != Scope::DataSet {
            return Err(SelectError::OtherScope { scope: config.scope });
        }
        let side = |side| {
            let without_meaning =
                SelectError::ScopeWithoutMeaning { rule: config.rule.name(), scope: config.scope };
            let ranking = Ranking::of(config, side).ok_or(without_meaning)?;
            Ok::<_, SelectError>((ranking, Histogram::new()))
        };
        Ok(Self { config: *config, sides: [side(Side::Chosen)?, side(Side::Rejected)?] })
    }

    /// Counts a pair.
    ///
    /// # Errors
    ///
    /// * [`SelectError::NonFiniteScore`]: a score is infinite or not a number, candidate or not.
    pub fn add(&mut self, pair: PairScores<'_>) -> Result<(), SelectError> {
        for ((side, scores, end), (ranking, histogram)) in pair.sides().into_iter().zip(&mut self.sides) {
            let candidates = candidates(&self.config, (pair.row, side), scores, end)?;
            ranking.keys((pair.row, side), &scores[candidates]).for_each(|key| histogram.add(upper(key)));
        }
        Ok(())
    }

    /// The second pass, over the same pairs.
    ///
    /// # Errors
    ///
    /// * [`SelectError::TooManyTokens`]: more candidates than this machine can count.
    pub fn refine(self) -> Result<DataSetRefiner, SelectError> {
        let keep = [self.config.keep_chosen, self.config.keep_rejected];
        let refined = |i: usize| {
            let (ranking, histogram) = &self.sides[i];
            let n_candidates = histogram.n_keys();
            let n = usize::try_from(n_candidates).map_err(|_| SelectError::TooManyTokens { n_candidates })?;
            let count = self.config.compat.count(keep[i], n) as u64;
            Ok::<_, SelectError>(RefinedSide {
                ranking: *ranking,
                n_candidates,
                count,
                boundary: histogram.boundary(count),
                within: Histogram::new(),
                n_seen: 0,
            })
        };
        Ok(DataSetRefiner { config: self.config, sides: [refined(0)?, refined(1)?] })
    }
}

impl DataSetRefiner {
    /// Counts a pair again.
    ///
    /// # Errors
    ///
    /// * [`SelectError::NonFiniteScore`]: a score is infinite or not a number.
    pub fn add(&mut self, pair: PairScores<'_>) -> Result<(), SelectError> {
        for ((side, scores, end), refined) in pair.sides().into_iter().zip(&mut self.sides) {
            let candidates = candidates(&self.config, (pair.row, side), scores, end)?;
            refined.n_seen += candidates.len() as u64;
            let Some(boundary) = refined.boundary else { continue };
            for key in refined.ranking.keys((pair.row, side), &scores[candidates]) {
                if upper(key) == boundary.bin {
                    refined.within.add(lower(key));
                }
            }
        }
        Ok(())
    }

    /// The third pass, over the same pairs.
    ///
    /// # Errors
    ///
    /// * [`SelectError::PassesDiffer`]: this pass has not seen the scores of the first.
    pub fn finish(self) -> Result<DataSetSelector, SelectError> {
        let [chosen, rejected] = self.sides;
        let (chosen, chosen_cut) = chosen.finish()?;
        let (rejected, rejected_cut) = rejected.finish()?;
        let cuts = DataSetCuts { chosen: chosen_cut, rejected: rejected_cut };
        Ok(DataSetSelector::new(self.config, [chosen, rejected], cuts))
    }
}

impl RefinedSide {
    fn finish(self) -> Result<(SideCut, DataSetCut), SelectError> {
        let n_within = self.within.n_keys();
        if self.n_seen != self.n_candidates || n_within != self.boundary.map_or(0, |b| b.n_within) {
            return Err(SelectError::PassesDiffer);
        }
        let Self { ranking, n_candidates, count, .. } = self;
        let last = self.boundary.and_then(|upper| {
            let lower = self.within.boundary(count - upper.n_above)?;
            let key = u32::from(upper.bin) << 16 | u32::from(lower.bin);
            Some((key, count - upper.n_above - lower.n_above, lower.n_within))
        });
        let (cut, score, n_ties_left) = match last {
            None => (SideCut::nothing(ranking), None, 0),
            Some((key, n_ties, n_equal)) => {
                (SideCut { ranking, key, n_ties, n_left: count }, ranking.score(key), n_equal - n_ties)
            }
        };
        Ok((cut, DataSetCut { n_candidates, n_selected: count, score, n_ties_left }))
    }
}
