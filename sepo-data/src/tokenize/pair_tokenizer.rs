//! The tokenizer of a model folder, and what it can be asked.

use std::borrow::Cow;
use std::path::Path;

use tokenizers::{ModelWrapper, Tokenizer};

use super::boundary::TextTokenizer;
use super::closing::close;
use super::growth::check_growth;
use super::guard::{Added, encode_fast, guarded};
use super::special::Declared;
use super::{Bos, Eos, SpecialTokens, TemplateChoice, TextHandling, TokenizeConfig, TokenizeError};
use crate::small_file::{MAX_TOKENIZER_BYTES, read_at_most};
use crate::{ChatTemplate, GenerationPrompt, Message, TemplateError};

/// Preference pairs to ids, by one rule.
///
/// 1. A conversation becomes text by the chat template; plain strings are used as they stand, byte for byte.
/// 2. Prompt ids are those of the prompt text. Response ids are what the ids of the joint text have after them, where
///    the joint ids begin with the prompt's and no token straddles the border; otherwise
///    [`Boundary`](super::Boundary) decides, and it is counted.
/// 3. What follows the end-of-sequence token that closes a response is dropped; where none closes it, one is
///    appended ([`Eos`]). One beginning-of-sequence token leads, where wanted ([`Bos`]).
/// 4. What is too long is cut ([`TruncationConfig`](super::TruncationConfig)).
///
/// Truncation, padding and BPE dropout that `tokenizer.json` asks for are switched off: the same text always gives
/// the same ids, and all of them.
///
/// # Examples
///
/// ```
/// use sepo_data::{PairContent, PairTokenizer, PreferencePair, SpecialTokens, TokenizeConfig};
///
/// let tokenizer = PairTokenizer::ids_only(Some(100), SpecialTokens::default(), &TokenizeConfig::default())?;
/// let content = PairContent::Tokens { prompt_ids: vec![1, 2], chosen_ids: vec![3], rejected_ids: vec![4, 5] };
/// let pair = PreferencePair { row: 0, file: Default::default(), file_row: 0, content };
/// assert_eq!(tokenizer.encode(&pair)?.pair.rejected.ids, [4, 5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PairTokenizer {
    pub(super) text: Option<TextTokenizer>,
    pub(super) template: Option<ChatTemplate>,
    pub(super) config: TokenizeConfig,
    pub(super) special: SpecialTokens,
    /// Whether a sequence whose text does not begin with a beginning-of-sequence token gets one.
    pub(super) adds_bos: bool,
    /// Ids are below this.
    pub(super) id_limit: Option<u32>,
}

impl PairTokenizer {
    /// The tokenizer of a model folder.
    ///
    /// Special tokens are those that the caller names, else what the first of `tokenizer_config.json`,
    /// `special_tokens_map.json`, `generation_config.json` and `config.json` names; [`PairTokenizer::special_tokens`]
    /// says which.
    ///
    /// # Errors
    ///
    /// * [`TokenizeError::Missing`], [`TokenizeError::Read`], [`TokenizeError::Json`], [`TokenizeError::Load`]: a file
    ///   is missing or unreadable.
    /// * [`TokenizeError::Template`], [`TokenizeError::NoTemplate`]: the chat template.
    /// * [`TokenizeError::NoBos`], [`TokenizeError::NoEos`], [`TokenizeError::UnknownToken`]: a special token that the
    ///   configuration asks for.
    /// * [`TokenizeError::MaxLengthTooSmall`], [`TokenizeError::MaxPromptLength`]: the lengths.
    pub fn from_model_dir(dir: &Path, config: &TokenizeConfig) -> Result<Self, TokenizeError> {
        config.truncation.check()?;
        let text = load(dir)?;
        let declared = Declared::read(dir)?;
        let special = declared.special_tokens(&text.tokenizer, config)?;
        let template = template(dir, config)?;
        if config.text == TextHandling::AsChat && template.is_none() {
            return Err(TokenizeError::NoTemplate);
        }
        if config.eos == Eos::Append && special.eos.is_none() {
            return Err(TokenizeError::NoEos);
        }
        let adds_bos = match (config.bos, special.bos) {
            (Bos::Never, _) | (Bos::Auto, None) => false,
            (Bos::Always, None) => return Err(TokenizeError::NoBos),
            (Bos::Always, Some(_)) => true,
            (Bos::Auto, Some(bos)) => declared.add_bos_token().unwrap_or_else(|| {
                encode_fast(&text.tokenizer, "", Added::Special)
                    .is_ok_and(|empty| empty.get_ids().first() == Some(&bos.id))
            }),
        };
        let id_limit = declared.model_vocab().or_else(|| text.pieces.max_id()?.checked_add(1));
        Ok(Self { text: Some(text), template, config: config.clone(), special, adds_bos, id_limit })
    }

    /// A tokenizer for pairs that hold ids already: checks them against `vocab` and cuts them to length.
    ///
    /// # Errors
    ///
    /// [`TokenizeError::MaxLengthTooSmall`], [`TokenizeError::MaxPromptLength`]: the lengths.
    pub fn ids_only(
        vocab: Option<u32>,
        special: SpecialTokens,
        config: &TokenizeConfig,
    ) -> Result<Self, TokenizeError> {
        config.truncation.check()?;
        let config = config.clone();
        Ok(Self { text: None, template: None, config, special, adds_bos: false, id_limit: vocab })
    }

    /// Ids of a text, led by a beginning-of-sequence token as configured and closed as `eos` says: `Never` for a
    /// prompt to generate from, `Append` for a text to train on. Nothing is cut to length.
    ///
    /// # Errors
    ///
    /// * [`TokenizeError::IdsOnly`]: there is no tokenizer.
    /// * [`TokenizeError::NoEos`]: one is to close the text and none is known.
    /// * [`TokenizeError::Encode`]: the tokenizer failed.
    pub fn encode_text(&self, text: &str, eos: Eos) -> Result<Vec<u32>, TokenizeError> {
        let failed = |source| TokenizeError::Encode { n_bytes: text.len(), source };
        let tokenizer = self.text_tokenizer()?;
        let mut ids = match eos {
            Eos::Never => tokenizer.ids(text).map_err(failed)?,
            Eos::Append => {
                let eos = self.special.eos.ok_or(TokenizeError::NoEos)?.id;
                let whole = tokenizer.ids_and_spans(text).map_err(failed)?;
                close(text, whole, &self.special.closing_ids, Some(eos)).ids
            }
        };
        self.lead_with_bos(&mut ids);
        Ok(ids)
    }

    /// Ids of a conversation up to the assistant's next turn, to generate from.
    ///
    /// # Errors
    ///
    /// * [`TokenizeError::NoTemplate`], [`TokenizeError::Template`]: the template.
    /// * As [`PairTokenizer::encode_text`].
    pub fn encode_chat(&self, messages: &[Message]) -> Result<Vec<u32>, TokenizeError> {
        let template = self.template.as_ref().ok_or(TokenizeError::NoTemplate)?;
        self.encode_text(&template.render(messages, GenerationPrompt::Add)?, Eos::Never)
    }

    /// The text of ids, special tokens spelled out.
    ///
    /// # Errors
    ///
    /// * [`TokenizeError::IdsOnly`]: there is no tokenizer.
    /// * [`TokenizeError::Decode`]: the tokenizer failed.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizeError> {
        let failed = |source| TokenizeError::Decode { n_ids: ids.len(), source };
        let tokenizer = &self.text_tokenizer()?.tokenizer;
        guarded(|| tokenizer.decode(ids, false)).map_err(failed)
    }

    /// The bytes that an id stands for, in any position: a space in front included, a part of a character as it is.
    /// `None` without a tokenizer and above its vocabulary.
    #[must_use]
    pub fn token_bytes(&self, id: u32) -> Option<&[u8]> {
        self.text.as_ref()?.pieces.get(id)
    }

    /// [`PairTokenizer::token_bytes`] as text; bytes that are no whole character show as `�`.
    #[must_use]
    pub fn token_text(&self, id: u32) -> Option<Cow<'_, str>> {
        self.token_bytes(id).map(String::from_utf8_lossy)
    }

    /// How many tokens the tokenizer has, added ones included; what was given for ids only.
    #[must_use]
    pub fn vocab_size(&self) -> Option<usize> {
        match &self.text {
            Some(text) => Some(text.tokenizer.get_vocab_size(true)),
            None => usize::try_from(self.id_limit?).ok(),
        }
    }

    /// The highest id that can come out: a model needs an embedding for it.
    #[must_use]
    pub fn max_id(&self) -> Option<u32> {
        match &self.text {
            Some(text) => text.pieces.max_id(),
            None => self.id_limit?.checked_sub(1),
        }
    }

    /// The tokens that begin and end a sequence, and what decided on them.
    #[must_use]
    pub fn special_tokens(&self) -> &SpecialTokens {
        &self.special
    }

    /// Whether a sequence whose text does not begin with a beginning-of-sequence token gets one.
    #[must_use]
    pub fn adds_bos(&self) -> bool {
        self.adds_bos
    }

    /// The chat template, where there is one.
    #[must_use]
    pub fn template(&self) -> Option<&ChatTemplate> {
        self.template.as_ref()
    }

    /// What was asked for.
    #[must_use]
    pub fn config(&self) -> &TokenizeConfig {
        &self.config
    }

    /// BLAKE3 of `tokenizer.json`, in hex.
    #[must_use]
    pub fn tokenizer_hash(&self) -> Option<&str> {
        self.text.as_ref().map(|text| text.hash.as_str())
    }

    /// [`ChatTemplate::hash`] of the template.
    #[must_use]
    pub fn template_hash(&self) -> Option<String> {
        self.template.as_ref().map(ChatTemplate::hash)
    }

    fn text_tokenizer(&self) -> Result<&TextTokenizer, TokenizeError> {
        self.text.as_ref().ok_or(TokenizeError::IdsOnly)
    }
}

/// `tokenizer.json` without the settings that would change or cut ids.
fn load(dir: &Path) -> Result<TextTokenizer, TokenizeError> {
    let path = dir.join("tokenizer.json");
    if !path.is_file() {
        return Err(TokenizeError::Missing { dir: dir.to_owned() });
    }
    let bytes = read_at_most(&path, MAX_TOKENIZER_BYTES)
        .map_err(|source| TokenizeError::Read { path: path.clone(), source })?;
    let failed = |source| TokenizeError::Load { path: path.clone(), source };
    let mut tokenizer = guarded(|| Tokenizer::from_bytes(&bytes)).map_err(failed)?;
    // What was understood, not what was written: later forms of the file may spell it otherwise.
    check_growth(&serde_json::to_value(tokenizer.get_normalizer()).unwrap_or_default())?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(failed)?;
    if let ModelWrapper::BPE(model) = tokenizer.get_model()
        && model.dropout.is_some()
    {
        let mut model = model.clone();
        model.dropout = None;
        tokenizer.with_model(model);
    }
    let hash = blake3::hash(&bytes).to_hex().to_string();
    guarded(|| Ok(TextTokenizer::new(tokenizer, hash))).map_err(failed)
}

/// The template that the configuration chooses; a model folder without one is no error.
fn template(dir: &Path, config: &TokenizeConfig) -> Result<Option<ChatTemplate>, TokenizeError> {
    let template = match &config.template {
        TemplateChoice::Model => match ChatTemplate::from_model_dir(dir) {
            Err(TemplateError::Missing { .. }) => return Ok(None),
            template => template?,
        },
        TemplateChoice::Builtin(name) => ChatTemplate::builtin(name)?.with_special_tokens_of(dir)?,
        TemplateChoice::File(path) => ChatTemplate::from_file(path)?.with_special_tokens_of(dir)?,
    };
    Ok(Some(template.with_variables(config.template_variables.clone())))
}
