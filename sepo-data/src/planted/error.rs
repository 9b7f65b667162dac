//! What can go wrong with the built-in data.

use std::path::PathBuf;

/// Why built-in data or its tokenizer could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlantedError {
    /// The label temperature is not a finite number above 0.
    #[error("temperature is {value}, not a finite number above 0")]
    Temperature {
        /// The number given.
        value: f64,
    },
    /// The vocabulary cannot hold all bytes and the special tokens.
    #[error("a vocabulary of {vocab_size} is too small; bytes and special tokens take {minimum}")]
    VocabTooSmall {
        /// The size asked for.
        vocab_size: usize,
        /// The least size.
        minimum: usize,
    },
    /// The tokenizer library refused.
    #[error("tokenizer could not be trained")]
    Train {
        /// Its reason.
        #[source]
        source: tokenizers::Error,
    },
    /// The tokenizer could not be turned into JSON.
    #[error("tokenizer could not be serialized")]
    Serialize {
        /// The library's reason.
        #[source]
        source: tokenizers::Error,
    },
    /// A file could not be written.
    #[error("file `{}` could not be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
}
