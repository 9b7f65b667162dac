//! A name for what a pair says.

use std::fmt;

use blake3::Hasher;

use crate::{Message, PairContent};

/// The content of a pair as 128 bits; made by [`pair_hash`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairHash(u128);

impl PairHash {
    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }
}

impl fmt::Display for PairHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for PairHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The first 128 bits of BLAKE3 over prompt, chosen and rejected response, which alone decide it: not the file, the row,
/// or how the file is stored.
///
/// Hashed is a byte that says text (0), conversation (1) or ids (2), then each of the three parts: its length as 64 bits,
/// little-endian, and its bytes; of a conversation the number of turns, and role and content of each in this manner; of ids
/// their number, and four bytes each. So text and a conversation that says the same are two different pairs. Among 10⁹
/// different pairs, two have the same hash with a probability of 10⁻²¹.
///
/// # Examples
///
/// ```
/// use sepo_data::{PairContent, pair_hash};
///
/// let pair = |prompt: &str, chosen: &str| PairContent::Text {
///     prompt: prompt.into(),
///     chosen: chosen.into(),
///     rejected: "no".into(),
/// };
/// assert_eq!(pair_hash(&pair("a", "bc")), pair_hash(&pair("a", "bc")));
/// assert_ne!(pair_hash(&pair("a", "bc")), pair_hash(&pair("ab", "c")));
/// ```
#[must_use]
pub fn pair_hash(content: &PairContent) -> PairHash {
    let mut hasher = Hasher::new();
    match content {
        PairContent::Text { prompt, chosen, rejected } => {
            hasher.update(&[0]);
            [prompt, chosen, rejected].into_iter().for_each(|text| add_text(&mut hasher, text));
        }
        PairContent::Chat { prompt, chosen, rejected } => {
            hasher.update(&[1]);
            [prompt, chosen, rejected].into_iter().for_each(|turns| add_turns(&mut hasher, turns));
        }
        PairContent::Tokens { prompt_ids, chosen_ids, rejected_ids } => {
            hasher.update(&[2]);
            for ids in [prompt_ids, chosen_ids, rejected_ids] {
                add_length(&mut hasher, ids.len());
                for id in ids {
                    hasher.update(&id.to_le_bytes());
                }
            }
        }
    }
    let mut bits = [0; 16];
    bits.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    PairHash(u128::from_le_bytes(bits))
}

fn add_turns(hasher: &mut Hasher, turns: &[Message]) {
    add_length(hasher, turns.len());
    for Message { role, content } in turns {
        add_text(hasher, role);
        add_text(hasher, content);
    }
}

fn add_text(hasher: &mut Hasher, text: &str) {
    add_length(hasher, text.len());
    hasher.update(text.as_bytes());
}

fn add_length(hasher: &mut Hasher, length: usize) {
    hasher.update(&(length as u64).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_hash_of_the_bytes_described() {
        let content =
            PairContent::Tokens { prompt_ids: vec![], chosen_ids: vec![258], rejected_ids: vec![1] };
        let zeros = [0; 7];
        let bytes = [&[2][..], &[0; 8], &[1], &zeros, &[2, 1, 0, 0], &[1], &zeros, &[1, 0, 0, 0]].concat();
        let expected = blake3::hash(&bytes).to_hex();
        let bytes = pair_hash(&content).bits().to_le_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected.as_str()[..32]);
    }

    #[test]
    fn what_moves_between_parts_turns_or_kinds_is_another_pair() {
        let turn = |role: &str, content: &str| Message { role: role.into(), content: content.into() };
        let chat = |prompt: Vec<Message>, chosen: Vec<Message>| PairContent::Chat {
            prompt,
            chosen,
            rejected: vec![turn("assistant", "no")],
        };
        let text = |prompt: &str, chosen: &str, rejected: &str| PairContent::Text {
            prompt: prompt.into(),
            chosen: chosen.into(),
            rejected: rejected.into(),
        };
        let pairs = [
            text("", "a", "b"),
            text("a", "", "b"),
            text("", "b", "a"),
            chat(vec![], vec![turn("user", "a"), turn("assistant", "b")]),
            chat(vec![turn("user", "a")], vec![turn("assistant", "b")]),
            chat(vec![turn("use", "ra")], vec![turn("assistant", "b")]),
            PairContent::Tokens { prompt_ids: vec![1], chosen_ids: vec![2], rejected_ids: vec![3] },
            PairContent::Tokens { prompt_ids: vec![], chosen_ids: vec![1, 2], rejected_ids: vec![3] },
        ];
        let hashes: std::collections::BTreeSet<PairHash> = pairs.iter().map(pair_hash).collect();
        assert_eq!(hashes.len(), pairs.len());
    }
}
