//! Valid files, small and of many kinds, for the targets to change.

mod artifact;
mod model;
mod table;
mod tokenizer;

pub use artifact::{scores_files, selection_files};
pub use model::{CONFIGS, TINY_CONFIG, config_values, index_value, safetensors_file, shards};
pub use table::{arrow_files, parquet_files};
pub use tokenizer::{tokenizer_configs, tokenizers};
