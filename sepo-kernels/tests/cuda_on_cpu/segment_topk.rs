use crate::machine::{Machine, machines};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sepo_kernels::cuda::{self, TopkPlan};
use sepo_kernels::{Extreme, KernelError, segment_topk};

/// The selection, or the error, that the kernel comes to
fn on_machine(
    on: &Machine,
    scores: &[f32],
    offsets: &[usize],
    counts: &[usize],
    extreme: Extreme,
) -> Result<Vec<u32>, KernelError> {
    let (plan, at_scores) = (on.place(TopkPlan::new(offsets, counts)?), on.memory(scores));
    let (mut selected, mut first_nan) = (on.garbage(plan.plan().n_selected()), on.memory(&[u32::MAX]));
    let (to, nan) = (selected.slice_mut(), first_nan.slice_mut());
    cuda::segment_topk(on, plan.view(), at_scores.slice(), extreme, to, nan).expect("a launch");
    plan.plan().check_nan(first_nan.read()[0])?;
    Ok(selected.read())
}

/// Few distinct values, so that most scores tie, zeros of either sign and infinities among them
fn score(rng: &mut ChaCha8Rng) -> f32 {
    let special = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE, -1e-40];
    match rng.random_range(0..4) {
        0 => special[rng.random_range(0..special.len())],
        1 => rng.random::<f32>() * 2e3 - 1e3,
        _ => (rng.random_range(0..7) as f32) - 3.0,
    }
}

#[test]
fn selects_the_same_indices_as_the_cpu_form() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for on in machines() {
        for most in [1, 40, 300] {
            let (mut scores, mut offsets, mut counts) = (vec![], vec![0], vec![]);
            for _ in 0..40 {
                let length = rng.random_range(0..=most);
                scores.extend((0..length).map(|_| score(&mut rng)));
                offsets.push(scores.len());
                counts.push(rng.random_range(0..=length));
            }
            for extreme in [Extreme::Highest, Extreme::Lowest] {
                let expected = segment_topk(&scores, &offsets, &counts, extreme);
                assert_eq!(on_machine(&on, &scores, &offsets, &counts, extreme), expected);
            }
        }
    }
}

#[test]
fn segments_that_do_not_fit_shared_memory_are_read_again() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let scores: Vec<f32> = (0..9000).map(|_| score(&mut rng)).collect();
    for on in machines() {
        for (offsets, counts) in [([0, 4000, 9000], [1234, 1500]), ([0, 4096, 9000], [4096, 4904])] {
            let expected = segment_topk(&scores, &offsets, &counts, Extreme::Highest);
            assert_eq!(on_machine(&on, &scores, &offsets, &counts, Extreme::Highest), expected);
        }
    }
}

#[test]
fn names_what_is_wrong() {
    for on in machines() {
        let topk = |scores: &[f32], offsets: &[usize], counts: &[usize]| {
            on_machine(&on, scores, offsets, counts, Extreme::Lowest).expect_err("an error")
        };
        let too_many = KernelError::CountTooLarge { segment: 1, count: 3, length: 2 };
        assert_eq!(topk(&[0.0; 4], &[0, 2, 4], &[1, 3]), too_many);
        let scores = [1.0, f32::NAN, 0.0, f32::NAN];
        let nan = KernelError::ScoreNotANumber { segment: 1, position: 0 };
        assert_eq!(
            topk(&scores, &[0, 1, 1, 4], &[1, 0, 0]),
            KernelError::ScoreNotANumber { segment: 2, position: 0 }
        );
        assert_eq!(topk(&scores, &[0, 1, 4], &[1, 0]), nan);
    }
}
