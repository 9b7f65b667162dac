//! The built-in data on disk, as a user's would be, and as ids.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sepo_data::format::write_pairs_jsonl;
use sepo_data::planted::{
    BaseText, PlantedConfig, PlantedPair, VOCAB_SIZE, base_texts, eval_prompts, planted_pairs,
    train_tokenizer, write_tokenizer,
};
use sepo_data::{Eos, PairTokenizer, TokenizeConfig, TokenizedPair};
use sepo_train::TrainExample;

use super::Settings;
use crate::exit::{CliError, Exit, io_error};

/// Base texts that the tokenizer is trained on; more hold no other words.
const TOKENIZER_TEXTS: usize = 2000;

/// Everything the pipeline reads.
pub(crate) struct Data {
    pub(crate) tokenizer: PairTokenizer,
    /// Folder with the tokenizer's files.
    pub(crate) tokenizer_dir: PathBuf,
    pub(crate) base: Vec<TrainExample>,
    /// Pairs to train on, with what is known of them, and as ids.
    pub(crate) planted: Vec<PlantedPair>,
    pub(crate) pairs: Vec<TokenizedPair>,
    pub(crate) held_out: Vec<TokenizedPair>,
    pub(crate) tuning_prompts: Vec<String>,
    pub(crate) test_prompts: Vec<String>,
}

impl Data {
    /// Writes `out/data` and reads it back as ids.
    pub(crate) fn make(settings: &Settings, out: &Path) -> Result<Self, CliError> {
        let dir = out.join("data");
        let tokenizer_dir = out.join("tokenizer");
        for dir in [&dir, &tokenizer_dir] {
            std::fs::create_dir_all(dir).map_err(|source| io_error(dir, source))?;
        }
        let texts = base_texts(settings.n_base_texts, settings.seed);
        let sample = texts.iter().take(TOKENIZER_TEXTS).map(BaseText::text);
        write_tokenizer(&train_tokenizer(sample, VOCAB_SIZE)?, &tokenizer_dir)?;
        let tokenizer = PairTokenizer::from_model_dir(&tokenizer_dir, &TokenizeConfig::default())?;
        let base = (0..).zip(&texts).map(|(row, text)| {
            // Only responses are learned: what a prompt is about cannot be predicted.
            let mut prompt_ids = tokenizer.encode_text(&text.text(), Eos::Append)?;
            let n_prompt = tokenizer.encode_text(&text.prompt, Eos::Never)?.len();
            let response_ids = prompt_ids.split_off(n_prompt);
            Ok(TrainExample::pair(row, prompt_ids, response_ids, Vec::new()))
        });
        let base = base.collect::<Result<_, CliError>>()?;

        let n_pairs = settings.n_pairs + settings.n_held_out;
        let config = PlantedConfig { n_pairs, seed: settings.seed, ..PlantedConfig::default() };
        let mut planted: Vec<PlantedPair> = planted_pairs(&config).collect();
        let held_out = planted.split_off(settings.n_pairs);
        let pairs = write_and_encode(&dir.join("pairs.jsonl"), &planted, &tokenizer)?;
        let held_out = write_and_encode(&dir.join("held_out.jsonl"), &held_out, &tokenizer)?;
        let mut tuning_prompts =
            eval_prompts(settings.n_tuning_prompts + settings.n_test_prompts, settings.seed);
        let test_prompts = tuning_prompts.split_off(settings.n_tuning_prompts);
        Ok(Self { tokenizer, tokenizer_dir, base, planted, pairs, held_out, tuning_prompts, test_prompts })
    }
}

fn write_and_encode(
    path: &Path,
    planted: &[PlantedPair],
    tokenizer: &PairTokenizer,
) -> Result<Vec<TokenizedPair>, CliError> {
    let file = Arc::new(path.to_owned());
    let pairs: Vec<_> = planted.iter().map(|pair| pair.to_preference_pair(&file)).collect();
    write_pairs_jsonl(path, pairs.iter().map(|pair| pair.content.clone()))?;
    tokenizer
        .encode_stream(pairs)
        // The grammar writes no pair that cannot be used.
        .map(|pair| pair.map_err(|skipped| CliError::of(Exit::Bug, skipped)))
        .collect()
}
