//! Runs prompts once, then one token a sequence and step.

use sepo_kernels::{Precision, Segments};

use super::cache::Cache;
use super::room::Room;
use crate::architecture::Architecture;
use crate::backend::{Backend, Projected, Weights};
use crate::batch::{BatchContext, Extent, SequenceBatch};
use crate::network::{Block, BlockActivations, BlockPass, Head, Passing, SplitQkv};
use crate::{ModelConfig, ModelError};

/// The state of a group of sequences.
pub(super) struct Decoder<'a, B: Backend> {
    weights: Weights<'a, B>,
    config: &'a ModelConfig,
    architecture: Architecture,
    blocks: Vec<Block>,
    head: Head<B>,
    rotary: B::RotaryTables,
    room: Room,
    /// One a block.
    caches: Vec<Cache<B>>,
    activations: BlockActivations<B>,
    passing: Passing<B>,
    /// One a block: the weights do not change while it decodes.
    split: Vec<SplitQkv<B>>,
    /// What attention puts out for the last tokens.
    attended: B::Values,
    lse: B::Singles,
}

impl<'a, B: Backend> Decoder<'a, B> {
    /// A decoder that has seen `prompts`, and the logits of each prompt's next token, `[prompts, vocab]`.
    pub(super) fn prefill(
        on: &'a B,
        (config, parameters): (&'a ModelConfig, &'a B::Parameters),
        prompts: &[Vec<u32>],
    ) -> Result<(Self, Vec<f32>), ModelError> {
        let architecture = Architecture::new(config);
        let blocks: Vec<Block> =
            architecture.blocks.iter().enumerate().map(|(i, at)| Block::new(config, at, i)).collect();
        let mut decoder = Self {
            weights: Weights { on, values: B::flat(parameters), precision: Precision::F32 },
            config,
            head: Head::new(config, &architecture),
            rotary: B::rotary_tables(&config.rotary),
            room: Room::new(prompts.iter().map(Vec::len).collect())?,
            caches: blocks.iter().map(|_| Cache::default()).collect(),
            activations: BlockActivations::default(),
            passing: Passing::default(),
            split: blocks.iter().map(|_| SplitQkv::default()).collect(),
            attended: B::Values::default(),
            lse: B::Singles::default(),
            blocks,
            architecture,
        };
        let logits = decoder.run_prompts(prompts)?;
        Ok((decoder, logits))
    }

    fn run_prompts(&mut self, prompts: &[Vec<u32>]) -> Result<Vec<f32>, ModelError> {
        let ModelConfig { d_model, vocab, .. } = *self.config;
        let weights = self.weights;
        let tokens = prompts.concat();
        let ends: Vec<usize> = prompts
            .iter()
            .scan(0, |end, prompt| {
                *end += prompt.len();
                Some(*end)
            })
            .collect();
        let offsets = std::iter::once(0).chain(ends.iter().copied()).collect();
        let segments = Segments::new(offsets, vec![None; prompts.len()])?;
        #[expect(clippy::cast_possible_truncation, reason = "segments have fewer than 2^32 tokens")]
        let last: Vec<u32> = ends.iter().map(|end| (end - 1) as u32).collect();
        let batch = SequenceBatch {
            tokens: &tokens,
            segments: &segments,
            row_positions: &last,
            // Nobody asks for their log-probabilities.
            row_targets: &vec![0; last.len()],
        };
        let context = BatchContext::new(&batch, vocab)?;
        let placed = self.place(&tokens, &context, &[Extent::All])?;
        let seen = self.room.seen(vocab)?;
        let places = self.place(&[], &seen, &[])?;
        let (len, width) = (self.room.n_places() * self.width(), self.width());
        let (mut x, mut y) = (B::Values::default(), B::Values::default());
        weights.on.embedding(weights, &self.architecture.embedding, &placed, &tokens, d_model, &mut x)?;
        let pass = BlockPass { weights, context: &context, batch: &placed, extent: Extent::All };
        for ((block, cache), split) in self.blocks.iter().zip(&mut self.caches).zip(&mut self.split) {
            block.forward(pass, &x, split, (&mut self.activations, &mut self.passing), &mut y)?;
            let attention = &self.activations.attention;
            cache.fill(weights.on, len, (&places, &seen), (&attention.k, &attention.v, width))?;
            std::mem::swap(&mut x, &mut y);
        }
        weights.on.gather_rows(&placed, &context, &x, d_model, &mut y)?;
        self.head.logits(weights, &y)
    }

    /// The logits after one more token for each of `sequences`, which ascend, `[sequences, vocab]`.
    pub(super) fn step(&mut self, sequences: &[usize], tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        let ModelConfig { d_model, vocab, .. } = *self.config;
        if self.room.is_full(sequences) {
            self.make_room()?;
        }
        let (weights, width) = (self.weights, self.width());
        let context = self.room.next(sequences, vocab)?;
        let placed = self.place(tokens, &context, &[Extent::Needed])?;
        let rotation = B::rotation(&placed, Extent::Needed);
        let (mut x, mut y) = (B::Values::default(), B::Values::default());
        weights.on.embedding(weights, &self.architecture.embedding, &placed, tokens, d_model, &mut x)?;
        for ((block, cache), split) in self.blocks.iter().zip(&mut self.caches).zip(&self.split) {
            let (a, passing) = (&mut self.activations, &mut self.passing);
            let maps = block.attention().loaded_maps(weights, split);
            block.project(weights, maps, &x, rotation, (a, passing))?;
            cache.put(weights.on, (&placed, &context), (&a.attention.k, &a.attention.v, width))?;
            // A token sees its own segment up to itself: places behind it are nobody's, and not read.
            let input = Projected { q: &a.attention.q, k: &cache.keys, v: &cache.values };
            let at = (&context, Extent::Needed);
            let shape = block.attention().shape();
            weights.on.attention(&placed, at, input, shape, &mut self.attended, &mut self.lse)?;
            block.complete(weights, &x, &self.attended, (a, passing), &mut y)?;
            std::mem::swap(&mut x, &mut y);
        }
        self.head.logits(weights, &x)
    }

    /// Moves all keys and values to where there is room behind them.
    fn make_room(&mut self) -> Result<(), ModelError> {
        let (on, width, vocab) = (self.weights.on, self.width(), self.config.vocab);
        let larger = self.room.larger()?;
        let (from, to) = (self.room.seen(vocab)?, larger.seen(vocab)?);
        let [from_places, to_places] = [self.place(&[], &from, &[])?, self.place(&[], &to, &[])?];
        for cache in &mut self.caches {
            let moved = ((&from_places, &from), (&to_places, &to));
            cache.moved(on, moved, (larger.n_places() * width, width))?;
        }
        self.room = larger;
        Ok(())
    }

    fn place(
        &mut self,
        tokens: &[u32],
        context: &BatchContext,
        extents: &[Extent],
    ) -> Result<B::Batch, ModelError> {
        let ModelConfig { windows, vocab, .. } = self.config;
        self.weights.on.place(&mut self.rotary, tokens, context, windows, *vocab, extents)
    }

    /// Values of a token's keys.
    fn width(&self) -> usize {
        self.config.n_kv_heads * self.config.head_dim
    }
}
