//! What is wrong with a recipe, and where.

use std::error::Error;
use std::fmt;

use miette::{Diagnostic, LabeledSpan, NamedSource, Report, SourceCode};

use crate::exit::{CliError, Exit};

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Mistake {
    #[error("the {what} is no TOML: {reason}")]
    Syntax { what: &'static str, reason: String },
    #[error("`--set {typed}` is not of the form `section.key=value`")]
    Override { typed: String },
    #[error("unknown key `{key}`")]
    UnknownKey { key: String },
    #[error("`{section}` must be a section, written `[{section}]`")]
    NotASection { section: String },
    #[error("`{key}` is missing")]
    Missing { key: &'static str },
    #[error("`{key}` cannot be read: {reason}")]
    Value { key: String, reason: String },
    #[error("`{key}` cannot be used")]
    Unusable {
        key: String,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("`{key}` has no meaning {without}")]
    Idle { key: String, without: String },
    #[error("`{key}` is no model folder: there is no `{missing}`")]
    NoModel { key: &'static str, missing: String },
    #[error("`{key}` is no file: `{missing}`")]
    NoFile { key: &'static str, missing: String },
    #[error(
        "`tokens.max_length` is {max_length}, more than the {positions} positions (max_position_embeddings) of `{key}`"
    )]
    TooLong { max_length: usize, positions: usize, key: &'static str },
    /// What a stage says, with keys in place of flags.
    #[error("stage `{stage}`")]
    Stage {
        stage: &'static str,
        #[source]
        source: Told,
    },
    #[error("`{of}` is not what `[hashes]` says: blake3 {found}, expected was {said}")]
    OtherContent { of: &'static str, found: String, said: String },
    #[error("`{key}` is in `{folder}`, which the run itself writes")]
    OwnOutput { key: &'static str, folder: String },
}

/// An error of which the words are left, with its causes.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Told {
    pub(super) text: String,
    #[source]
    pub(super) cause: Option<Box<Told>>,
}

/// A mistake with the text around it. Boxed, so that a `Result` of it stays small.
pub(super) struct Located(Box<Parts>);

struct Parts {
    mistake: Mistake,
    text: Option<NamedSource<String>>,
    label: Option<LabeledSpan>,
    help: Option<String>,
}

impl Located {
    /// A mistake that no place in a text stands for.
    pub(super) fn nowhere(mistake: Mistake) -> Self {
        Self(Box::new(Parts { mistake, text: None, label: None, help: None }))
    }

    /// A mistake at a place in a text.
    pub(super) fn at(mistake: Mistake, text: NamedSource<String>, label: LabeledSpan) -> Self {
        Self(Box::new(Parts { mistake, text: Some(text), label: Some(label), help: None }))
    }

    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    pub(super) fn exits(self, exit: Exit) -> CliError {
        CliError { exit, report: Report::new(self) }
    }
}

impl From<Located> for CliError {
    fn from(located: Located) -> Self {
        located.exits(Exit::Usage)
    }
}

impl fmt::Debug for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.mistake, f)
    }
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.mistake, f)
    }
}

impl Error for Located {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.mistake.source()
    }
}

impl Diagnostic for Located {
    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        self.0.help.as_ref().map(|help| Box::new(help) as _)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.text.as_ref().map(|text| text as _)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.0.label.clone().map(|label| Box::new(std::iter::once(label)) as _)
    }
}
