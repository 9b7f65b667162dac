//! Tensor names of Llama, Mistral, Qwen2 and Qwen3.

use super::{Architecture, BlockAt, Builder, MlpAt, QkvAt};
use crate::ModelConfig;

pub(super) fn architecture(config: &ModelConfig) -> Architecture {
    let mut b = Builder::default();
    let embedding =
        b.tensor("model.embed_tokens.weight".to_owned(), vec![config.vocab, config.d_model], true);
    let blocks = (0..config.n_layers).map(|layer| block(&mut b, config, layer)).collect();
    let final_norm = b.rms_norm("model.norm", config.d_model);
    let lm_head = if config.tied_embeddings {
        embedding.clone()
    } else {
        b.tensor("lm_head.weight".to_owned(), vec![config.vocab, config.d_model], true)
    };
    Architecture { layout: b.layout, embedding, blocks, final_norm, lm_head }
}

fn block(b: &mut Builder, config: &ModelConfig, layer: usize) -> BlockAt {
    let name = |part: &str| format!("model.layers.{layer}.{part}");
    let d = config.d_model;
    let (d_q, d_kv) = (config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim);
    let biases = config.biases;
    BlockAt {
        attention_norm: b.rms_norm(&name("input_layernorm"), d),
        qkv: QkvAt::Separate {
            q: b.linear(&name("self_attn.q_proj"), d_q, d, biases.qkv),
            k: b.linear(&name("self_attn.k_proj"), d_kv, d, biases.qkv),
            v: b.linear(&name("self_attn.v_proj"), d_kv, d, biases.qkv),
        },
        qk_norm: config.qk_norm.then(|| {
            let q = b.rms_norm(&name("self_attn.q_norm"), config.head_dim);
            (q, b.rms_norm(&name("self_attn.k_norm"), config.head_dim))
        }),
        attention_output: b.linear(&name("self_attn.o_proj"), d, d_q, biases.attention_output),
        mlp_norm: b.rms_norm(&name("post_attention_layernorm"), d),
        mlp: MlpAt {
            up: b.joined_linears([&name("mlp.gate_proj"), &name("mlp.up_proj")], config.d_ff, d, biases.mlp),
            down: b.linear(&name("mlp.down_proj"), d, config.d_ff, biases.mlp),
        },
    }
}
