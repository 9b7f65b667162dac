//! What a forward pass leaves: numbers a row, of the policy and of the models beside it.

use sepo_model::{Backend, RowValues, States};

/// What frozen models say of a batch.
#[derive(Debug)]
pub(crate) struct Others<B: Backend> {
    /// Of each model, so scaled that their logits add up to those of the distribution to compare with.
    pub(crate) states: Vec<States<B>>,
    /// Of each row, how far the teacher is moved on; empty for a reference.
    pub(crate) extrapolations: Vec<f64>,
}

impl<B: Backend> Default for Others<B> {
    fn default() -> Self {
        Self { states: Vec::new(), extrapolations: Vec::new() }
    }
}

/// What a forward pass made of every row, and what its way back needs.
#[derive(Debug)]
pub(crate) struct Forward<B: Backend> {
    pub(crate) values: RowValues,
    /// Of the frozen models.
    pub(crate) others: Others<B>,
    /// Of each row, where they are read.
    pub(crate) log_collisions: Vec<f64>,
    pub(crate) flops: u64,
}

impl<B: Backend> Default for Forward<B> {
    fn default() -> Self {
        Self { values: RowValues::default(), others: Others::default(), log_collisions: Vec::new(), flops: 0 }
    }
}
