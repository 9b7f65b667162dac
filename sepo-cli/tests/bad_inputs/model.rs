//! Model folders: `config.json`, weights, and their index.

use serde_json::json;

use super::case::{Case, as_it_is, check};
use super::support::{USAGE, World};
use super::world::{halve, replace};

const SFT: &str = "sft --model model --data pairs.jsonl --out out";

fn config(world: &World, from: &str, to: &str) {
    replace(world, "model/config.json", from, to);
}

/// The weights as one shard that an index names, the index as given.
fn index(world: &World, text: &str) {
    let weights = world.read("model/model.safetensors");
    std::fs::remove_file(world.path("model/model.safetensors")).unwrap();
    world.write("model/part.safetensors", weights);
    world.write("model/model.safetensors.index.json", text);
}

/// Replaces a part of the weights' header by another of the same length.
fn header(world: &World, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let mut bytes = world.read("model/model.safetensors");
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    world.write("model/model.safetensors", bytes);
}

const CONFIGS: &[Case] = &[
    Case {
        what: "a folder that is not there",
        before: as_it_is,
        typed: "sft --model absent --data pairs.jsonl --out out",
        exit: USAGE,
    },
    Case {
        what: "a file for a folder",
        before: as_it_is,
        typed: "sft --model pairs.jsonl --data pairs.jsonl --out out",
        exit: USAGE,
    },
    Case {
        what: "no config.json",
        before: |world| std::fs::remove_file(world.path("model/config.json")).unwrap(),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "a config.json that is cut off",
        before: |world| halve(world, "model/config.json"),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "a config.json that is a list",
        before: |world| drop(world.write("model/config.json", "[]")),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "a config.json without a model type",
        before: |world| config(world, "\"model_type\"", "\"model_kind\""),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "a family that is not known",
        before: |world| config(world, "\"llama\"", "\"mamba\""),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "a size in words",
        before: |world| config(world, "\"hidden_size\": 16", "\"hidden_size\": \"sixteen\""),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "a size of nothing",
        before: |world| config(world, "\"num_attention_heads\": 2", "\"num_attention_heads\": 0"),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "a negative size",
        before: |world| config(world, "\"vocab_size\": 400", "\"vocab_size\": -400"),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "heads that do not divide",
        before: |world| config(world, "\"num_attention_heads\": 2", "\"num_attention_heads\": 3"),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "sizes beyond every machine",
        before: |world| {
            config(world, "\"vocab_size\": 400", "\"vocab_size\": 4000000000");
            config(world, "\"hidden_size\": 16", "\"hidden_size\": 4000000000");
        },
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "an activation that is not known",
        before: |world| config(world, "{", "{\"hidden_act\": \"swish42\","),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "a scaling of positions that is not known",
        before: |world| {
            config(world, "{", "{\"rope_scaling\": {\"rope_type\": \"spiral\", \"factor\": 2.0},")
        },
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "fewer entries than the tokenizer has",
        before: |world| {
            let text =
                world.read_text("model/config.json").replace("\"vocab_size\": 400", "\"vocab_size\": 300");
            let small = sepo_model::ModelConfig::from_json(&text).unwrap();
            let model = sepo_model::Model::random(small, 1).unwrap();
            model.save(world.path("model").as_ref(), None).unwrap();
        },
        typed: SFT,
        exit: USAGE,
    },
];

const WEIGHTS: &[Case] = &[
    Case {
        what: "no weights",
        before: |world| std::fs::remove_file(world.path("model/model.safetensors")).unwrap(),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "weights that are cut off",
        before: |world| halve(world, "model/model.safetensors"),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "weights that are an error page",
        before: |world| drop(world.write("model/model.safetensors", "<html>404 Not Found</html>")),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "a pointer where weights should be",
        before: |world| {
            let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
            drop(world.write("model/model.safetensors", pointer));
        },
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "a header beyond the file",
        before: |world| drop(world.write("model/model.safetensors", [0xff, 0xff, 0xff, 0, 0, 0, 0, 0])),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "a layer that is missing",
        before: |world| config(world, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "a layer that config.json does not have",
        before: |world| config(world, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1"),
        typed: SFT,
        exit: 0,
    },
    Case {
        what: "a tensor of another shape",
        before: |world| config(world, "\"intermediate_size\": 24", "\"intermediate_size\": 25"),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "weights of another type",
        before: |world| header(world, "\"F32\"", "\"I32\""),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "a weight that is no number",
        before: |world| {
            let mut bytes = world.read("model/model.safetensors");
            let at = bytes.len() - 4;
            bytes[at..].copy_from_slice(&f32::NAN.to_le_bytes());
            drop(world.write("model/model.safetensors", bytes));
        },
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "an index that is no JSON",
        before: |world| index(world, "{\"weight_map\": "),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "an index without a map",
        before: |world| index(world, "{\"metadata\": {}}"),
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "an index that leads out of the folder",
        before: |world| {
            let map =
                json!({"weight_map": {"model.embed_tokens.weight": "../oracle/oracle/model.safetensors"}});
            index(world, &map.to_string());
        },
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "an index that names a shard that is not there",
        before: |world| {
            let map =
                json!({"weight_map": {"model.embed_tokens.weight": "model-00001-of-00002.safetensors"}});
            index(world, &map.to_string());
        },
        typed: SFT,
        exit: USAGE,
    },
    Case {
        what: "an oracle that is its reference",
        before: as_it_is,
        typed: "score --oracle model --reference model --data pairs.jsonl --out new.parquet",
        exit: USAGE,
    },
    Case {
        what: "a folder of another model to write to",
        before: |world| {
            world.write_model("out", 64);
        },
        typed: SFT,
        exit: USAGE,
    },
];

#[test]
fn configurations_that_cannot_be_are_refused() {
    check("model_config", CONFIGS);
}

#[test]
fn weights_that_cannot_be_are_refused() {
    check("model_weights", WEIGHTS);
}
