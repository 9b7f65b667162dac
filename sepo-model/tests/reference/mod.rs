//! The same networks, written as plain dfdx operations in f64, one unpacked sequence at a time: slow and obvious.

use std::collections::BTreeMap;

use dfdx::prelude::*;
use sepo_kernels::{Gelu, RotaryConfig, RotaryScaling};
use sepo_model::{Family, Mlp, Model, ModelConfig, Norm, Residual};

type Taped<S> = Tensor<S, f64, Cpu, OwnedTape<f64, Cpu>>;
type Matrix = Taped<(usize, usize)>;

/// Every tensor of a model, vectors as `[1, n]`.
struct Weights {
    device: Cpu,
    tensors: BTreeMap<String, Tensor<(usize, usize), f64, Cpu>>,
}

impl Weights {
    fn new(model: &Model) -> Self {
        let device = Cpu::default();
        let tensors = model.parameters.layout().iter().map(|info| {
            let values =
                model.parameters.as_slice()[info.range.clone()].iter().map(|v| f64::from(*v)).collect();
            let columns = *info.shape.last().unwrap();
            let tensor = device.tensor_from_vec(values, (info.range.len() / columns, columns));
            (info.name.clone(), tensor)
        });
        Self { tensors: tensors.collect(), device }
    }

    fn get(&self, name: &str) -> Matrix {
        self.tensors[name].leaky_trace()
    }

    fn constant(&self, values: Vec<f64>, columns: usize) -> Tensor<(usize, usize), f64, Cpu> {
        let rows = values.len() / columns;
        self.device.tensor_from_vec(values, (rows, columns))
    }
}

/// A second use of a tensor whose history stays with the first.
fn again(x: &Matrix) -> Matrix {
    x.with_empty_tape()
}

/// `[1, n]` repeated for every row of a matrix of that shape.
fn repeated(x: Matrix, shape: (usize, usize)) -> Matrix {
    x.reshape_like(&(shape.1,)).broadcast_like::<_, Axis<0>>(&shape)
}

fn linear(w: &Weights, name: &str, x: Matrix) -> Matrix {
    let y = x.matmul(w.get(&format!("{name}.weight")).permute::<_, Axes2<1, 0>>());
    let bias = format!("{name}.bias");
    if w.tensors.contains_key(&bias) {
        let shape = *y.shape();
        y + repeated(w.get(&bias), shape)
    } else {
        y
    }
}

fn norm(w: &Weights, config: &ModelConfig, name: &str, x: Matrix) -> Matrix {
    let shape = *x.shape();
    let x = match config.norm {
        Norm::Rms => x,
        Norm::Layer => {
            let mean: Taped<(usize,)> = again(&x).mean::<_, Axis<1>>();
            x - mean.broadcast_like::<_, Axis<1>>(&shape)
        }
    };
    let square: Taped<(usize,)> = again(&x).square().mean::<_, Axis<1>>();
    let y = x / (square + f64::from(config.norm_eps)).sqrt().broadcast_like::<_, Axis<1>>(&shape);
    let y = y * repeated(w.get(&format!("{name}.weight")), shape);
    match config.norm {
        Norm::Rms => y,
        Norm::Layer => y + repeated(w.get(&format!("{name}.bias")), shape),
    }
}

fn frequencies(config: &RotaryConfig) -> Vec<f64> {
    let plain =
        (0..config.rotary_dim / 2).map(|i| config.theta.powf(-2.0 * i as f64 / config.rotary_dim as f64));
    plain
        .map(|f| match config.scaling {
            RotaryScaling::None => f,
            RotaryScaling::Linear { factor } => f / factor,
            RotaryScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position } => {
                let turns = original_max_position as f64 * f / (2.0 * std::f64::consts::PI);
                let smooth =
                    ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
                (1.0 - smooth) * f / factor + smooth * f
            }
        })
        .collect()
}

/// The first `rotary_dim` columns of a head turned by their position, halves paired as Hugging Face pairs them.
fn rotate(w: &Weights, config: &RotaryConfig, x: Matrix) -> Matrix {
    let (n, head_dim) = *x.shape();
    let half = config.rotary_dim / 2;
    let frequencies = frequencies(config);
    let table = |f: fn(f64) -> f64| {
        let angle = |t: usize, i: usize| if i < 2 * half { t as f64 * frequencies[i % half] } else { 0.0 };
        let values = (0..n).flat_map(|t| (0..head_dim).map(move |i| f(angle(t, i))));
        w.constant(values.collect(), head_dim).leaky_traced()
    };
    // x · crossing = (−right half, left half, 0).
    let mut crossing = vec![0.0; head_dim * head_dim];
    for i in 0..half {
        crossing[(half + i) * head_dim + i] = -1.0;
        crossing[i * head_dim + half + i] = 1.0;
    }
    let crossed = again(&x).matmul(w.constant(crossing, head_dim).leaky_traced());
    x * table(f64::cos) + crossed * table(f64::sin)
}

/// Joins the history of a tensor that is otherwise used up.
trait PutBack {
    fn put_back(self, source: Matrix) -> Self;
}

impl PutBack for Matrix {
    fn put_back(self, source: Matrix) -> Self {
        let (_, tape) = source.split_tape();
        let (value, own) = self.split_tape();
        value.put_tape(own.merge(tape))
    }
}

fn attention(w: &Weights, config: &ModelConfig, layer: usize, prefix: &str, x: Matrix) -> Matrix {
    let (n, hd) = (x.shape().0, config.head_dim);
    let group = config.n_heads / config.n_kv_heads;
    let (q, k, v) = if config.family == Family::GptNeoX {
        let fused = linear(w, &format!("{prefix}.attention.query_key_value"), x);
        (again(&fused), again(&fused), fused)
    } else {
        let part = |name: &str, x| linear(w, &format!("{prefix}.self_attn.{name}"), x);
        (part("q_proj", again(&x)), part("k_proj", again(&x)), part("v_proj", x))
    };
    // Column where head `i` of query (0), key (1) or value (2) begins.
    let column =
        |part: usize, i: usize| if config.family == Family::GptNeoX { (3 * i + part) * hd } else { i * hd };
    let mask = (0..n * n).map(|at| {
        let (q, k) = (at / n, at % n);
        let seen = k <= q && config.windows[layer].is_none_or(|window| q - k < window);
        if seen { 0.0 } else { -1e30 }
    });
    let mask = w.constant(mask.collect(), n);
    let width = config.n_heads * hd;
    let mut heads = w.constant(vec![0.0; n * width], width).leaky_traced();
    for head in 0..config.n_heads {
        let take = |x: &Matrix, part, i| again(x).matmul(columns(w, x.shape().1, column(part, i), hd));
        let (mut qh, mut kh) = (take(&q, 0, head), take(&k, 1, head / group));
        if config.qk_norm {
            qh = norm(w, config, &format!("{prefix}.self_attn.q_norm"), qh);
            kh = norm(w, config, &format!("{prefix}.self_attn.k_norm"), kh);
        }
        let (qh, kh) = (rotate(w, &config.rotary, qh), rotate(w, &config.rotary, kh));
        let scores = qh.matmul(kh.permute::<_, Axes2<1, 0>>()) / (hd as f64).sqrt() + mask.leaky_trace();
        let out = scores.softmax::<Axis<1>>().matmul(take(&v, 2, head / group));
        heads = heads + out.matmul(columns(w, width, head * hd, hd).permute::<_, Axes2<1, 0>>());
    }
    let output = if config.family == Family::GptNeoX { "attention.dense" } else { "self_attn.o_proj" };
    linear(w, &format!("{prefix}.{output}"), heads.put_back(q).put_back(k).put_back(v))
}

/// `[width, n]` such that `x · it` is columns `first..first + n` of `x`. A product, because the gradient of dfdx 0.13's
/// `slice` overwrites what other slices of the same tensor have put there.
fn columns(w: &Weights, width: usize, first: usize, n: usize) -> Matrix {
    let mut picked = vec![0.0; width * n];
    (0..n).for_each(|i| picked[(first + i) * n + i] = 1.0);
    w.constant(picked, n).leaky_traced()
}

fn mlp(w: &Weights, config: &ModelConfig, prefix: &str, x: Matrix) -> Matrix {
    match config.mlp {
        Mlp::SwiGlu => {
            let gate = linear(w, &format!("{prefix}.mlp.gate_proj"), again(&x));
            let up = linear(w, &format!("{prefix}.mlp.up_proj"), x);
            linear(w, &format!("{prefix}.mlp.down_proj"), again(&gate).sigmoid() * gate * up)
        }
        Mlp::Gelu(kind) => {
            let up = linear(w, &format!("{prefix}.mlp.dense_h_to_4h"), x);
            let inner = match kind {
                Gelu::Exact => exact_gelu(up),
                Gelu::Tanh => up.fast_gelu(),
            };
            linear(w, &format!("{prefix}.mlp.dense_4h_to_h"), inner)
        }
    }
}

/// `x/2 · (1 + erf(x/√2))` with `erf(z) = 2z/√π · ∫₀¹ exp(−z²t²) dt` by Gauss-Legendre in eight panels, whose gradient the
/// tape gets right; that of dfdx 0.13's `accurate_gelu` lacks a factor.
fn exact_gelu(x: Matrix) -> Matrix {
    let nodes = [
        0.0,
        0.538_469_310_105_683_1,
        -0.538_469_310_105_683_1,
        0.906_179_845_938_664,
        -0.906_179_845_938_664,
    ];
    let weights = [
        0.568_888_888_888_888_9,
        0.478_628_670_499_366_47,
        0.478_628_670_499_366_47,
        0.236_926_885_056_189_08,
        0.236_926_885_056_189_08,
    ];
    let z = again(&x) / std::f64::consts::SQRT_2;
    let mut integral = again(&z) * 0.0;
    for panel in 0..8 {
        for (node, weight) in nodes.into_iter().zip(weights) {
            let t: f64 = (f64::from(panel) + (node + 1.0) / 2.0) / 8.0;
            integral = integral + (again(&z).square() * (-t * t)).exp() * (weight / 16.0);
        }
    }
    let erf = integral * z * std::f64::consts::FRAC_2_SQRT_PI;
    (erf + 1.0) * x * 0.5
}

fn block(w: &Weights, config: &ModelConfig, layer: usize, x: Matrix) -> Matrix {
    let neox = config.family == Family::GptNeoX;
    let prefix = format!("{}.layers.{layer}", if neox { "gpt_neox" } else { "model" });
    let (first, second) = (format!("{prefix}.input_layernorm"), format!("{prefix}.post_attention_layernorm"));
    let attended = attention(w, config, layer, &prefix, norm(w, config, &first, again(&x)));
    match config.residual {
        Residual::Parallel => {
            let fed = mlp(w, config, &prefix, norm(w, config, &second, again(&x)));
            x + attended + fed
        }
        Residual::Sequential => {
            let middle = x + attended;
            let fed = mlp(w, config, &prefix, norm(w, config, &second, again(&middle)));
            middle + fed
        }
    }
}

/// For one sequence and every `t`: `log p(ids[t + 1] | ids[..= t])`, and the gradient of `Σ dlogps[t] · logps[t]` by
/// tensor name.
pub(crate) fn logps_and_gradients(
    model: &Model,
    ids: &[u32],
    dlogps: &[f64],
) -> (Vec<f64>, BTreeMap<String, Vec<f64>>) {
    let w = Weights::new(model);
    let config = &model.config;
    let (embedding, norm_name, head) = match (config.family, config.tied_embeddings) {
        (Family::GptNeoX, _) => ("gpt_neox.embed_in.weight", "gpt_neox.final_layer_norm", "embed_out.weight"),
        (_, false) => ("model.embed_tokens.weight", "model.norm", "lm_head.weight"),
        (_, true) => ("model.embed_tokens.weight", "model.norm", "model.embed_tokens.weight"),
    };
    let n = ids.len() - 1;
    let index = |ids: &[u32]| w.device.tensor_from_vec(ids.iter().map(|id| *id as usize).collect(), (n,));
    let mut x: Matrix = w.get(embedding).gather(index(&ids[..n]));
    for layer in 0..config.n_layers {
        x = block(&w, config, layer, x);
    }
    let hidden = norm(&w, config, norm_name, x);
    let logits = hidden.matmul(w.get(head).permute::<_, Axes2<1, 0>>());
    let logps: Taped<(usize,)> = logits.log_softmax::<Axis<1>>().select(index(&ids[1..]));
    let values = logps.as_vec();
    let weights = w.device.tensor_from_vec(dlogps.to_vec(), (n,));
    let gradients = (logps * weights.leaky_traced()).sum::<Rank0, _>().backward();
    let by_name =
        w.tensors.iter().map(|(name, tensor)| (name.clone(), gradients.get(tensor).as_vec())).collect();
    (values, by_name)
}
