//! A folder in which everything works, to break one thing in.

use std::path::Path;
use std::sync::LazyLock;

use super::support::{World, scored_world};

/// Every setting that a recipe must have, on lines that cases rely on.
pub(super) const RECIPE: &str = r#"[run]
out = "runs"

[data]
inputs = ["pairs.jsonl"]
eval = ["pairs.jsonl"]

[models]
base = "model"
policy = "model"

[oracle]
fraction = 0.5
batch_size = 4

[select]
keep_chosen = 0.3

[train]
batch_size = 4
max_steps = 3
"#;

/// `model`, `pairs.jsonl`, `oracle/`, `scores.parquet`, `selection.parquet`, a run with two checkpoints in `run`, and
/// `recipe.toml`.
static WHOLE: LazyLock<World> = LazyLock::new(|| {
    let world = scored_world(6);
    world.sepo("select --scores scores.parquet --out selection.parquet").done();
    world.sepo(&format!("{RUN} --max-steps 4 --save-every 2")).done();
    world.write("recipe.toml", RECIPE);
    world
});

/// The command that made `run`, but for its length.
const RUN: &str = "train --model model --data pairs.jsonl --objective simpo --batch-size 2 --out run";

/// A copy of that folder.
pub(super) fn fresh() -> World {
    let copy = World::empty();
    copy_dir(WHOLE.path("").as_ref(), copy.path("").as_ref());
    copy
}

fn copy_dir(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Replaces a part of a text file that must be there.
#[track_caller]
pub(super) fn replace(world: &World, name: &str, from: &str, to: &str) {
    let text = world.read_text(name);
    assert!(text.contains(from), "no `{from}` in {name}: {text}");
    world.write(name, text.replacen(from, to, 1));
}

/// Leaves the first half of a file.
pub(super) fn halve(world: &World, name: &str) {
    let bytes = world.read(name);
    world.write(name, &bytes[..bytes.len() / 2]);
}
