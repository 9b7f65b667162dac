//! JSON lines and JSON arrays, in every format and detected.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sepo_data::format::open_texts;
use sepo_data::{PairFormat, ReadConfig, open_pairs};
use sepo_fuzz::{Scratch, describe, watched};

static SCRATCH: LazyLock<Scratch> = LazyLock::new(Scratch::new);

fuzz_target!(init: sepo_fuzz::watch(), |data: &[u8]| {
    watched(|| {
        let [first, text @ ..] = data else { return };
        let format = PairFormat::ALL.get(usize::from(*first) % 8).copied();
        let config = ReadConfig { format, ..ReadConfig::default() };
        let input = [SCRATCH.put("x.json", text).display().to_string()];
        match open_pairs(&input, &config) {
            Ok(rows) => rows.for_each(|row| {
                if let Err(error) = row {
                    describe(&error);
                }
            }),
            Err(error) => describe(&error),
        }
        if matches!(format, None | Some(PairFormat::Text)) {
            match open_texts(&input, &config) {
                Ok(rows) => drop(rows.count()),
                Err(error) => describe(&error),
            }
        }
    });
});
