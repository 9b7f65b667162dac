//! Model folders: what is written comes back, every storage form is read, and what is wrong is named.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use sepo_model::{Model, ModelConfig, ModelError};
use support::{CONFIGS, VOCAB, config, model};
use tempfile::tempdir;

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn tensors(model: &Model, dtype: Dtype) -> Tensors {
    let bytes = |values: &[f32]| -> Vec<u8> {
        match dtype {
            Dtype::F16 => values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect(),
            Dtype::BF16 => values.iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect(),
            _ => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    };
    let layout = model.parameters.layout().iter();
    layout
        .map(|info| {
            let values = bytes(&model.parameters.as_slice()[info.range.clone()]);
            (info.name.clone(), (dtype, info.shape.clone(), values))
        })
        .collect()
}

fn write_shard(path: &Path, tensors: &Tensors) {
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, data))| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn write_folder(dir: &Path, model: &Model, tensors: &Tensors) {
    std::fs::write(dir.join("config.json"), model.config.to_json()).unwrap();
    write_shard(&dir.join("model.safetensors"), tensors);
}

#[test]
fn a_written_folder_comes_back_bit_for_bit_with_its_tokenizer() {
    for (name, keys) in CONFIGS {
        let (from, to) = (tempdir().unwrap(), tempdir().unwrap());
        std::fs::write(from.path().join("tokenizer.json"), "{}").unwrap();
        let written = model(keys, 3);
        written.save(to.path(), Some(from.path())).unwrap();
        let read = Model::load(to.path()).unwrap();
        assert_eq!(read.parameters.as_slice(), written.parameters.as_slice(), "{name}");
        assert_eq!(read.parameters.content_hash(), written.parameters.content_hash());
        assert!(to.path().join("tokenizer.json").is_file());
    }
}

/// Names in a folder, sorted.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_write_that_fails_leaves_the_old_model_and_nothing_else() {
    let (old, new) = (model(CONFIGS[0].1, 3), model(CONFIGS[0].1, 4));
    let other = model(CONFIGS[4].1, 5);
    for new in [&new, &other] {
        let dir = tempdir().unwrap();
        old.save(dir.path(), None).unwrap();
        // The weights cannot be written, as on a full disk.
        std::fs::write(dir.path().join(".unfinished"), "in the way").unwrap();
        let message = new.save(dir.path(), None).unwrap_err().to_string();
        assert!(message.contains(".unfinished"), "{message}");
        std::fs::remove_file(dir.path().join(".unfinished")).unwrap();
        assert_eq!(names(dir.path()), ["config.json", "model.safetensors"]);
        let read = Model::load(dir.path()).unwrap();
        assert_eq!(read.parameters.content_hash(), old.parameters.content_hash());
        // What a kill left goes.
        std::fs::create_dir(dir.path().join(".unfinished")).unwrap();
        std::fs::write(dir.path().join(".unfinished").join("half"), "").unwrap();
        std::fs::write(dir.path().join(".model.safetensors.tmp"), "half").unwrap();
        new.save(dir.path(), None).unwrap();
        assert_eq!(names(dir.path()), ["config.json", "model.safetensors"]);
        let read = Model::load(dir.path()).unwrap();
        assert_eq!(read.parameters.content_hash(), new.parameters.content_hash());
    }
}

#[test]
fn half_precision_is_widened() {
    let model = model(CONFIGS[0].1, 3);
    for (dtype, bound) in [(Dtype::F16, 1e-3), (Dtype::BF16, 1e-2), (Dtype::F32, 0.0)] {
        let dir = tempdir().unwrap();
        write_folder(dir.path(), &model, &tensors(&model, dtype));
        let read = Model::load(dir.path()).unwrap();
        for (a, b) in read.parameters.as_slice().iter().zip(model.parameters.as_slice()) {
            assert!((a - b).abs() <= bound * b.abs().max(1e-3), "{dtype:?}: {a} and {b}");
        }
    }
}

#[test]
fn shards_are_read_through_their_index() {
    let model = model(CONFIGS[4].1, 3);
    let dir = tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), model.config.to_json()).unwrap();
    let mut first = tensors(&model, Dtype::F32);
    let middle = first.keys().nth(first.len() / 2).unwrap().clone();
    let second = first.split_off(&middle);
    let mut map = serde_json::Map::new();
    for (shard, part) in
        [("model-00001-of-00002.safetensors", &first), ("model-00002-of-00002.safetensors", &second)]
    {
        write_shard(&dir.path().join(shard), part);
        map.extend(part.keys().map(|name| (name.clone(), shard.into())));
    }
    let index = serde_json::json!({ "metadata": {}, "weight_map": map });
    std::fs::write(dir.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    assert_eq!(Model::load(dir.path()).unwrap().parameters.as_slice(), model.parameters.as_slice());
}

#[test]
fn a_shard_outside_the_folder_is_refused() {
    let model = model(CONFIGS[0].1, 3);
    let dir = tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), model.config.to_json()).unwrap();
    for shard in ["../model.safetensors", "/etc/passwd", "a/b.safetensors", ".."] {
        let index = serde_json::json!({ "weight_map": { "model.norm.weight": shard } });
        std::fs::write(dir.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
        assert!(matches!(Model::load(dir.path()), Err(ModelError::ShardName { .. })), "{shard}");
    }
}

#[test]
fn missing_misshapen_mistyped_and_non_finite_tensors_are_named() {
    let model = model(CONFIGS[0].1, 3);
    let name = "model.layers.1.mlp.up_proj.weight";
    let load = |change: &dyn Fn(&mut Tensors)| {
        let dir = tempdir().unwrap();
        let mut tensors = tensors(&model, Dtype::F32);
        change(&mut tensors);
        write_folder(dir.path(), &model, &tensors);
        Model::load(dir.path()).unwrap_err()
    };
    let missing = load(&|t| {
        t.remove(name);
    });
    assert!(matches!(&missing, ModelError::MissingTensor { name: n, .. } if n == name), "{missing}");
    let shape = load(&|t| t.get_mut(name).unwrap().1.reverse());
    assert!(matches!(&shape, ModelError::TensorShape { found, .. } if *found == [16, 20]), "{shape}");
    let dtype = load(&|t| t.get_mut(name).unwrap().0 = Dtype::I32);
    assert!(matches!(&dtype, ModelError::TensorType { .. }), "{dtype}");
    let nan = load(&|t| t.get_mut(name).unwrap().2[4..8].copy_from_slice(&f32::NAN.to_le_bytes()));
    assert!(matches!(&nan, ModelError::NonFiniteWeight { element: 1, .. }), "{nan}");
}

#[test]
fn a_folder_without_weights_or_with_a_cut_file_is_an_error() {
    let model = model(CONFIGS[0].1, 3);
    let dir = tempdir().unwrap();
    assert!(matches!(Model::load(dir.path()), Err(ModelError::Io { .. })));
    std::fs::write(dir.path().join("config.json"), model.config.to_json()).unwrap();
    assert!(matches!(Model::load(dir.path()), Err(ModelError::NoWeights { .. })));
    write_folder(dir.path(), &model, &tensors(&model, Dtype::F32));
    let path = dir.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    for n in [0, 7, 8, 100, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..n]).unwrap();
        assert!(matches!(Model::load(dir.path()), Err(ModelError::Safetensors { .. })), "{n} bytes");
    }
}

#[test]
fn a_vocabulary_smaller_than_the_tokenizer_is_named() {
    let model = model(CONFIGS[0].1, 3);
    let largest = u32::try_from(VOCAB).unwrap();
    model.check_vocabulary(largest - 1).unwrap();
    assert!(matches!(
        model.check_vocabulary(largest),
        Err(ModelError::VocabularyTooSmall { vocab: VOCAB, .. })
    ));
}

#[test]
fn configurations_that_make_no_network_are_refused_by_key() {
    let base = r#""vocab_size": 8, "hidden_size": 16, "intermediate_size": 8, "num_hidden_layers": 1"#;
    for (keys, named) in [
        (r#""model_type": "mamba", "num_attention_heads": 4"#, "mamba"),
        (r#""num_attention_heads": 4"#, "model_type"),
        (r#""model_type": "llama""#, "num_attention_heads"),
        (r#""model_type": "llama", "num_attention_heads": 0"#, "num_attention_heads"),
        (r#""model_type": "llama", "num_attention_heads": -4"#, "num_attention_heads"),
        (r#""model_type": "llama", "num_attention_heads": "four""#, "num_attention_heads"),
        (
            r#""model_type": "llama", "num_attention_heads": 4, "num_key_value_heads": 3"#,
            "num_key_value_heads",
        ),
        (r#""model_type": "llama", "num_attention_heads": 4, "hidden_act": "relu""#, "hidden_act"),
        (r#""model_type": "llama", "num_attention_heads": 4, "rope_scaling": {"type": "yarn"}"#, "rope_type"),
        (r#""model_type": "gpt_neox", "num_attention_heads": 5"#, "hidden_size"),
        (r#""model_type": "llama", "num_attention_heads": 4, "head_dim": 5"#, "head_dim"),
        (r#""model_type": "llama", "num_attention_heads": 4, "rms_norm_eps": 0"#, "rms_norm_eps"),
    ] {
        let error = ModelConfig::from_json(&format!("{{ {keys}, {base} }}")).unwrap_err().to_string();
        assert!(error.contains(named), "{keys}: {error}");
    }
    assert!(matches!(ModelConfig::from_json("[1]"), Err(ModelError::Json { .. })));
}

#[test]
fn both_styles_of_rotary_settings_mean_the_same() {
    let old = config(
        r#""model_type": "llama", "rope_theta": 500.0, "rope_scaling": {"type": "llama3", "factor": 2.0,
        "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}"#,
    );
    let new = config(
        r#""model_type": "llama", "rope_parameters": {"rope_type": "llama3", "rope_theta": 500.0, "factor": 2.0,
        "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}"#,
    );
    assert_eq!(format!("{:?}", old.rotary), format!("{:?}", new.rotary));
    let neox = config(r#""model_type": "gpt_neox", "rotary_pct": 0.5, "rotary_emb_base": 100"#);
    assert_eq!((neox.rotary.rotary_dim, neox.rotary.theta), (2, 100.0));
}
