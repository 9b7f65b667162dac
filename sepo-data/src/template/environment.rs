//! The Jinja environment that chat templates are written for: transformers' one.

use std::fmt::Write as _;

use chrono::NaiveDateTime;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind};

use super::TemplateError;
use super::generation_tag::without_generation_tags;
use super::json_filter::tojson;

/// Name of the one template in an environment. Without a suffix, so that nothing is escaped for HTML.
pub(super) const TEMPLATE_NAME: &str = "chat_template";

/// The message of `raise_exception`, carried as an error's source so that it is told from the engine's own errors.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Raised(pub(super) String);

/// An environment that holds `source` compiled, and no way to any other file.
pub(super) fn environment(source: &str) -> Result<Environment<'static>, TemplateError> {
    let mut env = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    env.set_syntax(syntax.map_err(syntax_error)?);
    // Otherwise a failure in a debug build carries a copy of all variables.
    env.set_debug(false);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    env.add_filter("tojson", tojson);
    env.add_function("raise_exception", raise_exception);
    set_clock(&mut env, None);
    env.add_template_owned(TEMPLATE_NAME, without_generation_tags(source).into_owned())
        .map_err(syntax_error)?;
    Ok(env)
}

/// Makes `strftime_now` tell `now`, or the system's local time for `None`.
pub(super) fn set_clock(env: &mut Environment<'static>, now: Option<NaiveDateTime>) {
    env.add_function("strftime_now", move |format: &str| {
        strftime(now.unwrap_or_else(|| chrono::Local::now().naive_local()), format)
    });
}

fn syntax_error(source: Error) -> TemplateError {
    TemplateError::Syntax { line: source.line().unwrap_or(0), source }
}

fn raise_exception(message: String) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, "raise_exception").with_source(Raised(message)))
}

/// chrono reports an unknown directive only when it writes, where `to_string` would panic.
fn strftime(now: NaiveDateTime, format: &str) -> Result<String, Error> {
    let mut text = String::new();
    write!(text, "{}", now.format(format)).map_err(|_| {
        Error::new(ErrorKind::InvalidOperation, "strftime_now: unknown directive in the format")
    })?;
    Ok(text)
}
