//! Which files of a folder make up a split.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::container::by_name;
use crate::DataError;

/// Splits that are taken where none is named, the first one that is there.
const PREFERRED: [&str; 2] = ["train", "train_prefs"];
/// Words that name a split at the start of a file name, as the Hub reads them.
const SPLIT_WORDS: [&str; 8] = ["train", "training", "test", "testing", "validation", "valid", "val", "eval"];
/// JSON files that describe a data set instead of holding it.
const DESCRIPTIONS: [&str; 5] =
    ["dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json"];
/// What is added to a file's name for a file that says where it comes from. Neither a folder nor a pattern takes such a file
/// for data.
pub const RECORD_ENDING: &str = ".sepo.json";

/// The split that was taken of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitChoice {
    /// The folder.
    pub folder: PathBuf,
    /// The split that is read.
    pub split: String,
    /// All splits it has, by name.
    pub available: Vec<String>,
}

struct SplitFile {
    split: String,
    path: PathBuf,
}

/// The files of the split of `folder` in the order of their names, and the choice.
///
/// Data files are looked for in `folder/data`, then in `folder`, then one folder down, where the folder's name is the
/// split (as `save_to_disk` of the `datasets` library writes it).
pub(super) fn split_files(
    folder: &Path,
    wanted: Option<&str>,
) -> Result<(Vec<PathBuf>, SplitChoice), DataError> {
    let mut files = Vec::new();
    for place in [folder.join("data"), folder.to_owned()] {
        if files.is_empty() && place.is_dir() {
            files = data_files(&place, None)?;
        }
    }
    if files.is_empty() {
        for place in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
            let name = place.file_name().and_then(|name| name.to_str()).map(str::to_owned);
            files.extend(data_files(&place, name.as_deref())?);
        }
    }
    if files.is_empty() {
        return Err(DataError::NoDataFiles { folder: folder.to_owned() });
    }
    let mut available: Vec<String> = files.iter().map(|file| file.split.clone()).collect();
    available.sort();
    available.dedup();
    let split = choose(folder, wanted, &available)?;
    let paths = files.into_iter().filter(|file| file.split == split).map(|file| file.path).collect();
    Ok((paths, SplitChoice { folder: folder.to_owned(), split, available }))
}

fn choose(folder: &Path, wanted: Option<&str>, available: &[String]) -> Result<String, DataError> {
    let folder = || folder.to_owned();
    let has = |split: &str| available.iter().any(|other| other == split);
    match wanted {
        Some(split) if has(split) => return Ok(split.to_owned()),
        Some(split) => {
            let available = available.to_vec();
            return Err(DataError::UnknownSplit { folder: folder(), split: split.to_owned(), available });
        }
        None => {}
    }
    if let [only] = available {
        return Ok(only.clone());
    }
    let preferred = PREFERRED.iter().find(|split| has(split));
    preferred
        .map(|&split| split.to_owned())
        .ok_or_else(|| DataError::SplitNeeded { folder: folder(), available: available.to_vec() })
}

/// The data files directly in `place`, by name. `outer`: the split of files whose name does not say one.
fn data_files(place: &Path, outer: Option<&str>) -> Result<Vec<SplitFile>, DataError> {
    let mut files = Vec::new();
    for path in entries(place)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let hidden = name.starts_with(['.', '_']);
        if hidden || DESCRIPTIONS.contains(&name) || name.ends_with(RECORD_ENDING) || !path.is_file() {
            continue;
        }
        if let Some((_, _, stem)) = by_name(name) {
            let split =
                outer.map(str::to_owned).or_else(|| split_of(stem)).unwrap_or_else(|| "train".to_owned());
            files.push(SplitFile { split, path });
        }
    }
    Ok(files)
}

/// What is directly in `folder`, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let list =
        || -> io::Result<Vec<PathBuf>> { fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect() };
    let mut paths = list().map_err(|source| DataError::Open { path: folder.to_owned(), source })?;
    paths.sort();
    Ok(paths)
}

/// The split that a file name without its endings says: `{split}-00000-of-00002`, or a name that is or begins with a
/// split's usual name. `None`: it says nothing, and the Hub counts such a file as `train`.
fn split_of(stem: &str) -> Option<String> {
    if let Some(split) = shard_prefix(stem) {
        return (split != "data").then(|| split.to_owned());
    }
    let word = stem.split(['-', '.', ' ']).next().unwrap_or(stem);
    let known = |word: &str| SPLIT_WORDS.contains(&word);
    (known(word) || word.split('_').next().is_some_and(known)).then(|| word.to_owned())
}

/// `split` of `split-00000-of-00002` (the Hub may put a hash behind it).
fn shard_prefix(stem: &str) -> Option<&str> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (head, tail) = stem.rsplit_once("-of-")?;
    let (split, shard) = head.rsplit_once('-')?;
    let count = tail.split('-').next().unwrap_or(tail);
    (is_number(shard) && is_number(count)).then_some(split)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_split_from_file_names() {
        for (stem, split) in [
            ("train-00000-of-00001", Some("train")),
            ("train_prefs-00001-of-00002", Some("train_prefs")),
            ("test-00000-of-00001-5a2c9d", Some("test")),
            ("data-00000-of-00001", None),
            ("train", Some("train")),
            ("test.en", Some("test")),
            ("train_sft", Some("train_sft")),
            ("pairs", None),
            ("training_of_dogs", Some("training_of_dogs")),
            ("trainer", None),
        ] {
            assert_eq!(split_of(stem).as_deref(), split, "{stem}");
        }
    }
}
