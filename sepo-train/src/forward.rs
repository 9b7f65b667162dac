//! What a forward pass leaves: numbers a row, of the policy and of the models beside it.

use sepo_model::{RowValues, States};

/// What frozen models say of a batch.
#[derive(Debug, Default)]
pub(crate) struct Others {
    /// Of each model, so scaled that their logits add up to those of the distribution to compare with.
    pub(crate) states: Vec<States>,
    /// Of each row, how far the teacher is moved on; empty for a reference.
    pub(crate) extrapolations: Vec<f64>,
}

/// What a forward pass made of every row, and what its way back needs.
#[derive(Debug, Default)]
pub(crate) struct Forward {
    pub(crate) values: RowValues,
    /// Of the frozen models.
    pub(crate) others: Others,
    /// Of each row, where they are read.
    pub(crate) log_collisions: Vec<f64>,
    pub(crate) flops: u64,
}
