//! Files of pairs in Parquet: any bytes, and valid files with a few bytes changed.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sepo_data::{ReadConfig, open_pairs};
use sepo_fuzz::{Scratch, base, describe, file_of, watched};

static SCRATCH: LazyLock<Scratch> = LazyLock::new(Scratch::new);
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(base::parquet_files);

/// A few bytes can stand for billions of equal rows, which are read as a stream: nothing is learned from reading them all.
const ROWS: usize = 20_000;

fuzz_target!(init: sepo_fuzz::watch(), |data: &[u8]| {
    watched(|| {
        let path = SCRATCH.put("x.parquet", file_of(data, &FILES));
        match open_pairs(&[path.display().to_string()], &ReadConfig::default()) {
            Ok(rows) => rows.take(ROWS).for_each(|row| {
                if let Err(error) = row {
                    describe(&error);
                }
            }),
            Err(error) => describe(&error),
        }
    });
});
