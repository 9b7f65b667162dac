//! Runs prompts once, then one token a sequence and step.

use rayon::prelude::*;
use sepo_kernels::{KeyValues, Precision, Segments, cached_attention, embedding};

use super::cache::Cache;
use crate::architecture::Architecture;
use crate::backend::{Backend, Cpu, CpuBatch, RotaryCache, Weights};
use crate::batch::{BatchContext, Extent, SequenceBatch};
use crate::network::{Block, BlockActivations, BlockPass, Head, Passing, SplitQkv};
use crate::{Model, ModelError};

/// The state of a group of sequences.
pub(super) struct Decoder<'a> {
    model: &'a Model,
    architecture: Architecture,
    blocks: Vec<Block>,
    head: Head,
    rotary: RotaryCache,
    /// `[layer][sequence]`.
    caches: Vec<Vec<Cache>>,
    /// Tokens that each sequence has seen.
    lengths: Vec<u32>,
    activations: BlockActivations,
    passing: Passing,
    /// One a block: the weights do not change while it decodes.
    split: Vec<SplitQkv>,
}

impl<'a> Decoder<'a> {
    /// A decoder that has seen `prompts`, and the logits of each prompt's next token, `[prompts, vocab]`.
    pub(super) fn prefill(model: &'a Model, prompts: &[Vec<u32>]) -> Result<(Self, Vec<f32>), ModelError> {
        let config = &model.config;
        let architecture = Architecture::new(config);
        let mut rotary = RotaryCache::new(&config.rotary);
        let tokens = prompts.concat();
        let mut offsets = vec![0];
        offsets.extend(prompts.iter().scan(0, |end, prompt| {
            *end += prompt.len();
            Some(*end)
        }));
        let segments = Segments::new(offsets, vec![None; prompts.len()])?;
        let batch =
            SequenceBatch { tokens: &tokens, segments: &segments, row_positions: &[], row_targets: &[] };
        let context = BatchContext::new(&batch, config.vocab)?;
        let placed = Cpu.place(&mut rotary, &tokens, &context, &config.windows, config.vocab)?;
        let blocks: Vec<Block> =
            architecture.blocks.iter().enumerate().map(|(i, at)| Block::new(config, at, i)).collect();
        let mut decoder = Self {
            model,
            head: Head::new(config, &architecture),
            rotary,
            caches: vec![vec![Cache::default(); prompts.len()]; blocks.len()],
            lengths: prompts.iter().map(|prompt| u32::try_from(prompt.len()).unwrap_or(u32::MAX)).collect(),
            activations: BlockActivations::default(),
            passing: Passing::default(),
            split: blocks.iter().map(|_| SplitQkv::default()).collect(),
            blocks,
            architecture,
        };
        let logits = decoder.run_prompts(&tokens, &segments, (&context, &placed))?;
        Ok((decoder, logits))
    }

    fn run_prompts(
        &mut self,
        tokens: &[u32],
        segments: &Segments,
        (context, batch): (&BatchContext, &CpuBatch),
    ) -> Result<Vec<f32>, ModelError> {
        let weights = self.weights();
        let width = self.model.config.n_kv_heads * self.model.config.head_dim;
        let (mut x, mut y) = (self.embed(tokens), Vec::new());
        let pass = BlockPass { weights, context, batch, extent: Extent::All };
        for ((block, caches), split) in self.blocks.iter().zip(&mut self.caches).zip(&mut self.split) {
            block.forward(pass, &x, split, (&mut self.activations, &mut self.passing), &mut y)?;
            let attention = &self.activations.attention;
            for (sequence, cache) in caches.iter_mut().enumerate() {
                let range = segments.range(sequence);
                let range = range.start * width..range.end * width;
                cache.extend(&attention.k[range.clone()], &attention.v[range]);
            }
            std::mem::swap(&mut x, &mut y);
        }
        let d = self.model.config.d_model;
        let last: Vec<f32> = (0..segments.n_segments())
            .flat_map(|sequence| x[(segments.range(sequence).end - 1) * d..][..d].iter().copied())
            .collect();
        self.head.logits(weights, &last)
    }

    /// The logits after one more token for each of `sequences`, `[sequences, vocab]`.
    pub(super) fn step(&mut self, sequences: &[usize], tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        let weights = self.weights();
        let width = self.model.config.n_kv_heads * self.model.config.head_dim;
        let positions: Vec<u32> = sequences.iter().map(|sequence| self.lengths[*sequence]).collect();
        for sequence in sequences {
            self.lengths[*sequence] += 1;
        }
        let rotation = self.rotary.rotation(positions);
        let (mut x, mut y) = (self.embed(tokens), Vec::new());
        let mut attended = Vec::new();
        for ((block, caches), split) in self.blocks.iter().zip(&mut self.caches).zip(&self.split) {
            let (a, passing) = (&mut self.activations, &mut self.passing);
            let maps = block.attention().loaded_maps(weights, split);
            block.project(weights, maps, &x, &rotation, (a, passing))?;
            let new = a.attention.k.chunks_exact(width).zip(a.attention.v.chunks_exact(width));
            for (sequence, (k, v)) in sequences.iter().zip(new) {
                caches[*sequence].extend(k, v);
            }
            let shape = block.attention().shape();
            let d_q = shape.n_heads * shape.head_dim;
            attended.resize(sequences.len() * d_q, 0.0);
            attended.par_chunks_mut(d_q).zip(sequences).enumerate().for_each(|(i, (out, sequence))| {
                let Cache { keys, values } = &caches[*sequence];
                let seen = KeyValues { keys, values };
                cached_attention(&a.attention.q[i * d_q..(i + 1) * d_q], seen, shape, out);
            });
            block.complete(weights, &x, &attended, (a, passing), &mut y)?;
            std::mem::swap(&mut x, &mut y);
        }
        self.head.logits(weights, &x)
    }

    fn weights(&self) -> Weights<'a> {
        Weights { on: &Cpu, values: self.model.parameters.as_slice(), precision: Precision::F32 }
    }

    fn embed(&self, tokens: &[u32]) -> Vec<f32> {
        let d = self.model.config.d_model;
        let mut x = vec![0.0; tokens.len() * d];
        let table = &self.model.parameters.as_slice()[self.architecture.embedding.clone()];
        embedding(table, tokens, d, &mut x);
        x
    }
}
