//! What can go wrong with a chat template.

use std::path::PathBuf;

/// Why a chat template cannot be loaded or a conversation cannot be rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file is not the JSON that its name promises.
    #[error("parse {}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// None of the files of a model folder holds a chat template.
    #[error("find a chat template in {} (tokenizer_config.json, chat_template.jinja, chat_template.json)", dir.display())]
    Missing {
        /// The model folder.
        dir: PathBuf,
    },
    /// A list of named templates without one called `default`.
    #[error("find a template named `default` among {names:?} in {}", path.display())]
    NoDefault {
        /// The file with the list.
        path: PathBuf,
        /// The names that are there.
        names: Vec<String>,
    },
    /// No built-in template has this name.
    #[error("find a built-in template named `{name}` (there are {:?})", super::BUILTIN_NAMES)]
    UnknownBuiltin {
        /// The name asked for.
        name: String,
    },
    /// The template is not valid Jinja.
    #[error("compile the template, line {line}")]
    Syntax {
        /// Line in the template, from 1; 0 where unknown.
        line: usize,
        /// What the engine said.
        #[source]
        source: minijinja::Error,
    },
    /// The template called `raise_exception`.
    #[error("the template refused the conversation: {message}")]
    Raised {
        /// The template's own words.
        message: String,
    },
    /// The template did more work than any chat template needs.
    #[error("render the template within {limit} steps; it loops, or makes a text grow, without measure")]
    OutOfFuel {
        /// The limit.
        limit: u64,
    },
    /// The template failed while rendering.
    #[error("render the template, line {line}")]
    Render {
        /// Line in the template, from 1; 0 where unknown.
        line: usize,
        /// What the engine said.
        #[source]
        source: minijinja::Error,
    },
}
