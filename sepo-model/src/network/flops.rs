//! How many floating-point operations a batch needs.

use crate::ModelConfig;
use crate::architecture::{Architecture, BlockAt, LinearAt, QkvAt};
use crate::batch::{BatchContext, Extent};

/// Floating-point operations that a batch cannot do without: those of matrix products and attention, where a
/// multiplication and an addition are two.
///
/// Element-wise work is left out, and so is what is computed twice to save memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flops {
    /// From tokens to log-probabilities.
    pub forward: u64,
    /// From their gradient to that of the weights.
    pub backward: u64,
}

impl Flops {
    /// Of a network whose last block has the extent `last`.
    pub(super) fn of(
        config: &ModelConfig,
        architecture: &Architecture,
        context: &BatchContext,
        last: Extent,
    ) -> Self {
        let n_blocks = architecture.blocks.len();
        let mut flops = Self::default();
        for (i, at) in architecture.blocks.iter().enumerate() {
            let extent = if i + 1 == n_blocks { last } else { Extent::All };
            flops.add_maps(block_maps(at, context.n_tokens(), extent.n_outputs(context)));
            let positions = extent.positions(context);
            let n_scores = positions.iter().map(|position| seen(*position, config.windows[i])).sum::<u64>();
            // Two products on the way there, four on the way back.
            let product = 2 * n_scores * (config.n_heads * config.head_dim) as u64;
            flops.forward += 2 * product;
            flops.backward += 4 * product;
        }
        flops.add_maps(context.needed.len() * architecture.lm_head.len());
        flops
    }

    /// Linear maps with so many (row, weight) combinations: one product there, two back.
    fn add_maps(&mut self, n: usize) {
        self.forward += 2 * n as u64;
        self.backward += 4 * n as u64;
    }
}

/// Keys that a token at `position` sees.
fn seen(position: u32, window: Option<usize>) -> u64 {
    let all = u64::from(position) + 1;
    window.map_or(all, |window| all.min(window as u64))
}

/// Rows times weights of all maps of a block.
fn block_maps(at: &BlockAt, n_tokens: usize, n_outputs: usize) -> usize {
    let len = |map: &LinearAt| map.weight.len();
    let (q, kv) = match &at.qkv {
        QkvAt::Separate { q, k, v } => (len(q), len(k) + len(v)),
        QkvAt::FusedByHead(map) => (len(map) / 3, len(map) / 3 * 2),
    };
    let mlp = len(&at.mlp.up) + len(&at.mlp.down);
    n_tokens * kv + n_outputs * (q + len(&at.attention_output) + mlp)
}

#[cfg(test)]
mod tests {
    use sepo_kernels::Segments;

    use super::Flops;
    use crate::{Activations, Model, ModelConfig, Network, SequenceBatch};

    #[test]
    fn operations_are_those_counted_by_hand() {
        let json = r#"{
            "model_type": "llama", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
            "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1
        }"#;
        let model = Model::random(ModelConfig::from_json(json).unwrap(), 7).unwrap();
        let segments = Segments::single(3);
        let batch =
            SequenceBatch { tokens: &[1, 2, 3], segments: &segments, row_positions: &[1], row_targets: &[5] };
        let mut network = Network::new(&model.config, Activations::Kept);
        network.logps(&model.parameters, &batch).unwrap();
        let (qo, kv, mlp, head) = (2 * 8 * 8, 2 * 8 * 4, 3 * 8 * 12, 8 * 11);
        // The first block makes three outputs, the last one a single one, of the token that sees two.
        let maps = 3 * (qo + kv + mlp) + (3 * kv + qo + mlp) + head;
        let scores = (1 + 2 + 3) + 2;
        let attention = scores * 8;
        assert_eq!(
            network.flops(),
            Flops { forward: 2 * maps + 4 * attention, backward: 4 * maps + 8 * attention }
        );
    }
}
