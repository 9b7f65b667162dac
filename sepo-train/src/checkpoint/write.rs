//! A checkpoint goes to the disk.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sepo_model::Parameters;

use super::state::hash_file;
use super::tensors::write_file;
use super::{MODEL_FILE, OPTIMIZER_FILE, STATE_FILE, State, Store};
use crate::TrainError;
use crate::optimizer::Optimizer;

/// The folder of a new checkpoint, complete on the disk; `state`'s file hashes are filled in here.
///
/// A folder of the same step (a damaged one that was skipped) is replaced.
pub(crate) fn write(
    store: &Store,
    parameters: &Parameters,
    optimizer: &Optimizer,
    state: State,
) -> Result<PathBuf, TrainError> {
    let step = state.progress.step;
    let unfinished = store.unfinished(&format!("step-{step:08}"));
    store.remove(&unfinished)?;
    fs::create_dir(&unfinished).map_err(TrainError::io(&unfinished))?;
    let layout = parameters.layout();
    let model_file = unfinished.join(MODEL_FILE);
    write_file(&model_file, layout, &[("", parameters.as_slice())])?;
    let optimizer_file = unfinished.join(OPTIMIZER_FILE);
    let moments = [("m.", &*optimizer.m), ("v.", &*optimizer.v)];
    write_file(&optimizer_file, layout, &moments)?;
    let state = State {
        model_hash: hash_file(&model_file).map_err(TrainError::io(&model_file))?,
        optimizer_hash: hash_file(&optimizer_file).map_err(TrainError::io(&optimizer_file))?,
        ..state
    };
    let state_file = unfinished.join(STATE_FILE);
    let text = serde_json::to_vec_pretty(&state)
        .map_err(|source| TrainError::Json { path: state_file.clone(), source })?;
    fs::write(&state_file, text).map_err(TrainError::io(&state_file))?;
    for path in [&model_file, &optimizer_file, &state_file] {
        sync_file(path)?;
    }
    sync_folder(&unfinished)?;
    let folder = store.folder(step);
    store.remove(&folder)?;
    fs::rename(&unfinished, &folder).map_err(TrainError::io(&folder))?;
    sync_folder(store.dir())?;
    Ok(folder)
}

fn sync_file(path: &Path) -> Result<(), TrainError> {
    let file = fs::OpenOptions::new().write(true).open(path);
    file.and_then(|file| file.sync_all()).map_err(TrainError::io(path))
}

/// Makes names in a folder lasting. Only Unix can open a folder as a file; elsewhere the system is trusted.
fn sync_folder(path: &Path) -> Result<(), TrainError> {
    if cfg!(unix) {
        File::open(path).and_then(|folder| folder.sync_all()).map_err(TrainError::io(path))?;
    }
    Ok(())
}
