//! Continuations of prompts, token by token, with a key-value cache.

mod cache;
mod decoder;
mod room;
mod sample;

use std::borrow::Borrow;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::{Backend, Cpu, Model, ModelConfig, ModelError};
use decoder::Decoder;

/// Prompts that advance side by side; bounds the caches' memory.
const GROUP: usize = 64;

/// How to continue a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateConfig {
    /// Tokens of a continuation at most.
    pub max_new_tokens: usize,
    /// Divides the logits; 0 takes the most likely token every time.
    pub temperature: f64,
    /// Draws from the smallest set of tokens whose probability reaches this; 1 draws from all.
    pub top_p: f64,
    /// Seed of the draws. Prompt `i` has a stream of its own, so its continuation does not depend on its neighbours.
    pub seed: u64,
    /// Tokens that end a continuation; the one drawn is part of it.
    pub eos_token_ids: Vec<u32>,
}

impl Default for GenerateConfig {
    fn default() -> Self {
        Self { max_new_tokens: 256, temperature: 1.0, top_p: 1.0, seed: 0, eos_token_ids: Vec::new() }
    }
}

/// One continuation a prompt: the new tokens only, the closing end-of-sequence token included where one was drawn.
///
/// # Errors
///
/// * [`ModelError::GenerateValue`] where a prompt is empty, the temperature is negative or not finite, or `top_p` is not
///   in `(0, 1]`.
/// * [`ModelError::TokenOutOfVocab`] where a prompt's id has no embedding.
///
/// # Examples
///
/// ```
/// use sepo_model::{GenerateConfig, Model, ModelConfig, generate};
///
/// let config = ModelConfig::from_json(r#"{
///     "model_type": "llama", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
///     "num_hidden_layers": 1, "num_attention_heads": 2
/// }"#)?;
/// let model = Model::random(config, 7)?;
/// let greedy = GenerateConfig { max_new_tokens: 4, temperature: 0.0, ..Default::default() };
/// let continuations = generate(&model, &[vec![1, 2], vec![3]], &greedy)?;
/// assert_eq!((continuations.len(), continuations[0].len()), (2, 4));
/// # Ok::<(), sepo_model::ModelError>(())
/// ```
pub fn generate(
    model: &Model,
    prompts: &[Vec<u32>],
    config: &GenerateConfig,
) -> Result<Vec<Vec<u32>>, ModelError> {
    generate_on(&Cpu, model, prompts, config)
}

/// As [`generate`], on a [`Backend`] that the model is loaded to.
///
/// # Errors
///
/// Those of [`generate`], and [`ModelError::Device`] where the machine fails.
pub fn generate_on<B: Backend>(
    on: &B,
    model: &Model,
    prompts: &[Vec<u32>],
    config: &GenerateConfig,
) -> Result<Vec<Vec<u32>>, ModelError> {
    check(prompts, config)?;
    let loaded = on.load(&model.parameters)?;
    let mut continuations = Vec::with_capacity(prompts.len());
    for (group, prompts) in prompts.chunks(GROUP).enumerate() {
        let loaded = (&model.config, loaded.borrow());
        continuations.extend(continue_group(on, loaded, prompts, (group * GROUP, config))?);
    }
    Ok(continuations)
}

fn check(prompts: &[Vec<u32>], config: &GenerateConfig) -> Result<(), ModelError> {
    let wrong = |what, found: String, expected| Err(ModelError::GenerateValue { what, found, expected });
    if !(config.temperature.is_finite() && config.temperature >= 0.0) {
        return wrong("temperature", config.temperature.to_string(), "0 or a positive number");
    }
    if !(config.top_p > 0.0 && config.top_p <= 1.0) {
        return wrong("top_p", config.top_p.to_string(), "above 0 and at most 1");
    }
    if let Some(index) = prompts.iter().position(Vec::is_empty) {
        return wrong(
            "prompt",
            format!("empty (prompt {index})"),
            "at least one token, such as the BOS token",
        );
    }
    Ok(())
}

fn continue_group<B: Backend>(
    on: &B,
    model: (&ModelConfig, &B::Parameters),
    prompts: &[Vec<u32>],
    (first, config): (usize, &GenerateConfig),
) -> Result<Vec<Vec<u32>>, ModelError> {
    let mut continuations = vec![Vec::new(); prompts.len()];
    if config.max_new_tokens == 0 {
        return Ok(continuations);
    }
    let mut rngs: Vec<ChaCha8Rng> = (0..prompts.len())
        .map(|i| {
            let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
            rng.set_stream((first + i) as u64);
            rng
        })
        .collect();
    let (mut decoder, mut logits) = Decoder::prefill(on, model, prompts)?;
    let mut active: Vec<usize> = (0..prompts.len()).collect();
    loop {
        let mut tokens = Vec::with_capacity(active.len());
        let mut going = Vec::with_capacity(active.len());
        for (sequence, row) in active.iter().zip(logits.chunks_exact(model.0.vocab)) {
            let token = sample::draw(row, config, &mut rngs[*sequence]);
            let continuation = &mut continuations[*sequence];
            continuation.push(token);
            if continuation.len() < config.max_new_tokens && !config.eos_token_ids.contains(&token) {
                tokens.push(token);
                going.push(*sequence);
            }
        }
        if going.is_empty() {
            return Ok(continuations);
        }
        active = going;
        logits = decoder.step(&active, &tokens)?;
    }
}
