//! The newest whole checkpoint is found and read.

use std::path::PathBuf;

use sepo_model::Parameters;

use super::tensors::read_file;
use super::{Damage, MODEL_FILE, OPTIMIZER_FILE, State, Store};
use crate::fingerprint::Fingerprint;
use crate::optimizer::Moments;
use crate::{TrainError, Warning};

/// What there is to go on from.
pub(crate) struct Resume {
    /// State and moments of the newest whole checkpoint; its weights have been read. `None`: begin at the beginning.
    pub(crate) found: Option<(State, Moments)>,
    /// Damaged checkpoints that were passed over.
    pub(crate) warnings: Vec<Warning>,
}

/// Reads the newest whole checkpoint's weights into `parameters`, which stay untouched where there is none.
///
/// # Errors
///
/// * [`TrainError::ConfigChanged`] where that checkpoint belongs to another run.
pub(crate) fn resume(
    store: &Store,
    fingerprint: &Fingerprint,
    parameters: &mut Parameters,
) -> Result<Resume, TrainError> {
    let mut warnings = Vec::new();
    for step in store.steps()? {
        let folder = store.folder(step);
        let state = match State::read(&folder).and_then(|state| state.verify(&folder).map(|()| state)) {
            Ok(state) => state,
            Err(damage) => {
                warnings.push(damaged(folder, damage));
                continue;
            }
        };
        let fields = fingerprint.differences(&state.fingerprint);
        if !fields.is_empty() {
            return Err(TrainError::ConfigChanged { checkpoint: folder, fields });
        }
        let layout = parameters.layout().to_vec();
        read_file(&folder.join(MODEL_FILE), &layout, &mut [("", parameters.as_mut_slice())])?;
        let [mut m, mut v] = [vec![0.0; parameters.len()], vec![0.0; parameters.len()]];
        read_file(&folder.join(OPTIMIZER_FILE), &layout, &mut [("m.", &mut m), ("v.", &mut v)])?;
        let moments = Moments { m, v, step: state.adam_step };
        return Ok(Resume { found: Some((state, moments)), warnings });
    }
    Ok(Resume { found: None, warnings })
}

fn damaged(path: PathBuf, damage: Damage) -> Warning {
    Warning::DamagedCheckpoint { path, damage }
}
