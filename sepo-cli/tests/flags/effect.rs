//! What a flag does, tried by running the command with it and without it.

use std::collections::BTreeSet;

use super::tree::{MACHINE_FLAGS, flags_of};

/// What a flag does to what is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    Changes,
    /// Where, how fast or how often, not what.
    Same,
}
use Effect::{Changes, Same};

/// Runs `base` plus each row's flags and compares what `made` returns with that of `base` alone. Returns the flags tried.
pub(super) fn compare(
    base: &str,
    rows: &[(&str, Effect)],
    made: impl Fn(&str) -> Vec<u8>,
) -> BTreeSet<String> {
    let plain = made(base);
    assert_eq!(made(base), plain, "the same command makes the same bytes: {base}");
    for (flags, effect) in rows {
        let found = if made(&overridden(base, flags)) == plain { Same } else { Changes };
        assert_eq!(found, *effect, "{base} {flags}");
    }
    let lines = rows.iter().map(|(flags, _)| *flags).chain([base]);
    let words = lines.flat_map(|line| line.split([' ', '=']));
    words.filter(|word| word.starts_with("--")).map(str::to_owned).collect()
}

/// `base` with `flags`, and without its own values of those.
fn overridden(base: &str, flags: &str) -> String {
    let name = |part: &str| part.split(' ').next().map(str::to_owned);
    let typed: Vec<Option<String>> = flags.split("--").map(name).collect();
    let kept: Vec<&str> = base.split(" --").filter(|part| !typed.contains(&name(part))).collect();
    format!("{} {flags}", kept.join(" --"))
}

/// Checks that every flag of `command` is in `tried`, or one of those of the machine, which `machine.rs` tries.
pub(super) fn assert_all_tried(command: &str, mut tried: BTreeSet<String>) {
    tried.extend(MACHINE_FLAGS.map(str::to_owned));
    let untried: Vec<String> = flags_of(command).difference(&tried).cloned().collect();
    assert!(untried.is_empty(), "{command}: {untried:?} are not tried");
}
