//! The stages that are not training, and a recipe: each ends with a clear error, and then with the same bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::exists;
use super::mount::{Mount, unfinished};
use super::support::{DATA, World, scored_world};

/// Where all that is made lies, so that the ways from it to its inputs are the same each time.
const MADE: &str = "made";

const RECIPE: &str = "run = { out = \"made/run\" }\n\
    data = { inputs = [\"pairs.jsonl\"] }\n\
    models = { base = \"model\", policy = \"model\" }\n\
    oracle = { fraction = 0.5, batch_size = 4, learning_rate = 1e-3, reference_learning_rate = 1e-3 }\n\
    score = { tokens_per_shard = 400 }\n\
    train = { batch_size = 4, learning_rate = 1e-3, save_every = 1 }\n";

/// A command, and what it leaves, which is the same whatever happened on the way.
struct Job {
    line: &'static str,
    made: &'static [&'static str],
    /// Sizes of a file system, in KiB, of which the first are too small.
    sizes: &'static [u32],
}

const SCORE: Job = Job {
    line: "score --oracle oracle/oracle --reference oracle/reference --data pairs.jsonl --out made/scores.parquet \
           --tokens-per-shard 400 --tokens-per-batch 200",
    made: &["scores.parquet"],
    sizes: &[4, 16, 32, 64, 96, 128, 192],
};

const SELECT: Job = Job {
    line: "select --scores scores.parquet --scope data-set --out made/selection.parquet",
    made: &["selection.parquet"],
    sizes: &[4, 8, 16, 24],
};

const RUN: Job = Job {
    line: "run recipe.toml",
    made: &[
        "run/oracle/reference/model.safetensors",
        "run/oracle/oracle/model.safetensors",
        "run/score/scores.parquet",
        "run/select/selection.parquet",
        "run/train/model.safetensors",
    ],
    sizes: &[16, 96, 240, 480, 720, 960],
};

/// Files below [`MADE`], by name.
type Tree = BTreeMap<PathBuf, Vec<u8>>;

fn tree(world: &World) -> Tree {
    fn add(dir: &Path, found: &mut Tree) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                add(&path, found);
            } else {
                found.insert(path.clone(), std::fs::read(path).unwrap());
            }
        }
    }
    let mut found = Tree::new();
    add(Path::new(&world.path(MADE)), &mut found);
    found
}

/// A world with all that the job reads, and in `whole` what it makes.
fn world(job: &Job) -> World {
    let world = scored_world(8);
    world.write("recipe.toml", RECIPE);
    std::fs::create_dir(world.path(MADE)).unwrap();
    world.sepo(job.line).done();
    std::fs::rename(world.path(MADE), world.path("whole")).unwrap();
    world
}

impl Job {
    /// Checks that what is there under its own name is that of the whole run.
    #[track_caller]
    fn assert_whole(&self, world: &World, n_least: usize) {
        let made = self.made.iter().filter(|name| exists(world, &format!("{MADE}/{name}")));
        let mut n_found = 0;
        for name in made {
            let [found, whole] = [MADE, "whole"].map(|dir| world.read(&format!("{dir}/{name}")));
            assert!(found == whole, "{name} is not that of the whole run");
            n_found += 1;
        }
        assert!(n_found >= n_least, "only {n_found} of {:?}", self.made);
    }

    fn finds_no_room(&self) {
        let world = world(self);
        let mut n_failed = 0;
        for size_kib in self.sizes {
            let Some(mount) = Mount::new(&world.path(MADE), &format!("size={size_kib}k")) else { return };
            // Once more, as people do; what was whole is not given up for another try.
            for _ in 0..2 {
                let ran = world.sepo(self.line);
                if ran.code == Some(0) {
                    break;
                }
                ran.fails(DATA, &[MADE, "make room there and run the same command again"]);
                assert_eq!(unfinished(Path::new(&world.path(MADE))), [""; 0].map(PathBuf::from));
                self.assert_whole(&world, 0);
                n_failed += 1;
            }
            mount.again_with("size=20m");
            world.sepo(self.line).done();
            self.assert_whole(&world, self.made.len());
        }
        assert!(n_failed > 1, "{n_failed}");
    }

    /// With as much as fits into `size_kib` there before.
    fn finds_a_read_only_place(&self, size_kib: u32) {
        let world = world(self);
        let Some(mount) = Mount::new(&world.path(MADE), &format!("size={size_kib}k")) else { return };
        world.sepo(self.line).fails(DATA, &["make room there"]);
        mount.again_with("size=20m,ro");
        let before = tree(&world);
        world.sepo(self.line).fails(DATA, &[MADE, "read-only", "mount it for writing"]);
        assert!(tree(&world) == before, "something has changed");
        mount.again_with("rw");
        world.sepo(self.line).done();
        self.assert_whole(&world, self.made.len());
    }
}

#[test]
fn scores_that_find_no_room_go_on_behind_their_last_shard() {
    SCORE.finds_no_room();
}

#[test]
fn a_selection_that_finds_no_room_is_made_when_there_is_some() {
    SELECT.finds_no_room();
}

#[test]
fn a_recipe_that_finds_no_room_goes_on_with_the_stage_that_needs_it() {
    RUN.finds_no_room();
}

#[test]
fn scores_stay_as_they_are_in_a_read_only_place() {
    SCORE.finds_a_read_only_place(32);
}

#[test]
fn a_selection_is_refused_by_a_read_only_place() {
    SELECT.finds_a_read_only_place(4);
}

#[test]
fn a_recipe_leaves_a_read_only_place_as_it_is() {
    RUN.finds_a_read_only_place(480);
}
