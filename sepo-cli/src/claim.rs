//! A place to write to that no other process writes to.

use std::path::Path;

use sepo_data::Lock;
use sepo_model::ModelConfig;

use crate::console::warn;
use crate::exit::{CliError, Exit, io_error};

/// The lock on a folder that is there already: before long work, so that a folder in use is told at once. `None` where
/// it is not there.
pub(crate) fn existing(dir: &Path) -> Result<Option<Lock>, CliError> {
    if dir.is_dir() { folder(dir, None).map(Some) } else { Ok(None) }
}

/// The lock on a folder, made where absent; `held` where [`existing`] got it.
pub(crate) fn folder(dir: &Path, held: Option<Lock>) -> Result<Lock, CliError> {
    if let Some(lock) = held {
        return Ok(lock);
    }
    std::fs::create_dir_all(dir).map_err(|source| io_error(dir, source))?;
    Ok(exclusive(Lock::folder(dir)?, dir))
}

/// The lock on a file that is to be written; its folder must exist.
pub(crate) fn file(path: &Path) -> Result<Lock, CliError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent
        && !parent.is_dir()
    {
        return Err(CliError::new(
            Exit::Data,
            format!("`{}` cannot be written: `{}` is no folder", path.display(), parent.display()),
            "make the folder, or name a file in another",
        ));
    }
    Ok(exclusive(Lock::file(path)?, path))
}

fn exclusive(lock: Lock, target: &Path) -> Lock {
    if !lock.is_exclusive() {
        warn(format!(
            "`{}` cannot be locked on this file system: do not write there from two processes",
            target.display()
        ));
    }
    lock
}

/// Refuses to write a model over one of another configuration, which is none that an earlier call of the same command left.
pub(crate) fn check_model(dir: &Path, config: &ModelConfig) -> Result<(), CliError> {
    let found = std::fs::read_to_string(dir.join("config.json"));
    let is_another = found.is_ok_and(|text| {
        // What cannot be read as a configuration is someone's too.
        ModelConfig::from_json(&text).map_or(true, |found| found.to_json() != config.to_json())
    });
    if !is_another {
        return Ok(());
    }
    Err(CliError::usage(
        format!("`{}` holds a model of another configuration", dir.display()),
        "choose another `--out`, or move the folder away",
    ))
}
