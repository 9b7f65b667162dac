//! Scores of one response's candidates into their weights.

use sepo_data::Side;
use sepo_kernels::{Extreme, KernelError};

use crate::rank::{draw, rank};
use crate::weigh::{
    SideRule, agreeing_segments, centred_sigmoid, change_points, min_max, one_minus, rank_linear,
    renormalize, threshold,
};
use crate::{Renormalize, Rule, SelectConfig, SelectError};

/// Whose candidates these are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) row: u64,
    pub(crate) side: Side,
    /// The response token that the first candidate is.
    pub(crate) first: usize,
    /// Tokens of the shorter response of the pair.
    pub(crate) n_shared: usize,
}

/// One weight a candidate.
///
/// # Errors
///
/// * [`SelectError::Rank`]: more candidates than can be ranked.
/// * [`SelectError::NonFiniteWeight`]: a weight beyond the numbers that are stored.
pub(crate) fn weights(config: &SelectConfig, place: Place, scores: &[f32]) -> Result<Vec<f32>, SelectError> {
    let Place { row, side, first, .. } = place;
    if config.rule.keeps_a_share() && config.renormalize == Renormalize::Never {
        // The usual way, without a detour through f64.
        return masked(config, (row, side), scores, 1.0);
    }
    let mut weights = if config.rule.keeps_a_share() {
        masked(config, (row, side), scores, 1.0)?
    } else {
        weighed(config, place, scores)
    };
    if config.renormalize == Renormalize::Count {
        renormalize(&mut weights, scores.len() as f64);
    }
    let narrowed: Vec<f32> = weights.iter().map(|weight| narrow(*weight)).collect();
    match narrowed.iter().position(|weight| !weight.is_finite()) {
        Some(i) => Err(SelectError::NonFiniteWeight { row, side, token: first + i, weight: weights[i] }),
        None => Ok(narrowed),
    }
}

/// `one` for candidates that are kept.
fn masked<T: Copy + Default>(
    config: &SelectConfig,
    place: (u64, Side),
    scores: &[f32],
    one: T,
) -> Result<Vec<T>, SelectError> {
    let mut weights = vec![T::default(); scores.len()];
    kept(config, place, scores)?.into_iter().for_each(|index| weights[index as usize] = one);
    Ok(weights)
}

/// Indices of the candidates kept, by the rules that keep a share.
pub(crate) fn kept(
    config: &SelectConfig,
    (row, side): (u64, Side),
    scores: &[f32],
) -> Result<Vec<u32>, SelectError> {
    let count = config.compat.count(config.keep(side), scores.len());
    let extreme = if config.side_rule_on(side).is_turned() { Extreme::Lowest } else { Extreme::Highest };
    let ranked = match config.rule {
        Rule::Salience => {
            let magnitudes: Vec<f32> = scores.iter().map(|s| s.abs()).collect();
            rank(&magnitudes, count, Extreme::Highest)
        }
        Rule::Random { seed } => u32::try_from(scores.len())
            .map(|n| draw(n, count, seed, row, side))
            .map_err(|_| KernelError::TooMany { n_values: scores.len() }),
        _ => rank(scores, count, extreme),
    };
    ranked.map_err(|source| SelectError::Rank { row, side, source })
}

/// One weight a candidate, by the rules that keep no share.
fn weighed(config: &SelectConfig, place: Place, scores: &[f32]) -> Vec<f64> {
    let on_side = config.side_rule_on(place.side);
    let each = |weight: &dyn Fn(f64) -> f64| scores.iter().map(|s| weight(f64::from(*s))).collect();
    let positions =
        |weight: &dyn Fn(usize) -> f64| (0..scores.len()).map(|i| weight(place.first + i)).collect();
    let sign = if on_side.is_turned() { -1.0 } else { 1.0 };
    let turned = || -> Vec<f64> { scores.iter().map(|s| sign * f64::from(*s)).collect() };
    match config.rule {
        Rule::Tis(tis) => each(&|score| tis.weight(score, on_side)),
        Rule::TisRank(ends) => rank_linear(&turned(), ends),
        Rule::Tgdpo(affine) => each(&|score| affine.weight(score, on_side)),
        Rule::TReg => each(&|score| centred_sigmoid(sign * score)),
        Rule::Critical => match place.side {
            Side::Chosen => vec![1.0; scores.len()],
            Side::Rejected => each(&|score| one_minus(centred_sigmoid(score) + 0.5)),
        },
        Rule::Probability => each(&|score| centred_sigmoid(sign * score) + 0.5),
        Rule::MinMax => min_max(&turned()),
        Rule::D2po(decay) => positions(&|token| decay.weight(token)),
        Rule::LdDpo(shared) => positions(&|token| shared.weight(token, place.n_shared)),
        Rule::Asr(settings) => {
            let scores = turned();
            bits(agreeing_segments(&scores, &change_points(&scores, settings)))
        }
        Rule::Threshold { at } if on_side == SideRule::Opposite => {
            each(&|score| f64::from(u8::from(score <= at)))
        }
        rule => match rule.level() {
            Some(level) => bits(threshold(&turned(), level)),
            None => vec![1.0; scores.len()],
        },
    }
}

fn bits(mask: Vec<bool>) -> Vec<f64> {
    mask.into_iter().map(|is_set| f64::from(u8::from(is_set))).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "rounded once, to be stored; what overflows is found")]
fn narrow(weight: f64) -> f32 {
    weight as f32
}
