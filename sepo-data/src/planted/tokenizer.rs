//! A byte-level BPE tokenizer for the built-in texts, in Hugging Face's files.

use std::path::Path;

use serde_json::json;
use tokenizers::decoders::byte_level::ByteLevel as ByteLevelDecoder;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Tokenizer, TokenizerBuilder};

use super::error::PlantedError;
use crate::AtomicFile;

/// Beginning of a sequence; id 0.
pub const BOS_TOKEN: &str = "<s>";
/// End of a sequence; id 1.
pub const EOS_TOKEN: &str = "</s>";
/// Padding; id 2.
pub const PAD_TOKEN: &str = "<pad>";

/// Every byte, and the three special tokens.
const MIN_VOCAB_SIZE: usize = 256 + 3;

/// An upper bound that lets each word of the grammar become one token: 2000 base texts end with 778 tokens.
pub const VOCAB_SIZE: usize = 1024;

/// A byte-level BPE tokenizer trained on `texts`, with at most `vocab_size` tokens.
///
/// All 256 bytes are tokens, so there is no unknown token and any text comes back as it was. A space belongs to the
/// word after it. `<s>` is put before a sequence when special tokens are asked for; `</s>` is left to the caller. Training
/// stops early when every word of the texts is one token. The same texts in any order give the same tokenizer.
///
/// # Errors
///
/// * [`PlantedError::VocabTooSmall`] below 259.
/// * [`PlantedError::Train`] if the library refuses.
///
/// # Examples
///
/// ```
/// use sepo_data::planted::train_tokenizer;
///
/// let tokenizer = train_tokenizer(["to be or not to be"], 300)?;
/// let encoding = tokenizer.encode("not to be", true).unwrap();
/// assert_eq!(encoding.get_ids()[0], tokenizer.token_to_id("<s>").unwrap());
/// assert_eq!(tokenizer.decode(encoding.get_ids(), true).unwrap(), "not to be");
/// # Ok::<(), sepo_data::planted::PlantedError>(())
/// ```
pub fn train_tokenizer<S: AsRef<str> + Send>(
    texts: impl IntoIterator<Item = S, IntoIter: Send>,
    vocab_size: usize,
) -> Result<Tokenizer, PlantedError> {
    if vocab_size < MIN_VOCAB_SIZE {
        return Err(PlantedError::VocabTooSmall { vocab_size, minimum: MIN_VOCAB_SIZE });
    }
    train(texts.into_iter(), vocab_size).map_err(|source| PlantedError::Train { source })
}

/// The trainer's maps iterate in random order, yet its result is a function of the word counts: the alphabet is
/// sorted, and merges are taken by count and then by the ids of their parts.
fn train<S: AsRef<str> + Send>(
    texts: impl Iterator<Item = S> + Send,
    vocab_size: usize,
) -> tokenizers::Result<Tokenizer> {
    let special = |token: &str| AddedToken::from(token, true);
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(vocab_size)
        .special_tokens([BOS_TOKEN, EOS_TOKEN, PAD_TOKEN].map(special).to_vec())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let byte_level = ByteLevel::new(false, false, true);
    let mut tokenizer = TokenizerBuilder::new()
        .with_model(BPE::default())
        .with_normalizer(None::<tokenizers::NormalizerWrapper>)
        .with_pre_tokenizer(Some(byte_level))
        .with_post_processor(None::<TemplateProcessing>)
        .with_decoder(Some(ByteLevelDecoder::default()))
        .build()?;
    tokenizer.train(&mut trainer, texts)?;

    let bos_id = tokenizer.token_to_id(BOS_TOKEN).ok_or("the trainer left out a special token")?;
    let template = TemplateProcessing::builder()
        .try_single(format!("{BOS_TOKEN} $A"))?
        .try_pair(format!("{BOS_TOKEN} $A $B"))?
        .special_tokens(vec![(BOS_TOKEN, bos_id)])
        .build()?;
    tokenizer.with_post_processor(Some(template));
    Ok(tokenizer.into())
}

/// Writes `tokenizer.json` and `tokenizer_config.json` into `dir`, so that `transformers` opens it as a
/// `PreTrainedTokenizerFast`. Each file appears whole or not at all.
///
/// # Errors
///
/// * [`PlantedError::Serialize`] if the library cannot write the tokenizer as JSON.
/// * [`PlantedError::Write`] if `dir` is missing or cannot be written.
pub fn write_tokenizer(tokenizer: &Tokenizer, dir: &Path) -> Result<(), PlantedError> {
    let model = tokenizer.to_string(true).map_err(|source| PlantedError::Serialize { source })?;
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS_TOKEN,
        "eos_token": EOS_TOKEN,
        "pad_token": PAD_TOKEN,
        "add_prefix_space": false,
        "clean_up_tokenization_spaces": false,
        "padding_side": "right",
    });
    write_whole(dir, "tokenizer.json", &model)?;
    write_whole(dir, "tokenizer_config.json", &format!("{config:#}\n"))
}

fn write_whole(dir: &Path, name: &str, text: &str) -> Result<(), PlantedError> {
    let path = dir.join(name);
    AtomicFile::replace(&path, text).map_err(|source| PlantedError::Write { path, source })
}
