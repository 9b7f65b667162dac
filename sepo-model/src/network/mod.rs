//! The network as one differentiable node: token ids in, one log-probability per requested row out, and the way back.

mod attention;
mod beside;
mod block;
mod flops;
mod head;
mod mlp;
mod pass;
mod qkv;

pub(crate) use block::{Block, BlockActivations, BlockPass, Passing};
pub use flops::Flops;
pub(crate) use head::Head;
pub(crate) use qkv::SplitQkv;

use sepo_kernels::Precision;

use crate::architecture::Architecture;
use crate::backend::{Backend, Cpu, Weights};
use crate::batch::{BatchContext, Extent, SequenceBatch};
use crate::{Dtype, ModelConfig, ModelError};
use block::BlockScratch;

/// What a training forward pass remembers for its backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Activations {
    /// Whatever a product has made: at most `tokens · layers · (6 · d_model + 2 · d_ff)` floats. Norms and activation
    /// functions run again on the way back, which takes a hundredth of the time.
    #[default]
    Kept,
    /// Each block's input only; the rest is computed again, block by block, on the way back.
    Recomputed,
}

/// A forward pass that waits for its gradient.
#[derive(Debug)]
struct Pending<B: Backend> {
    context: BatchContext,
    batch: B::Batch,
    tokens: Vec<u32>,
}

/// Runs a model forward and backward, on the CPU or on another [`Backend`]. It owns the buffers, not the weights; buffers
/// grow to the largest batch and are used again.
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
pub struct Network<B: Backend = Cpu> {
    on: B,
    pub(crate) config: ModelConfig,
    architecture: Architecture,
    blocks: Vec<Block>,
    head: Head<B>,
    rotary: B::RotaryTables,
    activations: Activations,
    precision: Precision,
    /// Of the last block.
    last: Extent,
    /// Input of every block, `[n_tokens, d_model]`, and of the head, `[needed positions, d_model]`.
    inputs: Vec<B::Values>,
    /// One a block where activations are kept, else one for all.
    kept: Vec<BlockActivations<B>>,
    passing: Passing<B>,
    /// Output of a block that is computed again.
    output: B::Values,
    split: SplitQkv<B>,
    scratch: BlockScratch<B>,
    gradient: B::Values,
    pending: Option<Pending<B>>,
    flops: Flops,
}

impl Network {
    /// A network for models of this shape, on the CPU.
    #[must_use]
    pub fn new(config: &ModelConfig, activations: Activations) -> Self {
        Self::on(Cpu, config, activations)
    }
}

impl<B: Backend> Network<B> {
    /// A network for models of this shape, on a backend.
    #[must_use]
    pub fn on(on: B, config: &ModelConfig, activations: Activations) -> Self {
        let architecture = Architecture::new(config);
        let blocks =
            architecture.blocks.iter().enumerate().map(|(i, at)| Block::new(config, at, i)).collect();
        Self {
            on,
            config: config.clone(),
            blocks,
            head: Head::new(config, &architecture),
            rotary: B::rotary_tables(&config.rotary),
            activations,
            precision: Precision::F32,
            last: Extent::Needed,
            inputs: Vec::new(),
            kept: Vec::new(),
            passing: Passing::default(),
            output: B::Values::default(),
            split: SplitQkv::default(),
            scratch: BlockScratch::default(),
            gradient: B::Values::default(),
            pending: None,
            flops: Flops::default(),
            architecture,
        }
    }

    /// The same network with matrix products of this type, where the backend leaves a choice: the CPU does, for linear maps
    /// and the head, not for attention; a GPU has numbers of one type.
    #[must_use]
    pub fn with_dtype(mut self, dtype: Dtype) -> Self {
        self.precision = dtype.precision();
        self
    }

    /// The same network, whose last block makes an output for every token, as it does in other trainers. Results are the
    /// same; it is there to measure and to test what the saving is worth.
    #[must_use]
    pub fn with_every_output(mut self) -> Self {
        self.last = Extent::All;
        self
    }

    fn weights<'w>(&self, on: &'w B, parameters: &'w B::Parameters) -> Weights<'w, B> {
        Weights { on, values: B::flat(parameters), precision: self.precision }
    }

    fn extent(&self, block: usize) -> Extent {
        if block + 1 == self.blocks.len() { self.last } else { Extent::All }
    }

    /// What the last batch needs.
    #[must_use]
    pub fn flops(&self) -> Flops {
        self.flops
    }

    /// The log-probability of every row, in nats; nothing is kept for a backward pass.
    ///
    /// # Errors
    ///
    /// * [`ModelError::TokenOutOfVocab`] where a token or target has no embedding.
    /// * [`ModelError::BatchShape`] where the parts of the batch differ in length, or a row points outside the batch.
    pub fn logps(
        &mut self,
        parameters: &B::Parameters,
        batch: &SequenceBatch<'_>,
    ) -> Result<Vec<f64>, ModelError> {
        let (context, placed) = self.begin(batch)?;
        let on = self.on.clone();
        let weights = self.weights(&on, parameters);
        self.run(weights, batch.tokens, (&context, &placed))?;
        self.head.forward(weights, &self.inputs[0], (&context, &placed), false)
    }

    /// The log-probability of every row, in nats, keeping what [`Network::backward`] needs.
    ///
    /// # Errors
    ///
    /// As [`Network::logps`].
    pub fn forward(
        &mut self,
        parameters: &B::Parameters,
        batch: &SequenceBatch<'_>,
    ) -> Result<Vec<f64>, ModelError> {
        let (context, placed) = self.begin(batch)?;
        let on = self.on.clone();
        let weights = self.weights(&on, parameters);
        self.run_keeping(weights, batch.tokens, (&context, &placed))?;
        let x = &self.inputs[self.blocks.len()];
        let logps = self.head.forward(weights, x, (&context, &placed), true)?;
        self.pending = Some(Pending { context, batch: placed, tokens: batch.tokens.to_vec() });
        Ok(logps)
    }

    /// Adds to `gradient` the gradient of `Σ dlogps[i] · logps[i]` with respect to every weight, for the last
    /// [`Network::forward`], which it uses up.
    ///
    /// `gradient` has the layout of [`Parameters`](crate::Parameters); tied embeddings get both their contributions.
    ///
    /// # Errors
    ///
    /// * [`ModelError::NoForward`] without a forward pass before it.
    /// * [`ModelError::BatchShape`] where `dlogps` or `gradient` has another length than rows or weights.
    pub fn backward(
        &mut self,
        parameters: &B::Parameters,
        dlogps: &[f64],
        gradient: &mut B::Gradient,
    ) -> Result<(), ModelError> {
        let on = self.on.clone();
        let weights = self.weights(&on, parameters);
        let pending = self.take_pending(&[dlogps], B::n_gradient(gradient), weights)?;
        let mut dx = std::mem::take(&mut self.gradient);
        let (x, at) = (&self.inputs[self.blocks.len()], (&pending.context, &pending.batch));
        self.head.backward(weights, x, at, dlogps, &mut dx, gradient)?;
        self.run_back(weights, &pending, dx, gradient)
    }
}
