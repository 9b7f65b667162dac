//! Parquet: input of pairs and artifacts.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use sepo_data::{BadReason, SelectionReader};

use crate::parquet_claim::{
    dictionary_header, encoded_page_header, file, ids, page_header, texts, with_chunk, with_footer,
    with_metadata,
};
use crate::reading::{failure, reasons, told};

const PLAIN: Compression = Compression::UNCOMPRESSED;

#[test]
fn what_the_helpers_build_is_otherwise_readable() {
    let bytes = file(texts("a", 3), PLAIN);
    assert_eq!(reasons("x.parquet", &bytes), [None, None, None]);
    assert_eq!(reasons("x.parquet", &with_metadata(&bytes, |metadata| metadata)), [None, None, None]);
    // A definition level of 1 three times, and three texts of a letter.
    let body = [&[2, 0, 0, 0, 6, 1][..], &[1, 0, 0, 0, b'x'].repeat(3)].concat();
    let length = i32::try_from(body.len()).unwrap();
    let chunk = [page_header(length, length, 3), body].concat();
    assert_eq!(reasons("x.parquet", &with_chunk(&bytes, &chunk)), [None, None, None]);
}

/// The Parquet reader reserves room for as many row groups as the footer says there are.
#[test]
fn a_footer_with_billions_of_row_groups_is_refused() {
    let bytes = file(texts("a", 3), PLAIN);
    // Version 1; a schema of one element; no rows; a list of 2^31 - 1 structures.
    let footer = [
        0x15, 2, 0x19, 0x1c, 0x48, 1, b'x', 0x15, 0, 0, 0x16, 0, 0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0,
        0,
    ];
    assert_eq!(
        failure("x.parquet", &with_footer(&bytes, &footer)),
        "cannot read on in `x.parquet` after row 0: the footer is damaged at byte 19 of its 21; write the file again"
    );
}

/// The Parquet reader builds the schema by calling itself.
#[test]
fn a_schema_of_a_hundred_thousand_levels_is_refused() {
    let bytes = file(texts("a", 3), PLAIN);
    // 100001 elements, all but the last with one child.
    let mut footer = vec![0x15, 2, 0x19, 0xfc, 0xa1, 0x8d, 0x06];
    (0..100_000).for_each(|_| footer.extend([0x35, 2, 0x18, 1, b'x', 0x15, 2, 0]));
    footer.extend([0x15, 2, 0x25, 2, 0x18, 1, b'x', 0, 0x16, 0, 0x19, 0x0c, 0]);
    assert_eq!(
        failure("x.parquet", &with_footer(&bytes, &footer)),
        "cannot read on in `x.parquet` after row 0: the schema nests 100000 levels deep, at most 32 are read"
    );
}

#[test]
fn rows_that_are_not_there_are_not_counted_on() {
    let bytes = file(texts("a", 3), PLAIN);
    let claimed = with_metadata(&bytes, |metadata| {
        let group = metadata.row_group(0).clone().into_builder().set_num_rows(1 << 40).build().unwrap();
        metadata.into_builder().set_row_groups(vec![group]).build()
    });
    assert_eq!(
        failure("x.parquet", &claimed),
        "cannot read on in `x.parquet` after row 0: row group 0 claims 1099511627776 rows, but the pages of column `prompt` \
         hold 3 values; write the file again"
    );
    // Version 1; a schema of one element; five rows; no row group.
    let footer = [0x15, 2, 0x19, 0x1c, 0x48, 1, b'x', 0x15, 0, 0, 0x16, 10, 0x19, 0x0c, 0];
    assert_eq!(
        failure("x.parquet", &with_footer(&bytes, &footer)),
        "cannot read on in `x.parquet` after row 0: the footer claims 5 rows, but its row groups have 0; write the file again"
    );
    let chunk = [page_header(5, 5, 1), vec![0; 5]].concat();
    assert_eq!(
        failure("x.parquet", &with_chunk(&bytes, &chunk)),
        "cannot read on in `x.parquet` after row 0: row group 0 claims 3 rows, but the pages of column `chosen` hold 1 \
         values; write the file again"
    );
}

#[test]
fn a_page_that_would_fill_the_memory_is_refused() {
    let bytes = file(texts("a", 3), PLAIN);
    let chunk = [page_header(i32::MAX, 5, 3), vec![0; 5]].concat();
    assert_eq!(
        failure("x.parquet", &with_chunk(&bytes, &chunk)),
        "cannot read on in `x.parquet` after row 0: column `chosen` has a page of 2147483647 bytes, at most 268435456 \
         are read; write the file with smaller pages"
    );
}

/// A page of delta-encoded texts says how many there are, and its decoder made room for as many: four exabytes here.
#[test]
fn texts_without_end_are_refused_before_there_is_room_for_them() {
    let bytes = file(texts("a", 3), PLAIN);
    // Levels: all three are there.
    let levels = [2, 0, 0, 0, 6, 1];
    // Blocks of 128 in 4 miniblocks; 2^62 or 3 values, the first 0; a block of equal values.
    let endless = [0x80, 1, 4, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 0];
    let three = [0x80, 1, 4, 3, 0, 0, 0, 0, 0, 0];
    for (encoding, streams) in
        [(6, endless.to_vec()), (7, endless.to_vec()), (7, [&three[..], &endless].concat())]
    {
        let page = [&levels[..], &streams].concat();
        let n_bytes = i32::try_from(page.len()).unwrap();
        let chunk = [encoded_page_header(encoding, [n_bytes, n_bytes, 3]), page].concat();
        assert_eq!(
            failure("x.parquet", &with_chunk(&bytes, &chunk)),
            "cannot read on in `x.parquet` after row 0: column `chosen` has a page that claims 4611686018427387904 values, of \
             which at most 3 are read; write the file again, with smaller pages"
        );
    }
}

/// Two billion values of a dictionary with room for two texts: their places alone would be eight gigabytes.
#[test]
fn a_dictionary_without_end_is_refused_before_there_is_room_for_it() {
    let bytes = file(texts("a", 3), PLAIN);
    let text = [1, 0, 0, 0, b'a', 0, 0, 0];
    let dictionary = [dictionary_header([8, 8, i32::MAX]), text.to_vec()].concat();
    let data = [page_header(6, 6, 3), vec![2, 0, 0, 0, 6, 1]].concat();
    assert_eq!(
        failure("x.parquet", &with_chunk(&bytes, &[dictionary, data].concat())),
        "cannot read on in `x.parquet` after row 0: column `chosen` has a page that claims 2147483647 values, of which at \
         most 2 are read; write the file again, with smaller pages"
    );
}

#[test]
fn pages_outside_the_file_and_headers_that_are_none_are_named() {
    let bytes = file(texts("a", 3), PLAIN);
    let n_header = page_header(5, 9, 3).len();
    for chunk in [
        [page_header(5, 9, 3), vec![0; 5]].concat(),
        [page_header(5, -1, 3), vec![0; 5]].concat(),
        vec![0xff; 30],
    ] {
        let message = failure("x.parquet", &with_chunk(&bytes, &chunk));
        assert!(
            message.contains("column `chosen` of row group 0 has a damaged page at byte"),
            "{n_header} {message}"
        );
    }
    let outside = with_metadata(&bytes, |metadata| {
        let group = metadata.row_group(0).clone();
        let mut columns = group.columns().to_vec();
        columns[2] = columns[2].clone().into_builder().set_total_compressed_size(1 << 40).build().unwrap();
        let group = group.into_builder().set_column_metadata(columns).build().unwrap();
        metadata.into_builder().set_row_groups(vec![group]).build()
    });
    let message = failure("x.parquet", &outside);
    assert!(
        message.contains("column `rejected` of row group 0 lies outside the file, which has"),
        "{message}"
    );
}

/// Two million equal ids are some bytes; as a row they would be a hundred megabytes, and a hundred times more of them could be
/// as few bytes.
#[test]
fn a_row_of_millions_of_ids_is_refused_before_it_is_decoded() {
    for compression in [PLAIN, Compression::ZSTD(Default::default())] {
        let bytes = file(ids((1 << 20) + 1), compression);
        assert!(bytes.len() < 100_000, "{}", bytes.len());
        assert_eq!(
            failure("x.parquet", &bytes),
            "cannot read on in `x.parquet` after row 0: a row of column `chosen_ids.list.element` holds more than 1048576 \
             values; split it, or take it out"
        );
    }
    assert_eq!(reasons("x.parquet", &file(ids(1 << 20), PLAIN)), [None], "as many as that are read");
}

#[test]
fn a_row_of_too_much_text_is_a_bad_row() {
    let long = "x".repeat((64 << 20) + 1);
    let bytes = file(texts(&long, 1), Compression::ZSTD(Default::default()));
    assert!(bytes.len() < 1 << 20);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    std::fs::write(&path, bytes).unwrap();
    let error = crate::reading::rows(&path);
    // The only row is a bad one, so nothing says what the format is.
    assert_eq!(
        told(&error.unwrap_err(), dir.path()),
        "none of the first 1 rows of `x.parquet` is readable; row 0: the row takes more than 67108864 bytes, its text and 16 for each value; split it, or take it out"
    );
    let reason = BadReason::RowTooLarge { limit: 1 };
    assert_eq!(reason.column(), None);
}

#[test]
fn an_artifact_is_read_within_the_same_bounds() {
    let weights = |n: usize| {
        let mut columns = ids(n);
        columns.push(("row", Arc::new(UInt64Array::from(vec![0])) as ArrayRef));
        let list = |n: usize| {
            let values = arrow::array::Float32Array::from(vec![1.0; n]);
            let item =
                Arc::new(arrow::datatypes::Field::new("element", arrow::datatypes::DataType::Float32, false));
            let offsets = arrow::buffer::OffsetBuffer::from_lengths([n]);
            Arc::new(arrow::array::ListArray::new(item, offsets, Arc::new(values), None)) as ArrayRef
        };
        columns.push(("chosen_weights", list(n)));
        columns.push(("rejected_weights", list(2)));
        with_metadata(&file(columns, PLAIN), |metadata| {
            let entries = Some(vec![KeyValue::new("sepo".to_owned(), "{}".to_owned())]);
            let file = metadata.file_metadata();
            let file = parquet::file::metadata::FileMetaData::new(
                file.version(),
                file.num_rows(),
                None,
                entries,
                file.schema_descr_ptr(),
                None,
            );
            parquet::file::metadata::ParquetMetaData::new(file, metadata.row_groups().to_vec())
        })
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("selection.parquet");
    std::fs::write(&path, weights(1000)).unwrap();
    assert_eq!(SelectionReader::open(&path).unwrap().next().unwrap().unwrap().chosen_weights.len(), 1000);
    std::fs::write(&path, weights((1 << 20) + 1)).unwrap();
    let error = SelectionReader::open(&path).unwrap().next().unwrap().unwrap_err();
    assert_eq!(
        told(&error, dir.path()),
        "`selection.parquet` cannot be read: a row of column `chosen_ids.list.element` holds more than 1048576 values; \
         split it, or take it out"
    );
}
