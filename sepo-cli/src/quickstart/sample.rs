//! Sampled responses and what they are truly worth.

use sepo_data::planted::{SpanKind, Verdict, judge};
use sepo_data::{Eos, PairTokenizer};
use sepo_model::{GenerateConfig, Model, generate};
use serde::{Deserialize, Serialize};

use super::Settings;
use crate::exit::CliError;

/// A mean with its 95 % interval, `mean ± 1.96 sd / √n`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Estimate {
    pub(crate) mean: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Estimate {
    pub(crate) fn of(values: &[f64]) -> Self {
        let n = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        let half = 1.96 * (variance / n).sqrt();
        Self { mean, low: mean - half, high: mean + half }
    }
}

/// What a model's samples are worth.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Judgement {
    /// True utility of a response.
    pub(crate) utility: Estimate,
    /// Tokens of a response.
    pub(crate) length: Estimate,
    /// Share of responses that ended by themselves.
    pub(crate) finished: f64,
    /// For fact, courtesy and request: share of responses in which it is right, and in which it is wrong.
    pub(crate) kinds: Vec<(String, f64, f64)>,
}

/// One sample a prompt, judged. `seed` decides the draws; prompt `i` gets the same draws from every model.
pub(crate) fn sample_and_judge(
    model: &Model,
    tokenizer: &PairTokenizer,
    prompts: &[String],
    settings: &Settings,
) -> Result<Judgement, CliError> {
    let ids = prompts
        .iter()
        .map(|prompt| tokenizer.encode_text(prompt, Eos::Never))
        .collect::<Result<Vec<_>, _>>()?;
    let closing = &tokenizer.special_tokens().closing_ids;
    let config = GenerateConfig {
        max_new_tokens: settings.max_new_tokens,
        seed: settings.seed,
        eos_token_ids: closing.clone(),
        ..GenerateConfig::default()
    };
    let (mut utilities, mut lengths, mut finished) = (Vec::new(), Vec::new(), 0u32);
    let mut verdicts = SpanKind::ALL.map(|_| [0u32; 2]);
    for (prompt, mut response) in prompts.iter().zip(generate(model, &ids, &config)?) {
        lengths.push(response.len() as f64);
        finished += u32::from(response.pop_if(|last| closing.contains(last)).is_some());
        let judged = judge(prompt, &tokenizer.decode(&response)?);
        utilities.push(judged.utility);
        for (kind, counts) in SpanKind::ALL.into_iter().zip(&mut verdicts) {
            match judged.verdict(kind) {
                Verdict::Good => counts[0] += 1,
                Verdict::Bad => counts[1] += 1,
                Verdict::Absent => {}
            }
        }
    }
    let share = |n: u32| f64::from(n) / prompts.len().max(1) as f64;
    let kinds = SpanKind::ALL.into_iter().zip(verdicts);
    Ok(Judgement {
        utility: Estimate::of(&utilities),
        length: Estimate::of(&lengths),
        finished: share(finished),
        kinds: kinds
            .map(|(kind, [good, bad])| (format!("{kind:?}").to_lowercase(), share(good), share(bad)))
            .collect(),
    })
}
