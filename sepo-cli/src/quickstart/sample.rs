//! Sampled responses and what they are truly worth.

use sepo_data::Eos;
use sepo_data::planted::{SpanKind, Verdict, judge};
use sepo_model::{Backend, GenerateConfig, Model, generate_on};
use serde::{Deserialize, Serialize};

use super::Pipeline;
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

/// One response, judged.
#[derive(Debug, Clone)]
pub(crate) struct Sampled {
    pub(crate) prompt_ids: Vec<u32>,
    /// The closing token included.
    pub(crate) ids: Vec<u32>,
    /// Whether it ended by itself.
    pub(crate) finished: bool,
    pub(crate) utility: f64,
    verdicts: [Verdict; SpanKind::ALL.len()],
}

impl<B: Backend> Pipeline<'_, B> {
    /// One sample a prompt, judged. The seed decides the draws; prompt `i` gets the same draws from every model.
    pub(super) fn sample_and_judge(&self, model: &Model, prompts: &[String]) -> Result<Judgement, CliError> {
        Ok(Judgement::of(&self.sample(model, prompts)?))
    }

    /// The samples themselves.
    pub(crate) fn sample(&self, model: &Model, prompts: &[String]) -> Result<Vec<Sampled>, CliError> {
        let (tokenizer, settings) = (&self.data.tokenizer, self.settings);
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
        let responses = generate_on(self.on, model, &ids, &config)?;
        let sampled = prompts.iter().zip(ids).zip(responses).map(|((prompt, prompt_ids), ids)| {
            let finished = ids.last().is_some_and(|last| closing.contains(last));
            let text = &ids[..ids.len() - usize::from(finished)];
            let judged = judge(prompt, &tokenizer.decode(text)?);
            let verdicts = SpanKind::ALL.map(|kind| judged.verdict(kind));
            Ok(Sampled { prompt_ids, ids, finished, utility: judged.utility, verdicts })
        });
        sampled.collect()
    }
}

impl Judgement {
    fn of(sampled: &[Sampled]) -> Self {
        let n = sampled.len().max(1) as f64;
        let share = |is: &dyn Fn(&Sampled) -> bool| sampled.iter().filter(|one| is(one)).count() as f64 / n;
        let values = |of: fn(&Sampled) -> f64| Estimate::of(&sampled.iter().map(of).collect::<Vec<_>>());
        let kinds = SpanKind::ALL.into_iter().enumerate().map(|(place, kind)| {
            let said = |verdict: Verdict| share(&|one| one.verdicts[place] == verdict);
            (format!("{kind:?}").to_lowercase(), said(Verdict::Good), said(Verdict::Bad))
        });
        Self {
            utility: values(|one| one.utility),
            length: values(|one| one.ids.len() as f64),
            finished: share(&|one| one.finished),
            kinds: kinds.collect(),
        }
    }
}
