//! A name for the values of a file.

use blake3::Hasher;

use super::row::Value;

/// The key-value metadata key of the checksum. Parquet's pages need not carry one, so a flipped bit could go unseen.
pub(super) const CHECKSUM_KEY: &str = "sepo-values-blake3";

/// The BLAKE3 hash of all values, row after row, the columns of a row in the schema's order.
///
/// It depends on values alone, not on row groups, pages or compression. Numbers are little-endian; a Boolean is one
/// byte; a list is its length as 64 bits, then its items; spans have a byte in front that is 0 for null.
#[derive(Debug, Default)]
pub(super) struct Checksum {
    hasher: Hasher,
    /// Bytes of the current row, kept for their allocation: hashing number by number would be slow.
    bytes: Vec<u8>,
}

impl Checksum {
    /// Adds a row; how many bytes its values have.
    pub(super) fn add(&mut self, row: &[Value<'_>]) -> usize {
        self.bytes.clear();
        row.iter().for_each(|value| push(&mut self.bytes, *value));
        self.hasher.update(&self.bytes);
        self.bytes.len()
    }

    /// The hash of the rows so far, as 64 lower-case hexadecimal digits.
    pub(super) fn hex(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}

fn push(bytes: &mut Vec<u8>, value: Value<'_>) {
    let push_len = |bytes: &mut Vec<u8>, n: usize| bytes.extend((n as u64).to_le_bytes());
    match value {
        Value::UInt64(number) => bytes.extend(number.to_le_bytes()),
        Value::Boolean(flag) => bytes.push(u8::from(flag)),
        Value::UInt32List(items) => {
            push_len(bytes, items.len());
            bytes.extend(items.iter().flat_map(|item| item.to_le_bytes()));
        }
        Value::Float32List(items) => {
            push_len(bytes, items.len());
            bytes.extend(items.iter().flat_map(|item| item.to_le_bytes()));
        }
        Value::SpanList(spans) => {
            bytes.push(u8::from(spans.is_some()));
            let spans = spans.unwrap_or_default();
            push_len(bytes, spans.len());
            bytes.extend(spans.iter().flat_map(|span| [span.start, span.end]).flat_map(u32::to_le_bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    fn hex(rows: &[&[Value<'_>]]) -> String {
        let mut checksum = Checksum::default();
        for row in rows {
            checksum.add(row);
        }
        checksum.hex()
    }

    #[test]
    fn is_the_hash_of_the_bytes_described() {
        let spans = [Span { start: 1, end: 2 }];
        let row = [
            Value::UInt64(7),
            Value::Boolean(true),
            Value::UInt32List(&[258]),
            Value::Float32List(&[1.0]),
            Value::SpanList(Some(&spans)),
            Value::SpanList(None),
        ];
        let bytes: Vec<u8> = [
            &[7, 0, 0, 0, 0, 0, 0, 0, 1][..],
            &[1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0],
            &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f],
            &[1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0],
            &[0, 0, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        assert_eq!(hex(&[&row]), blake3::hash(&bytes).to_hex().as_str());
        assert_eq!(Checksum::default().add(&row), bytes.len());
    }

    #[test]
    fn a_value_that_changes_or_moves_changes_it() {
        let hashes = [
            hex(&[]),
            hex(&[&[Value::UInt32List(&[1, 2]), Value::UInt32List(&[3])]]),
            hex(&[&[Value::UInt32List(&[1]), Value::UInt32List(&[2, 3])]]),
            hex(&[&[Value::UInt32List(&[1, 2]), Value::UInt32List(&[4])]]),
            hex(&[&[Value::Float32List(&[0.0])]]),
            hex(&[&[Value::Float32List(&[-0.0])]]),
            hex(&[&[Value::SpanList(None)]]),
            hex(&[&[Value::SpanList(Some(&[]))]]),
        ];
        for (i, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..i].contains(hash), "{i}");
        }
    }
}
