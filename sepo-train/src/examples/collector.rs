//! Examples in memory while they are few, on disk when they become many.

use std::path::PathBuf;

use super::file::ExampleFile;
use super::view::Examples;
use super::writer::ExampleWriter;
use crate::{TrainError, TrainExample};

/// How much may lie in memory, and where the rest goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spill {
    /// Bytes of examples in memory at most.
    pub bytes_in_memory: u64,
    /// Folder of the file beyond that; it is made where it does not exist.
    pub dir: PathBuf,
}

/// Takes examples one after the other: in memory up to a bound, beyond it all of them in a nameless file
/// ([`ExampleWriter::scratch`]).
///
/// # Examples
///
/// ```
/// use sepo_train::{ExampleCollector, HeldExamples, Spill, TrainExample};
///
/// let dir = tempfile::tempdir()?;
/// let spill = Spill { bytes_in_memory: 1000, dir: dir.path().to_owned() };
/// let mut collector = ExampleCollector::new(spill);
/// for row in 0..100 {
///     collector.push(TrainExample::pair(row, vec![1], vec![2], vec![3]))?;
/// }
/// let held = collector.finish()?;
/// assert!(matches!(held, HeldExamples::File(_)));
/// assert_eq!(held.examples().get(99)?.row, 99);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ExampleCollector {
    spill: Spill,
    state: State,
}

#[derive(Debug)]
enum State {
    Memory { examples: Vec<TrainExample>, n_bytes: u64 },
    File(Box<ExampleWriter>),
}

impl ExampleCollector {
    /// One that holds nothing.
    #[must_use]
    pub fn new(spill: Spill) -> Self {
        Self { spill, state: State::Memory { examples: Vec::new(), n_bytes: 0 } }
    }

    /// Adds an example.
    ///
    /// # Errors
    ///
    /// Those of [`ExampleWriter::write`] and [`ExampleWriter::scratch`].
    pub fn push(&mut self, example: TrainExample) -> Result<(), TrainError> {
        match &mut self.state {
            State::File(writer) => return writer.write(&example),
            State::Memory { examples, n_bytes } => {
                example.check_lists()?;
                *n_bytes += example.memory_bytes();
                examples.push(example);
                if *n_bytes <= self.spill.bytes_in_memory {
                    return Ok(());
                }
            }
        }
        self.spill()
    }

    /// What was added.
    ///
    /// # Errors
    ///
    /// Those of [`ExampleWriter::finish`].
    pub fn finish(self) -> Result<HeldExamples, TrainError> {
        Ok(match self.state {
            State::Memory { examples, .. } => HeldExamples::Memory(examples),
            State::File(writer) => HeldExamples::File(writer.finish()?),
        })
    }

    /// Moves what lies in memory to the disk.
    fn spill(&mut self) -> Result<(), TrainError> {
        let dir = &self.spill.dir;
        std::fs::create_dir_all(dir).map_err(TrainError::io(dir))?;
        let mut writer = ExampleWriter::scratch(dir)?;
        if let State::Memory { examples, .. } = &mut self.state {
            for example in examples.drain(..) {
                writer.write(&example)?;
            }
        }
        self.state = State::File(Box::new(writer));
        Ok(())
    }
}

/// Examples that a program holds, in memory or on disk.
#[derive(Debug)]
pub enum HeldExamples {
    /// In memory.
    Memory(Vec<TrainExample>),
    /// On disk.
    File(ExampleFile),
}

impl HeldExamples {
    /// The examples to read.
    #[must_use]
    pub fn examples(&self) -> Examples<'_> {
        match self {
            Self::Memory(examples) => examples.into(),
            Self::File(file) => file.into(),
        }
    }
}

impl Default for HeldExamples {
    fn default() -> Self {
        Self::Memory(Vec::new())
    }
}
