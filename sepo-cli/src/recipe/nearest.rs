//! The name that was probably meant.

/// The candidate that takes the fewest edits, where it is near enough to be a slip of the pen.
pub(super) fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (edits, candidate) = candidates
        .into_iter()
        .map(|candidate| (edits(typed, candidate), candidate))
        .min_by_key(|found| found.0)?;
    (edits <= typed.chars().count().max(3) / 2).then_some(candidate)
}

/// Levenshtein distance: letters put in, left out or changed.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let changed = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_mended_and_another_word_is_not() {
        let keys = ["keep_chosen", "keep_rejected", "rule"];
        assert_eq!(nearest("keep_chosn", keys), Some("keep_chosen"));
        assert_eq!(nearest("rle", keys), Some("rule"));
        assert_eq!(nearest("threads", keys), None);
        assert_eq!(edits("kitten", "sitting"), 3);
    }
}
