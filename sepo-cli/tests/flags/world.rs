//! Data on which flags show what they do.

use serde_json::json;

use super::effect::{Effect, Effect::Changes, Effect::Same};
use super::support::{World, scored_world};

/// Flags of every command that reads pairs, on the data of [`world_with_splits`].
pub(super) const DATA_FLAGS: &[(&str, Effect)] = &[
    ("--format explicit", Same),
    ("--split test", Changes),
    ("--prompt-column question", Changes),
    ("--chosen-column rejected --rejected-column chosen", Changes),
    ("--strict", Same),
    ("--max-bad-rows 0", Same),
    ("--limit 5", Changes),
    ("--dedup", Changes),
    ("--data data pairs.jsonl --mix 1,3", Changes),
    ("--data data pairs.jsonl --mix 1,3 --mix-seed 4 --mix-end all", Changes),
    ("--max-length 50", Changes),
    ("--max-prompt-length 10", Changes),
    ("--long-prompt skip --max-prompt-length 30", Changes),
    ("--text-as-chat --chat-template chatml", Changes),
    ("--bos never", Changes),
    ("--no-eos", Changes),
    ("--boundary strict", Changes),
    ("--device cpu", Same),
    ("--threads 2", Same),
    ("--json", Same),
    // Decides where examples lie and what is refused: see `memory.rs`.
    ("--memory-limit 300MiB", Same),
];

/// A scored world with `data` in the Hub's layout: a second column that could be the prompt, and a pair whose response
/// begins in the middle of a word.
pub(super) fn world_with_splits() -> World {
    let world = scored_world(12);
    std::fs::create_dir(world.path("data")).unwrap();
    let straddling = json!({"prompt": "Question: why?\nAns", "chosen": "wer: the", "rejected": "wer: a"});
    let pairs = world.read_text("pairs.jsonl");
    let again = pairs.lines().next().unwrap();
    let text = format!("{pairs}{straddling}\n{again}\n");
    world.write("data/train.jsonl", text.replace("{\"prompt\"", "{\"question\":\"Why?\",\"prompt\""));
    world.write_pairs("data/test.jsonl", 7);
    world
}

/// The exit code, what is printed on stdout, and the text of a file, where the command makes it.
pub(super) fn printed<'a>(world: &'a World, file: &'a str) -> impl Fn(&str) -> Vec<u8> + 'a {
    move |line: &str| {
        let _ = std::fs::remove_file(world.path(file));
        let ran = world.sepo(line);
        let made = std::fs::read(world.path(file)).unwrap_or_default();
        [format!("{:?} {}", ran.code, ran.stdout).into_bytes(), made].concat()
    }
}
