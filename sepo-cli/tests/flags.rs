//! No flag is taken and then ignored: each changes what is made, or leaves it alone for a reason that stands here.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;

use serde_json::json;
use support::{World, scored_world, sepo};

/// What a flag does to what is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Effect {
    Changes,
    /// Where, how fast or how often, not what.
    Same,
}
use Effect::{Changes, Same};

/// Every `--flag` of a command's help.
fn flags_of(command: &str) -> BTreeSet<String> {
    let help = sepo(command.split_whitespace().chain(["--help"])).done().stdout;
    let is_flag = |line: &&str| line.starts_with("--") || line.starts_with("-h,") || line.starts_with("-V,");
    let typed = help.lines().map(str::trim_start).filter(is_flag);
    let flag = |line: &str| {
        let at = line.find("--")?;
        let end = line[at..].find([' ', ',', '=', '[']).map_or(line.len(), |end| at + end);
        Some(line[at..end].to_owned())
    };
    typed.filter_map(flag).collect()
}

/// Runs `base` plus each row's flags and compares what `made` returns with that of `base` alone. Returns the flags tried.
fn compare(base: &str, rows: &[(&str, Effect)], made: impl Fn(&str) -> Vec<u8>) -> BTreeSet<String> {
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

/// Checks that every flag in the help of `command` is in `tried`.
fn assert_all_tried(command: &str, mut tried: BTreeSet<String>) {
    tried.extend(["--help", "--version"].map(str::to_owned));
    let untried: Vec<String> = flags_of(command).difference(&tried).cloned().collect();
    assert!(untried.is_empty(), "{command}: {untried:?} are not tried");
}

#[test]
fn every_subcommand_has_help_and_refuses_an_unknown_flag() {
    let help = sepo(["--help"]).done().stdout;
    let from = help.find("Commands:").unwrap();
    let names: Vec<&str> = help[from..]
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .collect();
    let expected = [
        "data", "sft", "oracle", "score", "select", "weights", "train", "eval", "generate", "explain",
        "report", "doctor",
    ];
    for name in expected {
        assert!(names.contains(&name), "no `{name}` in {names:?}");
    }
    for name in names.into_iter().chain([
        "data check",
        "data show",
        "data convert",
        "data split",
        "data generate",
        "weights import",
        "weights export",
        "weights project",
    ]) {
        let words = || name.split(' ');
        let text = sepo(words().chain(["--help"])).done().stdout;
        assert!(text.contains(&format!("Usage: sepo-cli {name}")), "{text}");
        let unknown = sepo(words().chain(["--no-such-flag"]));
        unknown.fails(support::USAGE, &["--no-such-flag"]);
    }
    assert!(sepo(["--version"]).done().stdout.contains(env!("CARGO_PKG_VERSION")));
    let findings = sepo(["doctor", "--json"]).json();
    assert!(findings.as_array().unwrap().iter().any(|finding| finding["what"] == "GPU"));
}

/// Flags of every command that reads pairs, on the data of [`world_with_splits`].
const DATA_FLAGS: &[(&str, Effect)] = &[
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

/// Flags of every command that trains.
const TRAIN_FLAGS: &[(&str, Effect)] = &[
    ("--label-smoothing 0.2", Changes),
    ("--beta 1", Changes),
    // Sums of another order.
    ("--tokens-per-batch 200", Changes),
    ("--batch-size 3", Changes),
    ("--learning-rate 1e-4", Changes),
    ("--epochs 2", Changes),
    ("--max-steps 1", Changes),
    ("--scheduler linear", Changes),
    ("--scheduler constant", Changes),
    ("--warmup-ratio 0.9", Changes),
    ("--weight-decay 0.5", Changes),
    ("--adam-beta1 0.5", Changes),
    ("--adam-beta2 0.9", Changes),
    ("--max-grad-norm 0", Changes),
    ("--seed 1", Changes),
    ("--save-every 1 --keep-checkpoints 1", Same),
    ("--recompute", Same),
    // What these do is in `watching.rs`.
    ("--loss-watchdog 9", Same),
    ("--stop-on loss-rise,displacement", Same),
    ("--save-by 1h", Same),
    ("--dtype bf16", Changes),
];

/// A scored world with `data` in the Hub's layout: a second column that could be the prompt, and a pair whose response
/// begins in the middle of a word.
fn world_with_splits() -> World {
    let world = scored_world(12);
    std::fs::create_dir(world.path("data")).unwrap();
    let straddling = json!({"prompt": "Question: why?\nAns", "chosen": "wer: the", "rejected": "wer: a"});
    let pairs = world.read_text("pairs.jsonl");
    let again = pairs.lines().next().unwrap();
    let text = format!("{again}\n{pairs}{straddling}\n");
    world.write("data/train.jsonl", text.replace("{\"prompt\"", "{\"question\":\"Why?\",\"prompt\""));
    world.write_pairs("data/test.jsonl", 7);
    world
}

#[test]
fn flags_of_train_change_the_weights_or_are_known_not_to() {
    let world = world_with_splits();
    let made = |line: &str| {
        let _ = std::fs::remove_dir_all(world.path("out"));
        world.sepo(line).done();
        world.read("out/model.safetensors")
    };
    let train = "train --model model --out out --learning-rate 1e-3";
    let rows = [
        &[
            ("--gamma 1", Changes),
            ("--eval-fraction 0.3", Changes),
            ("--eval-data pairs.jsonl --eval-every 1 --keep-best loss", Same),
        ],
        TRAIN_FLAGS,
        DATA_FLAGS,
    ];
    let mut tried =
        compare(&format!("{train} --data data --objective simpo --batch-size 4"), &rows.concat(), made);
    world.sepo("select --scores scores.parquet --out selection.parquet").done();
    let rows = [("--gamma 1", Changes), ("--lambda 0.5", Changes), ("--normalizer nominal", Changes)];
    tried.extend(compare(&format!("{train} --data selection.parquet --objective sepo"), &rows, made));
    let dpo = format!("{train} --data pairs.jsonl --objective dpo --batch-size 4 --reference");
    assert_ne!(made(&format!("{dpo} model")), made(&format!("{dpo} oracle/oracle")));
    tried.insert("--reference".to_owned());
    assert_all_tried("train", tried);
}

#[test]
fn flags_of_oracle_change_the_models_or_are_known_not_to() {
    let world = world_with_splits();
    let made = |line: &str| {
        let _ = std::fs::remove_dir_all(world.path("out"));
        let summary = world.sepo(&line.replace(" --json", "")).done();
        assert_eq!(summary.stdout, "");
        let again = world.sepo(&format!("{} --json", line.replace(" --json", ""))).json();
        let weights =
            ["reference", "oracle"].map(|stage| world.read(&format!("out/{stage}/model.safetensors")));
        [weights.concat(), again["held_out"].to_string().into_bytes()].concat()
    };
    let base = "oracle --model model --data data --out out --oracle-fraction 0.6 --learning-rate 1e-3 --batch-size 2 \
                --reference-learning-rate 1e-3";
    let rows = [
        ("--oracle-fraction 0.4", Changes),
        ("--eval-pairs 2", Changes),
        ("--eval-fraction 0.3", Changes),
        ("--reference-epochs 2", Changes),
        ("--reference-learning-rate 1e-4", Changes),
    ];
    let rows: Vec<(&str, Effect)> = [&rows, TRAIN_FLAGS, DATA_FLAGS].concat();
    let mut tried = compare(base, &rows, made);
    let base = base.replace(" --reference-learning-rate 1e-3", "");
    tried.extend(compare(&base, &[("--reference oracle/reference", Changes)], made));
    assert_all_tried("oracle", tried);
}

#[test]
fn flags_of_score_change_the_scores_or_are_known_not_to() {
    let world = world_with_splits();
    let made = |line: &str| {
        world.sepo(line).done();
        format!("{:?}", world.scores("out.parquet")).into_bytes()
    };
    let base = "score --oracle oracle/oracle --reference model --data data --out out.parquet";
    // By rounding: sums of another order.
    let rows = [
        ("--tokens-per-batch 100", Changes),
        ("--tokens-per-shard 100", Changes),
        ("--dtype bf16", Changes),
        ("--restart", Same),
        ("--eval-fraction 0.3", Changes),
    ];
    assert_all_tried("score", compare(base, &[&rows, DATA_FLAGS].concat(), made));
    for (flags, names) in [
        ("--format hh-rlhf", "hh-rlhf"),
        ("--split validation", "validation"),
        ("--prompt-column absent", "absent"),
        ("--limit 0", "no row of the data"),
    ] {
        world.sepo(&format!("{base} {flags}")).fails(support::DATA, &[names]);
    }
}

#[test]
fn flags_of_select_change_the_selection_or_are_known_not_to() {
    let world = scored_world(12);
    let made = |line: &str| {
        world.sepo(line).done();
        format!("{:?}", world.selection("out.parquet")).into_bytes()
    };
    let rows = [
        ("--keep-chosen 0.5", Changes),
        ("--keep-rejected 0.5", Changes),
        ("--scope data-set", Changes),
        ("--scope length", Changes),
        ("--scope batch --batch-pairs 3", Changes),
        ("--side-rule same", Changes),
        ("--renormalize count", Changes),
        ("--rule salience", Changes),
        ("--rule quantile --quantile 0.2", Changes),
        ("--rule asr --penalty 0.1", Changes),
        ("--rule tis --k 2 --mu 0.5 --low -0.1 --high 0.1", Changes),
        ("--rule tgdpo --slope 2", Changes),
        ("--rule d2po --decay 0.5", Changes),
        ("--rule ld-dpo --tail-weight 0.5", Changes),
        ("--rule random --seed 3", Changes),
        ("--rule threshold --threshold 0.01", Changes),
        ("--rule all", Changes),
        ("--eos both", Changes),
        ("--eos rule", Same),
        ("--official-compat", Changes),
        ("--tokenizer model", Same),
        ("--device cpu", Same),
        ("--threads 2", Same),
        ("--json", Same),
    ];
    assert_all_tried("select", compare("select --scores scores.parquet --out out.parquet", &rows, made));
    assert_ne!(
        made("select --scores scores.parquet --out out.parquet --rule all --eos never"),
        made("select --scores scores.parquet --out out.parquet --rule all")
    );
}
