//! A composition as an expression on dfdx's tape.

use dfdx::prelude::*;

use crate::composition::{Comparison, Composition, PairWeight, Weighting};
use crate::constant::{PerRow, constant, detached, scalar, values};
use crate::error::Side;
use crate::grid::TokenGrid;
use crate::layout::PairLayout;
use crate::margin::{Compared, Margin};
use crate::partition::Pairing;
use crate::reduction::{Reduction, learned_sums, weighted_sums};
use crate::regularizer::{Nll, NllReduction};
use crate::side_link::detached_sigmoid;
use crate::statistic::{Statistic, TokenTerms};
use crate::transform::Transform;

impl Composition {
    /// The differentiable loss of every pair, for a model that lives on a dfdx tape; 0 with zero gradient where a pair has no comparison
    /// of two sides with weighted rows.
    ///
    /// [`evaluate`](crate::evaluate) is this on numbers, with checks before it.
    ///
    /// # Errors
    ///
    /// The device's own, where an operation fails.
    ///
    /// # Panics
    ///
    /// If a tensor of `terms` has not as many rows as the layout was made for. Terms that the composition reads and that are not there
    /// count 0: see [`Composition::inputs`].
    ///
    /// # Examples
    ///
    /// ```
    /// use dfdx::prelude::*;
    /// use sepo_loss::{Composition, PairLayout, SequenceRows, TokenGrid, TokenTerms};
    ///
    /// let weights = [1.0; 4];
    /// let side = |rows| TokenGrid::new(&[SequenceRows { rows, nominal: 2.0 }], &weights);
    /// let device = Cpu::default();
    /// let policy = device.tensor_from_vec(vec![-1.0_f32, -2.0, -1.0, -2.5], (4,));
    /// let reference = Some(policy.clone());
    /// let terms = TokenTerms { reference, ..TokenTerms::of_policy(policy.leaky_trace()) };
    /// let layout = PairLayout::of_pairs(side(0..2)?, side(2..4)?);
    /// let loss = Composition::default().losses(terms, &layout)?.sum::<Rank0, _>();
    /// assert_eq!(loss.array(), 2f32.ln()); // DPO, where the policy is the reference
    /// assert_eq!(loss.backward().get(&policy).as_vec(), [-0.05, -0.05, 0.05, 0.05]);
    /// # Ok::<(), sepo_loss::LossError>(())
    /// ```
    pub fn losses<E: Dtype, D: Device<E>, T: Tape<E, D>>(
        &self,
        terms: TokenTerms<E, D, T>,
        layout: &PairLayout,
    ) -> Result<PerRow<E, D, T>, D::Err> {
        let live = layout.live_units();
        let chosen = self.transformed(&terms, layout, (Side::Chosen, &live))?;
        let rejected = self.transformed(&terms, layout, (Side::Rejected, &live))?;
        let (chosen, rejected) = match self.pairing {
            Pairing::BatchOrder => (in_order(chosen, &live)?, in_order(rejected, &live)?),
            Pairing::ByIndex | Pairing::ByWeight => (chosen, rejected),
        };
        let difference =
            chosen.with_empty_tape().try_sub(rejected.with_empty_tape())?.try_mul(scalar::<E>(self.beta))?;
        let (z, losses) = match self.comparison {
            Comparison::Pairs { margin, link } => {
                let reference = match (margin, &terms.reference) {
                    (Margin::Reference { .. }, Some(reference)) => {
                        Some(self.reference_margins(reference, layout)?)
                    }
                    _ => None,
                };
                let compared = Compared {
                    chosen: &chosen,
                    difference: &difference,
                    reference,
                    length_difference: layout.length_differences(),
                    live: &live,
                };
                let z = margin.take_off(self.beta, &compared)?;
                (z.with_empty_tape(), keep(link.losses(z.with_empty_tape())?, z))
            }
            Comparison::Sides(link) => {
                let scaled = |side: &PerRow<E, D, T>| side.with_empty_tape().try_mul(scalar::<E>(self.beta));
                let losses = link.losses(scaled(&chosen)?, scaled(&rejected)?, (self.beta, &live))?;
                (difference.with_empty_tape(), losses)
            }
        };
        let losses = keep(keep(keep(losses, difference), chosen), rejected);
        let losses = self.weighted(losses, &terms, layout)?;
        let losses = where_live(losses, &live)?;
        let losses = match layout.sums() {
            Some(sums) => weighted_sums(losses, sums)?,
            None => losses,
        };
        let losses = self.regularized(losses, &z, &terms, layout)?;
        let TokenTerms { logps, forward_kls, reverse_kls, weights, .. } = terms;
        let losses = keep(losses, logps);
        Ok([forward_kls, reverse_kls, weights].into_iter().flatten().fold(losses, keep))
    }

    /// `h(U)` of one side of every comparison; what is not live is −1 before `h`, and has no gradient.
    fn transformed<E: Dtype, D: Device<E>, T: Tape<E, D>>(
        &self,
        terms: &TokenTerms<E, D, T>,
        layout: &PairLayout,
        (side, live): (Side, &[bool]),
    ) -> Result<PerRow<E, D, T>, D::Err> {
        let other = if side == Side::Chosen { Side::Rejected } else { Side::Chosen };
        let grids = (layout.units(side), layout.units(other));
        let reduced = self.reduced(terms, self.statistic, grids, side)?;
        if self.transform == Transform::Identity {
            return Ok(reduced);
        }
        // h may be infinite at the 0 of an empty response, and 0 · ∞ is a gradient that is not a number.
        let device = reduced.device().clone();
        let mask = constant::<_, E, D>(&device, &numbers(live), (live.len(),))?.try_ne(E::default())?;
        let dead: PerRow<E, D> = constant(&device, &vec![-1.0; live.len()], (live.len(),))?;
        self.transform.apply(mask.try_choose(reduced, dead)?)
    }

    /// `U` of every sequence of the first grid; those of the second are what they are compared with.
    fn reduced<E: Dtype, D: Device<E>, T: Tape<E, D>>(
        &self,
        terms: &TokenTerms<E, D, T>,
        statistic: Statistic,
        (grid, other): (&TokenGrid, &TokenGrid),
        side: Side,
    ) -> Result<PerRow<E, D, T>, D::Err> {
        let statistic = terms.statistic(statistic, side)?;
        let device = statistic.device().clone();
        let learned = terms.weights.as_ref().filter(|_| self.weighting == Weighting::Learned);
        let sums = match learned {
            Some(weights) => learned_sums(statistic, weights.with_empty_tape(), grid)?,
            None => weighted_sums(statistic, grid)?,
        };
        if let Some(weights) = learned.filter(|_| self.reduction == Reduction::WeightSum) {
            // A mean over weights that add up to 0 is none: the sum itself is taken, which is 0.
            let total = weighted_sums(weights.with_empty_tape(), grid)?;
            let ones: PerRow<E, D> =
                constant(&device, &vec![1.0; grid.n_sequences()], (grid.n_sequences(),))?;
            return sums.try_div(total.try_ne(E::default())?.try_choose(total, ones)?);
        }
        match self.reduction.divisors(grid, other) {
            Some(divisors) => sums.try_div(constant::<_, E, D>(&device, &divisors, (divisors.len(),))?),
            None => Ok(sums),
        }
    }

    /// `U_ref,w − U_ref,l` of every comparison.
    fn reference_margins<E: Dtype, D: Device<E>>(
        &self,
        reference: &PerRow<E, D>,
        layout: &PairLayout,
    ) -> Result<Vec<f64>, D::Err> {
        let terms = TokenTerms::of_policy(reference.clone());
        let grids = (layout.units(Side::Chosen), layout.units(Side::Rejected));
        let chosen = self.reduced(&terms, Statistic::LOGP, grids, Side::Chosen)?;
        let rejected = self.reduced(&terms, Statistic::LOGP, (grids.1, grids.0), Side::Rejected)?;
        Ok(values(&chosen)
            .iter()
            .zip(values(&rejected))
            .map(|(chosen, rejected)| chosen - rejected)
            .collect())
    }

    /// The losses times `s ω`.
    fn weighted<E: Dtype, D: Device<E>, T: Tape<E, D>>(
        &self,
        losses: PerRow<E, D, T>,
        terms: &TokenTerms<E, D, T>,
        layout: &PairLayout,
    ) -> Result<PerRow<E, D, T>, D::Err> {
        let losses = if self.scale == 1.0 { losses } else { losses.try_mul(scalar::<E>(self.scale))? };
        let (PairWeight::Likelihood, Some(collisions)) = (self.pair_weight, &terms.log_collisions) else {
            return Ok(losses);
        };
        let excess = detached(&terms.logps)?.try_sub(collisions.clone())?;
        let mut log_weights = vec![0.0; layout.n_units()];
        for side in [Side::Chosen, Side::Rejected] {
            let grid = layout.units(side).mask();
            let means = weighted_sums(excess.clone(), &grid)?;
            for (unit, (log_weight, mean)) in log_weights.iter_mut().zip(values(&means)).enumerate() {
                *log_weight += if grid.is_empty(unit) { 0.0 } else { mean / grid.weight_sums()[unit] };
            }
        }
        let weights: Vec<f64> = log_weights.iter().map(|log_weight| log_weight.exp()).collect();
        let weights = constant::<_, E, D>(losses.device(), &weights, (weights.len(),))?;
        losses.try_mul(weights)
    }

    /// The losses of pairs, with what is added to them.
    fn regularized<E: Dtype, D: Device<E>, T: Tape<E, D>>(
        &self,
        losses: PerRow<E, D, T>,
        z: &PerRow<E, D, T>,
        terms: &TokenTerms<E, D, T>,
        layout: &PairLayout,
    ) -> Result<PerRow<E, D, T>, D::Err> {
        let regularizers = &self.regularizers;
        let live = layout.live_pairs();
        let mut added = Vec::new();
        let mut add = |term| where_live(term, &live).map(|term| added.push(term));
        if let Some(nll) = regularizers.nll {
            add(negative_log_likelihood(nll, terms, layout.rows(Side::Chosen))?)?;
        }
        if let Some((reward, rewards)) = regularizers.token_reward.zip(terms.token_rewards.as_ref()) {
            let gate = detached_sigmoid(&z.with_empty_tape().try_negate()?)?;
            let rewarded = terms.logps.with_empty_tape().try_mul(rewards.clone())?;
            let chosen = weighted_sums(rewarded.with_empty_tape(), layout.rows(Side::Chosen))?;
            let both = weighted_sums(rewarded, layout.rows(Side::Rejected))?.try_add(chosen)?;
            add(both.try_mul(gate)?.try_mul(scalar::<E>(-reward.alpha * self.beta))?)?;
        }
        if let Some(square) = regularizers.square {
            let grids = (layout.pairs(Side::Chosen), layout.pairs(Side::Rejected));
            let chosen = self.reduced(terms, self.statistic, grids, Side::Chosen)?;
            let rejected = self.reduced(terms, self.statistic, (grids.1, grids.0), Side::Rejected)?;
            let above = chosen.try_sub(scalar::<E>(square.target))?.try_square()?;
            let below = rejected.try_add(scalar::<E>(square.target))?.try_square()?;
            add(above.try_add(below)?.try_mul(scalar::<E>(square.coefficient))?)?;
        }
        if let Some((l1, weights)) = regularizers.l1.zip(terms.weights.as_ref()) {
            let size = weights.with_empty_tape().try_abs()?;
            let chosen = weighted_sums(size.with_empty_tape(), layout.rows(Side::Chosen))?;
            let both = weighted_sums(size, layout.rows(Side::Rejected))?.try_add(chosen)?;
            add(both.try_mul(scalar::<E>(l1.coefficient))?)?;
        }
        if let Some(barrier) = regularizers.barrier {
            let logps = terms.logps.with_empty_tape();
            let unlikely = logps.try_lt(scalar::<E>(barrier.probability.ln()))?;
            let zeros: PerRow<E, D> = logps.device().try_zeros_like(logps.shape())?;
            let sums = weighted_sums(unlikely.try_choose(logps, zeros)?, layout.rows(Side::Chosen))?;
            add(sums.try_mul(scalar::<E>(-barrier.coefficient))?)?;
        }
        added.into_iter().try_fold(losses, |losses, term| losses.try_add(term))
    }
}

fn negative_log_likelihood<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    nll: Nll,
    terms: &TokenTerms<E, D, T>,
    rows: &TokenGrid,
) -> Result<PerRow<E, D, T>, D::Err> {
    let factor = |pair: usize| match nll.reduction {
        NllReduction::Sum => -nll.coefficient,
        NllReduction::Mean => -nll.coefficient / rows.weight_sums()[pair].max(1.0),
    };
    let factors: Vec<f64> = (0..rows.n_sequences()).map(factor).collect();
    let sums = weighted_sums(terms.logps.with_empty_tape(), rows)?;
    let factors = constant::<_, E, D>(sums.device(), &factors, (factors.len(),))?;
    sums.try_mul(factors)
}

/// The entries that are live in ascending order, each in the place of a live one.
fn in_order<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    side: PerRow<E, D, T>,
    live: &[bool],
) -> Result<PerRow<E, D, T>, D::Err> {
    let values = values(&side);
    let places: Vec<usize> = (0..live.len()).filter(|&unit| live[unit]).collect();
    let mut sorted = places.clone();
    sorted.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut order: Vec<usize> = (0..live.len()).collect();
    for (place, unit) in places.into_iter().zip(sorted) {
        order[place] = unit;
    }
    let order = side.device().try_tensor_from_vec(order, (live.len(),))?;
    side.try_gather::<(usize,), (usize,)>(order)
}

/// The entries that are live, and 0 without gradient for others.
fn where_live<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    losses: PerRow<E, D, T>,
    live: &[bool],
) -> Result<PerRow<E, D, T>, D::Err> {
    let device = losses.device().clone();
    let mask = constant::<_, E, D>(&device, &numbers(live), (live.len(),))?.try_ne(E::default())?;
    let zeros: PerRow<E, D> = device.try_zeros_like(&(live.len(),))?;
    mask.try_choose(losses, zeros)
}

fn numbers(live: &[bool]) -> Vec<f64> {
    live.iter().map(|&live| if live { 1.0 } else { 0.0 }).collect()
}

/// `value` with the tape of `of` besides its own: expressions here are built from parts whose tapes are set aside.
fn keep<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    value: PerRow<E, D, T>,
    of: PerRow<E, D, T>,
) -> PerRow<E, D, T> {
    let (value, tape) = value.split_tape();
    let (_, other) = of.split_tape();
    value.put_tape(tape.merge(other))
}
