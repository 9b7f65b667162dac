//! A name for the examples of a run, wherever they lie.

use super::view::Examples;
use crate::{TrainError, TrainExample};

/// blake3 over the ids, weights and reference log-probs of examples, in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct DataHasher(blake3::Hasher);

impl DataHasher {
    pub(super) fn add(&mut self, example: &TrainExample) {
        let mut list = |bytes: Option<&[u8]>| {
            // The length goes first, so that no two examples have the same bytes.
            let n_bytes = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
            self.0.update(&n_bytes.to_le_bytes());
            self.0.update(bytes.unwrap_or_default());
        };
        list(Some(&example.row.to_le_bytes()));
        for ids in [&example.prompt_ids, &example.chosen_ids, &example.rejected_ids] {
            list(Some(bytemuck::cast_slice(ids)));
        }
        for weights in [&example.chosen_weights, &example.rejected_weights] {
            list(weights.as_deref().map(bytemuck::cast_slice));
        }
        for nominal in [example.chosen_nominal, example.rejected_nominal] {
            list(Some(&nominal.to_le_bytes()));
        }
        let reference = example.reference.as_ref();
        list(reference.map(|reference| bytemuck::cast_slice(&reference.chosen)));
        list(reference.map(|reference| bytemuck::cast_slice(&reference.rejected)));
    }

    pub(super) fn finish(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

/// The hash in hex: the same for the same examples in memory and on disk.
pub(crate) fn data_hash(examples: Examples<'_>) -> Result<String, TrainError> {
    let hash = match examples.stored_hash() {
        Some(hash) => hash,
        None => {
            let mut hasher = DataHasher::default();
            for example in examples.iter() {
                hasher.add(&*example?);
            }
            hasher.finish()
        }
    };
    Ok(blake3::Hash::from_bytes(hash).to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReferenceLogps;

    #[test]
    fn every_part_of_an_example_changes_the_hash() {
        let base = TrainExample::pair(1, vec![1, 2], vec![3, 4], vec![5]);
        let mut others = vec![base.clone(); 5];
        others[0].row = 2;
        others[1].chosen_ids = vec![3];
        others[1].rejected_ids = vec![4, 5];
        others[2].chosen_weights = Some(vec![1.0, 1.0]);
        others[3].reference = Some(ReferenceLogps::default());
        others[4].rejected_nominal = 0.3;
        let hash = |example: TrainExample| data_hash((&[example]).into()).unwrap();
        let of_base = hash(base.clone());
        for other in others {
            assert_ne!(of_base, hash(other));
        }
        assert_eq!(of_base, hash(base));
    }
}
