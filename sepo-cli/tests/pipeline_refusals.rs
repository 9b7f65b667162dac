//! Wrong use ends with the code of the contract and a message that names the thing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use sepo_model::{Model, ModelConfig};
use support::{DATA, DEVICE, USAGE, World, scored_world};

const TRAIN: &str = "train --model model --data pairs.jsonl --out out";

#[test]
fn objectives_refuse_what_does_not_belong_to_them() {
    let world = World::new(2);
    for (flags, names) in [
        ("--objective sepo", &["`pairs.jsonl` is no selection", "sepo-cli select"][..]),
        ("--objective dpo", &["`--objective dpo`", "`--reference`"]),
        ("--objective simpo --reference model", &["`--objective simpo`", "`--reference`"]),
        ("--objective sepo --beta 0.1", &["`--beta`", "`--objective sepo`"]),
        ("--objective dpo --reference model --gamma 1", &["`--gamma`", "`--objective dpo`"]),
        ("--objective simpo --lambda 1", &["`--lambda`", "`--objective simpo`"]),
        ("--objective sft --label-smoothing 0.1", &["`--label-smoothing`", "`--objective sft`"]),
        ("--objective simpo --normalizer count", &["`--normalizer`", "`--objective simpo`"]),
        ("--objective simpo --beta nan", &["beta"]),
        ("--objective dpo --reference model --label-smoothing 0.7", &["label_smoothing"]),
        ("--objective best", &["'best'", "sepo", "dpo"]),
    ] {
        world.sepo(&format!("{TRAIN} {flags}")).fails(USAGE, names);
    }
    assert!(!std::path::Path::new(&world.path("out")).exists(), "a refused run leaves nothing");
}

#[test]
fn training_settings_out_of_range_are_named() {
    let world = World::new(2);
    for (flags, name) in [
        ("--batch-size 0", "`batch_size` is 0"),
        ("--tokens-per-batch 0", "'0' for '--tokens-per-batch"),
        ("--epochs 0", "`epochs` is 0"),
        ("--max-steps 0", "`max_steps` is 0"),
        ("--learning-rate=-1", "`learning_rate` is -1"),
        ("--learning-rate inf", "`learning_rate` is inf"),
        ("--warmup-ratio 1.5", "`warmup_ratio` is 1.5"),
        ("--adam-beta1 1", "`adam_beta1` is 1"),
        ("--max-grad-norm nan", "`max_grad_norm` is NaN"),
        ("--save-every 0", "`save_every` is 0"),
        ("--keep-checkpoints 0", "`keep_checkpoints` is 0"),
        ("--max-length 1", "1"),
        ("--max-prompt-length 0", "0"),
        ("--eval-every 2", "--eval-data"),
        ("--eval-data pairs.jsonl --eval-every 0", "`eval_every` is 0"),
        ("--chat-template absent.jinja", "absent.jinja"),
    ] {
        world.sepo(&format!("{TRAIN} --objective simpo {flags}")).fails(USAGE, &[name]);
    }
    let oracle = "oracle --model model --data pairs.jsonl --out out";
    for (flags, name) in [
        ("--oracle-fraction 0", "fraction"),
        ("--oracle-fraction 1.5", "1.5"),
        ("--beta=-1", "beta"),
        ("--label-smoothing 0.5", "label_smoothing"),
        ("--reference-learning-rate=-1", "`learning_rate` is -1"),
        ("--reference-epochs 0", "`epochs` is 0"),
        ("--reference model --reference-epochs 2", "--reference-epochs"),
    ] {
        world.sepo(&format!("{oracle} {flags}")).fails(USAGE, &[name]);
    }
    world.sepo("eval --model model --data pairs.jsonl --beta 1").fails(USAGE, &["--reference"]);
    for line in [
        "eval --model model --data pairs.jsonl",
        "score --oracle model --reference model --data pairs.jsonl --out scores.parquet",
        "sft --model model --data pairs.jsonl --out out",
        oracle,
    ] {
        let typed = world.sepo(&format!("{line} --tokens-per-batch 0"));
        typed.fails(USAGE, &["'0' for '--tokens-per-batch"]);
    }
}

#[test]
fn a_run_that_is_there_with_other_settings_is_left_alone() {
    let world = World::new(4);
    let train = format!("{TRAIN} --objective simpo --batch-size 2");
    world.sepo(&train).done();
    let before = world.read("out/model.safetensors");
    world.sepo(&format!("{train} --seed 1")).fails(USAGE, &["seed"]);
    world.sepo(&format!("{train} --limit 3")).fails(USAGE, &["data"]);
    world.sepo(&format!("{train} --beta 3")).fails(USAGE, &["objective"]);
    assert_eq!(world.read("out/model.safetensors"), before);
}

#[test]
fn models_that_cannot_be_used_are_named_with_what_is_wrong() {
    let world = World::new(2);
    let sft = |model: &str, flags: &str| {
        world.sepo(&format!("sft --model {model} --data pairs.jsonl --out out {flags}"))
    };
    sft("absent", "").fails(USAGE, &["absent"]);
    sft("model", "--max-length 1025").fails(USAGE, &["--max-length 1025", "1024 positions"]);
    world.write_model("short", 64);
    sft("short", "--max-length 1024").fails(USAGE, &["`--max-length 1024`", "64 positions", "`short`"]);
    let config = world.read_text("model/config.json");
    for (from, to, names) in [
        ("\"llama\"", "\"gpt5\"", &["`gpt5`", "llama", "gpt_neox"][..]),
        ("\"hidden_size\": 16", "\"hidden_size\": \"big\"", &["`hidden_size`", "big"]),
        ("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", &["model.layers.2.", "missing"]),
        ("\"intermediate_size\": 24", "\"intermediate_size\": 25", &["mlp", "25", "24"]),
        ("{", "[", &["config.json"]),
    ] {
        world.write_model("broken", 1024);
        assert!(config.contains(from), "{config}");
        world.write("broken/config.json", config.replacen(from, to, 1));
        sft("broken", "").fails(USAGE, names);
    }
    world.write_model("broken", 1024);
    let weights = world.read("broken/model.safetensors");
    world.write("broken/model.safetensors", &weights[..weights.len() / 2]);
    sft("broken", "").fails(USAGE, &["model.safetensors"]);
    std::fs::remove_file(world.path("broken/model.safetensors")).unwrap();
    sft("broken", "").fails(USAGE, &["broken", "holds neither model.safetensors nor"]);
    let small = ModelConfig::from_json(&config.replacen("\"vocab_size\": 400", "\"vocab_size\": 300", 1));
    Model::random(small.unwrap(), 1).unwrap().save(world.path("broken").as_ref(), None).unwrap();
    sft("broken", "").fails(USAGE, &["largest id is 399", "300 entries"]);
}

#[test]
fn devices_that_are_not_there_have_a_code_of_their_own() {
    let world = World::new(2);
    let eval = "eval --model model --data pairs.jsonl --device";
    for device in ["cuda", "cuda:1"] {
        world.sepo(&format!("{eval} {device}")).fails(DEVICE, &[&format!("`{device}`"), "--device cpu"]);
    }
    for device in ["gpu", "cuda:", "cuda:x", "CPU"] {
        world.sepo(&format!("{eval} {device}")).fails(USAGE, &[&format!("`{device}` is no device")]);
    }
    world.sepo(&format!("{eval} cpu --threads 0")).fails(USAGE, &["--threads"]);
}

#[test]
fn score_select_and_explain_refuse_what_makes_no_sense() {
    let world = scored_world(4);
    let score = "score --oracle model --data pairs.jsonl --out other.parquet --reference";
    world.sepo(&format!("{score} model")).fails(USAGE, &["the same weights"]);
    assert!(!std::path::Path::new(&world.path("other.parquet")).exists());
    let select = "select --scores scores.parquet --out selection.parquet";
    for (flags, names) in [
        ("--keep-chosen 30", &["--keep-chosen", "30"][..]),
        ("--keep-rejected 30%", &["--keep-rejected", "30%"]),
        ("--rule threshold", &["--threshold"]),
        ("--rule all --keep-chosen 0.5", &["`--keep-chosen`"]),
        ("--rule threshold --threshold 1 --keep-rejected 0.5", &["`--keep-rejected`"]),
        ("--rule threshold --threshold nan", &["threshold"]),
        ("--threshold 1", &["`--threshold`"]),
        ("--seed 1", &["`--seed`"]),
        ("--rule best", &["best"]),
        ("--rule sepo --slope 2", &["`--slope`", "`--rule tgdpo`"]),
        ("--rule tgdpo --low 2", &["`--low`", "`--rule tis|tis-rank`"]),
        ("--rule tis --keep-chosen 0.2", &["`--keep-chosen`"]),
        ("--rule tis --low 2 --high 1", &["`tis`", "`high` is 1", "not below `low`"]),
        ("--rule d2po --decay 0", &["`gamma` is 0"]),
        ("--rule d2po --side-rule same", &["`--side-rule same`", "`--rule d2po`"]),
        ("--rule ld-dpo", &["--tail-weight"]),
        ("--rule quantile --quantile -1", &["`q` is -1"]),
        ("--scope batch", &["--batch-pairs"]),
        ("--scope batch --batch-pairs 0", &["`--batch-pairs`"]),
        ("--batch-pairs 2", &["`--batch-pairs`", "`--scope batch`"]),
        ("--scope length --rule mean", &["`--scope length`"]),
        ("--scope data-set --renormalize count", &["`--renormalize count`", "`--scope data-set`"]),
        ("--eos sometimes", &["sometimes"]),
    ] {
        world.sepo(&format!("{select} {flags}")).fails(USAGE, names);
    }
    world.sepo("select --scores scores.parquet --out scores.parquet").fails(USAGE, &["scores.parquet"]);
    world.sepo("select --scores pairs.jsonl --out selection.parquet").fails(DATA, &["pairs.jsonl"]);
    let none = world.sepo(&format!("{select} --rule threshold --threshold 1e9"));
    assert_eq!(none.code, Some(DATA), "{}", none.stderr);
    let explain = "explain --scores scores.parquet --tokenizer model";
    world.sepo(&format!("{explain} --row 4")).fails(DATA, &["no row 4"]);
    world.sepo(&format!("{explain} --row 0 --device tpu")).fails(USAGE, &["`tpu`"]);
    world.sepo("report oracle/oracle/nothing").fails(DATA, &["nothing"]);
    let generate = "generate --model model --prompts pairs.jsonl --out";
    world.sepo(&format!("{generate} absent/samples.jsonl")).fails(DATA, &["absent/samples.jsonl"]);
    world.sepo(&format!("{generate} samples.jsonl --top-p 0")).fails(USAGE, &["top_p is 0"]);
    world.sepo("report model").fails(DATA, &["model", "metrics.jsonl"]);
}

#[test]
fn a_selection_says_all_that_is_read_and_for_which_tokenizer() {
    let world = scored_world(4);
    world.sepo("select --scores scores.parquet --out selection.parquet").done();
    let train = "train --data selection.parquet --objective sepo --out out --model";
    for flag in [
        "--limit 2",
        "--split test",
        "--format explicit",
        "--prompt-column question",
        "--max-length 64",
        "--strict",
    ] {
        let name = flag.split(' ').next().unwrap();
        world.sepo(&format!("{train} model {flag}")).fails(USAGE, &[name, "selection.parquet"]);
    }
    world.write_model("short", 64);
    world.sepo(&format!("{train} short")).fails(USAGE, &["row 0", "64 positions"]);
    world.write_model("other", 1024);
    let tokenizer = world.read_text("other/tokenizer.json");
    world.write("other/tokenizer.json", tokenizer + "\n");
    world.sepo(&format!("{train} other")).fails(USAGE, &["another tokenizer"]);
}
