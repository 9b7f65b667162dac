//! The Jinja environment that chat templates are written for: transformers' one.

use std::fmt::Write as _;

use chrono::NaiveDateTime;
use minijinja::{Environment, Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::json_filter::tojson;

/// Digits of the widest padding that `"{:>4}".format(x)` gives.
const MAX_WIDTH_DIGITS: usize = 4;

/// The message of `raise_exception`, carried as an error's source so that it is told from the engine's own errors.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Raised(pub(super) String);

/// The environment that chat templates see: filters, functions, and no way to any file.
pub(super) fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    // Otherwise a failure in a debug build carries a copy of all variables.
    env.set_debug(false);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.set_unknown_method_callback(python_method);
    env.add_filter("tojson", tojson);
    env.add_function("raise_exception", raise_exception);
    // Both print whatever there is, indented by its depth, before anything of it is counted.
    env.remove_filter("pprint");
    env.remove_global("debug");
    set_clock(&mut env, None);
    env
}

/// Python's methods of strings, lists and maps. A width in a format is obeyed before it is counted, so it has a bound.
fn python_method(
    state: &mut State<'_, '_>,
    value: &Value,
    name: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let n_digits = |text: &str| text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    if name == "format" && value.as_str().is_some_and(|text| n_digits(text) > MAX_WIDTH_DIGITS) {
        let text = format!("a width in a format has at most {MAX_WIDTH_DIGITS} digits");
        return Err(Error::new(ErrorKind::InvalidOperation, text));
    }
    unknown_method_callback(state, value, name, args)
}

/// Makes `strftime_now` tell `now`, or the system's local time for `None`.
pub(super) fn set_clock(env: &mut Environment<'static>, now: Option<NaiveDateTime>) {
    env.add_function("strftime_now", move |format: &str| {
        strftime(now.unwrap_or_else(|| chrono::Local::now().naive_local()), format)
    });
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
