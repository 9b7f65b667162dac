//! Files that are nearly valid: a valid one with a few things changed.

use serde_json::{Map, Value};

/// What stands in for a value of a JSON file; sizes at the edges of what integers hold are among them.
const EVIL: [&str; 30] = [
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "255",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "0.5",
    "-0.5",
    "1e-320",
    "1e308",
    "\"\"",
    "\"a\"",
    "\"\\u0000\"",
    "\"../x\"",
    "\"▁\"",
    "\"日本\"",
    "[]",
    "{}",
    "[[[[]]]]",
];

/// The file that an input stands for: the input itself behind a first byte below 32, else one of `files` (second byte) with
/// changes (the rest).
pub fn file_of(input: &[u8], files: &[Vec<u8>]) -> Vec<u8> {
    match input {
        [first, rest @ ..] if *first < 32 => rest.to_vec(),
        [_, which, changes @ ..] => patched(&files[usize::from(*which) % files.len()], changes),
        _ => Vec::new(),
    }
}

/// The JSON that an input stands for: the input itself behind a first byte below 32, else one of `values` (second byte) with
/// changes (the rest).
pub fn json_of(input: &[u8], values: &[Value]) -> Vec<u8> {
    match input {
        [first, rest @ ..] if *first < 32 => rest.to_vec(),
        [_, which, changes @ ..] => {
            mutated(&values[usize::from(*which) % values.len()], changes).to_string().into()
        }
        _ => Vec::new(),
    }
}

/// `bytes` with bytes changed as `changes` says: each change is a place (3 bytes), an operation and a value.
pub fn patched(bytes: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes.chunks_exact(5) {
        if bytes.is_empty() {
            break;
        }
        let place = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize;
        // Footers say most about a file, so half of the changes count from the end.
        let at = if change[3] & 0x80 == 0 {
            place % bytes.len()
        } else {
            bytes.len() - 1 - place % bytes.len().min(1024)
        };
        match change[3] % 7 {
            0 => bytes[at] = change[4],
            1 => bytes[at] ^= 1 << (change[4] % 8),
            2 => bytes[at] = bytes[at].wrapping_add(change[4]),
            3 => drop(bytes.drain(at..(at + usize::from(change[4])).min(bytes.len()))),
            4 => bytes.insert(at, change[4]),
            5 => bytes.truncate(at),
            _ => {
                let end = (at + 1 + usize::from(change[4]) % 64).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
        }
    }
    bytes
}

/// `value` with nodes changed as `changes` says: each change is a node (2 bytes), an operation and a value.
pub fn mutated(value: &Value, changes: &[u8]) -> Value {
    let mut value = value.clone();
    for change in changes.chunks_exact(4).take(16) {
        let n_nodes = count(&value);
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % n_nodes;
        let other = at.wrapping_mul(31).wrapping_add(usize::from(change[3])) % n_nodes;
        let other = nth(&mut value, &mut other.clone()).cloned().unwrap_or_default();
        let Some(node) = nth(&mut value, &mut at.clone()) else { continue };
        change_node(node, change[2], change[3], other);
    }
    value
}

fn change_node(node: &mut Value, operation: u8, argument: u8, other: Value) {
    let evil = || serde_json::from_str(EVIL[usize::from(argument) % EVIL.len()]).unwrap_or_default();
    match (operation % 6, &mut *node) {
        (0, Value::Array(items)) if !items.is_empty() => {
            let at = usize::from(argument) % items.len();
            items.remove(at);
        }
        (0, Value::Object(fields)) if !fields.is_empty() => {
            let key = fields.keys().nth(usize::from(argument) % fields.len()).cloned().unwrap_or_default();
            fields.shift_remove(&key);
        }
        (1, Value::Array(items)) => items.push(other),
        (1, Value::Object(fields)) => drop(fields.insert("type".to_owned(), evil())),
        (2, Value::Number(number)) => {
            let number = number.as_i64().unwrap_or(0);
            *node = Value::from(number.wrapping_add(i64::from(argument as i8)));
        }
        (3, Value::String(text)) => {
            let at = text.char_indices().nth(usize::from(argument) % 8).map_or(text.len(), |(at, _)| at);
            text.truncate(at);
        }
        (4, _) => *node = other,
        _ => *node = evil(),
    }
}

fn children(value: &mut Value) -> Box<dyn Iterator<Item = &mut Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter_mut()),
        Value::Object(fields) => Box::new(Map::values_mut(fields)),
        _ => Box::new(std::iter::empty()),
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// Node `at` in the order of the text.
fn nth<'a>(value: &'a mut Value, at: &mut usize) -> Option<&'a mut Value> {
    if *at == 0 {
        return Some(value);
    }
    *at -= 1;
    for child in children(value) {
        let n_nodes = count(child);
        if *at < n_nodes {
            return nth(child, at);
        }
        *at -= n_nodes;
    }
    None
}
