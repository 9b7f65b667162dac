//! Examples in their order, cut into forward passes, of which one at a time is in memory.

use std::borrow::Cow;
use std::ops::Range;

use sepo_loss::Objective;

use crate::batch::{RowChoice, packed_tokens};
use crate::{Examples, TrainError, TrainExample};

/// Examples of one group at most: those without rows cost no tokens.
const MAX_EXAMPLES: usize = 8192;

/// Groups of at most `tokens_per_batch` tokens (or one longer example), as [`split`](crate::batch::split) makes them.
pub(crate) struct Groups<'a> {
    examples: Examples<'a>,
    objective: Objective,
    choice: RowChoice,
    tokens_per_batch: usize,
    next: usize,
    end: usize,
    /// The first example of the next group, with its tokens.
    waiting: Option<(Cow<'a, TrainExample>, usize)>,
}

impl<'a> Groups<'a> {
    pub(crate) fn new(
        examples: Examples<'a>,
        objective: &Objective,
        choice: RowChoice,
        tokens_per_batch: usize,
    ) -> Self {
        let end = examples.len();
        Self { examples, objective: *objective, choice, tokens_per_batch, next: 0, end, waiting: None }
    }

    /// Of the examples of these numbers only.
    pub(crate) fn within(self, numbers: Range<usize>) -> Self {
        Self { next: numbers.start, end: numbers.end, ..self }
    }

    fn read(&mut self) -> Result<Option<(Cow<'a, TrainExample>, usize)>, TrainError> {
        if let Some(waiting) = self.waiting.take() {
            return Ok(Some(waiting));
        }
        if self.next == self.end {
            return Ok(None);
        }
        let example = self.examples.get(self.next)?;
        self.next += 1;
        let n_tokens = packed_tokens(&example, &self.objective, self.choice);
        Ok(Some((example, n_tokens)))
    }

    fn group(&mut self) -> Result<Vec<Cow<'a, TrainExample>>, TrainError> {
        let mut group = Vec::new();
        let mut n_tokens = 0_usize;
        while let Some((example, n)) = self.read()? {
            let is_full = n_tokens.saturating_add(n) > self.tokens_per_batch || group.len() == MAX_EXAMPLES;
            if is_full && !group.is_empty() {
                self.waiting = Some((example, n));
                break;
            }
            n_tokens = n_tokens.saturating_add(n);
            group.push(example);
        }
        Ok(group)
    }
}

impl<'a> Iterator for Groups<'a> {
    type Item = Result<Vec<Cow<'a, TrainExample>>, TrainError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.group() {
            Ok(group) if group.is_empty() => None,
            Err(error) => {
                // Nothing behind an example that cannot be read is looked at.
                self.next = self.end;
                Some(Err(error))
            }
            group => Some(group),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::split;

    #[test]
    fn groups_are_those_of_all_examples_at_once() {
        let ids = |n: usize| vec![1; n];
        let examples: Vec<TrainExample> = (0..60)
            .zip(0..)
            .map(|(n, row)| TrainExample::pair(row, ids(n % 3), ids(n * 7 % 11), ids(2)))
            .collect();
        let borrowed: Vec<&TrainExample> = examples.iter().collect();
        for tokens in [1, 5, 12, 40, 10_000] {
            let expected: Vec<Vec<u64>> = split(&borrowed, &Objective::Sft, RowChoice::All, tokens)
                .iter()
                .map(|group| group.iter().map(|example| example.row).collect())
                .collect();
            let found: Vec<Vec<u64>> =
                Groups::new((&examples).into(), &Objective::Sft, RowChoice::All, tokens)
                    .map(|group| group.unwrap().iter().map(|example| example.row).collect())
                    .collect();
            assert_eq!(found, expected, "{tokens}");
        }
    }
}
