//! Transforms against slow code that says the same.

#![expect(clippy::cast_possible_truncation, reason = "small numbers")]

use proptest::collection::vec;
use proptest::prelude::*;
use sepo_select::weigh::{
    ChangePoints, Decay, Level, RankLinear, Segments, SharedLength, States, Transport, WeighError,
    activation_weights, agreeing_segments, aspect_weights, centred_sigmoid, change_points, gap_mask,
    low_confidence_mask, min_max, quantile, rank_linear, renormalize, sentence_weights, threshold,
    transport_weights, turn_weights,
};
use sepo_select::{Side, Span};

/// Ties, both zeros and outliers.
fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-3i8..4).prop_map(f64::from),
        1 => Just(-0.0),
        4 => -5.0..5.0,
        1 => prop_oneof![Just(1e30), Just(-1e30)],
    ]
}

fn span(start: u32, end: u32) -> Span {
    Span { start, end }
}

/// Spans that rise without overlap, some of them empty.
fn rising() -> impl Strategy<Value = Vec<Span>> {
    vec((0u32..4, 0u32..6), 0..12).prop_map(|steps| {
        let mut at = 0;
        steps
            .into_iter()
            .map(|(gap, length)| {
                let start = at + gap;
                at = start + length;
                span(start, at)
            })
            .collect()
    })
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
}

/// Every way to cut `n` tokens into segments.
fn partitions(n: usize) -> Vec<Vec<std::ops::Range<usize>>> {
    (0..1u32 << (n - 1))
        .map(|cuts| {
            let mut start = 0;
            let ends = (1..=n).filter(|&end| end == n || cuts >> (end - 1) & 1 == 1);
            ends.map(|end| std::mem::replace(&mut start, end)..end).collect()
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn ranks_are_counted(scores in vec(score(), 0..30), low in -1.0..1.0, range in 0.0..2.0) {
        let ends = RankLinear { low, high: low + range };
        let weights = rank_linear(&scores, ends);
        prop_assert_eq!(weights.len(), scores.len());
        for (weight, score) in weights.iter().zip(&scores) {
            let below = scores.iter().filter(|s| *s < score).count() as f64;
            let ties = scores.iter().filter(|s| *s == score).count() as f64 - 1.0;
            let share = if scores.len() == 1 { 0.5 } else { (below + ties / 2.0) / (scores.len() - 1) as f64 };
            prop_assert!(close(*weight, low + share * (ends.high - low)));
        }
    }

    #[test]
    fn quantiles_lie_between_two_of_the_sorted(values in vec(score(), 1..30), q in 0.0..=1.0) {
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let place: f64 = q * (values.len() - 1) as f64;
        let at = |i: f64| sorted[i as usize];
        let share = place - place.floor();
        let expected = at(place.floor()) * (1.0 - share) + at(place.ceil()) * share;
        let found = quantile(&values, q);
        prop_assert!((found - expected).abs() <= 1e-9 * (1.0 + at(place.floor()).abs() + at(place.ceil()).abs()));
        prop_assert_eq!(quantile(&values, 0.0), sorted[0] + 0.0);
        prop_assert_eq!(quantile(&values, 1.0), sorted[values.len() - 1] + 0.0);
    }

    #[test]
    fn levels_are_what_they_say(scores in vec(score(), 0..30), at in score(), q in 0.0..=1.0) {
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        for (i, score) in scores.iter().enumerate() {
            prop_assert_eq!(threshold(&scores, Level::Const { at })[i], *score >= at);
            prop_assert_eq!(threshold(&scores, Level::Mean)[i], *score > mean);
            prop_assert_eq!(threshold(&scores, Level::Sign)[i], *score > 0.0);
            prop_assert_eq!(threshold(&scores, Level::Quantile { q })[i], *score >= quantile(&scores, q));
        }
        // The quantile 0 is the lowest score: all reach it.
        let from_lowest = threshold(&scores, Level::Quantile { q: 0.0 });
        prop_assert!(from_lowest.into_iter().all(|is_set| is_set));
    }

    #[test]
    fn min_max_keeps_the_order_and_the_ends(scores in vec(score(), 1..30)) {
        let weights = min_max(&scores);
        prop_assert!(weights.iter().all(|w| (0.0..=1.0).contains(w)));
        let [low, high] = [f64::min, f64::max].map(|f| scores.iter().copied().reduce(f).unwrap());
        for (weight, score) in weights.iter().zip(&scores) {
            let expected = if high > low { (score - low) / (high - low) } else { 1.0 };
            prop_assert!(close(*weight, expected));
        }
    }

    #[test]
    fn sums_are_what_was_asked_for(mut weights in vec(0.0..3.0, 1..30), total in 0.1..9.0) {
        let before = weights.clone();
        renormalize(&mut weights, total);
        prop_assert!(close(weights.iter().sum(), total));
        prop_assert!(close(weights[0] * before[before.len() - 1], weights[before.len() - 1] * before[0]));
    }

    #[test]
    fn sigmoids_are_odd_and_bounded(score in score()) {
        let weight = centred_sigmoid(score);
        prop_assert!(weight.abs() <= 0.5);
        prop_assert_eq!(weight, -centred_sigmoid(-score));
        prop_assert!(close(weight, 1.0 / (1.0 + (-score).exp()) - 0.5));
    }

    #[test]
    fn positions_alone_decide(gamma in 0.01..=1.0, alpha in 0.0..=1.0, token in 0usize..400, n in 0usize..400) {
        let product: f64 = (0..=token).map(|_| gamma).product();
        let weight = Decay { gamma }.weight(token);
        prop_assert!((weight - product).abs() <= 1e-12 * product + f64::MIN_POSITIVE);
        let expected = if token < n { 1.0 } else { alpha };
        prop_assert_eq!(SharedLength { alpha }.weight(token, n), expected);
    }

    #[test]
    fn the_partition_is_the_cheapest_of_all(
        scores in vec(prop_oneof![(-2i8..3).prop_map(f64::from), -3.0..3.0], 1..11), penalty in 0.1..4.0,
    ) {
        let n = scores.len();
        let noise = scores.windows(2).map(|w| (w[1] - w[0]).powi(2)).sum::<f64>() / (2.0 * (n - 1).max(1) as f64);
        let price = penalty * noise * (n as f64).ln();
        let cost = |partition: &[std::ops::Range<usize>]| -> f64 {
            partition.iter().map(|segment| {
                let scores = &scores[segment.clone()];
                let mean = scores.iter().sum::<f64>() / scores.len() as f64;
                scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() + price
            }).sum()
        };
        let least = partitions(n).iter().map(|p| cost(p)).fold(f64::INFINITY, f64::min);
        let found = change_points(&scores, ChangePoints { penalty });
        prop_assert_eq!(found.first().unwrap().start, 0);
        prop_assert_eq!(found.last().unwrap().end, n);
        prop_assert!(found.windows(2).all(|w| w[0].end == w[1].start));
        prop_assert!(close(cost(&found), least), "{} is not {}", cost(&found), least);
        let mask = agreeing_segments(&scores, &found);
        for segment in found {
            let agrees = scores[segment.clone()].iter().sum::<f64>() > 0.0;
            prop_assert!(mask[segment].iter().all(|m| *m == agrees));
        }
    }

    #[test]
    fn a_token_belongs_where_most_of_its_bytes_are(tokens in rising(), segments in rising()) {
        let found = Segments::new(segments.clone()).unwrap().of_tokens(&tokens);
        for (token, found) in tokens.iter().zip(found) {
            let shared = |s: &Span| (token.start..token.end).filter(|b| (s.start..s.end).contains(b)).count();
            let most = segments.iter().map(shared).max().unwrap_or(0);
            let expected = segments.iter().position(|s| most > 0 && shared(s) == most);
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn annotations_reach_their_tokens(
        tokens in rising(), segments in rising(), labels in vec(any::<bool>(), 12), scores in vec(-1.0..1.0, 36),
    ) {
        let n = segments.len();
        let segments = Segments::new(segments).unwrap();
        let of = segments.of_tokens(&tokens);
        let chosen = sentence_weights(Side::Chosen, &tokens, &segments, &labels[..n]).unwrap();
        let rejected = sentence_weights(Side::Rejected, &tokens, &segments, &labels[..n]).unwrap();
        let aspects = aspect_weights(&tokens, &segments, &scores[..3 * n], &[0.5, 0.25, 0.25]).unwrap();
        let turns = turn_weights(&tokens, &segments, n / 2..n).unwrap();
        for (i, of) in of.into_iter().enumerate() {
            let bit = |is_set: bool| f64::from(u8::from(is_set));
            prop_assert_eq!(chosen[i], bit(of.is_some_and(|k| labels[k])));
            prop_assert_eq!(rejected[i], bit(of.is_some_and(|k| !labels[k])));
            let aspect = of.map_or(0.0, |k| 0.5 * scores[3 * k] + 0.25 * scores[3 * k + 1] + 0.25 * scores[3 * k + 2]);
            prop_assert!(close(aspects[i], aspect));
            prop_assert_eq!(turns[i], bit(of.is_some_and(|k| k >= n / 2)));
        }
    }

    #[test]
    fn masks_of_the_policy_are_what_they_say(
        logps in vec((-9.0..-0.01, -9.0..-0.01), 1..30), q in 0.0..=1.0,
    ) {
        let (policy, reference): (Vec<f64>, Vec<f64>) = logps.into_iter().unzip();
        let mean = policy.iter().map(|l: &f64| l.exp()).sum::<f64>() / policy.len() as f64;
        for (l, is_set) in policy.iter().zip(low_confidence_mask(&policy)) {
            prop_assert!(is_set == (l.exp() < mean) || close(l.exp(), mean));
        }
        let mask = gap_mask(Side::Rejected, &policy, &reference, q).unwrap();
        // Selecting on the other side is selecting with the models exchanged.
        prop_assert_eq!(&mask, &gap_mask(Side::Chosen, &reference, &policy, q).unwrap());
        let gaps: Vec<f64> = policy.iter().zip(&reference).map(|(p, r)| p - r).collect();
        prop_assert_eq!(mask, threshold(&gaps, Level::Quantile { q }));
    }

    #[test]
    fn transports_balance_and_solve_their_equations(
        chosen in vec(-3.0..3.0, 2..16), rejected in vec(-3.0..3.0, 2..16), reg in 0.05..2.0, reg_m in 0.05..2.0,
    ) {
        let states = |values: &[f64]| values[..values.len() / 2 * 2].to_vec();
        let (chosen, rejected) = (states(&chosen), states(&rejected));
        let (n, m) = (chosen.len() / 2, rejected.len() / 2);
        let config = Transport { reg, reg_m, max_iterations: 100_000, tolerance: 1e-13 };
        let found = transport_weights(
            States::new(&chosen, 2).unwrap(), States::new(&rejected, 2).unwrap(), &config,
        ).unwrap();
        let least = n.min(m) as f64;
        prop_assert!(close(found.chosen.iter().sum(), least));
        prop_assert!(close(found.rejected.iter().sum(), least));
        prop_assert!(found.chosen.iter().chain(&found.rejected).all(|w| *w >= 0.0));

        // The plan by scaling in the log domain, entry by entry.
        let distance = |i: usize, j: usize| {
            let [dx, dy] = [0, 1].map(|k| chosen[2 * i + k] - rejected[2 * j + k]);
            (dx * dx + dy * dy).sqrt() + 1e-6
        };
        let greatest = (0..n * m).map(|k| distance(k / m, k % m)).fold(1.0, f64::max);
        let cost = |i, j| distance(i, j) / greatest / reg;
        let f = reg_m / (reg_m + reg);
        let (mut a, mut b): (Vec<f64>, Vec<f64>) = (vec![0.0; n], vec![0.0; m]);
        for _ in 0..3000 {
            a = (0..n).map(|i| -f * (0..m).map(|j| (b[j] - cost(i, j)).exp()).sum::<f64>().ln()).collect();
            b = (0..m).map(|j| -f * (0..n).map(|i| (a[i] - cost(i, j)).exp()).sum::<f64>().ln()).collect();
        }
        let plan = |i: usize, j: usize| (a[i] + b[j] - cost(i, j)).exp();
        let total: f64 = (0..n * m).map(|k| plan(k / m, k % m)).sum();
        for i in 0..n {
            let row = (0..m).map(|j| plan(i, j)).sum::<f64>() / total * least;
            prop_assert!((found.chosen[i] - row).abs() < 1e-6, "{} is not {}", found.chosen[i], row);
        }
    }

    #[test]
    fn activations_are_scaled_means_whatever_their_z_score(
        values in vec(-3.0..3.0, 6..40), shift in -2.0..2.0, scale in 0.1..3.0,
    ) {
        let values = &values[..values.len() / 3 * 3];
        let moved: Vec<f64> = values.iter().map(|v| v * scale + shift).collect();
        let [a, b] = [values, &moved[..]].map(|v| activation_weights(States::new(v, 3).unwrap()).unwrap());
        for (a, b) in a.iter().zip(b) {
            prop_assert!((a - b).abs() < 1e-9);
        }
    }
}

#[test]
fn inputs_without_an_answer_are_named() {
    let text = |error: WeighError| error.to_string();
    assert_eq!(
        text(Segments::new(vec![span(0, 4), span(3, 5)]).unwrap_err()),
        "segment 1 is 3..5 after one that ends at 4: segments rise and do not overlap"
    );
    assert_eq!(
        text(gap_mask(Side::Chosen, &[0.0], &[], 0.6).unwrap_err()),
        "0 log-probabilities of the reference for 1 of the policy"
    );
    assert_eq!(
        text(gap_mask(Side::Chosen, &[], &[], 1.5).unwrap_err()),
        "the setting `q` is 1.5; it must be from 0 to 1"
    );
    assert_eq!(text(turn_weights(&[], &Segments::default(), 0..1).unwrap_err()), "turns 0..1 of 0");
    assert_eq!(text(States::new(&[0.0; 3], 2).unwrap_err()), "3 numbers for 2 in full rows");
    let states = States::new(&[f64::NAN], 1).unwrap();
    assert_eq!(
        text(transport_weights(states, states, &Transport::default()).unwrap_err()),
        "the chosen state at index 0 is NaN, not a finite number"
    );
    let empty = States::new(&[], 1).unwrap();
    let one = States::new(&[1.0], 1).unwrap();
    assert_eq!(transport_weights(one, empty, &Transport::default()).unwrap().chosen, [0.0]);
}

#[test]
fn extreme_lists_of_states_give_numbers() {
    let far = [f64::MAX, -f64::MAX];
    let states = States::new(&far, 1).unwrap();
    let weights =
        transport_weights(states, states, &Transport { reg: 0.002, ..Transport::default() }).unwrap();
    assert!(weights.chosen.iter().chain(&weights.rejected).all(|w| w.is_finite()));
}
