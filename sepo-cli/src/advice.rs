//! What to do about what the system says of files.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};

use miette::{Diagnostic, Report};

/// An error with what to do about it.
#[derive(Debug)]
struct Advised<E> {
    error: E,
    help: &'static str,
}

impl<E: Error> fmt::Display for Advised<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl<E: Error> Error for Advised<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

impl<E: Error> Diagnostic for Advised<E> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.help))
    }
}

/// The error as a report, with advice where the disk, a permission or a limit is behind it.
pub(crate) fn report(error: impl Error + Send + Sync + 'static) -> Report {
    report_or(error, None)
}

/// The same, with `help` where the system has no say in it.
pub(crate) fn report_or(error: impl Error + Send + Sync + 'static, help: Option<&'static str>) -> Report {
    match advice(&error).or(help) {
        Some(help) => with_help(error, help),
        None => Report::from_err(error),
    }
}

/// The error as a report with the given advice.
pub(crate) fn with_help(error: impl Error + Send + Sync + 'static, help: &'static str) -> Report {
    Report::new(Advised { error, help })
}

fn advice(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = match error.downcast_ref::<io::Error>() {
            Some(error) => Some(error.kind()),
            None => told_kind(&error.to_string()),
        };
        if let Some(help) = kind.and_then(of_kind) {
            return Some(help);
        }
        cause = error.source();
    }
    None
}

/// The kind of a system's error of which only the words are left, as the Parquet writer hands its last one on.
fn told_kind(text: &str) -> Option<ErrorKind> {
    let (_, rest) = text.split_once("(os error ")?;
    let number = rest.split(')').next()?.parse().ok()?;
    Some(io::Error::from_raw_os_error(number).kind())
}

fn of_kind(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "make room there and run the same command again: what was complete is as it was, and a run goes on from its newest checkpoint"
        }
        ErrorKind::FileTooLarge => {
            "a limit on the size of files is in the way (`ulimit -f`, or that of the file system): raise it and run the same command again; what was complete is as it was"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "the file system is mounted read-only: write to another folder, or mount it for writing and run the same command again"
        }
        ErrorKind::PermissionDenied => {
            "this user may not do that there: change the permissions, or name another folder, and run the same command again"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "a file stands where a folder should: move it away, or name another folder"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_found_below_other_errors() {
        let full = || io::Error::from(ErrorKind::StorageFull);
        let path = std::path::PathBuf::from("out");
        let error = sepo_train::TrainError::Io { path, source: full() };
        assert!(report(error).help().unwrap().to_string().starts_with("make room"));
        let error = sepo_train::TrainError::Safetensors { path: "x".into(), source: full().into() };
        assert!(report(error).help().unwrap().to_string().starts_with("make room"));
        assert!(report(io::Error::from(ErrorKind::NotFound)).help().is_none());
        // What a library has made a text of.
        let told = io::Error::other(format!("no inner writer: \"{}\"", io::Error::from_raw_os_error(28)));
        assert_eq!(told_kind(&told.to_string()), Some(io::Error::from_raw_os_error(28).kind()));
    }
}
