//! The checked list of (hidden row, target) for which a log-probability is wanted

use crate::error::KernelError;

/// Which log-probabilities are wanted: for each row, the hidden row to read and the token it should predict
///
/// # Which token an index names
/// `hidden_rows[r]` is a row of the *hidden matrix handed to the kernel*, not a token of the batch; the hidden state of
/// token *t* predicts token *t + 1*, so `targets[r]` is the token that follows the one whose state row `r` reads. Several
/// rows may read one hidden row: the last prompt token predicts the first token of both responses.
///
/// Holding the value is the proof that hidden rows exist and do not decrease, and that targets are in the vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    hidden_rows: Vec<u32>,
    targets: Vec<u32>,
    n_hidden: usize,
    vocab: usize,
}

impl Rows {
    /// The rows that read `hidden_rows` and predict `targets`
    ///
    /// # Errors
    /// * [`KernelError::RowEntries`] where the lists differ in length
    /// * [`KernelError::HiddenRowOutOfRange`] where a hidden row is not below `n_hidden`
    /// * [`KernelError::HiddenRowsDecrease`] where a hidden row is lower than the one before it
    /// * [`KernelError::TargetOutOfVocab`] where a target is not below `vocab`
    ///
    /// # Examples
    /// ```
    /// use sepo_kernels::{KernelError, Rows};
    ///
    /// assert_eq!(Rows::new(vec![0, 0, 2], vec![7, 4, 1], 3, 8)?.len(), 3);
    /// let error = Rows::new(vec![0], vec![8], 3, 8).unwrap_err();
    /// assert_eq!(error, KernelError::TargetOutOfVocab { row: 0, target: 8, vocab: 8 });
    /// # Ok::<(), KernelError>(())
    /// ```
    pub fn new(
        hidden_rows: Vec<u32>,
        targets: Vec<u32>,
        n_hidden: usize,
        vocab: usize,
    ) -> Result<Self, KernelError> {
        if hidden_rows.len() != targets.len() {
            let (n_hidden_rows, n_targets) = (hidden_rows.len(), targets.len());
            return Err(KernelError::RowEntries { n_hidden_rows, n_targets });
        }
        let mut previous = 0;
        for (row, (&hidden_row, &target)) in hidden_rows.iter().zip(&targets).enumerate() {
            if hidden_row as usize >= n_hidden {
                return Err(KernelError::HiddenRowOutOfRange { row, hidden_row, n_hidden });
            }
            if hidden_row < previous {
                return Err(KernelError::HiddenRowsDecrease { row, previous, hidden_row });
            }
            if target as usize >= vocab {
                return Err(KernelError::TargetOutOfVocab { row, target, vocab });
            }
            previous = hidden_row;
        }
        Ok(Self { hidden_rows, targets, n_hidden, vocab })
    }

    /// Number of rows
    ///
    /// # Examples
    /// ```
    /// # use sepo_kernels::Rows;
    /// assert_eq!(Rows::new(vec![], vec![], 0, 8)?.len(), 0);
    /// # Ok::<(), sepo_kernels::KernelError>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there are no rows
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The hidden row that each row reads, never decreasing
    #[must_use]
    pub fn hidden_rows(&self) -> &[u32] {
        &self.hidden_rows
    }

    /// The token that each row predicts
    #[must_use]
    pub fn targets(&self) -> &[u32] {
        &self.targets
    }

    /// Hidden rows that the check allowed
    #[must_use]
    pub fn n_hidden(&self) -> usize {
        self.n_hidden
    }

    /// Vocabulary that the check allowed
    #[must_use]
    pub fn vocab(&self) -> usize {
        self.vocab
    }
}
