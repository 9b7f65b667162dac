//! One example: token ids, and what an objective wants to know about each of them.

use sepo_data::Side;
use sepo_loss::Objective;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// Log-probs of the response tokens under the frozen reference, one a token of the side.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ReferenceLogps {
    /// One a chosen token.
    pub chosen: Vec<f32>,
    /// One a rejected token.
    pub rejected: Vec<f32>,
}

/// A preference pair, or a text, as the trainer takes it.
///
/// A text to model as language is an example with no prompt and no rejected response, trained with
/// [`Objective::Sft`]; see [`TrainExample::text`].
///
/// # Which token an index names
///
/// `chosen_weights[i]` and `reference.chosen[i]` belong to `chosen_ids[i]`, whose log-prob comes from the position before
/// it. Without a prompt nothing predicts token 0 of a response: it has no log-prob, its reference is not read, and its
/// weight, where there are weights, must be 0.
///
/// # Examples
///
/// ```
/// use sepo_train::TrainExample;
///
/// let mut pair = TrainExample::pair(17, vec![1, 5], vec![8, 9, 2], vec![7, 2]);
/// assert_eq!((pair.chosen_nominal, pair.rejected_nominal), (3.0, 2.0));
/// pair.chosen_weights = Some(vec![0.0, 1.0, 0.0]); // only the token 9 counts
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrainExample {
    /// Row in the source; names the example in errors and warnings.
    pub row: u64,
    /// Tokens before the responses; never trained on.
    pub prompt_ids: Vec<u32>,
    /// Tokens of the preferred response, its closing token included.
    pub chosen_ids: Vec<u32>,
    /// Tokens of the dispreferred response.
    pub rejected_ids: Vec<u32>,
    /// One weight a chosen token; `None` is 1 everywhere. 0 leaves a token out.
    pub chosen_weights: Option<Vec<f32>>,
    /// One weight a rejected token.
    pub rejected_weights: Option<Vec<f32>>,
    /// Needed where [`Objective::needs_reference`]; filled by [`reference_logps`](crate::reference_logps).
    pub reference: Option<ReferenceLogps>,
    /// `keep_fraction · |chosen|`, for an objective that divides by the nominal number of tokens.
    pub chosen_nominal: f64,
    /// `keep_fraction · |rejected|`.
    pub rejected_nominal: f64,
}

impl TrainExample {
    /// A pair in which every response token counts.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^52")]
    pub fn pair(row: u64, prompt_ids: Vec<u32>, chosen_ids: Vec<u32>, rejected_ids: Vec<u32>) -> Self {
        Self {
            row,
            chosen_nominal: chosen_ids.len() as f64,
            rejected_nominal: rejected_ids.len() as f64,
            prompt_ids,
            chosen_ids,
            rejected_ids,
            ..Self::default()
        }
    }

    /// A text of which every token but the first is predicted.
    #[must_use]
    pub fn text(row: u64, ids: Vec<u32>) -> Self {
        Self::pair(row, Vec::new(), ids, Vec::new())
    }

    pub(crate) fn ids(&self, side: Side) -> &[u32] {
        match side {
            Side::Chosen => &self.chosen_ids,
            Side::Rejected => &self.rejected_ids,
        }
    }

    pub(crate) fn weights(&self, side: Side) -> Option<&[f32]> {
        match side {
            Side::Chosen => self.chosen_weights.as_deref(),
            Side::Rejected => self.rejected_weights.as_deref(),
        }
    }

    pub(crate) fn reference(&self, side: Side) -> Option<&[f32]> {
        let reference = self.reference.as_ref()?;
        Some(match side {
            Side::Chosen => &reference.chosen,
            Side::Rejected => &reference.rejected,
        })
    }

    /// Nothing, where the lists fit each other and hold what `objective` needs.
    pub(crate) fn check(&self, objective: &Objective) -> Result<(), TrainError> {
        if self.reference.is_none() && objective.needs_reference() {
            return Err(TrainError::NoReference { row: self.row });
        }
        self.check_lists()
    }

    /// Bytes that it takes in memory, the allocator's own not counted.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let reference = self.reference.as_ref();
        let floats = [
            self.chosen_weights.as_ref(),
            self.rejected_weights.as_ref(),
            reference.map(|reference| &reference.chosen),
            reference.map(|reference| &reference.rejected),
        ];
        let n_floats: usize = floats.into_iter().flatten().map(Vec::capacity).sum();
        let n_ids: usize =
            [&self.prompt_ids, &self.chosen_ids, &self.rejected_ids].into_iter().map(Vec::capacity).sum();
        (size_of::<Self>() + 4 * (n_floats + n_ids)) as u64
    }

    /// Nothing, where the lists fit each other.
    pub(crate) fn check_lists(&self) -> Result<(), TrainError> {
        let row = self.row;
        for side in Side::BOTH {
            let n_tokens = self.ids(side).len();
            let first = self.weights(side).and_then(|weights| weights.first());
            if self.prompt_ids.is_empty() && first.is_some_and(|weight| *weight != 0.0) {
                return Err(TrainError::WeightWithoutPrompt { row, side });
            }
            for (list, what) in
                [(self.weights(side), "weights"), (self.reference(side), "reference log-probs")]
            {
                let Some(list) = list else { continue };
                if list.len() != n_tokens {
                    return Err(TrainError::Length { row, side, what, n_tokens, found: list.len() });
                }
                if let Some(token) = list.iter().position(|value| !value.is_finite()) {
                    return Err(TrainError::NotFinite { row, side, what, token });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DPO: Objective = Objective::Dpo { beta: 0.1, label_smoothing: 0.0 };

    #[test]
    fn a_list_of_the_wrong_length_names_row_and_side() {
        let mut example = TrainExample::pair(4, vec![1], vec![2, 3], vec![2]);
        example.rejected_weights = Some(vec![1.0, 1.0]);
        let message = example.check(&Objective::Sft).unwrap_err().to_string();
        assert_eq!(message, "row 4 has 2 weights for 1 rejected tokens");
    }

    #[test]
    fn a_missing_reference_and_a_weight_that_is_no_number_are_refused() {
        let mut example = TrainExample::pair(4, vec![1], vec![2, 3], vec![2]);
        assert!(matches!(example.check(&DPO), Err(TrainError::NoReference { row: 4 })));
        example.check(&Objective::Sft).unwrap();
        example.chosen_weights = Some(vec![1.0, f32::NAN]);
        assert!(matches!(example.check(&Objective::Sft), Err(TrainError::NotFinite { token: 1, .. })));
    }
}
