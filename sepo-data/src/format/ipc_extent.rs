//! Whether the lengths that an Arrow IPC file states lie within the file.
//!
//! The Arrow readers allocate what a message says it is long before they read it. In a corrupt file that can be
//! petabytes, and a failed allocation ends the program where a panic could be caught. So the lengths are looked at
//! first; the messages' bodies are skipped, not read.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use arrow::error::ArrowError;
use arrow::ipc::reader::read_footer_length;
use arrow::ipc::{
    Block, CompressionType, Message, MessageHeader, RecordBatch, root_as_footer, root_as_message,
};

/// Stands before the length of a message's metadata.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// Length of the footer's length and the magic behind it.
const TRAILER_BYTES: usize = 10;
/// Length of the decompressed length before each compressed buffer.
const PREFIX_BYTES: i64 = 8;
/// How far a codec can blow up a byte: LZ4 by its format, Zstandard by a run-length block of 128 KiB in 4 bytes.
const LZ4_BLOW_UP: u64 = 255;
const ZSTD_BLOW_UP: u64 = 1 << 15;
/// Bytes that the buffers of one message may decompress to, whatever their length.
const MESSAGE_BYTES: u64 = 256 << 20;
/// How far they may go beyond that: so many bytes for each byte stored. Texts take a tenth at best.
const MESSAGE_BLOW_UP: u64 = 128;

/// Checks that every block that the footer of an IPC *file* names lies within the file.
///
/// A footer that cannot be read passes: the reader will say what is wrong with it.
pub(super) fn check_blocks(file: &File) -> Result<(), ArrowError> {
    let n_bytes = file.metadata()?.len();
    let Some(footer) = footer_bytes(file, n_bytes)? else { return Ok(()) };
    let Ok(footer) = root_as_footer(&footer) else { return Ok(()) };
    let blocks =
        footer.dictionaries().into_iter().flatten().chain(footer.recordBatches().into_iter().flatten());
    let within = |block: &Block| {
        let [offset, body] = [block.offset(), block.bodyLength()].map(u64::try_from);
        let (Ok(offset), Ok(body), Ok(metadata)) = (offset, body, u64::try_from(block.metaDataLength()))
        else {
            return false;
        };
        offset.checked_add(body).and_then(|end| end.checked_add(metadata)).is_some_and(|end| end <= n_bytes)
    };
    let mut reader = BufReader::new(file);
    for (index, block) in blocks.enumerate() {
        if !within(block) || !message_is_within(&mut reader, block, n_bytes)? {
            return Err(ArrowError::IpcError(format!("block {index} of the footer is not within the file")));
        }
    }
    Ok(())
}

/// Whether the message of a block that is within the file fills the block and is within the file, too.
fn message_is_within(reader: &mut BufReader<&File>, block: &Block, n_bytes: u64) -> io::Result<bool> {
    let start = block.offset().unsigned_abs();
    let mut end = start;
    reader.seek(SeekFrom::Start(start))?;
    Ok(match message_at(reader, &mut end, n_bytes)? {
        // The Arrow reader takes the border between metadata and body from the block.
        Extent::Within(message) => {
            message.n_body == block.bodyLength()
                && end - start
                    == block.bodyLength().unsigned_abs() + u64::from(block.metaDataLength().unsigned_abs())
        }
        // The Arrow reader finds the message by other means, so one that is not found here is not to be trusted.
        Extent::Beyond | Extent::End => false,
    })
}

fn footer_bytes(mut file: &File, n_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let mut trailer = [0; TRAILER_BYTES];
    let Some(footer_end) = n_bytes.checked_sub(TRAILER_BYTES as u64) else { return Ok(None) };
    file.seek(SeekFrom::Start(footer_end))?;
    file.read_exact(&mut trailer)?;
    let Ok(n_footer) = read_footer_length(trailer) else { return Ok(None) };
    let Some(start) = footer_end.checked_sub(n_footer as u64) else { return Ok(None) };
    let mut footer = vec![0; n_footer];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut footer)?;
    Ok(Some(footer))
}

/// The number of record batches of an IPC *stream* before the first message that is not within the file; `None`
/// where all are. The stream must start with its schema.
pub(super) fn n_whole_batches(file: &File) -> Result<Option<usize>, ArrowError> {
    let n_bytes = file.metadata()?.len();
    let mut reader = BufReader::new(file);
    reader.rewind()?;
    let mut n_batches = 0;
    let mut position = 0;
    loop {
        match message_at(&mut reader, &mut position, n_bytes)? {
            Extent::Within(Passed { kind: MessageHeader::RecordBatch, .. }) => n_batches += 1,
            Extent::Within(_) => {}
            Extent::Beyond if position == 0 => {
                return Err(ArrowError::IpcError("the schema is not within the file".to_owned()));
            }
            Extent::Beyond => return Ok(Some(n_batches)),
            Extent::End => return Ok(None),
        }
    }
}

/// A message that was skipped.
struct Passed {
    kind: MessageHeader,
    /// Length of its body.
    n_body: i64,
}

enum Extent {
    /// A message; the reader stands behind it.
    Within(Passed),
    Beyond,
    /// No more messages, or one whose metadata the Arrow reader will refuse before it believes a length.
    End,
}

/// Looks at the message at `position` and moves behind it if it is within the file.
fn message_at(reader: &mut BufReader<&File>, position: &mut u64, n_bytes: u64) -> io::Result<Extent> {
    let n_left = n_bytes - *position;
    let mut length = [0; 4];
    let mut n_header = 4;
    if n_left < n_header {
        return Ok(if n_left == 0 { Extent::End } else { Extent::Beyond });
    }
    reader.read_exact(&mut length)?;
    if length == CONTINUATION {
        n_header += 4;
        if n_left < n_header {
            return Ok(Extent::Beyond);
        }
        reader.read_exact(&mut length)?;
    }
    let Ok(n_metadata) = u32::try_from(i32::from_le_bytes(length)) else { return Ok(Extent::End) };
    if n_metadata == 0 {
        return Ok(Extent::End);
    }
    let n_metadata = u64::from(n_metadata);
    if n_left < n_header + n_metadata {
        return Ok(Extent::Beyond);
    }
    let mut metadata = Vec::new();
    reader.by_ref().take(n_metadata).read_to_end(&mut metadata)?;
    let Ok(message) = root_as_message(&metadata) else { return Ok(Extent::End) };
    let n_body = message.bodyLength();
    let has_room = u64::try_from(n_body).is_ok_and(|n_body| n_body <= n_left - n_header - n_metadata);
    if !has_room {
        return Ok(Extent::Beyond);
    }
    let Some(n_read) = buffers_fit(reader, &message)? else { return Ok(Extent::Beyond) };
    reader.seek_relative(n_body - n_read)?;
    *position += n_header + n_metadata + n_body.unsigned_abs();
    Ok(Extent::Within(Passed { kind: message.header_type(), n_body }))
}

/// Checks that compressed buffers of a message claim no more than their codec can give, and together no more than is
/// read. `reader` stands at the message's body, which is within the file; how far it was moved is returned, or `None` for
/// a claim that is refused.
fn buffers_fit(reader: &mut BufReader<&File>, message: &Message<'_>) -> io::Result<Option<i64>> {
    let mut at = 0;
    let Some(batch) = batch_of(message) else { return Ok(Some(at)) };
    let Some(compression) = batch.compression() else { return Ok(Some(at)) };
    let blow_up = if compression.codec() == CompressionType::LZ4_FRAME { LZ4_BLOW_UP } else { ZSTD_BLOW_UP };
    let mut n_claimed = 0u64;
    for buffer in batch.buffers().into_iter().flatten() {
        let (start, length) = (buffer.offset(), buffer.length());
        if length == 0 {
            continue;
        }
        let within = start >= 0 && start.checked_add(length).is_some_and(|end| end <= message.bodyLength());
        if length < PREFIX_BYTES || !within {
            return Ok(None);
        }
        reader.seek_relative(start - at)?;
        let mut claimed = [0; size_of::<i64>()];
        reader.read_exact(&mut claimed)?;
        at = start + PREFIX_BYTES;
        // -1 says that the buffer is not compressed after all.
        let claimed = match i64::from_le_bytes(claimed) {
            -1 => length.unsigned_abs(),
            claimed if claimed < 0 => return Ok(None),
            claimed => claimed.unsigned_abs(),
        };
        n_claimed = n_claimed.saturating_add(claimed);
        if claimed > length.unsigned_abs().saturating_mul(blow_up) {
            return Ok(None);
        }
    }
    let limit = MESSAGE_BYTES.max(message.bodyLength().unsigned_abs().saturating_mul(MESSAGE_BLOW_UP));
    Ok((n_claimed <= limit).then_some(at))
}

/// The record batch that a message is, or that its dictionary is.
fn batch_of<'a>(message: &Message<'a>) -> Option<RecordBatch<'a>> {
    message.header_as_record_batch().or_else(|| message.header_as_dictionary_batch()?.data())
}
