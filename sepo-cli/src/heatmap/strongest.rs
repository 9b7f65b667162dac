use super::{HeatmapSide, HeatmapToken};

/// The `n` highest positive and the `n` lowest negative scores of a side, strongest first, with their positions.
/// Ties: the lower position first.
pub(super) fn strongest(side: &HeatmapSide, n: usize) -> Vec<(usize, &HeatmapToken)> {
    let mut scored: Vec<(usize, &HeatmapToken, f32)> = side
        .tokens
        .iter()
        .enumerate()
        .filter_map(|(position, token)| Some((position, token, token.score.filter(|score| !score.is_nan())?)))
        .collect();
    scored.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)));
    let highest = scored.iter().filter(|entry| entry.2 > 0.0).take(n);
    let mut lowest: Vec<_> = scored.iter().filter(|entry| entry.2 < 0.0).collect();
    lowest.sort_by(|a, b| a.2.total_cmp(&b.2).then(a.0.cmp(&b.0)));
    highest.chain(lowest.into_iter().take(n)).map(|&(position, token, _)| (position, token)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_come_out_strongest_first() {
        let scores = [0.5, -2.0, 0.5, 3.0, f32::NAN, 0.0, -1.0];
        let tokens =
            scores.iter().map(|&score| HeatmapToken { score: Some(score), ..Default::default() }).collect();
        let side = HeatmapSide { name: "chosen".into(), tokens };
        let positions: Vec<usize> = strongest(&side, 2).into_iter().map(|(position, _)| position).collect();
        assert_eq!(positions, [3, 0, 1, 6]);
    }
}
