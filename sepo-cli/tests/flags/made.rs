//! Flags of the commands that ask what something was made from.

use super::effect::{Effect::Changes, Effect::Same, assert_all_tried, compare};
use super::support::{self, scored_world};
use super::world::printed;

pub(super) fn flags_of_lineage_change_what_is_printed() {
    let world = scored_world(4);
    std::fs::remove_file(world.path("pairs.jsonl")).unwrap();
    let rows = [("--json", Changes), ("--check", Changes)];
    let tried = compare("lineage scores.parquet", &rows, printed(&world, "none"));
    assert_all_tried("lineage", tried);
}

pub(super) fn flags_of_reproduce_change_where_it_lies_or_are_known_not_to() {
    let world = scored_world(4);
    let made = |line: &str| {
        let _ = std::fs::remove_dir_all(world.path("again"));
        let code = world.sepo(line).code;
        format!("{code:?} {}", std::path::Path::new(&world.path("again")).exists()).into_bytes()
    };
    let rows = [
        ("--out again", Changes),
        // Nothing has changed here: see `provenance.rs`.
        ("--accept-changed", Same),
        ("--memory-limit 1GiB", Same),
        ("--device cpu", Same),
        ("--threads 2", Same),
        ("--json", Same),
    ];
    assert_all_tried("reproduce", compare("reproduce scores.parquet", &rows, made));
    world.sepo("select --scores scores.parquet --out selection.parquet").done();
    let refused = world.sepo("reproduce selection.parquet --memory-limit 1GiB");
    refused.fails(support::USAGE, &["`--memory-limit`", "selection.parquet"]);
}
