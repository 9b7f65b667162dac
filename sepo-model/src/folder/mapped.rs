//! Weight files in memory, page by page as they are read.

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;
use safetensors::SafeTensorError;
use safetensors::tensor::{Metadata, TensorView};

/// The bytes of the regular file at `path`, whose pages are read when they are looked at and need no copy.
///
/// # Errors
///
/// What the system says, or that it is no regular file.
pub(super) fn map(path: &Path) -> io::Result<Mmap> {
    let check = |metadata: std::fs::Metadata| {
        let refused = || io::Error::new(io::ErrorKind::InvalidData, "it is no regular file");
        metadata.is_file().then_some(()).ok_or_else(refused)
    };
    // Looked at before it is opened, since opening a pipe waits for who writes to it; what counts is what was opened.
    check(std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    check(file.metadata()?)?;
    #[expect(
        unsafe_code,
        reason = "weights go from the pages of the file to their place with no buffer between"
    )]
    // SAFETY: the map is read-only and lives while one model is loaded. Weight files are replaced by renaming, which leaves
    // a mapped file as it was. That no program writes into the file itself meanwhile is for who loads it to see to: Rust takes
    // mapped bytes to stand still. What would change are numbers, never a length or an offset, as `tensors` has these from
    // a copy of the header, and each number is checked where it was copied to. Where the file is cut short, a signal
    // ends the process.
    let map = unsafe { Mmap::map(&file) }?;
    Ok(map)
}

/// Bytes of the number at the start of a file: how long the header behind it is.
const N_LEN: usize = size_of::<u64>();

/// Most bytes of a header, as in `safetensors` itself.
const MAX_HEADER_BYTES: usize = 100_000_000;

/// The tensors in the bytes of a safetensors file, as `SafeTensors::deserialize`, which reads the header where it stands; here it is
/// copied first, so that what was checked is what counts.
///
/// # Errors
///
/// Where the file is malformed.
pub(super) fn tensors(file: &[u8]) -> Result<Vec<(String, TensorView<'_>)>, SafeTensorError> {
    let (length, rest) = file.split_first_chunk::<N_LEN>().ok_or(SafeTensorError::HeaderTooSmall)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| SafeTensorError::HeaderTooLarge)?;
    if length > MAX_HEADER_BYTES {
        return Err(SafeTensorError::HeaderTooLarge);
    }
    let (header, data) = rest.split_at_checked(length).ok_or(SafeTensorError::InvalidHeaderLength)?;
    let header = String::from_utf8(header.to_vec())
        .map_err(|error| SafeTensorError::InvalidHeader(error.utf8_error()))?;
    let header: Metadata =
        serde_json::from_str(&header).map_err(SafeTensorError::InvalidHeaderDeserialization)?;
    if header.data_len() != data.len() {
        return Err(SafeTensorError::MetadataIncompleteBuffer);
    }
    let view = |(name, info): (String, &safetensors::tensor::TensorInfo)| {
        let (start, end) = info.data_offsets;
        let values = data.get(start..end).ok_or_else(|| SafeTensorError::InvalidOffset(name.clone()))?;
        Ok((name, TensorView::new(info.dtype, info.shape.clone(), values)?))
    };
    header.tensors().into_iter().map(view).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::SafeTensors;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
    }

    #[test]
    fn finds_the_tensors_that_the_library_finds() {
        let header = r#"{"__metadata__": {"format": "pt"}, "b": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
            "a": {"dtype": "BF16", "shape": [3, 1], "data_offsets": [8, 14]},
            "none": {"dtype": "F16", "shape": [0], "data_offsets": [14, 14]}}"#;
        let file = file(header, b"0123456789abcd");
        let mut found = tensors(&file).expect("a valid file");
        let mut expected = SafeTensors::deserialize(&file).expect("a valid file").tensors();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!((found.len(), found), (3, expected));
    }

    #[test]
    fn refuses_what_the_library_refuses() {
        let header = |shape: &str, offsets: &str| {
            file(
                &format!(r#"{{"a": {{"dtype": "F32", "shape": {shape}, "data_offsets": {offsets}}}}}"#),
                &[0; 8],
            )
        };
        let whole = header("[2]", "[0, 8]");
        let mut not_utf8 = whole.clone();
        not_utf8[9] = 0xff;
        let [too_long, huge] = [100_000_001, u64::MAX].map(|n| [&n.to_le_bytes()[..], b"{}"].concat());
        let wrong = [
            vec![],
            whole[..7].to_vec(),
            whole[..20].to_vec(),
            whole[..whole.len() - 1].to_vec(),
            [&whole[..], b"0"].concat(),
            not_utf8,
            too_long,
            huge,
            file("[]", b""),
            file("{", b""),
            header("[2]", "[0]"),
            header("[2]", "[8, 0]"),
            header("[2]", "[4, 12]"),
            header("[3]", "[0, 8]"),
            header("[1]", "[0, 18446744073709551615]"),
            header("[18446744073709551615, 2]", "[0, 8]"),
        ];
        for file in wrong {
            let expected = SafeTensors::deserialize(&file).expect_err("a file that is wrong").to_string();
            let found = tensors(&file).expect_err("a file that is wrong").to_string();
            // What is wrong with offsets is said of the JSON that states them.
            assert_eq!(
                found.trim_start_matches("invalid JSON in header: "),
                expected.trim_start_matches("invalid JSON in header: ")
            );
        }
    }
}
