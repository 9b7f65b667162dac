//! Flags out of range, unknown, contradictory, or for another objective.

use super::case::{Case, as_it_is, check};
use super::support::{DATA, USAGE};

/// A case in which the flags alone are at fault.
const fn flags(what: &'static str, typed: &'static str) -> Case {
    Case { what, before: as_it_is, typed, exit: USAGE }
}

/// A case in which this is the objective file.
macro_rules! file {
    ($what:literal, $text:literal) => {
        Case {
            what: $what,
            before: |world| drop(world.write("mine.toml", $text)),
            typed: "train --model model --data pairs.jsonl --objective-file mine.toml --out out",
            exit: USAGE,
        }
    };
}

const OBJECTIVE_FILES: &[Case] = &[
    flags(
        "an objective file that is not there",
        "train --model model --data pairs.jsonl --objective-file mine.toml --out out",
    ),
    file!("an objective file without its section", "beta = 0.1\n"),
    file!("an objective file that is empty", "# later\n"),
    file!("a recipe for an objective file", "[run]\nout = \"runs\"\n"),
    file!("an objective file that is no TOML", "[objective]\nbeta = = 1\n"),
    file!("a key with a slip in an objective file", "[objective]\nscael = 2.0\n"),
    file!("a reference that is not given", "[objective]\nlink = \"hinge\"\n"),
    file!("a selection that is not given", "[objective]\nname = \"simpo\"\nweights = \"selection\"\n"),
    file!("weights that training does not learn", "[objective]\nname = \"cpo\"\nweighting = \"learned\"\n"),
    Case {
        what: "a selection without the share that a composition divides by",
        before: |world| {
            world.write("mine.toml", "[objective]\nname = \"cpo\"\nreduction = \"nominal\"\n");
            world.sepo("select --scores scores.parquet --out selection.parquet --rule mean").done();
        },
        typed: "train --model model --data selection.parquet --objective-file mine.toml --out out",
        exit: USAGE,
    },
    Case {
        what: "a setting beside an objective file",
        before: |world| drop(world.write("mine.toml", "[objective]\nname = \"simpo\"\n")),
        typed: "train --model model --data pairs.jsonl --objective-file mine.toml --beta 1 --out out",
        exit: USAGE,
    },
    Case {
        what: "an objective and an objective file",
        before: |world| drop(world.write("mine.toml", "[objective]\nname = \"simpo\"\n")),
        typed: "train --model model --data pairs.jsonl --objective-file mine.toml --objective simpo --out out",
        exit: USAGE,
    },
];

const TEACHERS: &[Case] = &[
    flags("no teacher", "train --model model --data pairs.jsonl --objective aligndistil --out out"),
    flags(
        "half a teacher",
        "train --model model --data pairs.jsonl --objective aligndistil --teacher oracle/oracle --out out",
    ),
    flags(
        "a teacher for nothing",
        "train --model model --data pairs.jsonl --objective simpo --reverse-teacher oracle/oracle --out out",
    ),
    flags(
        "a teacher that is not there",
        "train --model model --data pairs.jsonl --objective aligndistil --teacher gone --reverse-teacher model --out out",
    ),
    flags(
        "a boost below 0",
        "train --model model --data pairs.jsonl --objective aligndistil --teacher model --reverse-teacher model --boost=-1 --out out",
    ),
];

const UNKNOWN: &[Case] = &[
    flags("no command", ""),
    flags("a command that is not known", "trian --model model"),
    flags(
        "a flag that is not known",
        "train --model model --data pairs.jsonl --objective simpo --output out",
    ),
    flags("a flag without its value", "train --model model --data pairs.jsonl --out out --objective"),
    flags("a flag that is missing", "train --model model --data pairs.jsonl --out out"),
    flags(
        "an objective that is not known",
        "train --model model --data pairs.jsonl --out out --objective orpi",
    ),
    flags("a format that is not known", "data check pairs.jsonl --format alpaca"),
    flags("a rule that is not known", "select --scores scores.parquet --out new.parquet --rule best"),
    flags("neither pairs nor a size", "data generate --out new.jsonl"),
    flags("both pairs and a size", "data generate --out new.jsonl --pairs 3 --size 1MiB"),
    flags(
        "a moment that is none",
        "train --model model --data pairs.jsonl --objective simpo --out out --save-by tomorrow",
    ),
    flags(
        "a guard that is not known",
        "train --model model --data pairs.jsonl --objective simpo --out out --stop-on loss-rise,boredom",
    ),
];

const RANGE: &[Case] = &[
    flags("nothing held out", "sft --model model --data pairs.jsonl --out out --eval-fraction 0"),
    flags("no pairs in a batch", "sft --model model --data pairs.jsonl --out out --batch-size 0"),
    flags("no tokens in a pass", "eval --model model --data pairs.jsonl --tokens-per-batch 0"),
    flags("a negative learning rate", "sft --model model --data pairs.jsonl --out out --learning-rate=-1"),
    flags(
        "a learning rate without an end",
        "sft --model model --data pairs.jsonl --out out --learning-rate inf",
    ),
    flags("no epoch", "sft --model model --data pairs.jsonl --out out --epochs 0"),
    flags("no step", "sft --model model --data pairs.jsonl --out out --max-steps 0"),
    flags("a warm-up beyond the run", "sft --model model --data pairs.jsonl --out out --warmup-ratio 1.5"),
    flags("a moment that never decays", "sft --model model --data pairs.jsonl --out out --adam-beta2 1"),
    flags("a negative weight decay", "sft --model model --data pairs.jsonl --out out --weight-decay=-0.1"),
    flags("a norm that is no number", "sft --model model --data pairs.jsonl --out out --max-grad-norm nan"),
    flags("a negative watchdog", "sft --model model --data pairs.jsonl --out out --loss-watchdog=-1"),
    flags("no checkpoint kept", "sft --model model --data pairs.jsonl --out out --keep-checkpoints 0"),
    flags("more length than positions", "sft --model model --data pairs.jsonl --out out --max-length 5000"),
    flags("a length of one token", "sft --model model --data pairs.jsonl --out out --max-length 1"),
    flags(
        "a prompt as long as all",
        "sft --model model --data pairs.jsonl --out out --max-length 64 --max-prompt-length 64",
    ),
    flags("no pairs for the oracle", "oracle --model model --data pairs.jsonl --out out --oracle-fraction 0"),
    flags(
        "more pairs than there are",
        "oracle --model model --data pairs.jsonl --out out --oracle-fraction 1.5",
    ),
    flags(
        "labels that mean nothing",
        "oracle --model model --data pairs.jsonl --out out --label-smoothing 0.5",
    ),
    flags("a share in percent", "select --scores scores.parquet --out new.parquet --keep-chosen 30%"),
    flags("a share beyond all", "select --scores scores.parquet --out new.parquet --keep-rejected 30"),
    flags(
        "a threshold that is no number",
        "select --scores scores.parquet --out new.parquet --rule threshold --threshold nan",
    ),
    flags(
        "a cold temperature",
        "generate --model model --prompts pairs.jsonl --out new.jsonl --temperature=-1",
    ),
    flags("no probability", "generate --model model --prompts pairs.jsonl --out new.jsonl --top-p 0"),
    flags("no token", "generate --model model --prompts pairs.jsonl --out new.jsonl --max-new-tokens 0"),
    flags(
        "a scale that is no number",
        "eval --model model --reference oracle/oracle --data pairs.jsonl --beta nan",
    ),
];

const TOGETHER: &[Case] = &[
    flags(
        "a setting of another objective",
        "train --model model --data pairs.jsonl --objective simpo --lambda 1 --out out",
    ),
    flags(
        "a scale for an objective without",
        "train --model model --data selection.parquet --objective sepo --beta 0.1 --out out",
    ),
    flags(
        "an objective without its reference",
        "train --model model --data pairs.jsonl --objective dpo --out out",
    ),
    flags(
        "a reference without a use",
        "train --model model --data pairs.jsonl --objective simpo --reference model --out out",
    ),
    flags("selected tokens of pairs", "train --model model --data pairs.jsonl --objective sepo --out out"),
    flags(
        "evaluations without pairs",
        "train --model model --data pairs.jsonl --objective simpo --eval-every 2 --out out",
    ),
    flags(
        "the best of no evaluation",
        "train --model model --data pairs.jsonl --objective simpo --eval-data pairs.jsonl --keep-best loss --out out",
    ),
    flags(
        "a split of a selection",
        "train --model model --data selection.parquet --objective sepo --split test --out out",
    ),
    flags(
        "a length for a selection",
        "train --model model --data selection.parquet --objective sepo --max-length 64 --out out",
    ),
    flags(
        "a template for a selection",
        "train --model model --data selection.parquet --objective sepo --chat-template chatml --out out",
    ),
    flags(
        "strictness about a selection",
        "train --model model --data selection.parquet --objective sepo --strict --out out",
    ),
    flags("a scale without a reference", "eval --model model --data pairs.jsonl --beta 1"),
    flags(
        "a reference that is made and given",
        "oracle --model model --data pairs.jsonl --out out --reference model --reference-epochs 2",
    ),
    flags("a threshold without its rule", "select --scores scores.parquet --out new.parquet --threshold 1"),
    flags(
        "a rule without its threshold",
        "select --scores scores.parquet --out new.parquet --rule threshold",
    ),
    flags("a seed without a draw", "select --scores scores.parquet --out new.parquet --seed 1"),
    flags("a share for all", "select --scores scores.parquet --out new.parquet --rule all --keep-chosen 0.5"),
    Case {
        what: "a split of a file",
        before: as_it_is,
        typed: "sft --model model --data pairs.jsonl --split test --out out",
        exit: DATA,
    },
    flags("more weights than inputs", "sft --model model --data pairs.jsonl --mix 1,1 --out out"),
    flags(
        "a weight that is no share",
        "sft --model model --data pairs.jsonl pairs.jsonl --mix 1,0 --out out",
    ),
    flags("a seed without a mix", "sft --model model --data pairs.jsonl --mix-seed 1 --out out"),
    flags(
        "two parts in one file",
        "data split pairs.jsonl --eval-fraction 0.5 --out-train new.jsonl --out-eval new.jsonl",
    ),
    flags("a length without a tokenizer", "data check pairs.jsonl --max-length 64"),
    flags(
        "a seed without a draw of tokens",
        "generate --model model --prompts pairs.jsonl --out new.jsonl --temperature 0 --seed 3",
    ),
];

#[test]
fn teachers_that_are_not_there_or_not_needed_are_refused() {
    check("flag_teacher", TEACHERS);
}

#[test]
fn objective_files_are_refused_at_their_line() {
    check("flag_objective_file", OBJECTIVE_FILES);
}

#[test]
fn flags_that_are_not_there_are_refused() {
    check("flag_unknown", UNKNOWN);
}

#[test]
fn values_out_of_their_range_are_refused() {
    check("flag_range", RANGE);
}

#[test]
fn flags_that_mean_nothing_together_are_refused() {
    check("flag_together", TOGETHER);
}
