//! A tiny model in a folder, planted pairs, and the binary in one call.
#![expect(dead_code, reason = "every test file uses a part of it")]

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sepo_data::planted::{PlantedConfig, base_texts, planted_pairs, train_tokenizer, write_tokenizer};
use sepo_data::{ScoredPair, ScoresReader, SelectedPair, SelectionReader};
use sepo_model::{Model, ModelConfig};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Exit codes of the contract.
pub(crate) const USAGE: i32 = 2;
pub(crate) const DATA: i32 = 3;
pub(crate) const DEVICE: i32 = 4;
pub(crate) const INTERRUPTED: i32 = 5;
pub(crate) const GUARD: i32 = 6;
pub(crate) const BUSY: i32 = 7;

/// Positions of [`World::new`]'s model.
pub(crate) const N_POSITIONS: usize = 1024;

/// The binary, told to use one thread and no colour.
pub(crate) fn command() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("sepo-cli"));
    command.env("NO_COLOR", "1").env("RAYON_NUM_THREADS", "1");
    command
}

/// What a run of the binary left.
pub(crate) struct Ran {
    /// `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    /// Without the line breaks and frames that fit errors to a terminal.
    pub(crate) stderr: String,
}

/// Runs `sepo-cli` with `args` to its end.
pub(crate) fn sepo<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    finish(command().args(args))
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Ran {
    ended(command.output().unwrap())
}

/// What a run left that has ended.
pub(crate) fn ended(output: Output) -> Ran {
    let stderr = String::from_utf8(output.stderr).unwrap();
    let words = stderr.split(|c: char| c.is_whitespace() || "│├╰╭─▶×".contains(c));
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "),
    }
}

impl Ran {
    /// Itself, where all went well.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// The one JSON object on stdout of a run in which all went well.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        self.done().stdout_json()
    }

    /// The one JSON object on stdout.
    #[track_caller]
    pub(crate) fn stdout_json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {:?}", self.stdout))
    }

    /// Checks that it ended with `code`, wrote nothing on stdout, and said each of `names` on stderr.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, names: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert_eq!(self.stdout, "");
        for name in names {
            assert!(self.stderr.contains(name), "no `{name}` in: {}", self.stderr);
        }
    }
}

/// A temporary folder with a random model in `model` and planted pairs in `pairs.jsonl`.
pub(crate) struct World {
    dir: TempDir,
}

impl World {
    pub(crate) fn new(n_pairs: usize) -> Self {
        let world = Self::empty();
        world.write_model("model", N_POSITIONS);
        world.write_pairs("pairs.jsonl", n_pairs);
        world
    }

    /// A folder with nothing in it.
    pub(crate) fn empty() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// What is typed after `sepo-cli`, in this folder.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = command();
        command.current_dir(self.dir.path()).args(line.split_whitespace());
        command
    }

    /// Runs [`World::command`] to its end.
    pub(crate) fn sepo(&self, line: &str) -> Ran {
        finish(&mut self.command(line))
    }

    /// The path of `name` in the folder, as it is typed.
    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        let path = self.path(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn read_text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// The rows of a `scores.parquet`.
    pub(crate) fn scores(&self, name: &str) -> Vec<ScoredPair> {
        ScoresReader::open(self.path(name)).unwrap().map(Result::unwrap).collect()
    }

    /// The rows of a `selection.parquet`.
    pub(crate) fn selection(&self, name: &str) -> Vec<SelectedPair> {
        SelectionReader::open(self.path(name)).unwrap().map(Result::unwrap).collect()
    }

    /// A random Llama with a tokenizer trained on the built-in texts.
    pub(crate) fn write_model(&self, name: &str, n_positions: usize) {
        self.write_model_of(name, n_positions, 400);
    }

    /// The same with so many tokens.
    pub(crate) fn write_model_of(&self, name: &str, n_positions: usize, n_tokens: usize) {
        let dir = self.dir.path().join(name);
        let texts: Vec<String> = base_texts(100, 1).iter().map(sepo_data::planted::BaseText::text).collect();
        let tokenizer = train_tokenizer(texts, n_tokens).unwrap();
        let config = json!({
            "model_type": "llama", "vocab_size": tokenizer.get_vocab_size(true), "hidden_size": 16,
            "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_key_value_heads": 1, "max_position_embeddings": n_positions, "bos_token_id": 0,
            "eos_token_id": 1, "initializer_range": 0.1
        });
        let config = ModelConfig::from_json(&config.to_string()).unwrap();
        Model::random(config, 3).unwrap().save(&dir, None).unwrap();
        write_tokenizer(&tokenizer, &dir).unwrap();
    }

    /// Planted pairs as JSON lines.
    pub(crate) fn write_pairs(&self, name: &str, n_pairs: usize) {
        let config = PlantedConfig { n_pairs, seed: 5, ..PlantedConfig::default() };
        let mut text = String::new();
        for pair in planted_pairs(&config) {
            let (chosen, rejected) = (&pair.chosen.text, &pair.rejected.text);
            let row = json!({"prompt": pair.prompt, "chosen": chosen, "rejected": rejected});
            writeln!(text, "{row}").unwrap();
        }
        self.write(name, text);
    }
}

/// A world with `oracle/reference`, `oracle/oracle` and `scores.parquet`.
pub(crate) fn scored_world(n_pairs: usize) -> World {
    let world = World::new(n_pairs);
    world
        .sepo(
            "oracle --model model --data pairs.jsonl --out oracle --oracle-fraction 0.5 --batch-size 4 \
             --learning-rate 1e-3 --reference-learning-rate 1e-3",
        )
        .done();
    world
        .sepo(
            "score --oracle oracle/oracle --reference oracle/reference --data pairs.jsonl --out scores.parquet",
        )
        .done();
    world
}

/// Whether a token is kept, for every token of both sides of every pair.
pub(crate) fn kept(selection: &[SelectedPair]) -> Vec<[Vec<bool>; 2]> {
    let side = |weights: &[f32]| weights.iter().map(|weight| *weight != 0.0).collect();
    selection.iter().map(|pair| [side(&pair.chosen_weights), side(&pair.rejected_weights)]).collect()
}

/// Checks that a number of a result is near what it must be.
#[track_caller]
pub(crate) fn assert_near(found: &Value, expected: f64, tolerance: f64) {
    let number = found.as_f64().unwrap_or_else(|| panic!("{found} is no number"));
    assert!((number - expected).abs() <= tolerance, "{number} is not {expected}");
}

/// The lines of a JSONL file.
pub(crate) fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A part of the folder of real models and data beside the project, or `None`, said on stdout, where it is not there.
#[expect(clippy::print_stdout, reason = "a test says what it skips")]
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")).join(name);
    if !path.exists() {
        println!("skipped: `{name}` is not there");
    }
    path.exists().then_some(path)
}
