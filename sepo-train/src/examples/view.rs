//! Examples wherever they lie.

use std::borrow::Cow;

use sepo_loss::Objective;

use super::file::ExampleFile;
use crate::{TrainError, TrainExample};

/// Examples to read by number: a slice, or a file, or some of either.
///
/// It is made from `&[TrainExample]`, `&Vec<TrainExample>`, an array's reference or `&ExampleFile` by `into()`. What a run
/// makes of examples does not depend on where they lie.
///
/// # Examples
///
/// ```
/// use sepo_train::{Examples, TrainExample};
///
/// let pairs = [1, 2, 3].map(|id| TrainExample::pair(u64::from(id), vec![9], vec![id], vec![0]));
/// let some = Examples::from(&pairs).picked(&[2, 0]);
/// assert_eq!((some.len(), some.get(0)?.row, some.get(1)?.row), (2, 3, 1));
/// # Ok::<(), sepo_train::TrainError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Examples<'a> {
    place: Place<'a>,
    picked: Option<&'a [u32]>,
    sides: Sides,
}

#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    Memory(&'a [TrainExample]),
    File(&'a ExampleFile),
}

/// What is read of an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sides {
    /// All of it.
    #[default]
    Both,
    /// Prompt and chosen response, every token of weight 1, without reference log-probs.
    ChosenOnly,
}

impl<'a> Examples<'a> {
    /// No examples.
    pub const NONE: Examples<'static> =
        Examples { place: Place::Memory(&[]), picked: None, sides: Sides::Both };

    fn of(place: Place<'a>) -> Self {
        Self { place, picked: None, sides: Sides::Both }
    }

    /// Those of the numbers given, in that order, numbered anew from 0. A second call replaces the first.
    #[must_use]
    pub fn picked(self, numbers: &'a [u32]) -> Self {
        Self { picked: Some(numbers), ..self }
    }

    /// The same examples, of which so much is read.
    #[must_use]
    pub fn with_sides(self, sides: Sides) -> Self {
        Self { sides, ..self }
    }

    /// How many there are.
    #[must_use]
    pub fn len(self) -> usize {
        match (self.picked, self.place) {
            (Some(numbers), _) => numbers.len(),
            (None, Place::Memory(examples)) => examples.len(),
            (None, Place::File(file)) => file.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The example of that number, from 0.
    ///
    /// # Errors
    ///
    /// Those of [`ExampleFile::get`].
    ///
    /// # Panics
    ///
    /// Where `number` is not below [`Examples::len`], or picks an example that there is not.
    pub fn get(self, number: usize) -> Result<Cow<'a, TrainExample>, TrainError> {
        let number = self.place_of(number);
        let example = match self.place {
            Place::Memory(examples) => Cow::Borrowed(&examples[number]),
            Place::File(file) => Cow::Owned(file.get(number)?),
        };
        Ok(self.sides.of(example))
    }

    /// All of them in order.
    pub fn iter(self) -> impl Iterator<Item = Result<Cow<'a, TrainExample>, TrainError>> {
        (0..self.len()).map(move |number| self.get(number))
    }

    /// Nothing, where every example holds what `objective` needs.
    ///
    /// # Errors
    ///
    /// * [`TrainError::NoReference`], [`TrainError::Length`], [`TrainError::NotFinite`],
    ///   [`TrainError::WeightWithoutPrompt`] for the first that does not.
    /// * Those of [`ExampleFile::get`].
    pub fn check(self, objective: &Objective) -> Result<(), TrainError> {
        match self.place {
            // Its lists were checked when it was written, and are again whenever they are read.
            Place::File(file) if self.picked.is_none() || !objective.needs_reference() => {
                match file.without_reference().filter(|_| objective.needs_reference()) {
                    Some(row) => Err(TrainError::NoReference { row }),
                    None => Ok(()),
                }
            }
            _ => self.iter().try_for_each(|example| example?.check(objective)),
        }
    }

    /// Number of an example where it lies.
    pub(crate) fn place_of(self, number: usize) -> usize {
        // A u32 is a usize on every platform that has an address space for a model.
        self.picked.map_or(number, |numbers| numbers[number] as usize)
    }

    /// The file, and what is read of each record, where examples do not lie in memory.
    pub(crate) fn file(self) -> Option<(&'a ExampleFile, Sides)> {
        match self.place {
            Place::Memory(_) => None,
            Place::File(file) => Some((file, self.sides)),
        }
    }

    /// The hash of all examples, where it is known without reading them.
    pub(super) fn stored_hash(self) -> Option<[u8; 32]> {
        match self.place {
            Place::File(file) if self.picked.is_none() && self.sides == Sides::Both => Some(file.data_hash()),
            _ => None,
        }
    }
}

impl Sides {
    /// So much of an example.
    pub(crate) fn of(self, example: Cow<'_, TrainExample>) -> Cow<'_, TrainExample> {
        if self == Self::Both {
            return example;
        }
        let chosen_only = match example {
            Cow::Borrowed(TrainExample { row, prompt_ids, chosen_ids, .. }) => {
                TrainExample::pair(*row, prompt_ids.clone(), chosen_ids.clone(), Vec::new())
            }
            Cow::Owned(TrainExample { row, prompt_ids, chosen_ids, .. }) => {
                TrainExample::pair(row, prompt_ids, chosen_ids, Vec::new())
            }
        };
        Cow::Owned(chosen_only)
    }
}

impl<'a> From<&'a [TrainExample]> for Examples<'a> {
    fn from(examples: &'a [TrainExample]) -> Self {
        Self::of(Place::Memory(examples))
    }
}

impl<'a> From<&'a Vec<TrainExample>> for Examples<'a> {
    fn from(examples: &'a Vec<TrainExample>) -> Self {
        examples.as_slice().into()
    }
}

impl<'a, const N: usize> From<&'a [TrainExample; N]> for Examples<'a> {
    fn from(examples: &'a [TrainExample; N]) -> Self {
        examples.as_slice().into()
    }
}

impl<'a> From<&'a ExampleFile> for Examples<'a> {
    fn from(file: &'a ExampleFile) -> Self {
        Self::of(Place::File(file))
    }
}
