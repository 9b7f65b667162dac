//! Exit codes, and errors that know theirs.

use std::error::Error;

use miette::Report;

/// What the process says to its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything asked for is done.
    Done = 0,
    /// Arguments, recipe or model folder make no sense.
    Usage = 2,
    /// The data cannot be used.
    Data = 3,
    /// The device asked for is not there.
    Device = 4,
    /// Stopped on request; the same command goes on.
    Interrupted = 5,
    /// A guard stopped training, as `--stop-on` asked.
    Guard = 6,
    /// Another process writes there.
    Busy = 7,
    /// A panic: a bug of ours.
    Bug = 70,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error with its exit code.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) exit: Exit,
    pub(crate) report: Report,
}

impl CliError {
    /// A message of our own, with what to do about it.
    pub(crate) fn new(exit: Exit, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { exit, report: miette::miette!(help = help.into(), "{}", message.into()) }
    }

    /// A usage error.
    pub(crate) fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message, help)
    }

    /// Another library's error under one of our codes.
    pub(crate) fn of(exit: Exit, error: impl Error + Send + Sync + 'static) -> Self {
        Self { exit, report: crate::advice::report(error) }
    }

    /// The same error, said to have happened while doing something.
    pub(crate) fn during(self, what: impl Into<String>) -> Self {
        Self { report: self.report.wrap_err(what.into()), ..self }
    }
}

/// The code of each library error.
macro_rules! exits_with {
    ($($error:ty => $exit:ident),* $(,)?) => {$(
        impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                Self::of(Exit::$exit, error)
            }
        }
    )*};
}

exits_with! {
    sepo_data::WeightsError => Data,
    sepo_data::planted::PlantedError => Data,
    sepo_loss::LossError => Usage,
    crate::report::ReportError => Data,
}

impl From<sepo_data::DataError> for CliError {
    fn from(error: sepo_data::DataError) -> Self {
        let help = crate::remedy::of_data(&error);
        Self { exit: exit_of_data(&error), report: crate::advice::report_or(error, help) }
    }
}

/// Whether what was typed is at fault, or what lies there.
pub(crate) fn exit_of_data(error: &sepo_data::DataError) -> Exit {
    use sepo_data::{DataError as E, RemoteError};
    match error {
        E::MixCount { .. } | E::MixWeight { .. } | E::NotOne { .. } => Exit::Usage,
        E::Remote {
            source:
                RemoteError::UnknownScheme { .. } | RemoteError::NotBuiltIn { .. } | RemoteError::Malformed { .. },
            ..
        } => Exit::Usage,
        E::Remote { source: RemoteError::Stopped, .. } => Exit::Interrupted,
        _ => Exit::Data,
    }
}

/// The code of each library error that knows what to do.
macro_rules! exits_with_remedy {
    ($($error:ty => $exit:ident, $remedy:ident);* $(;)?) => {$(
        impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                let help = crate::remedy::$remedy(&error);
                Self { exit: Exit::$exit, report: crate::advice::report_or(error, help) }
            }
        }
    )*};
}

exits_with_remedy! {
    sepo_data::ArtifactError => Data, of_artifact;
    sepo_data::TokenizeError => Usage, of_tokenize;
    sepo_data::TemplateError => Usage, of_template;
}

impl From<sepo_model::ModelError> for CliError {
    fn from(error: sepo_model::ModelError) -> Self {
        use std::io::ErrorKind as K;
        let no_room = [K::StorageFull, K::QuotaExceeded, K::FileTooLarge, K::ReadOnlyFilesystem];
        // What cannot be written is not the model's fault.
        let exit = match &error {
            sepo_model::ModelError::Io { source, .. } if no_room.contains(&source.kind()) => Exit::Data,
            sepo_model::ModelError::Device(_) => Exit::Device,
            _ => Exit::Usage,
        };
        let help = crate::remedy::of_model(&error);
        Self { exit, report: crate::advice::report_or(error, help) }
    }
}

impl From<sepo_select::ScoreError> for CliError {
    fn from(error: sepo_select::ScoreError) -> Self {
        use sepo_select::ScoreError as E;
        if matches!(error, E::NonFinite { .. }) {
            let help = "look at the row with `sepo-cli data show`; a model that diverged, or weights rounded beyond their range, give such numbers";
            return Self { exit: Exit::Data, report: crate::advice::with_help(error, help) };
        }
        let error = match error {
            E::Shards(error) => return error.into(),
            error => error,
        };
        let exit = match &error {
            E::SameWeights { .. } | E::Vocabulary { .. } => Exit::Usage,
            E::Model { source: sepo_model::ModelError::Device(_), .. } => Exit::Device,
            _ => Exit::Data,
        };
        Self::of(exit, error)
    }
}

impl From<sepo_select::SelectError> for CliError {
    fn from(error: sepo_select::SelectError) -> Self {
        use sepo_select::SelectError as E;
        let error = match error {
            E::Artifact(error) => return error.into(),
            error => error,
        };
        if matches!(error, E::OverwritesScores { .. }) {
            let help = "choose another `--out`";
            return Self { exit: Exit::Usage, report: crate::advice::with_help(error, help) };
        }
        let exit = match &error {
            E::NonFiniteThreshold { .. }
            | E::Rule { .. }
            | E::ScopeWithoutMeaning { .. }
            | E::EmptyBatch
            | E::SideRuleWithoutMeaning { .. }
            | E::RenormalizeScope { .. }
            | E::UnknownEos { .. } => Exit::Usage,
            _ => Exit::Data,
        };
        Self::of(exit, error)
    }
}

impl From<sepo_train::TrainError> for CliError {
    fn from(error: sepo_train::TrainError) -> Self {
        use sepo_train::TrainError as E;
        if let E::Io { source, .. } = &error
            && source.kind() == std::io::ErrorKind::NotFound
        {
            let help = "it was removed while the run went on: run the same command again; it goes on from the newest checkpoint that is left, or begins anew";
            return Self { exit: Exit::Data, report: crate::advice::with_help(error, help) };
        }
        if let E::ConfigChanged { fields, .. } = &error {
            let is_input =
                |field: &String| ["data", "start_model", "reference_model"].contains(&field.as_str());
            let help = if fields.iter().all(is_input) {
                "a run that went on with other inputs would be that of neither, and nothing could make it again, so `--accept-changed` does not cover it: bring the inputs back that the run began with, or choose another `--out`"
            } else {
                "choose another `--out`, or run with the settings, the data and the model that the folder was made with; a folder that is not needed any more can be moved away"
            };
            return Self { exit: Exit::Usage, report: crate::advice::with_help(error, help) };
        }
        let exit = match &error {
            E::InvalidConfig { .. } | E::NoReference { .. } | E::NoEvaluation | E::WeightsLearned { .. } => {
                Exit::Usage
            }
            E::Lock(lock) => exit_of_lock(lock),
            _ => Exit::Data,
        };
        Self::of(exit, error)
    }
}

impl From<sepo_data::LockError> for CliError {
    fn from(error: sepo_data::LockError) -> Self {
        let exit = exit_of_lock(&error);
        let help = (exit == Exit::Busy).then_some("wait until it has ended, or choose another `--out`");
        Self { exit, report: crate::advice::report_or(error, help) }
    }
}

fn exit_of_lock(error: &sepo_data::LockError) -> Exit {
    match error {
        sepo_data::LockError::Held { .. } => Exit::Busy,
        _ => Exit::Data,
    }
}

impl From<sepo_oracle::OracleError> for CliError {
    fn from(error: sepo_oracle::OracleError) -> Self {
        use sepo_oracle::OracleError as E;
        match error {
            E::Train { stage, source } => Self::from(source).during(format!("train the {stage}")),
            E::Fraction { .. } => Self::of(Exit::Usage, error),
            _ => Self::of(Exit::Data, error),
        }
    }
}

/// A file that cannot be read or written, named.
pub(crate) fn io_error(path: &std::path::Path, source: std::io::Error) -> CliError {
    CliError {
        exit: Exit::Data,
        report: crate::advice::report(source).wrap_err(format!("access `{}`", path.display())),
    }
}
