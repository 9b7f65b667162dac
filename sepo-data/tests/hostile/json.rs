//! JSON lines and arrays.

use std::io::Write;

use sepo_data::BadReason;
use sepo_data::format::JsonFault;

use crate::reading::{failure, reasons};

const GOOD: &str = r#"{"prompt": "p", "chosen": "a", "rejected": "b"}"#;

/// The reason for a row between two good ones.
fn reason(row: &[u8]) -> Option<BadReason> {
    let text = [GOOD.as_bytes(), b"\n", row, b"\n", GOOD.as_bytes(), b"\n"].concat();
    let mut reasons = reasons("x.jsonl", &text);
    assert_eq!(reasons.len(), 3);
    assert_eq!((&reasons[0], &reasons[2]), (&None, &None), "the rows around it are read");
    reasons.swap_remove(1)
}

fn gzip(write: impl FnOnce(&mut dyn Write)) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    write(&mut encoder);
    encoder.finish().unwrap()
}

#[test]
fn a_line_without_end_is_not_held_in_memory() {
    let bomb = gzip(|out| {
        out.write_all(GOOD.as_bytes()).unwrap();
        out.write_all(b"\n{\"prompt\": \"").unwrap();
        (0..65).for_each(|_| out.write_all(&vec![b'x'; 1 << 20]).unwrap());
    });
    assert!(bomb.len() < 1 << 20, "it is small as a file");
    assert_eq!(
        failure("x.jsonl.gz", &bomb),
        "cannot read on in `x.jsonl.gz` after row 1: the row that starts on line 2 is longer than 67108864 bytes; \
         split it, or take it out"
    );
}

#[test]
fn an_element_of_an_array_without_end_is_not_held_in_memory() {
    let bomb = gzip(|out| {
        out.write_all(b"[\n\n[").unwrap();
        (0..65).for_each(|_| out.write_all(&vec![b'['; 1 << 20]).unwrap());
    });
    assert_eq!(
        failure("x.json.gz", &bomb),
        "cannot read on in `x.json.gz` after row 0: the row that starts on line 3 is longer than 67108864 bytes; \
         split it, or take it out"
    );
}

#[test]
fn a_row_of_millions_of_values_is_a_bad_row() {
    // Nine megabytes of text; as values they would be a hundred and thirty.
    let ids = "1,".repeat((1 << 22) + 1);
    let row = format!(r#"{{"prompt_ids": [{ids}1], "chosen_ids": [1], "rejected_ids": [2]}}"#);
    let too_large = reason(row.as_bytes()).unwrap();
    assert_eq!(
        too_large.to_string(),
        "the row takes more than 67108864 bytes, its text and 16 for each value; split it, or take it out"
    );
    assert_eq!(too_large.name(), "row-too-large");
}

#[test]
fn nesting_without_end_is_a_bad_row_and_unread_columns_may_nest() {
    let deep = "[".repeat(100_000);
    let row = format!(r#"{{"prompt": {deep}"#);
    assert_eq!(
        reason(row.as_bytes()).unwrap().to_string(),
        "lists or objects nested more than 127 deep on line 2, column 138"
    );
    let other = format!(
        r#"{{"prompt": "p", "chosen": "a", "rejected": "b", "other": {deep}{}}}"#,
        "]".repeat(100_000)
    );
    assert_eq!(reason(other.as_bytes()), None);
}

#[test]
fn half_characters_are_told_from_other_faults() {
    let fault = |row: &str| match reason(row.as_bytes()) {
        Some(BadReason::InvalidJson { line: 2, fault, .. }) => fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(r#"{"prompt": "\ud800", "chosen": "a", "rejected": "b"}"#), JsonFault::LoneSurrogate);
    assert_eq!(fault(r#"{"prompt": "\udc00", "chosen": "a", "rejected": "b"}"#), JsonFault::LoneSurrogate);
    assert_eq!(fault(r#"{"prompt": "\ud800x", "chosen": "a", "rejected": "b"}"#), JsonFault::LoneSurrogate);
    assert_eq!(fault(r#"{"prompt": "\x", "chosen": "a", "rejected": "b"}"#), JsonFault::Syntax);
    assert_eq!(fault("{\"prompt\": \"\u{1}\"}"), JsonFault::Syntax);
    assert_eq!(fault(r#"{"prompt": "p"#), JsonFault::EndsEarly);
    assert_eq!(JsonFault::LoneSurrogate.to_string(), "half of a surrogate pair, which is no character");
}

#[test]
fn what_editors_and_other_systems_put_into_files_is_read() {
    let nul = r#"{"prompt": "\u0000", "chosen": "a", "rejected": "b"}"#;
    assert_eq!(reason(nul.as_bytes()), None, "NUL is a character");
    let twice = r#"{"prompt": null, "prompt": "p", "chosen": "a", "rejected": "a", "rejected": "b"}"#;
    assert_eq!(reason(twice.as_bytes()), None, "the last of several values counts, as in Python");
    assert_eq!(reason(format!("{GOOD}\r").as_bytes()), None);
    assert_eq!(reasons("x.jsonl", format!("\u{feff}{GOOD}\r\n\r\n{GOOD}").as_bytes()), [None, None]);
    assert_eq!(reasons("x.json", format!("\u{feff}\r\n[{GOOD}\r\n,{GOOD}]").as_bytes()), [None, None]);
}

#[test]
fn other_encodings_are_named_by_their_place() {
    assert_eq!(
        reason(b"{\"prompt\": \"\xff\"}").unwrap(),
        BadReason::InvalidUtf8 { line: 2, byte: GOOD.len() as u64 + 13 }
    );
    let utf16: Vec<u8> = format!("\u{feff}{GOOD}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(
        failure("x.jsonl", &utf16),
        "none of the first 1 rows of `x.jsonl` is readable; row 0: not UTF-8 on line 1, at byte 0 of the file"
    );
}
