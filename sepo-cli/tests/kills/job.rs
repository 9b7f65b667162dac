//! What is killed.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{World, scored_world};
use crate::tree::Tree;

/// Everything that a job makes lies in this folder, so that the paths within artifacts are the same each time.
pub(crate) const MADE: &str = "made";

/// A command, as it is typed.
pub(crate) struct Job {
    pub(crate) name: &'static str,
    pub(crate) line: &'static str,
}

/// Every command that works for long.
pub(crate) fn jobs() -> [Job; 6] {
    let job = |name, line| Job { name, line };
    [
        job(
            "score",
            "score --oracle oracle/oracle --reference oracle/reference --data pairs.jsonl --out made/scores.parquet \
             --tokens-per-shard 1500 --tokens-per-batch 500",
        ),
        job("select", "select --scores scores.parquet --scope data-set --out made/selection.parquet"),
        job(
            "train (sepo)",
            "train --model model --data selection.parquet --objective sepo --learning-rate 1e-3 --batch-size 2 \
             --save-every 3 --out made/policy",
        ),
        job(
            "train (dpo)",
            "train --model model --reference model --data pairs.jsonl --eval-data held-out.jsonl --eval-every 4 \
             --keep-best loss --objective dpo --learning-rate 1e-3 --batch-size 2 --save-every 3 --out made/policy",
        ),
        job(
            "oracle",
            "oracle --model model --data pairs.jsonl --oracle-fraction 0.5 --batch-size 2 --save-every 3 \
             --learning-rate 1e-3 --reference-learning-rate 1e-3 --out made/oracle",
        ),
        job("run", "run recipe.toml"),
    ]
}

const RECIPE: &str = r#"[run]
out = "made/run"
seed = 3

[data]
inputs = ["pairs.jsonl"]
eval = ["held-out.jsonl"]

[models]
base = "model"
policy = "model"

[oracle]
fraction = 0.5
learning_rate = 1e-3
reference_learning_rate = 1e-3
batch_size = 4
save_every = 3

[score]
tokens_per_shard = 1500

[train]
learning_rate = 1e-4
batch_size = 4
save_every = 3
"#;

/// A folder with all that jobs read.
pub(crate) fn world(n_pairs: usize) -> World {
    let world = scored_world(n_pairs);
    world.sepo("select --scores scores.parquet --out selection.parquet").done();
    world.write_pairs("held-out.jsonl", 5);
    world.write("recipe.toml", RECIPE);
    world
}

impl Job {
    /// An empty folder for what it makes.
    pub(crate) fn begin(&self, world: &World) {
        let made = world.path(MADE);
        if Path::new(&made).exists() {
            std::fs::remove_dir_all(&made).unwrap();
        }
        std::fs::create_dir(made).unwrap();
    }

    /// How long it takes, and what it makes.
    pub(crate) fn run_undisturbed(&self, world: &World) -> (Duration, Tree) {
        self.begin(world);
        let start = Instant::now();
        world.sepo(self.line).done();
        (start.elapsed(), Tree::read(world))
    }
}
