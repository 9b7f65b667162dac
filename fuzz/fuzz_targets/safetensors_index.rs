//! `model.safetensors.index.json`, with two whole shards beside it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sepo_fuzz::{Scratch, base, describe, json_of, watched};
use sepo_model::Model;
use serde_json::Value;

static SCRATCH: LazyLock<Scratch> = LazyLock::new(|| {
    let scratch = Scratch::new();
    scratch.put("config.json", base::TINY_CONFIG);
    for (name, bytes) in base::shards(&scratch) {
        scratch.put(name, bytes);
    }
    scratch
});
static VALUES: LazyLock<Vec<Value>> = LazyLock::new(|| vec![base::index_value(&SCRATCH)]);

fuzz_target!(init: sepo_fuzz::watch(), |data: &[u8]| {
    watched(|| {
        SCRATCH.put("model.safetensors.index.json", json_of(data, &VALUES));
        if let Err(error) = Model::load(SCRATCH.dir()) {
            describe(&error);
        }
    });
});
