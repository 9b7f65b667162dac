//! Weights in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use safetensors::tensor::{Dtype, TensorView};

use super::mapped::{self, map};
use super::names::{INDEX, WEIGHTS};
use super::small_file::read_json;
use crate::config::shortened;
use crate::{ModelConfig, ModelError, ParameterInfo, Parameters};

/// Buffers that old checkpoints carry and that hold no weights.
const IGNORED_SUFFIXES: [&str; 4] =
    [".rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias", ".masked_bias"];

#[derive(serde::Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The parameters of `config` from the safetensors files in `dir`.
pub(super) fn parameters(dir: &Path, config: &ModelConfig) -> Result<Parameters, ModelError> {
    let weights = weight_files(dir)?;
    let files = weights
        .files
        .into_iter()
        .map(|path| match map(&path) {
            Ok(bytes) => Ok((path, bytes)),
            Err(source) => Err(ModelError::Io { path, source }),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut tensors = BTreeMap::new();
    for (path, bytes) in &files {
        let found = mapped::tensors(bytes)
            .map_err(|source| ModelError::Safetensors { path: path.clone(), source })?;
        // Where several files have a tensor of the same name, the index says which one is meant.
        let is_meant = |name: &str| match weights.index.get(name) {
            Some(shard) => path.file_name().is_some_and(|file| file == shard.as_str()),
            None => true,
        };
        let found = found.into_iter().filter(|(name, _)| is_meant(name));
        tensors.extend(found.map(|(name, view)| (name, (path.as_path(), view))));
    }
    let layout = crate::architecture::Architecture::new(config).into_layout();
    for info in &layout {
        check(dir, info, tensors.get(&info.name))?;
    }
    warn_of_unused(dir, config, &layout, tensors.keys());

    let mut parameters = Parameters::zeros(config);
    for info in &layout {
        let out = &mut parameters.as_mut_slice()[info.range.clone()];
        let (_, view) = &tensors[&info.name];
        convert(view, out);
        if let Some(element) = first_not_finite(out) {
            return Err(ModelError::NonFiniteWeight {
                path: dir.to_owned(),
                name: info.name.clone(),
                element,
            });
        }
    }
    Ok(parameters)
}

/// The files with weights, and the index where there are several.
pub(super) struct WeightFiles {
    pub(super) files: Vec<PathBuf>,
    /// The file of each tensor.
    index: BTreeMap<String, String>,
}

impl WeightFiles {
    /// Whether an index names them.
    pub(super) fn has_index(&self) -> bool {
        !self.index.is_empty()
    }
}

/// `model.safetensors`, or the shards that the index names; a shard lies in the folder itself, nowhere else. It may be a
/// link: the Hub's cache keeps files so, and whoever can put a link into the folder can put a file there.
pub(super) fn weight_files(dir: &Path) -> Result<WeightFiles, ModelError> {
    let single = dir.join(WEIGHTS);
    if single.exists() {
        return Ok(WeightFiles { files: vec![single], index: BTreeMap::new() });
    }
    let path = dir.join(INDEX);
    if !path.exists() {
        return Err(ModelError::NoWeights { path: dir.to_owned() });
    }
    let Index { weight_map: index } = read_json(&path)?;
    let shards: BTreeSet<&String> = index.values().collect();
    let is_plain = |shard: &str| Path::new(shard).file_name().is_some_and(|name| name == shard);
    if let Some(shard) = shards.iter().find(|shard| !is_plain(shard)) {
        return Err(ModelError::ShardName { path, shard: shortened(shard) });
    }
    Ok(WeightFiles { files: shards.into_iter().map(|shard| dir.join(shard)).collect(), index })
}

fn check(
    dir: &Path,
    info: &ParameterInfo,
    found: Option<&(&Path, TensorView<'_>)>,
) -> Result<(), ModelError> {
    let name = info.name.clone();
    let Some((path, view)) = found else {
        return Err(ModelError::MissingTensor { path: dir.to_owned(), name, shape: info.shape.clone() });
    };
    let path = path.to_path_buf();
    if view.shape() != info.shape {
        let (found, expected) = (view.shape().to_vec(), info.shape.clone());
        return Err(ModelError::TensorShape { path, name, found, expected });
    }
    if !matches!(view.dtype(), Dtype::F32 | Dtype::F16 | Dtype::BF16) {
        return Err(ModelError::TensorType { path, name, dtype: format!("{:?}", view.dtype()) });
    }
    Ok(())
}

fn warn_of_unused<'a>(
    dir: &Path,
    config: &ModelConfig,
    layout: &[ParameterInfo],
    names: impl Iterator<Item = &'a String>,
) {
    let known: BTreeSet<&str> = layout.iter().map(|info| info.name.as_str()).collect();
    let is_unused = |name: &&String| {
        let tied_head = config.tied_embeddings
            && (name.as_str() == "lm_head.weight" || name.as_str() == "embed_out.weight");
        !known.contains(name.as_str()) && !tied_head && !IGNORED_SUFFIXES.iter().any(|s| name.ends_with(s))
    };
    let mut unused = names.filter(is_unused);
    if let Some(first) = unused.next() {
        tracing::warn!(
            "{} tensors in `{}` are no part of the model that config.json describes, and are ignored; the first is `{first}`",
            1 + unused.count(),
            dir.display()
        );
    }
}

/// Values that a parallel task converts or looks at.
const TASK_LEN: usize = 1 << 16;

/// Little-endian bytes to f32; `view` and `out` have the same number of elements.
fn convert(view: &TensorView<'_>, out: &mut [f32]) {
    match view.dtype() {
        Dtype::F32 => convert_values(view.data(), out, f32::from_le_bytes),
        Dtype::F16 => convert_values(view.data(), out, |bytes| half::f16::from_le_bytes(bytes).to_f32()),
        _ => convert_values(view.data(), out, |bytes| half::bf16::from_le_bytes(bytes).to_f32()),
    }
}

fn convert_values<const N: usize>(data: &[u8], out: &mut [f32], value: impl Fn([u8; N]) -> f32 + Sync) {
    out.par_chunks_mut(TASK_LEN).zip(data.par_chunks(TASK_LEN * N)).for_each(|(out, bytes)| {
        for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
            *out = value(*bytes);
        }
    });
}

/// Index of the first value that is infinite or not a number.
fn first_not_finite(values: &[f32]) -> Option<usize> {
    let is_bad = |value: &f32| !value.is_finite();
    // Without an early end, so that the compiler makes vectors of it.
    let has_bad = |values: &[f32]| values.iter().fold(false, |found, value| found | is_bad(value));
    let task = values.par_chunks(TASK_LEN).position_first(has_bad)?;
    values.iter().skip(task * TASK_LEN).position(is_bad).map(|place| task * TASK_LEN + place)
}
