//! Weights of others, from both file types, and what is wrong with them.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Int64Array, ListArray, RecordBatch, StructArray, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use parquet::arrow::ArrowWriter;
use proptest::collection::vec;
use proptest::prelude::*;
use sepo_data::{
    GivenRow, GivenWeights, GivenWeightsReader, SelectedPair, WeightColumns, WeightedSpan, WeightsError,
    WeightsWriter,
};

fn read(path: &Path) -> Result<Vec<GivenRow>, WeightsError> {
    GivenWeightsReader::open(path, WeightColumns::default())?.collect()
}

fn write(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("weights.jsonl");
    std::fs::write(&path, text).unwrap();
    path
}

fn span(start: u32, end: u32, weight: f64) -> WeightedSpan {
    WeightedSpan { start, end, weight }
}

fn list(items: ArrayRef, lengths: &[usize]) -> ArrayRef {
    let field = Arc::new(Field::new("element", items.data_type().clone(), true));
    Arc::new(ListArray::new(field, OffsetBuffer::from_lengths(lengths.iter().copied()), items, None))
}

#[test]
fn parquet_and_lines_of_json_say_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let json = r#"{"row": 4, "chosen_weights": [0.5, -1, 2], "rejected_weights": [{"start": 0, "end": 3, "weight": 0.25}]}

{"row": 9, "chosen_weights": [], "rejected_weights": [{"start": 3, "end": 3, "weight": 1}, {"start": 3, "end": 8, "weight": 0}]}
"#;
    let of_json = read(&write(dir.path(), json)).unwrap();
    assert_eq!(of_json[0].rejected, GivenWeights::Spans(vec![span(0, 3, 0.25)]));
    assert_eq!((of_json[1].file_row, of_json[1].row), (1, Some(9)));

    let fields: Fields =
        [("start", DataType::UInt32), ("end", DataType::UInt32), ("weight", DataType::Float32)]
            .map(|(name, kind)| Field::new(name, kind, false))
            .into_iter()
            .collect();
    let spans = StructArray::new(
        fields,
        vec![
            Arc::new(UInt32Array::from(vec![0, 3, 3])),
            Arc::new(UInt32Array::from(vec![3, 3, 8])),
            Arc::new(Float32Array::from(vec![0.25, 1.0, 0.0])),
        ],
        None,
    );
    let batch = RecordBatch::try_from_iter([
        ("row", Arc::new(Int64Array::from(vec![4, 9])) as ArrayRef),
        ("chosen_weights", list(Arc::new(Float32Array::from(vec![0.5, -1.0, 2.0])), &[3, 0])),
        ("rejected_weights", list(Arc::new(spans), &[1, 2])),
        ("other", Arc::new(Int64Array::from(vec![0, 0])) as ArrayRef),
    ])
    .unwrap();
    let path = dir.path().join("weights.parquet");
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    assert_eq!(read(&path).unwrap(), of_json);

    let columns = WeightColumns { chosen: "absent".into(), ..WeightColumns::default() };
    let error = GivenWeightsReader::open(&path, columns).err().unwrap().to_string();
    assert!(error.contains("no column `absent`"), "{error}");
}

#[test]
fn what_is_wrong_is_named_with_its_row_and_column() {
    let dir = tempfile::tempdir().unwrap();
    let good = r#"{"chosen_weights": [1], "rejected_weights": [1]}"#;
    for (line, named) in [
        ("[1]", "row 1 of"),
        (r#"{"chosen_weights": [1]}"#, "no column `rejected_weights`"),
        (
            r#"{"chosen_weights": [1, null], "rejected_weights": []}"#,
            "null in column `chosen_weights` at index 1",
        ),
        (r#"{"chosen_weights": "x", "rejected_weights": []}"#, "expected a list of numbers"),
        (
            r#"{"chosen_weights": [], "rejected_weights": [{"start": -1, "end": 2, "weight": 1}]}"#,
            "whole numbers from 0",
        ),
        (
            r#"{"chosen_weights": [], "rejected_weights": [{"start": 3, "end": 2, "weight": 1}]}"#,
            "the span 3..2",
        ),
        (r#"{"chosen_weights": [{"start": 0, "end": 1}], "rejected_weights": []}"#, "a weight"),
        (r#"{"row": -1, "chosen_weights": [], "rejected_weights": []}"#, "expected a whole number from 0"),
        (r#"{"chosen_weights": [1e999], "rejected_weights": []}"#, "row 1 of"),
    ] {
        let path = write(dir.path(), &format!("{good}\n{line}\n"));
        let mut rows = GivenWeightsReader::open(&path, WeightColumns::default()).unwrap();
        assert!(rows.next().unwrap().is_ok());
        let error = rows.next().unwrap().unwrap_err().to_string();
        assert!(error.contains(named) && error.contains("weights.jsonl"), "{line}: {error}");
        assert!(rows.next().is_none());
    }
    let path = dir.path().join("weights.csv");
    std::fs::write(&path, "1").unwrap();
    assert!(read(&path).is_err());
    assert!(read(&dir.path().join("absent.jsonl")).is_err());
    let damaged = dir.path().join("weights.parquet");
    std::fs::write(&damaged, "PAR1 not at all PAR1").unwrap();
    assert!(read(&damaged).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn damaged_files_are_errors_and_never_a_panic(
        places in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let spans = r#"[{"start": 0, "end": 3, "weight": 0.25}]"#;
        let lines = format!("{{\"row\": 4, \"chosen_weights\": [0.5, -1], \"rejected_weights\": {spans}}}\n");
        let good = write(dir.path(), &lines);
        let pair = SelectedPair { chosen_ids: vec![1], chosen_weights: vec![0.5], ..SelectedPair::default() };
        let parquet = dir.path().join("good.parquet");
        let mut writer = WeightsWriter::create(&parquet).unwrap();
        (0..20).for_each(|_| writer.write(&pair, None).unwrap());
        prop_assert_eq!(writer.finish().unwrap(), 20);
        prop_assert_eq!(read(&parquet).unwrap().len(), 20);
        for (path, name) in [(&good, "bad.jsonl"), (&parquet, "bad.parquet")] {
            let mut bytes = std::fs::read(path).unwrap();
            for (place, byte) in &places {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            bytes.truncate(bytes.len() - cut.index(bytes.len()) / 8);
            let bad = dir.path().join(name);
            std::fs::write(&bad, bytes).unwrap();
            drop(read(&bad));
        }
    }
}
