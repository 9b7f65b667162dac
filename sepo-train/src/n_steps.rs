//! How many steps a run has.

use crate::TrainConfig;

/// `max_steps`, or as many steps as `epochs` takes with a smaller last batch in every epoch.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a positive number of steps; beyond 2^53 it saturates, and no run gets there"
)]
pub(crate) fn total_steps(config: &TrainConfig, n_examples: usize) -> u64 {
    let steps_per_epoch = n_examples.div_ceil(config.batch_size);
    config.max_steps.unwrap_or((config.epochs * steps_per_epoch as f64).ceil().max(1.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_from_epochs_unless_they_are_given() {
        let config = TrainConfig { batch_size: 4, epochs: 2.0, ..TrainConfig::default() };
        assert_eq!(total_steps(&config, 9), 6);
        assert_eq!(total_steps(&TrainConfig { epochs: 0.5, ..config.clone() }, 9), 2);
        assert_eq!(total_steps(&TrainConfig { epochs: 1e-9, ..config.clone() }, 9), 1);
        assert_eq!(total_steps(&TrainConfig { max_steps: Some(100), ..config }, 9), 100);
    }
}
