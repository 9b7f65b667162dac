//! What a source is made of.

use std::path::{Path, PathBuf};

use super::{Dedup, EvalFraction, Mix, Part};
use crate::{DataError, ReadConfig, input_files};

/// Settings of a [`PairSource`](super::PairSource); the default reads all pairs as they come.
///
/// # Examples
///
/// ```
/// use sepo_data::{EvalFraction, Part, SourceConfig};
///
/// let tenth = EvalFraction::new(0.1)?;
/// let held_out = SourceConfig { part: Some((tenth, Part::Eval)), ..SourceConfig::default() };
/// assert_eq!(held_out.mix, None);
/// # Ok::<(), sepo_data::EvalFractionError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourceConfig {
    /// How files are read.
    pub read: ReadConfig,
    /// Shares of the inputs. `None`: one after the other.
    pub mix: Option<Mix>,
    /// Leaves out duplicates.
    pub dedup: Option<Dedup>,
    /// Ends behind so many rows, bad ones, duplicates and those of the other part included.
    pub limit: Option<u64>,
    /// The one part of a split.
    pub part: Option<(EvalFraction, Part)>,
}

impl SourceConfig {
    /// The files that are read, in reading order: those of each input of a mix, or of all inputs together.
    ///
    /// # Errors
    ///
    /// As [`input_files`].
    pub fn files(&self, inputs: &[String]) -> Result<Vec<Vec<PathBuf>>, DataError> {
        if self.mix.is_none() {
            return Ok(vec![input_files(inputs, &self.read)?]);
        }
        let files = |input| input_files(std::slice::from_ref(input), &self.read_of(input, inputs));
        inputs.iter().map(files).collect()
    }

    /// How one input of a mix is read: a split is asked of folders, not of files beside them.
    pub(super) fn read_of(&self, input: &str, inputs: &[String]) -> ReadConfig {
        let is_beside_folders =
            Path::new(input).is_file() && inputs.iter().any(|input| Path::new(input).is_dir());
        let split = self.read.split.clone().filter(|_| !is_beside_folders);
        ReadConfig { split, ..self.read.clone() }
    }
}
