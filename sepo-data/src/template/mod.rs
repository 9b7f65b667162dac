//! Chat templates: conversations to text, byte for byte as transformers renders them.
//!
//! Rendered with minijinja in the environment that templates on the Hub are written for: `trim_blocks`,
//! `lstrip_blocks`, Python's string methods, loop controls, `tojson`, `raise_exception`, `strftime_now`,
//! `{% generation %}`, the tokenizer's special tokens as variables. A template reads no file and cannot run forever.

mod bound;
mod builtin;
mod checked_expression;
mod checks;
mod compiled;
mod environment;
mod error;
mod fuel;
mod generation_tag;
mod json_filter;
mod load;
mod program;

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDateTime;
use minijinja::ErrorKind;
use minijinja::value::Serde;
use serde_json::{Map, Value};

pub use builtin::BUILTIN_NAMES;
pub use error::TemplateError;

use crate::Message;
use compiled::Compiled;
use environment::Raised;
use fuel::{Fueled, Size};
use generation_tag::without_generation_tags;

/// Whether a rendering ends in the header of the assistant's next turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GenerationPrompt {
    /// Ends in the header: a prompt.
    Add,
    /// Ends with the last message: a whole conversation.
    Omit,
}

/// Where a template came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateOrigin {
    /// A file.
    File(PathBuf),
    /// A built-in template, by name.
    Builtin(&'static str),
    /// Text given by the caller.
    Source,
}

/// A compiled chat template with the variables it sees.
///
/// # Examples
///
/// ```
/// use sepo_data::{ChatTemplate, GenerationPrompt, Message};
///
/// let template = ChatTemplate::builtin("plain")?;
/// let turns = [Message { role: "user".into(), content: "Hi".into() }];
/// assert_eq!(template.render(&turns, GenerationPrompt::Add)?, "\n\nHuman: Hi\n\nAssistant:");
/// # Ok::<(), sepo_data::TemplateError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    environments: Fueled,
    compiled: Arc<Compiled>,
    source: String,
    origin: TemplateOrigin,
    variables: Map<String, Value>,
}

impl ChatTemplate {
    /// The template of a model folder, with the folder's special tokens.
    ///
    /// Looked for in `chat_template.jinja`, `tokenizer_config.json` (a string, or the one named `default` of a list)
    /// and `chat_template.json`, in this order.
    ///
    /// # Errors
    ///
    /// * [`TemplateError::Missing`], [`TemplateError::NoDefault`]: there is none.
    /// * [`TemplateError::Read`], [`TemplateError::Json`]: a file cannot be read.
    /// * [`TemplateError::Syntax`]: it does not compile.
    pub fn from_model_dir(dir: &Path) -> Result<Self, TemplateError> {
        let found = load::find(dir)?;
        Self::compile(found.source, TemplateOrigin::File(found.path))?.with_special_tokens_of(dir)
    }

    /// The template in a file: `.json` holds it under `chat_template`, any other file is Jinja.
    ///
    /// # Errors
    ///
    /// As [`ChatTemplate::from_model_dir`].
    pub fn from_file(path: &Path) -> Result<Self, TemplateError> {
        Self::compile(load::from_file(path)?, TemplateOrigin::File(path.to_owned()))
    }

    /// The template in a string of Jinja.
    ///
    /// # Errors
    ///
    /// [`TemplateError::Syntax`]: it does not compile.
    ///
    /// # Examples
    ///
    /// ```
    /// use sepo_data::{ChatTemplate, GenerationPrompt, Message};
    ///
    /// let template = ChatTemplate::from_source("{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}")?;
    /// let turns = [Message { role: "user".into(), content: "Hi".into() }];
    /// assert_eq!(template.render(&turns, GenerationPrompt::Omit)?, "[user] Hi");
    /// # Ok::<(), sepo_data::TemplateError>(())
    /// ```
    pub fn from_source(source: &str) -> Result<Self, TemplateError> {
        Self::compile(source.to_owned(), TemplateOrigin::Source)
    }

    /// One of [`BUILTIN_NAMES`]: `chatml`, or `plain` (the transcripts of HH-RLHF).
    ///
    /// # Errors
    ///
    /// [`TemplateError::UnknownBuiltin`]: no other names are known.
    pub fn builtin(name: &str) -> Result<Self, TemplateError> {
        let known = BUILTIN_NAMES.iter().copied().find(|known| *known == name);
        match known.and_then(|name| Some((name, builtin::source(name)?))) {
            Some((name, source)) => Self::compile(source.to_owned(), TemplateOrigin::Builtin(name)),
            None => Err(TemplateError::UnknownBuiltin { name: name.to_owned() }),
        }
    }

    fn compile(source: String, origin: TemplateOrigin) -> Result<Self, TemplateError> {
        let compiled = Compiled::new(without_generation_tags(&source).into_owned())
            .map_err(|source| TemplateError::Syntax { line: source.line().unwrap_or(0), source })?;
        let environments = Fueled::new(environment::environment());
        Ok(Self { environments, compiled: Arc::new(compiled), source, origin, variables: Map::new() })
    }

    /// The same template, seeing the special tokens of a model folder (`bos_token`, `eos_token`, …).
    ///
    /// # Errors
    ///
    /// [`TemplateError::Read`], [`TemplateError::Json`]: a file is there and cannot be read.
    pub fn with_special_tokens_of(mut self, dir: &Path) -> Result<Self, TemplateError> {
        self.variables.extend(load::special_tokens(dir)?);
        Ok(self)
    }

    /// The same template with more variables, such as `enable_thinking`; they win over special tokens.
    #[must_use]
    pub fn with_variables(mut self, variables: Map<String, Value>) -> Self {
        self.variables.extend(variables);
        self
    }

    /// The same template at a fixed time: what `strftime_now` tells. Without this it tells the system's local time,
    /// and a template that prints the date renders other text tomorrow.
    ///
    /// # Examples
    ///
    /// ```
    /// use sepo_data::{ChatTemplate, GenerationPrompt};
    ///
    /// let new_year = chrono::NaiveDateTime::default();
    /// let template = ChatTemplate::from_source("{{ strftime_now('%d %b %Y') }}")?.at(new_year);
    /// assert_eq!(template.render(&[], GenerationPrompt::Omit)?, "01 Jan 1970");
    /// # Ok::<(), sepo_data::TemplateError>(())
    /// ```
    #[must_use]
    pub fn at(mut self, now: NaiveDateTime) -> Self {
        self.environments.set_clock(now);
        self
    }

    /// The text of a conversation.
    ///
    /// # Errors
    ///
    /// As [`ChatTemplate::render_json`].
    pub fn render(
        &self,
        messages: &[Message],
        generation_prompt: GenerationPrompt,
    ) -> Result<String, TemplateError> {
        self.render_value(minijinja::Value::from(Serde(messages)), Size::of(messages), generation_prompt)
    }

    /// The text of a conversation whose messages may carry more than role and content (`tool_calls`, …).
    ///
    /// # Errors
    ///
    /// * [`TemplateError::Raised`]: the template refused, in its own words.
    /// * [`TemplateError::OutOfFuel`]: it does more work than any chat template needs for so much conversation.
    /// * [`TemplateError::Render`]: anything else, with the line.
    ///
    /// # Examples
    ///
    /// ```
    /// use sepo_data::{ChatTemplate, GenerationPrompt};
    /// use serde_json::json;
    ///
    /// let template = ChatTemplate::from_source("{{ messages[0].tool | tojson }}")?;
    /// let turns = [json!({"role": "assistant", "tool": {"name": "f", "x": 1.0}})];
    /// assert_eq!(template.render_json(&turns, GenerationPrompt::Omit)?, r#"{"name": "f", "x": 1.0}"#);
    /// # Ok::<(), sepo_data::TemplateError>(())
    /// ```
    pub fn render_json(
        &self,
        messages: &[Value],
        generation_prompt: GenerationPrompt,
    ) -> Result<String, TemplateError> {
        self.render_value(minijinja::Value::from(Serde(messages)), Size::of_json(messages), generation_prompt)
    }

    fn render_value(
        &self,
        messages: minijinja::Value,
        size: Size,
        generation_prompt: GenerationPrompt,
    ) -> Result<String, TemplateError> {
        let own = [
            ("messages".to_owned(), messages),
            ("add_generation_prompt".to_owned(), (generation_prompt == GenerationPrompt::Add).into()),
            ("tools".to_owned(), ().into()),
            ("documents".to_owned(), ().into()),
        ];
        let given = self.variables.iter().map(|(k, v)| (k.clone(), minijinja::Value::from(Serde(v))));
        let context = minijinja::Value::from_pairs(own.into_iter().chain(given));
        let (environment, fuel) = self.environments.for_size(size);
        self.compiled.render(environment, context).map_err(|error| render_error(error, fuel))
    }

    /// The template as it was given, before anything was rewritten.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Where it came from.
    #[must_use]
    pub fn origin(&self) -> &TemplateOrigin {
        &self.origin
    }

    /// BLAKE3 of the source and the variables, in hex: two templates of one hash render the same text.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.source.as_bytes());
        if !self.variables.is_empty() {
            hasher.update(b"\0").update(Value::Object(self.variables.clone()).to_string().as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// Tells what the template said from what the engine says.
fn render_error(source: minijinja::Error, limit: u64) -> TemplateError {
    if source.kind() == ErrorKind::OutOfFuel {
        return TemplateError::OutOfFuel { limit };
    }
    let mut cause = source.source();
    while let Some(error) = cause {
        if let Some(Raised(message)) = error.downcast_ref() {
            return TemplateError::Raised { message: message.clone() };
        }
        cause = error.source();
    }
    TemplateError::Render { line: source.line().unwrap_or(0), source }
}
