//! A checkpoint goes to the disk.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use sepo_model::{ModelConfig, Parameters};

use super::state::{hash_file, hash_line};
use super::store::name_of;
use super::sync::{sync_file, sync_folder};
use super::tensors::write_file;
use super::{CONFIG_FILE, MODEL_FILE, OPTIMIZER_FILE, STATE_FILE, STATE_HASH_FILE, State, Store};
use crate::TrainError;

/// What a run has come to, on the CPU.
pub(crate) struct Snapshot<'a> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) parameters: &'a Parameters,
    /// Moments of the optimizer.
    pub(crate) m: Cow<'a, [f32]>,
    pub(crate) v: Cow<'a, [f32]>,
}

/// The folder of a new checkpoint, complete on the disk; `state`'s file hashes are filled in here.
///
/// Files under a temporary folder name, flushed; the folder flushed; renamed; its parent flushed. A folder of the same step
/// (a damaged one that was skipped) is replaced. Where it fails, what was written is removed: a full disk is not filled by
/// the halves of checkpoints.
pub(crate) fn write(store: &Store, snapshot: &Snapshot<'_>, state: State) -> Result<PathBuf, TrainError> {
    let step = state.progress.step;
    let unfinished = store.unfinished(&name_of(step));
    store.remove(&unfinished)?;
    fs::create_dir(&unfinished).map_err(TrainError::io(&unfinished))?;
    let written = fill(&unfinished, snapshot, state);
    if let Err(error) = written {
        // What stays is removed when the run is begun again.
        let _ = fs::remove_dir_all(&unfinished);
        return Err(error);
    }
    let folder = store.folder(step);
    store.remove(&folder)?;
    fs::rename(&unfinished, &folder).map_err(TrainError::io(&folder))?;
    sync_folder(store.dir())?;
    Ok(folder)
}

/// All files, on the disk.
fn fill(folder: &Path, snapshot: &Snapshot<'_>, state: State) -> Result<(), TrainError> {
    let Snapshot { config, parameters, m, v } = snapshot;
    let layout = parameters.layout();
    let model_file = folder.join(MODEL_FILE);
    write_file(&model_file, layout, &[("", parameters.as_slice())])?;
    let optimizer_file = folder.join(OPTIMIZER_FILE);
    write_file(&optimizer_file, layout, &[("m.", m), ("v.", v)])?;
    let state = State {
        model_hash: hash_file(&model_file).map_err(TrainError::io(&model_file))?,
        optimizer_hash: hash_file(&optimizer_file).map_err(TrainError::io(&optimizer_file))?,
        ..state
    };
    let state_file = folder.join(STATE_FILE);
    let text = serde_json::to_vec_pretty(&state)
        .map_err(|source| TrainError::Json { path: state_file.clone(), source })?;
    let (hash_file, config_file) = (folder.join(STATE_HASH_FILE), folder.join(CONFIG_FILE));
    fs::write(&hash_file, hash_line(&text)).map_err(TrainError::io(&hash_file))?;
    fs::write(&state_file, text).map_err(TrainError::io(&state_file))?;
    fs::write(&config_file, config.to_json()).map_err(TrainError::io(&config_file))?;
    for path in [&model_file, &optimizer_file, &state_file, &hash_file, &config_file] {
        sync_file(path)?;
    }
    sync_folder(folder)
}
