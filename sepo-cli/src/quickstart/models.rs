//! Base, reference and oracle.

use std::path::Path;
use std::time::Instant;

use sepo_loss::Objective;
use sepo_model::{Model, ModelConfig};
use sepo_oracle::{
    DpoConfig, REFERENCE_LOGPS_FILE, Subset, stored_reference_logps_on, train_oracle, train_reference,
};
use sepo_train::{
    Beside, EvalReport, RunOptions, Status, TrainBackend, TrainConfig, TrainData, TrainExample, TrainOutcome,
    evaluate_pairs_on, reference_logps_on, train,
};

use super::{Pipeline, Stopped};
use crate::console::say;
use crate::exit::{CliError, Exit};
use crate::interrupt::interrupted;
use crate::progress::Progress;

/// The two models that score tokens, and how well the oracle does on pairs that it has not seen.
pub(crate) struct Scorers {
    pub(crate) reference: Model,
    pub(crate) oracle: Model,
    pub(crate) held_out: EvalReport,
}

impl<B: TrainBackend> Pipeline<'_, B> {
    /// A small Llama, trained from scratch.
    pub(crate) fn base(&self) -> Result<Model, Stopped> {
        let Self { settings, data, out, .. } = self;
        let special = data.tokenizer.special_tokens();
        let id = |token: Option<sepo_data::SpecialToken>| token.map(|token| token.id);
        let shape = &settings.shape;
        let config = serde_json::json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": data.tokenizer.vocab_size(),
            "hidden_size": shape.d_model,
            "intermediate_size": shape.d_ff,
            "num_hidden_layers": shape.n_layers,
            "num_attention_heads": shape.n_heads,
            "max_position_embeddings": 512,
            "rms_norm_eps": 1e-5,
            "initializer_range": shape.initializer_range,
            "tie_word_embeddings": true,
            "bos_token_id": id(special.bos),
            "eos_token_id": id(special.eos),
        });
        let config = ModelConfig::from_json(&config.to_string()).map_err(CliError::from)?;
        let mut model = Model::random(config, settings.seed).map_err(CliError::from)?;
        let dir = out.join("base");
        self.stage("base", &dir, |options| {
            let data = TrainData::new(&data.base);
            Ok(train(&mut model, data, &Objective::Sft, &settings.base, options)?)
        })?;
        model.save(&dir, Some(&data.tokenizer_dir)).map_err(CliError::from)?;
        Ok(model)
    }

    /// The reference by SFT and the oracle by DPO, on a share of the pairs.
    pub(crate) fn scorers(&self, base: Model) -> Result<Scorers, Stopped> {
        let Self { on, settings, data, out } = *self;
        let subset = Subset::draw(data.pairs.len(), settings.oracle_fraction, settings.seed)
            .map_err(CliError::from)?;
        let mut used: Vec<TrainExample> =
            subset.used.iter().map(|i| example(&data.pairs[*i as usize])).collect();

        let mut reference = base;
        let dir = out.join("reference");
        self.stage("reference", &dir, |options| {
            Ok(train_reference(&mut reference, &used, &settings.reference, options)?)
        })?;
        reference.save(&dir, Some(&data.tokenizer_dir)).map_err(CliError::from)?;

        let dir = out.join("oracle");
        std::fs::create_dir_all(&dir).map_err(|source| crate::exit::io_error(&dir, source))?;
        let tokens = settings.oracle.tokens_per_batch;
        stored_reference_logps_on(on, &reference, &mut used, &dir.join(REFERENCE_LOGPS_FILE), tokens)
            .map_err(CliError::from)?;
        let mut oracle = reference.clone();
        let dpo = DpoConfig { beta: settings.beta, label_smoothing: 0.0 };
        self.stage("oracle", &dir, |options| {
            let data = TrainData::new(&used);
            Ok(train_oracle(&mut oracle, data, dpo, &settings.oracle, options)?)
        })?;
        oracle.save(&dir, Some(&data.tokenizer_dir)).map_err(CliError::from)?;

        let mut held_out: Vec<TrainExample> = data.held_out.iter().map(example).collect();
        reference_logps_on(on, &reference, &mut held_out, tokens).map_err(CliError::from)?;
        let objective = Objective::Dpo { beta: settings.beta, label_smoothing: 0.0 };
        let given = (&objective, Beside::default());
        let held_out = evaluate_pairs_on(on, &oracle, &held_out, given, tokens).map_err(CliError::from)?;
        Ok(Scorers { reference, oracle, held_out })
    }

    /// The oracle's opposite: DPO from the same reference on the same pairs, their responses exchanged.
    pub(crate) fn reverse_oracle(&self, reference: &Model) -> Result<Model, Stopped> {
        let Self { on, settings, data, out } = *self;
        let subset = Subset::draw(data.pairs.len(), settings.oracle_fraction, settings.seed)
            .map_err(CliError::from)?;
        let exchanged = |i: &u32| {
            let TrainExample { row, prompt_ids, chosen_ids, rejected_ids, .. } =
                example(&data.pairs[*i as usize]);
            TrainExample::pair(row, prompt_ids, rejected_ids, chosen_ids)
        };
        let mut used: Vec<TrainExample> = subset.used.iter().map(exchanged).collect();
        let tokens = settings.oracle.tokens_per_batch;
        reference_logps_on(on, reference, &mut used, tokens).map_err(CliError::from)?;
        let mut oracle = reference.clone();
        let dpo = DpoConfig { beta: settings.beta, label_smoothing: 0.0 };
        self.stage("reverse oracle", &out.join("reverse-oracle"), |options| {
            Ok(train_oracle(&mut oracle, TrainData::new(&used), dpo, &settings.oracle, options)?)
        })?;
        Ok(oracle)
    }

    /// A policy, in `dir`, with what its objective reads besides examples.
    pub(crate) fn policy(
        &self,
        (name, start): (&str, &Model),
        (examples, beside): (&[TrainExample], Beside<'_>),
        (objective, config): (&Objective, &TrainConfig),
        dir: &Path,
    ) -> Result<Model, Stopped> {
        let mut policy = start.clone();
        self.stage(name, dir, |options| {
            let data = TrainData::new(examples).with_beside(beside);
            Ok(train(&mut policy, data, objective, config, options)?)
        })?;
        Ok(policy)
    }

    /// One training run with progress and a closing line.
    fn stage(
        &self,
        name: &str,
        dir: &Path,
        run: impl FnOnce(RunOptions<'_, B>) -> Result<TrainOutcome, CliError>,
    ) -> Result<(), Stopped> {
        let start = Instant::now();
        let mut observer = Progress::new(name);
        let (on, interrupt) = (self.on, interrupted());
        let outcome = run(RunOptions { on, dir: Some(dir), observer: &mut observer, interrupt })?;
        drop(observer);
        if outcome.status == Status::Interrupted {
            say(format!("{name}: stopped after step {}; the same command goes on", outcome.progress.step));
            return Err(Stopped::Early(Exit::Interrupted));
        }
        let loss = outcome.last_step.and_then(|step| step.loss);
        let loss = loss.map_or_else(|| "finished before".to_owned(), |loss| format!("loss {loss:.4}"));
        say(format!("{name}: {} steps, {loss}, {:.1} s", outcome.total_steps, start.elapsed().as_secs_f64()));
        Ok(())
    }
}

/// A pair as an example in which every response token counts.
pub(crate) fn example(pair: &sepo_data::TokenizedPair) -> TrainExample {
    TrainExample::pair(pair.row, pair.prompt_ids.clone(), pair.chosen.ids.clone(), pair.rejected.ids.clone())
}
