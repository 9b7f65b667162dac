//! Artifacts of this program, as it writes them and as another program would.

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterVersion};
use sepo_data::{
    META_KEY, ScoredPair, ScoredResponse, ScoresMeta, ScoresWriter, SelectedPair, SelectionMeta,
    SelectionWriter, Span,
};

use crate::Scratch;

/// Files with the columns of `scores.parquet`.
pub fn scores_files(scratch: &Scratch) -> Vec<Vec<u8>> {
    let path = scratch.path("base.parquet");
    let response = |n: u16| ScoredResponse {
        ids: (0..u32::from(n)).collect(),
        oracle_logps: (0..n).map(|i| -f32::from(i)).collect(),
        reference_logps: vec![-1.5; usize::from(n)],
        scores: (0..n).map(|i| 1.5 - f32::from(i)).collect(),
        spans: (n != 2).then(|| (0..u32::from(n)).map(|i| Span { start: i, end: i + 1 }).collect()),
        truncated: n == 3,
    };
    let mut writer = ScoresWriter::create(&path, ScoresMeta::default()).expect("the folder is there");
    for row in 0..4 {
        let (chosen, rejected) = (response(row + 1), response(3));
        let pair =
            ScoredPair { row: u64::from(row), prompt_ids: vec![7; usize::from(row)], chosen, rejected };
        writer.write(&pair).expect("a valid pair");
    }
    writer.finish().expect("memory takes every write");
    rewritten(&std::fs::read(&path).expect("it was just written"))
}

/// Files with the columns of `selection.parquet`.
pub fn selection_files(scratch: &Scratch) -> Vec<Vec<u8>> {
    let path = scratch.path("base.parquet");
    let mut writer = SelectionWriter::create(&path, SelectionMeta::default()).expect("the folder is there");
    for row in 0..4 {
        let pair = SelectedPair {
            row,
            prompt_ids: vec![1, 2],
            chosen_ids: vec![3, 4, 5],
            rejected_ids: vec![6],
            chosen_weights: vec![1.0, 0.0, 0.5],
            rejected_weights: vec![1.0],
        };
        writer.write(&pair).expect("a valid pair");
    }
    writer.finish().expect("memory takes every write");
    rewritten(&std::fs::read(&path).expect("it was just written"))
}

/// The file, and its rows in other encodings and without a checksum.
fn rewritten(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut files = vec![bytes.to_vec()];
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for (compression, dictionary) in [
            (Compression::UNCOMPRESSED, false),
            (Compression::UNCOMPRESSED, true),
            (Compression::SNAPPY, false),
        ] {
            let input = bytes::Bytes::copy_from_slice(bytes);
            let reader =
                ParquetRecordBatchReaderBuilder::try_new(input).expect("a valid file").build().expect("rows");
            let batches: Vec<_> = reader.collect::<Result<_, _>>().expect("valid pages");
            let properties = WriterProperties::builder()
                .set_writer_version(version)
                .set_compression(compression)
                .set_dictionary_enabled(dictionary)
                .set_data_page_row_count_limit(3)
                .build();
            let mut out = Vec::new();
            let mut writer =
                ArrowWriter::try_new(&mut out, batches[0].schema(), Some(properties)).expect("a schema");
            batches.iter().for_each(|batch| writer.write(batch).expect("valid rows"));
            writer.append_key_value_metadata(KeyValue::new(META_KEY.to_owned(), "{}".to_owned()));
            writer.close().expect("memory takes every write");
            files.push(out);
        }
    }
    files
}
