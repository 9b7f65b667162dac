//! `selection.parquet`: any bytes, and valid files with a few bytes changed.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sepo_data::SelectionReader;
use sepo_fuzz::{Scratch, base, describe, file_of, watched};

static SCRATCH: LazyLock<Scratch> = LazyLock::new(Scratch::new);
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| base::selection_files(&SCRATCH));

/// As in the import of pairs.
const ROWS: usize = 20_000;

fuzz_target!(init: sepo_fuzz::watch(), |data: &[u8]| {
    watched(|| match SelectionReader::open(SCRATCH.put("x.parquet", file_of(data, &FILES))) {
        Ok(rows) => rows.take(ROWS).for_each(|row| {
            if let Err(error) = row {
                describe(&error);
            }
        }),
        Err(error) => describe(&error),
    });
});
