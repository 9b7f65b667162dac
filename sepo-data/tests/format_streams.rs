//! Files are streamed, and what is wrong with a whole file is an error that says how far it was read.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test that asks for it")]

#[expect(dead_code, reason = "shared by several test binaries, each of which uses a part")]
mod format_fixture;

use std::fs;
use std::path::{Path, PathBuf};

use format_fixture::{
    CONTAINERS, bad, batch, compressed, inputs, pair, parquet_bytes, strings, try_rows, write,
};
use sepo_data::format::JsonFault;
use sepo_data::{BadReason, DataError, PairRow, ReadConfig, open_pairs};
use serde_json::{Value, json};

fn raw(n_rows: usize) -> Vec<Value> {
    (0..n_rows)
        .map(|i| json!({"prompt": format!("{i}"), "chosen": noise(i), "rejected": noise(i + n_rows)}))
        .collect()
}

/// Text that does not compress well, so that a cut falls into the rows.
fn noise(seed: usize) -> String {
    let mut state = seed as u64 + 1;
    let next = move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:x}", state >> 20)
    };
    (0..20).map(next).collect()
}

fn columns() -> [(&'static str, arrow::datatypes::DataType); 3] {
    ["prompt", "chosen", "rejected"].map(|name| (name, strings()))
}

/// Rows before the error, and the error.
fn read_until_error(path: &Path) -> (u64, DataError) {
    let reader = match open_pairs(&inputs(&[path]), &ReadConfig::default()) {
        Ok(reader) => reader,
        Err(error) => return (0, error),
    };
    let mut n_rows = 0;
    for row in reader {
        match row {
            Ok(_) => n_rows += 1,
            Err(error) => return (n_rows, error),
        }
    }
    panic!("{} was read to its end, {n_rows} rows", path.display());
}

fn cut(dir: &Path, name: &str, numerator: usize) -> PathBuf {
    let path = dir.join(name);
    write(&path, &columns(), &raw(3000));
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() * numerator / 4]).unwrap();
    path
}

#[test]
fn reads_the_first_rows_of_a_truncated_json_array() {
    let dir = tempfile::tempdir().unwrap();
    let path = cut(dir.path(), "a.json", 3);
    let (n_rows, error) = read_until_error(&path);
    assert!((2200..2300).contains(&n_rows), "{n_rows}");
    // Five lines a row, after the line of the opening bracket.
    let DataError::UnclosedArray { row, line, .. } = error else { panic!("{error}") };
    assert_eq!((row, line), (n_rows, 2 + 5 * n_rows));
}

#[test]
fn names_the_row_where_a_compressed_file_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.jsonl.gz", "a.jsonl.zst", "b.json.gz"] {
        let path = cut(dir.path(), name, 3);
        let (n_rows, error) = read_until_error(&path);
        assert!(n_rows > 1000, "{name}: {n_rows}");
        let DataError::Read { file, row, .. } = error else { panic!("{error}") };
        assert_eq!((file, row), (path, n_rows));
    }
}

#[test]
fn names_a_cut_arrow_or_parquet_file() {
    let dir = tempfile::tempdir().unwrap();
    let (_, error) = read_until_error(&cut(dir.path(), "a.parquet", 3));
    assert!(matches!(error, DataError::ParquetFooter { .. }), "{error}");
    let (_, error) = read_until_error(&cut(dir.path(), "a.parquet.gz", 3));
    assert!(matches!(error, DataError::Read { row: 0, .. }), "{error}");
    let (n_rows, error) = read_until_error(&cut(dir.path(), "a.arrow", 3));
    assert!(matches!(error, DataError::ArrowBatch { row, .. } if row == n_rows && row > 2000), "{error}");
    let (_, error) = read_until_error(&cut(dir.path(), "a.feather", 3));
    assert!(matches!(error, DataError::ArrowHeader { .. }), "{error}");
    for name in ["empty.parquet", "empty.feather", "empty.arrow"] {
        let path = dir.path().join(name);
        fs::write(&path, "").unwrap();
        read_until_error(&path);
    }
}

#[test]
fn names_the_row_group_of_a_corrupt_page() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    let rows = raw(10);
    let mut bytes = parquet_bytes(&batch(&columns(), &rows));
    // The length of a string of the third row group is overwritten: row groups have two rows.
    let value = rows[4]["chosen"].as_str().unwrap().as_bytes();
    let at = bytes.windows(value.len()).position(|window| window == value).unwrap();
    bytes[at - 4..at].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let (n_rows, error) = read_until_error(&path);
    assert_eq!(n_rows, 4);
    assert!(matches!(error, DataError::ParquetPage { row_group: 2, row: 4, .. }), "{error}");
}

#[test]
fn no_changed_byte_makes_it_panic() {
    let dir = tempfile::tempdir().unwrap();
    let rows: Vec<Value> =
        (0..5).map(|i| json!({"prompt": "p", "chosen": format!("a{i}"), "rejected": "b"})).collect();
    for container in CONTAINERS {
        let path = dir.path().join(format!("a.{container}"));
        write(&path, &columns(), &rows);
        let bytes = fs::read(&path).unwrap();
        let step = bytes.len().div_ceil(300);
        for at in (0..bytes.len()).step_by(step) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x55;
            fs::write(&path, &changed).unwrap();
            // Whether it is a pair, a bad row or an error depends on the byte.
            let _ = try_rows(&[&path], &ReadConfig::default());
        }
    }
}

#[test]
fn no_changed_length_in_compressed_arrow_makes_it_allocate_without_bounds() {
    use arrow::datatypes::DataType;
    use arrow::ipc::CompressionType;
    use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
    let options =
        || IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME)).unwrap();
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let columns = [("prompt", dictionary), ("chosen", strings()), ("rejected", DataType::Utf8View)];
    let rows: Vec<Value> = (0..40)
        .map(|i| json!({"prompt": "p".repeat(300), "chosen": format!("a{i}"), "rejected": "b".repeat(100)}))
        .collect();
    let batch = batch(&columns, &rows);
    let mut file = FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options()).unwrap();
    file.write(&batch).unwrap();
    let mut stream = StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options()).unwrap();
    stream.write(&batch).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in
        [("a.feather", file.into_inner().unwrap()), ("a.arrow", stream.into_inner().unwrap())]
    {
        let path = dir.path().join(name);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(try_rows(&[&path], &ReadConfig::default()).unwrap().len(), 40);
        for at in (0..bytes.len()).step_by(3) {
            for bits in [0x55, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= bits;
                fs::write(&path, &changed).unwrap();
                let _ = try_rows(&[&path], &ReadConfig::default());
            }
        }
    }
}

#[test]
fn a_bad_element_of_an_array_costs_only_itself() {
    let good = r#"{"prompt": "p", "chosen": "a", "rejected": "b"}"#;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    fs::write(&path, format!("\u{feff}\n[{good},\n  {{\"prompt\" \"x]\\\"\"}} ,, {good}\n,]")).unwrap();
    let found = try_rows(&[&path], &ReadConfig::default()).unwrap();
    let fault = |line, column| BadReason::InvalidJson { line, column, fault: JsonFault::Syntax };
    assert_eq!(found.len(), 5);
    assert_eq!(bad(&found[1]).reason, fault(3, 13));
    assert_eq!(bad(&found[2]).reason, fault(3, 22));
    assert_eq!(pair(&found[3]).row, 3);
    assert_eq!(bad(&found[4]).reason, fault(4, 2));
}

#[test]
fn refuses_what_follows_an_array() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    fs::write(&path, "[{\"prompt\": \"p\", \"chosen\": \"a\", \"rejected\": \"b\"}]\n [").unwrap();
    let (n_rows, error) = read_until_error(&path);
    assert_eq!(n_rows, 1);
    assert!(matches!(error, DataError::TrailingData { line: 2, column: 2, .. }), "{error}");
}

#[test]
fn reads_concatenated_gzip_members_and_windows_line_ends() {
    let dir = tempfile::tempdir().unwrap();
    let line = b"{\"prompt\": \"p\", \"chosen\": \"a\\r\", \"rejected\": \"b\"}\r\n\r\n";
    for name in ["a.jsonl.gz", "a.jsonl.zst"] {
        let path = dir.path().join(name);
        fs::write(&path, [compressed(name, line), compressed(name, line)].concat()).unwrap();
        let found = try_rows(&[&path], &ReadConfig::default()).unwrap();
        assert!(matches!(&found[..], [PairRow::Pair(_), PairRow::Pair(_)]), "{name}");
    }
}

#[test]
fn a_reader_can_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<sepo_data::PairReader>();
}
