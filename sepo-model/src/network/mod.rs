//! The network as one differentiable node: token ids in, one log-probability per requested row out, and the way back.

mod attention;
mod batch;
mod block;
mod head;
mod linear;
mod mlp;
mod norm;

pub use batch::SequenceBatch;
pub(crate) use batch::{BatchContext, RotaryCache, Rotation};
pub(crate) use block::{Block, BlockActivations};
pub(crate) use head::Head;

use sepo_kernels::{embedding, embedding_backward};

use crate::architecture::Architecture;
use crate::{ModelConfig, ModelError, Parameters};
use block::BlockScratch;

/// What a training forward pass remembers for its backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Activations {
    /// Everything: about `tokens · layers · (8 · d_model + 3 · d_ff)` floats, and no work twice.
    #[default]
    Kept,
    /// Each block's input only; the rest is computed again, block by block, on the way back.
    Recomputed,
}

/// A forward pass that waits for its gradient.
#[derive(Debug)]
struct Pending {
    context: BatchContext,
    tokens: Vec<u32>,
}

/// Runs a model forward and backward. It owns the buffers, not the weights; buffers grow to the largest batch and are
/// used again.
///
/// # Which token an index names
///
/// Row `i` of a batch is the pair (`row_positions[i]`, `row_targets[i]`): the log-probability that the hidden state at
/// flat token index `row_positions[i]` gives to the token `row_targets[i]`, which follows it.
///
/// # Examples
///
/// ```
/// use sepo_kernels::Segments;
/// use sepo_model::{Activations, Model, ModelConfig, Network, SequenceBatch};
///
/// let config = ModelConfig::from_json(r#"{
///     "model_type": "llama", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
///     "num_hidden_layers": 1, "num_attention_heads": 2
/// }"#)?;
/// let model = Model::random(config, 7)?;
/// let mut network = Network::new(&model.config, Activations::Kept);
/// let segments = Segments::single(3);
/// // log p(5 | 1 2 3): the state of token 2 predicts what follows it.
/// let batch =
///     SequenceBatch { tokens: &[1, 2, 3], segments: &segments, row_positions: &[2], row_targets: &[5] };
/// let logps = network.forward(&model.parameters, &batch)?;
/// assert!((logps[0] - (1.0f64 / 11.0).ln()).abs() < 0.5);
///
/// let mut gradient = vec![0.0; model.parameters.len()];
/// network.backward(&model.parameters, &[1.0], &mut gradient)?;
/// # Ok::<(), sepo_model::ModelError>(())
/// ```
#[derive(Debug)]
pub struct Network {
    architecture: Architecture,
    vocab: usize,
    d_model: usize,
    blocks: Vec<Block>,
    head: Head,
    rotary: RotaryCache,
    activations: Activations,
    /// Input of every block and of the head.
    inputs: Vec<Vec<f32>>,
    /// One a block where activations are kept, else one for all.
    kept: Vec<BlockActivations>,
    scratch: BlockScratch,
    gradient: Vec<f32>,
    pending: Option<Pending>,
}

impl Network {
    /// A network for models of this shape.
    #[must_use]
    pub fn new(config: &ModelConfig, activations: Activations) -> Self {
        let architecture = Architecture::new(config);
        let blocks =
            architecture.blocks.iter().enumerate().map(|(i, at)| Block::new(config, at, i)).collect();
        Self {
            vocab: config.vocab,
            d_model: config.d_model,
            blocks,
            head: Head::new(config, &architecture),
            rotary: RotaryCache::new(config),
            activations,
            inputs: Vec::new(),
            kept: Vec::new(),
            scratch: BlockScratch::default(),
            gradient: Vec::new(),
            pending: None,
            architecture,
        }
    }

    /// The log-probability of every row, in nats; nothing is kept for a backward pass.
    ///
    /// # Errors
    ///
    /// * [`ModelError::TokenOutOfVocab`] where a token or target has no embedding.
    /// * [`ModelError::BatchShape`] where the parts of the batch differ in length, or a row points outside the batch.
    pub fn logps(
        &mut self,
        parameters: &Parameters,
        batch: &SequenceBatch<'_>,
    ) -> Result<Vec<f64>, ModelError> {
        self.pending = None;
        let context = BatchContext::new(batch, self.vocab, &mut self.rotary)?;
        let weights = parameters.as_slice();
        let (mut x, mut y) = (self.embed(weights, batch.tokens), Vec::new());
        self.kept.resize_with(1.max(self.kept.len()), BlockActivations::default);
        for block in &self.blocks {
            block.forward(weights, &x, &context, &mut self.kept[0], &mut y);
            std::mem::swap(&mut x, &mut y);
        }
        Ok(self.head.forward(weights, &x, &context))
    }

    /// The log-probability of every row, in nats, keeping what [`Network::backward`] needs.
    ///
    /// # Errors
    ///
    /// As [`Network::logps`].
    pub fn forward(
        &mut self,
        parameters: &Parameters,
        batch: &SequenceBatch<'_>,
    ) -> Result<Vec<f64>, ModelError> {
        self.pending = None;
        let context = BatchContext::new(batch, self.vocab, &mut self.rotary)?;
        let weights = parameters.as_slice();
        let n = self.blocks.len();
        let first = self.embed(weights, batch.tokens);
        self.inputs.resize_with(n + 1, Vec::new);
        self.inputs[0] = first;
        let n_kept = if self.activations == Activations::Kept { n } else { 1 };
        self.kept.resize_with(n_kept, BlockActivations::default);
        for (i, block) in self.blocks.iter().enumerate() {
            let (before, after) = self.inputs.split_at_mut(i + 1);
            block.forward(weights, &before[i], &context, &mut self.kept[i.min(n_kept - 1)], &mut after[0]);
        }
        let logps = self.head.forward(weights, &self.inputs[n], &context);
        self.pending = Some(Pending { context, tokens: batch.tokens.to_vec() });
        Ok(logps)
    }

    /// Adds to `gradient` the gradient of `Σ dlogps[i] · logps[i]` with respect to every weight, for the last
    /// [`Network::forward`], which it uses up.
    ///
    /// `gradient` has the layout of [`Parameters`]; tied embeddings get both their contributions.
    ///
    /// # Errors
    ///
    /// * [`ModelError::NoForward`] without a forward pass before it.
    /// * [`ModelError::BatchShape`] where `dlogps` or `gradient` has another length than rows or weights.
    pub fn backward(
        &mut self,
        parameters: &Parameters,
        dlogps: &[f64],
        gradient: &mut [f32],
    ) -> Result<(), ModelError> {
        let weights = parameters.as_slice();
        let pending = self.pending.as_ref().ok_or(ModelError::NoForward)?;
        batch::same_length("row gradients", dlogps.len(), pending.context.n_rows())?;
        batch::same_length("weight gradients", gradient.len(), weights.len())?;
        let Pending { context, tokens } = self.pending.take().ok_or(ModelError::NoForward)?;
        let n = self.blocks.len();
        let mut dx = std::mem::take(&mut self.gradient);
        self.head.backward(weights, &self.inputs[n], &context, dlogps, &mut dx, gradient);
        for (i, block) in self.blocks.iter().enumerate().rev() {
            let kept = match self.activations {
                Activations::Kept => &self.kept[i],
                Activations::Recomputed => {
                    block.forward(
                        weights,
                        &self.inputs[i],
                        &context,
                        &mut self.kept[0],
                        &mut self.scratch.output,
                    );
                    &self.kept[0]
                }
            };
            block.backward(weights, &self.inputs[i], &context, kept, &mut self.scratch, &mut dx, gradient);
        }
        let at = self.architecture.embedding.clone();
        embedding_backward(&tokens, &dx, self.d_model, &mut gradient[at]);
        self.gradient = dx;
        Ok(())
    }

    fn embed(&self, weights: &[f32], tokens: &[u32]) -> Vec<f32> {
        let mut x = vec![0.0; tokens.len() * self.d_model];
        embedding(&weights[self.architecture.embedding.clone()], tokens, self.d_model, &mut x);
        x
    }
}
