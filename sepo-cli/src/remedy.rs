//! What to do about what the libraries refuse.

use sepo_data::{ArtifactError, DataError, RemoteError, TemplateError, TokenizeError};
use sepo_model::ModelError;

/// For pairs that cannot be read or written.
pub(crate) fn of_data(error: &DataError) -> Option<&'static str> {
    use DataError as E;
    Some(match error {
        E::NotFound { .. } | E::NoMatch { .. } => {
            "check the path; paths start from the folder in which the command is typed"
        }
        E::Pattern { .. } => {
            "name files, folders or globs such as `data/*.jsonl`; `[` begins a set of letters"
        }
        E::NoDataFiles { .. } => "name the folder that holds the files, or the files themselves",
        E::UnknownSplit { .. } | E::SplitNeeded { .. } => "name one of them with `--split`",
        E::SplitOfFiles { .. } => "leave `--split` out, or name a folder in the Hub's layout",
        E::UnknownExtension { .. } => "rename the file after what it holds, or convert it",
        E::NoRows { .. } => "an export may have failed: write the file again",
        E::NoUsableRow { .. } => {
            "each line of .jsonl is one object, and .json one array of them: mend the file, or rename it after what it holds"
        }
        E::ParquetFooter { .. } | E::ParquetPage { .. } | E::ParquetBounds { .. } | E::Corrupt { .. } => {
            "the file is cut off, damaged, or something else under this name: download or write it again"
        }
        E::ArrowHeader { .. } | E::ArrowBatch { .. } => {
            "the file is cut off, damaged, or something else under this name: download or write it again"
        }
        E::Read { .. } => {
            "the file is cut off, or not compressed as its name says: download or write it again"
        }
        E::UnclosedArray { .. } => "the file is cut off: download or write it again",
        E::TrailingData { .. } => {
            "put all rows into the one array, or write one object a line and call the file .jsonl"
        }
        E::NotPairs { .. } => {
            "name data with a chosen and a rejected response; `--chosen-column` and `--rejected-column` say which columns they are"
        }
        E::Remote { source, .. } => return of_remote(source),
        E::NotOne { .. } => "name one file, without `*`",
        E::MixCount { .. } | E::MixWeight { .. } => {
            "give `--mix` one weight above 0 for each input, in their order, such as `0.7,0.3`"
        }
        E::UnwritableExtension { .. } => "choose another name for `--out`",
        _ => return None,
    })
}

/// For what lies elsewhere.
fn of_remote(error: &RemoteError) -> Option<&'static str> {
    use RemoteError as E;
    Some(match error {
        E::UnknownScheme { .. } => "fetch it by other means, and name the file",
        E::NotBuiltIn { feature: "hub" } => {
            "build the program with `cargo build --release -p sepo-cli --features hub`, or fetch it by other means and name the files"
        }
        E::NotBuiltIn { .. } => {
            "build the program with `cargo build --release -p sepo-cli --features cloud`, or fetch it by other means and name the files"
        }
        E::Nothing => "check the name; what needs credentials takes them from the environment",
        E::Offline { .. } => "fetch it once without `HF_HUB_OFFLINE`; `HF_HOME` says where the cache is",
        E::Server { .. } => {
            "check the name, the way there, and the credentials in the environment; what was fetched stays, and the next run goes on behind it"
        }
        E::CutOff { .. } | E::Stopped => "run the same command again: it goes on behind what was fetched",
        E::NoCache { .. } => "name a folder with `SEPO_CACHE`",
        _ => return None,
    })
}

/// For scores and selections that cannot be read or written.
pub(crate) fn of_artifact(error: &ArtifactError) -> Option<&'static str> {
    use ArtifactError as E;
    Some(match error {
        E::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            "check the path; `sepo-cli score` writes scores, and `sepo-cli select` a selection of them"
        }
        E::Parquet { .. } | E::Bounds { .. } | E::Damaged { .. } => {
            "the file is cut off, damaged, or something else under this name: run the stage that wrote it again"
        }
        E::MissingColumn { .. } | E::ColumnType { .. } | E::MissingMeta { .. } | E::Meta { .. } => {
            "name a file that `sepo-cli score` (scores) or `sepo-cli select` (a selection) wrote"
        }
        E::Null { .. } | E::Length { .. } | E::NonFiniteWeight { .. } => {
            "the file was changed after it was written: run the stage that wrote it again"
        }
        _ => return None,
    })
}

/// For model folders.
pub(crate) fn of_model(error: &ModelError) -> Option<&'static str> {
    use ModelError as E;
    Some(match error {
        E::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            "a model folder holds config.json, model.safetensors (or shards with their index) and tokenizer.json, as Hugging Face's do: check the path, or download what is missing"
        }
        E::Json { .. } | E::Safetensors { .. } => {
            "the file is cut off, damaged, or stands for the real one (a Git LFS pointer, a page of an error): download it again"
        }
        E::ConfigValue { .. } | E::TooLarge { .. } => "mend config.json, or download the folder again",
        E::UnknownModelType { .. } => "choose a model of one of these families",
        E::NoWeights { .. } => "download the weights as safetensors; other formats are not read",
        E::MissingTensor { .. } | E::TensorShape { .. } => {
            "config.json and the weights are of two models: download the folder again"
        }
        E::TensorType { .. } => "choose weights that are not quantized",
        E::NonFiniteWeight { .. } => {
            "the model diverged, or the file is damaged: take an earlier checkpoint, or download it again"
        }
        E::ShardName { .. } => "shards lie beside their index: download the folder again",
        E::VocabularyTooSmall { .. } => {
            "config.json, weights and tokenizer.json must be of one model: download the folder again"
        }
        _ => return None,
    })
}

/// For tokenizers.
pub(crate) fn of_tokenize(error: &TokenizeError) -> Option<&'static str> {
    use TokenizeError as E;
    Some(match error {
        E::Missing { .. } => "name a model folder with a tokenizer.json",
        E::Json { .. } | E::Load { .. } => {
            "the file is damaged, or not what the `tokenizers` library writes: download it again"
        }
        E::NoTemplate => {
            "use `--chat-template chatml`, `--chat-template plain`, or a file with a Jinja template"
        }
        E::NoBos => "use `--bos never`",
        E::NoEos => "use `--no-eos`",
        E::Template(error) => return of_template(error),
        _ => return None,
    })
}

/// For chat templates.
pub(crate) fn of_template(error: &TemplateError) -> Option<&'static str> {
    use TemplateError as E;
    Some(match error {
        E::Read { .. } => "name a file with a Jinja template, or use `--chat-template chatml`",
        _ => "mend the template, or use `--chat-template chatml`",
    })
}
