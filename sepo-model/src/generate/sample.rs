//! One token from a row of logits.

use rand::{Rng, RngExt};

use super::GenerateConfig;

/// A token drawn from `softmax(logits / temperature)` restricted to the smallest set that reaches `top_p`; the most
/// likely one where the temperature is 0. Ties go to the lower id.
pub(super) fn draw(logits: &[f32], config: &GenerateConfig, rng: &mut impl Rng) -> u32 {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    let descending = |a: &usize, b: &usize| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b));
    let greedy = || order.iter().copied().min_by(descending).unwrap_or_default();
    let token = if config.temperature == 0.0 {
        greedy()
    } else {
        let max = f64::from(logits[greedy()]);
        let weight = |id: &usize| ((f64::from(logits[*id]) - max) / config.temperature).exp();
        if config.top_p < 1.0 {
            let total: f64 = order.iter().map(weight).sum();
            order.sort_unstable_by(descending);
            let mut reached = 0.0;
            let n = order.iter().take_while(|id| {
                let short = reached < config.top_p * total;
                reached += weight(id);
                short
            });
            let n = n.count();
            order.truncate(n);
        }
        let total: f64 = order.iter().map(weight).sum();
        let mut left = rng.random::<f64>() * total;
        let drawn = order.iter().find(|id| {
            left -= weight(id);
            left < 0.0
        });
        // Rounding can leave a last crumb; it belongs to the last token.
        drawn.or(order.last()).copied().unwrap_or_default()
    };
    #[expect(clippy::cast_possible_truncation, reason = "an index into a row of vocab logits; ids are u32")]
    let token = token as u32;
    token
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn config(temperature: f64, top_p: f64) -> GenerateConfig {
        GenerateConfig { temperature, top_p, ..Default::default() }
    }

    #[test]
    fn greedy_takes_the_lowest_of_equal_ids() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        assert_eq!(draw(&[0.0, 2.0, 2.0], &config(0.0, 1.0), &mut rng), 1);
    }

    #[test]
    fn frequencies_follow_the_softmax() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let logits = [0.0, 2.0f32.ln(), 5.0f32.ln()];
        let mut counts = [0.0f64; 3];
        for _ in 0..20_000 {
            counts[draw(&logits, &config(1.0, 1.0), &mut rng) as usize] += 1.0 / 20_000.0;
        }
        for (count, expected) in counts.iter().zip([0.125, 0.25, 0.625]) {
            assert!((count - expected).abs() < 0.02, "{counts:?}");
        }
    }

    #[test]
    fn top_p_drops_the_tail_and_keeps_the_token_that_reaches_it() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let logits = [0.0, 2.0f32.ln(), 5.0f32.ln()];
        let drawn: Vec<u32> = (0..500).map(|_| draw(&logits, &config(1.0, 0.7), &mut rng)).collect();
        assert!(!drawn.contains(&0) && drawn.contains(&1) && drawn.contains(&2));
        assert!((0..500).all(|_| draw(&logits, &config(1.0, 0.5), &mut rng) == 2));
    }
}
