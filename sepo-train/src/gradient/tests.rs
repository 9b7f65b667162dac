use proptest::prelude::*;
use sepo_loss::Normalizer;
use sepo_model::{Activations, Model, ModelConfig, Network};

use super::*;
use crate::ReferenceLogps;

fn tiny_model() -> Model {
    let config = ModelConfig::from_json(
        r#"{"model_type": "llama", "vocab_size": 13, "hidden_size": 8, "intermediate_size": 12,
            "num_hidden_layers": 2, "num_attention_heads": 2}"#,
    );
    Model::random(config.unwrap(), 3).unwrap()
}

fn side() -> impl Strategy<Value = (Vec<u32>, Option<Vec<f32>>, Vec<f32>)> {
    (1..8_usize).prop_flat_map(|n| {
        let weight = prop_oneof![Just(0.0_f32), Just(1.0), 0.1_f32..2.0];
        (
            prop::collection::vec(0..13_u32, n),
            prop::option::of(prop::collection::vec(weight, n)),
            prop::collection::vec(-4.0_f32..0.0, n),
        )
    })
}

fn example() -> impl Strategy<Value = TrainExample> {
    (prop::collection::vec(0..13_u32, 1..5), side(), side()).prop_map(|(prompt, chosen, rejected)| {
        TrainExample {
            chosen_weights: chosen.1,
            rejected_weights: rejected.1,
            reference: Some(ReferenceLogps { chosen: chosen.2, rejected: rejected.2 }),
            ..TrainExample::pair(0, prompt, chosen.0, rejected.0)
        }
    })
}

fn objective() -> impl Strategy<Value = Objective> {
    prop_oneof![
        Just(Objective::Sft),
        Just(Objective::Dpo { beta: 0.3, label_smoothing: 0.1 }),
        Just(Objective::SePo { gamma: 2.5, lambda: 0.1, normalizer: Normalizer::Count }),
    ]
}

fn gradient(
    model: &Model,
    examples: &[&TrainExample],
    objective: &Objective,
    tokens: usize,
) -> (Vec<f32>, Sums) {
    let mut grads = vec![0.0_f32; model.parameters.as_slice().len()];
    let mut context = GradientContext {
        passes: Passes {
            network: &mut Network::new(&model.config, Activations::Kept),
            parameters: &model.parameters,
            companion: None,
            collisions: false,
        },
        objective,
        weights: None,
        tokens_per_batch: tokens,
    };
    let total = accumulate(&mut context, examples, &mut grads).unwrap();
    assert!(total.not_finite.is_empty());
    (grads, total.sums)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The same terms are added in another order: an f32 sum of `n` terms is off by at most `n` half units in the last
    /// place of its largest partial sum, and the log-probs themselves may differ by a rounding of the forward pass.
    #[test]
    fn any_split_gives_the_gradient_of_the_whole_batch(
        examples in prop::collection::vec(example(), 1..9),
        objective in objective(),
        tokens in 1..60_usize,
    ) {
        let model = tiny_model();
        let examples: Vec<&TrainExample> = examples.iter().collect();
        let (whole, whole_sums) = gradient(&model, &examples, &objective, usize::MAX);
        let (parts, part_sums) = gradient(&model, &examples, &objective, tokens);
        let largest = whole.iter().fold(0.0_f32, |most, grad| most.max(grad.abs()));
        for (index, (part, whole)) in parts.iter().zip(&whole).enumerate() {
            let bound = 64.0 * f32::EPSILON * largest;
            prop_assert!((part - whole).abs() <= bound, "{index}: {part} {whole}, largest {largest}");
        }
        prop_assert_eq!(whole_sums.n_pairs, part_sums.n_pairs);
        prop_assert_eq!(whole_sums.n_empty, part_sums.n_empty);
        prop_assert_eq!(whole_sums.n_rows, part_sums.n_rows);
        prop_assert!((whole_sums.loss.weight() - part_sums.loss.weight()).abs() < 1e-9);
        let (whole, parts) = (whole_sums.loss.get(), part_sums.loss.get());
        prop_assert!(whole.zip(parts).is_none_or(|(a, b)| (a - b).abs() < 1e-5), "{whole:?} {parts:?}");
    }
}
