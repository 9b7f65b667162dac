//! Which tensors a family has, under which names, and where the network finds them.
//!
//! A new family that is made of the same parts is a new function beside [`llama`] and [`neox`].

mod llama;
mod neox;

use std::ops::Range;

use crate::{Family, ModelConfig, ParameterInfo};

/// Where a linear map's weight and bias lie in the flat buffer.
#[derive(Debug, Clone)]
pub struct LinearAt {
    pub(crate) weight: Range<usize>,
    pub(crate) bias: Option<Range<usize>>,
}

/// Where a norm's scale and shift lie; a shift follows its scale directly.
#[derive(Debug, Clone)]
pub struct NormAt {
    pub(crate) weight: Range<usize>,
    pub(crate) bias: Option<Range<usize>>,
}

/// The projections into queries, keys and values.
#[derive(Debug, Clone)]
pub(crate) enum QkvAt {
    /// Three maps.
    Separate { q: LinearAt, k: LinearAt, v: LinearAt },
    /// One map whose rows are, head by head, that head's query, key and value.
    FusedByHead(LinearAt),
}

/// The maps of an MLP.
#[derive(Debug, Clone)]
pub(crate) struct MlpAt {
    /// Into the hidden layer: `[d_ff, d_model]`; `[2 d_ff, d_model]` where it is gated, the gate's rows before up's.
    pub(crate) up: LinearAt,
    /// Out of it, `[d_model, d_ff]`.
    pub(crate) down: LinearAt,
}

/// The tensors of one block.
#[derive(Debug, Clone)]
pub(crate) struct BlockAt {
    pub(crate) attention_norm: NormAt,
    pub(crate) qkv: QkvAt,
    /// Per-head norms of queries and keys.
    pub(crate) qk_norm: Option<(NormAt, NormAt)>,
    pub(crate) attention_output: LinearAt,
    pub(crate) mlp_norm: NormAt,
    pub(crate) mlp: MlpAt,
}

/// The tensors of a model.
#[derive(Debug, Clone)]
pub(crate) struct Architecture {
    layout: Vec<ParameterInfo>,
    pub(crate) embedding: Range<usize>,
    pub(crate) blocks: Vec<BlockAt>,
    pub(crate) final_norm: NormAt,
    /// `[vocab, d_model]`; the embedding itself where the two are tied.
    pub(crate) lm_head: Range<usize>,
}

impl Architecture {
    pub(crate) fn new(config: &ModelConfig) -> Self {
        match config.family {
            Family::GptNeoX => neox::architecture(config),
            Family::Llama | Family::Mistral | Family::Qwen2 | Family::Qwen3 => llama::architecture(config),
        }
    }

    pub(crate) fn into_layout(self) -> Vec<ParameterInfo> {
        self.layout
    }
}

/// Lays tensors out one after the other.
#[derive(Default)]
struct Builder {
    layout: Vec<ParameterInfo>,
}

impl Builder {
    fn tensor(&mut self, name: String, shape: Vec<usize>, decay: bool) -> Range<usize> {
        let start = self.layout.last().map_or(0, |info| info.range.end);
        let range = start..start + shape.iter().product::<usize>();
        self.layout.push(ParameterInfo { name, shape, range: range.clone(), decay });
        range
    }

    fn linear(&mut self, name: &str, d_out: usize, d_in: usize, bias: bool) -> LinearAt {
        LinearAt {
            weight: self.tensor(format!("{name}.weight"), vec![d_out, d_in], true),
            bias: bias.then(|| self.tensor(format!("{name}.bias"), vec![d_out], false)),
        }
    }

    /// Maps of one shape that read the same input, as one: their weights follow each other, and so do their biases.
    fn joined_linears(&mut self, names: [&str; 2], d_out: usize, d_in: usize, bias: bool) -> LinearAt {
        let join = |[one, two]: [Range<usize>; 2]| one.start..two.end;
        let weight = join(names.map(|name| self.tensor(format!("{name}.weight"), vec![d_out, d_in], true)));
        let bias =
            bias.then(|| join(names.map(|name| self.tensor(format!("{name}.bias"), vec![d_out], false))));
        LinearAt { weight, bias }
    }

    fn rms_norm(&mut self, name: &str, d: usize) -> NormAt {
        NormAt { weight: self.tensor(format!("{name}.weight"), vec![d], false), bias: None }
    }

    fn layer_norm(&mut self, name: &str, d: usize) -> NormAt {
        NormAt {
            weight: self.tensor(format!("{name}.weight"), vec![d], false),
            bias: Some(self.tensor(format!("{name}.bias"), vec![d], false)),
        }
    }
}
