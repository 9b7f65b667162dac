//! Model folders that mean harm, or have come to some: an error that says what, never a panic and never more memory than the
//! files are worth.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::error::Error;
use std::path::Path;

use sepo_model::{Model, ModelConfig, ModelError, Parameters};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

fn small() -> Value {
    json!({"model_type": "llama", "vocab_size": 5, "hidden_size": 4, "intermediate_size": 3, "num_hidden_layers": 1,
        "num_attention_heads": 2, "tie_word_embeddings": true})
}

/// The folder of a small model.
fn folder() -> TempDir {
    let dir = tempdir().unwrap();
    let config = ModelConfig::from_json(&small().to_string()).unwrap();
    Model::random(config, 7).unwrap().save(dir.path(), None).unwrap();
    dir
}

/// The error with its causes, the folder of the test taken out.
fn told(error: &dyn Error, dir: &Path) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text.replace(&format!("{}/", dir.display()), "")
}

fn refusal(dir: &Path) -> String {
    told(&Model::load(dir).unwrap_err(), dir)
}

/// What is said about the small configuration with these keys changed.
fn config_refusal(changes: Value) -> String {
    let mut config = small();
    for (key, value) in changes.as_object().unwrap() {
        config[key] = value.clone();
    }
    told(&ModelConfig::from_json(&config.to_string()).unwrap_err(), Path::new("/none"))
}

/// Found by reading: every layer took memory before its number was looked at, and the product of sizes overflowed.
#[test]
fn sizes_that_no_machine_holds_are_refused_before_anything_is_allocated() {
    for (changes, message) in [
        (
            json!({"num_hidden_layers": 1_000_000_000_000u64}),
            "config key `num_hidden_layers` is 1000000000000, expected a whole number from 1 to 2147483648",
        ),
        (
            json!({"num_hidden_layers": 2_000_000_000}),
            "config key `num_hidden_layers` is 2000000000, expected at most 10000 layers",
        ),
        (
            json!({"vocab_size": 1u64 << 31, "hidden_size": 1u64 << 31}),
            "config.json stands for 23058430117906743296 weights, expected at most 1099511627776; check its sizes",
        ),
        (
            json!({"num_attention_heads": 1u64 << 31, "num_key_value_heads": 1, "head_dim": 1u64 << 31}),
            "config.json stands for 36893488164598972484 weights, expected at most 1099511627776; check its sizes",
        ),
        (
            json!({"vocab_size": 18_446_744_073_709_551_615u64}),
            "config key `vocab_size` is 18446744073709551615, expected a whole number from 1 to 2147483648",
        ),
        (
            json!({"hidden_size": 1e300}),
            "config key `hidden_size` is 1e+300, expected a whole number from 1 to 2147483648",
        ),
        (
            json!({"hidden_size": -1}),
            "config key `hidden_size` is -1, expected a whole number from 1 to 2147483648",
        ),
    ] {
        let found = config_refusal(changes.clone());
        assert_eq!(found, message, "{changes}");
    }
}

#[test]
fn an_error_shows_the_beginning_of_a_long_value() {
    let long = "x".repeat(1 << 20);
    assert_eq!(
        config_refusal(json!({"hidden_size": long})),
        format!(
            "config key `hidden_size` is \"{}…, expected a whole number from 1 to 2147483648",
            "x".repeat(59)
        )
    );
    assert!(config_refusal(json!({"model_type": long})).len() < 200);
}

#[test]
fn the_number_of_weights_is_known_without_laying_them_out() {
    let kinds = [
        json!({}),
        json!({"tie_word_embeddings": false, "attention_bias": true, "mlp_bias": true, "num_hidden_layers": 3}),
        json!({"model_type": "mistral", "num_key_value_heads": 1, "head_dim": 6}),
        json!({"model_type": "gpt_neox", "tie_word_embeddings": false}),
        json!({"model_type": "gpt_neox", "attention_bias": false, "num_hidden_layers": 2}),
        json!({"model_type": "qwen2", "num_key_value_heads": 1}),
        json!({"model_type": "qwen3", "head_dim": 2, "attention_bias": true}),
    ];
    for changes in kinds {
        let mut config = small();
        for (key, value) in changes.as_object().unwrap() {
            config[key] = value.clone();
        }
        let config = ModelConfig::from_json(&config.to_string()).unwrap();
        assert_eq!(config.n_parameters(), Parameters::zeros(&config).len(), "{changes}");
    }
}

#[test]
fn json_that_nests_or_goes_on_without_end_is_an_error() {
    let dir = folder();
    let path = dir.path().join("config.json");
    std::fs::write(&path, "{\"a\":".to_owned() + &"[".repeat(1 << 20)).unwrap();
    assert_eq!(
        refusal(dir.path()),
        "parse config.json as JSON: recursion limit exceeded at line 1 column 132"
    );
    std::fs::write(&path, vec![b' '; (64 << 20) + 1]).unwrap();
    assert_eq!(
        refusal(dir.path()),
        "access config.json: it has more than 67108864 bytes, which no such file has"
    );
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(refusal(dir.path()), "access config.json: it is no regular file");
}

/// The file with this header in place of its own.
fn with_header(bytes: &[u8], header: &str) -> Vec<u8> {
    let length: [u8; 8] = bytes[..8].try_into().unwrap();
    let data = &bytes[8 + usize::try_from(u64::from_le_bytes(length)).unwrap()..];
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

#[test]
fn headers_with_offsets_of_their_own_mind_are_errors() {
    let dir = folder();
    let path = dir.path().join("model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    let tensor = |from: u64, to: u64| json!({"dtype": "F32", "shape": [4], "data_offsets": [from, to]});
    for header in [
        json!({"model.norm.weight": tensor(0, u64::MAX)}),
        json!({"model.norm.weight": tensor(16, 0)}),
        json!({"model.norm.weight": tensor(1 << 40, (1 << 40) + 16)}),
        json!({"model.norm.weight": tensor(0, 16), "a": tensor(8, 24)}),
        json!({"model.norm.weight": {"dtype": "F32", "shape": [u64::MAX, u64::MAX], "data_offsets": [0, 16]}}),
        json!({"model.norm.weight": {"dtype": "F32", "shape": [4], "data_offsets": [0]}}),
        json!([]),
    ] {
        std::fs::write(&path, with_header(&whole, &header.to_string())).unwrap();
        assert!(refusal(dir.path()).starts_with("read model.safetensors as safetensors: "), "{header}");
    }
    for length in [u64::MAX, 1 << 40, 100_000_001] {
        std::fs::write(&path, [&length.to_le_bytes()[..], b"{}"].concat()).unwrap();
        assert!(refusal(dir.path()).starts_with("read model.safetensors as safetensors: "), "{length}");
    }
}

/// The folder with its weights in two files that both have every tensor, the second of zeros.
fn doubled() -> TempDir {
    let dir = folder();
    let whole = dir.path().join("model.safetensors");
    let mut bytes = std::fs::read(&whole).unwrap();
    std::fs::rename(&whole, dir.path().join("a.safetensors")).unwrap();
    let start = 8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    bytes[start..].fill(0);
    std::fs::write(dir.path().join("b.safetensors"), bytes).unwrap();
    dir
}

fn write_index(dir: &Path, index: &Value) {
    std::fs::write(dir.join("model.safetensors.index.json"), index.to_string()).unwrap();
}

/// Found by reading: where two files had a tensor of the same name the last one counted, whatever the index said.
#[test]
fn the_index_says_which_of_two_tensors_is_meant() {
    let dir = doubled();
    let names: Vec<String> = {
        let bytes = std::fs::read(dir.path().join("a.safetensors")).unwrap();
        safetensors::SafeTensors::deserialize(&bytes)
            .unwrap()
            .names()
            .into_iter()
            .map(|name| name.to_string())
            .collect()
    };
    for (meant, other) in [("a.safetensors", "b.safetensors"), ("b.safetensors", "a.safetensors")] {
        let mut map: serde_json::Map<String, Value> =
            names.iter().map(|name| (name.clone(), Value::from(meant))).collect();
        map.insert("unused".to_owned(), Value::from(other));
        write_index(dir.path(), &json!({"weight_map": map}));
        let norm = Model::load(dir.path()).unwrap().parameters.get("model.norm.weight").unwrap().to_vec();
        assert_eq!(norm == [0.0; 4], meant == "b.safetensors");
    }
}

#[test]
fn an_index_names_files_of_its_own_folder_only() {
    let dir = doubled();
    let outside = tempdir().unwrap();
    std::fs::copy(dir.path().join("a.safetensors"), outside.path().join("a.safetensors")).unwrap();
    let absolute = outside.path().join("a.safetensors").display().to_string();
    for shard in [
        "../a.safetensors",
        "/etc/passwd",
        "x/a.safetensors",
        "./a.safetensors",
        "a.safetensors/",
        "..",
        ".",
        "",
        &absolute,
    ] {
        write_index(dir.path(), &json!({"weight_map": {"model.norm.weight": shard}}));
        assert_eq!(
            refusal(dir.path()),
            format!(
                "model.safetensors.index.json names the shard `{}`, which is not a plain file name",
                shortened(shard)
            )
        );
    }
    write_index(dir.path(), &json!({"weight_map": {"model.norm.weight": "a\u{0}b"}}));
    assert!(matches!(Model::load(dir.path()), Err(ModelError::Io { .. })), "a name that no file can have");
    write_index(dir.path(), &json!({"weight_map": {"model.norm.weight": "none.safetensors"}}));
    assert!(refusal(dir.path()).starts_with("access none.safetensors: "));
    write_index(dir.path(), &json!({"weight_map": {}}));
    assert!(matches!(Model::load(dir.path()), Err(ModelError::MissingTensor { .. })));
    write_index(dir.path(), &json!({"weight_map": ["a.safetensors"]}));
    assert!(matches!(Model::load(dir.path()), Err(ModelError::Json { .. })));
}

/// As the error shows it.
fn shortened(text: &str) -> String {
    if text.len() > 60 { format!("{}…", &text[..60]) } else { text.to_owned() }
}

/// The Hub's cache keeps files under other names, with links to them in the folder of a model.
#[cfg(unix)]
#[test]
fn links_are_followed_and_other_things_than_files_are_not_read() {
    let dir = doubled();
    let outside = tempdir().unwrap();
    std::fs::rename(dir.path().join("a.safetensors"), outside.path().join("blob")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("blob"), dir.path().join("model.safetensors")).unwrap();
    assert!(Model::load(dir.path()).is_ok());
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", dir.path().join("model.safetensors")).unwrap();
    assert_eq!(refusal(dir.path()), "access model.safetensors: it is no regular file");
}
