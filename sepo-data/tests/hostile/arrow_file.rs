//! Arrow IPC files and streams.

use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use arrow::ipc::{CompressionType, root_as_footer};

use crate::reading::failure;

fn batch(text: &str, n_rows: usize) -> RecordBatch {
    let column = || Arc::new(StringArray::from(vec![text; n_rows])) as _;
    let fields = ["prompt", "chosen", "rejected"].map(|name| Field::new(name, DataType::Utf8, false));
    RecordBatch::try_new(Arc::new(Schema::new(fields.to_vec())), vec![column(), column(), column()]).unwrap()
}

fn file(compression: CompressionType, batch: &RecordBatch) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(Some(compression)).unwrap();
    let mut writer = FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn stream(compression: CompressionType, batch: &RecordBatch) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(Some(compression)).unwrap();
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

/// Where the only record batch of a file starts: behind its continuation mark is its length.
fn record_batch(bytes: &[u8]) -> usize {
    let end = bytes.len() - 10;
    let length: [u8; 4] = bytes[end..end + 4].try_into().unwrap();
    let footer = root_as_footer(&bytes[end - u32::from_le_bytes(length) as usize..end]).unwrap();
    usize::try_from(footer.recordBatches().unwrap().get(0).offset()).unwrap()
}

/// Found by fuzzing: the Arrow reader finds a message by the footer, so one whose own length is 0 was skipped by the check and
/// read all the same, and its claim of 36 petabytes ended the program.
#[test]
fn a_message_that_says_it_has_no_length_is_refused() {
    let mut bytes = file(CompressionType::LZ4_FRAME, &batch(&"a".repeat(1000), 8));
    let at = record_batch(&bytes);
    bytes[at + 4..at + 8].fill(0);
    assert_eq!(
        failure("x.arrow", &bytes),
        "`x.arrow` is not a readable Arrow IPC file or stream: Ipc error: block 0 of the footer is not within the file"
    );
}

/// 300 MiB in some kilobytes: a batch may not decompress to so much more than it is.
#[test]
fn a_decompression_bomb_is_not_opened() {
    let large = batch(&"a".repeat(100 << 20), 1);
    for compression in [CompressionType::ZSTD, CompressionType::LZ4_FRAME] {
        let (file, stream) = (file(compression, &large), stream(compression, &large));
        assert!(file.len() < 2 << 20, "{} bytes", file.len());
        assert_eq!(
            failure("x.arrow", &file),
            "`x.arrow` is not a readable Arrow IPC file or stream: Ipc error: block 0 of the footer is not within the file"
        );
        assert_eq!(
            failure("x.arrow", &stream),
            "cannot read record batch 0 of `x.arrow` after row 0: Ipc error: the next message is not within the file"
        );
    }
}
