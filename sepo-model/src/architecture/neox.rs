//! Tensor names of GPT-NeoX and Pythia.

use super::{Architecture, BlockAt, Builder, MlpAt, QkvAt};
use crate::ModelConfig;

pub(super) fn architecture(config: &ModelConfig) -> Architecture {
    let mut b = Builder::default();
    let embedding = b.tensor("gpt_neox.embed_in.weight".to_owned(), vec![config.vocab, config.d_model], true);
    let blocks = (0..config.n_layers).map(|layer| block(&mut b, config, layer)).collect();
    let final_norm = b.layer_norm("gpt_neox.final_layer_norm", config.d_model);
    let lm_head = if config.tied_embeddings {
        embedding.clone()
    } else {
        b.tensor("embed_out.weight".to_owned(), vec![config.vocab, config.d_model], true)
    };
    Architecture { layout: b.layout, embedding, blocks, final_norm, lm_head }
}

fn block(b: &mut Builder, config: &ModelConfig, layer: usize) -> BlockAt {
    let name = |part: &str| format!("gpt_neox.layers.{layer}.{part}");
    let (d, biases) = (config.d_model, config.biases);
    BlockAt {
        attention_norm: b.layer_norm(&name("input_layernorm"), d),
        mlp_norm: b.layer_norm(&name("post_attention_layernorm"), d),
        qkv: QkvAt::FusedByHead(b.linear(&name("attention.query_key_value"), 3 * d, d, biases.qkv)),
        qk_norm: None,
        attention_output: b.linear(&name("attention.dense"), d, d, biases.attention_output),
        mlp: MlpAt {
            up: b.linear(&name("mlp.dense_h_to_4h"), config.d_ff, d, biases.mlp),
            down: b.linear(&name("mlp.dense_4h_to_h"), d, config.d_ff, biases.mlp),
        },
    }
}
