//! `model.safetensors` of a model folder: any bytes, and a valid file with a few bytes changed.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sepo_fuzz::{Scratch, base, describe, file_of, watched};
use sepo_model::Model;

static SCRATCH: LazyLock<Scratch> = LazyLock::new(|| {
    let scratch = Scratch::new();
    scratch.put("config.json", base::TINY_CONFIG);
    scratch
});
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| vec![base::safetensors_file(&SCRATCH)]);

fuzz_target!(init: sepo_fuzz::watch(), |data: &[u8]| {
    watched(|| {
        SCRATCH.put("model.safetensors", file_of(data, &FILES));
        match Model::load(SCRATCH.dir()) {
            Ok(model) => assert!(model.parameters.as_slice().iter().all(|weight| weight.is_finite())),
            Err(error) => describe(&error),
        }
    });
});
