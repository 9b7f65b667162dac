//! Weights, configuration and tokenizer files out.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

use super::Model;
use crate::ModelError;

/// What a tokenizer consists of, in every form that `transformers` writes.
const TOKENIZER_FILES: [&str; 9] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
    "vocab.json",
    "merges.txt",
];

pub(super) fn model(model: &Model, dir: &Path, tokenizer_from: Option<&Path>) -> Result<(), ModelError> {
    std::fs::create_dir_all(dir).map_err(|source| ModelError::Io { path: dir.to_owned(), source })?;
    file(dir, "config.json", model.config.to_json().as_bytes())?;
    if let Some(from) = tokenizer_from.filter(|from| *from != dir) {
        for name in TOKENIZER_FILES {
            let path = from.join(name);
            if path.is_file() {
                let bytes = std::fs::read(&path).map_err(|source| ModelError::Io { path, source })?;
                file(dir, name, &bytes)?;
            }
        }
    }
    file(dir, "model.safetensors", &serialize(model, dir)?)
}

fn serialize(model: &Model, dir: &Path) -> Result<Vec<u8>, ModelError> {
    let failed = |source| ModelError::Safetensors { path: dir.join("model.safetensors"), source };
    let values = model.parameters.as_slice();
    let views = model
        .parameters
        .layout()
        .iter()
        .map(|info| {
            let bytes = bytemuck::cast_slice(&values[info.range.clone()]);
            Ok((info.name.as_str(), TensorView::new(Dtype::F32, info.shape.clone(), bytes)?))
        })
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(failed)?;
    // `transformers` refuses a file whose metadata does not name the framework.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(failed)
}

/// Written under a temporary name in the same folder, flushed, renamed.
fn file(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), ModelError> {
    let path = dir.join(name);
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // A temporary file is private to its owner; a model folder is not.
            file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        }
        file.persist(&path).map_err(|error| error.error)?;
        std::io::Result::Ok(())
    };
    write().map_err(|source| ModelError::Io { path: path.clone(), source })
}
