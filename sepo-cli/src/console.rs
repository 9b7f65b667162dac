//! What people read on stderr, and what programs read on stdout.

use std::io::{ErrorKind, Write};

use serde::Serialize;

use crate::exit::{CliError, Exit};

/// Text for people, or one JSON object for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Human,
    Json,
}

/// A line for people, on stderr. Where nobody reads it any more, as behind `| head`, the run goes on without.
pub(crate) fn say(line: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr(), "{}", line.as_ref());
}

/// A line that a user should not miss.
pub(crate) fn warn(line: impl AsRef<str>) {
    say(format!("warning: {}", line.as_ref()));
}

/// The result of a command: as one JSON object on stdout, or as the lines that `human` makes of it on stderr.
pub(crate) fn result<T: Serialize>(
    form: Form,
    value: &T,
    human: impl FnOnce(&T) -> String,
) -> Result<(), CliError> {
    match form {
        Form::Human => say(human(value)),
        Form::Json => {
            let text = serde_json::to_string(value).map_err(|error| CliError::of(Exit::Bug, error))?;
            print(&text)?;
        }
    }
    Ok(())
}

/// A text for programs, on stdout.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    match writeln!(std::io::stdout(), "{text}") {
        // The reader has left, and knows.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| CliError::of(Exit::Data, error).during("write to stdout")),
    }
}

/// `12 345 678`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// A share as `12.3 %`, `–` where there is none.
pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

/// A number with four digits after the point, `–` where there is none.
pub(crate) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_from_the_right() {
        let groups: Vec<String> = [0, 12, 123, 1234, 1_234_567].map(grouped).to_vec();
        assert_eq!(groups, ["0", "12", "123", "1 234", "1 234 567"]);
    }
}
