//! Flags of commands whose results people look at.

use super::effect::{Effect::Changes, Effect::Same, assert_all_tried, compare};
use super::support::scored_world;
use super::world::{DATA_FLAGS, printed, world_with_splits};

pub(super) fn flags_of_check_change_what_is_printed() {
    let world = world_with_splits();
    let bad = r#"{"prompt": "Why?", "chosen": "", "rejected": "No."}"#;
    world.write("bad.jsonl", format!("{}{bad}\n{bad}\n", world.read_text("pairs.jsonl")));
    let rows = [
        ("--format explicit", Changes),
        ("--split test", Changes),
        ("--prompt-column question", Changes),
        ("--chosen-column rejected --rejected-column chosen", Changes),
        ("--limit 5", Changes),
        ("--dedup", Changes),
        ("pairs.jsonl --mix 1,3", Changes),
        ("pairs.jsonl --mix 1,3 --mix-seed 4 --mix-end all", Changes),
        ("--tokenizer oracle/oracle", Same),
        ("--max-length 50", Changes),
        ("--max-prompt-length 10", Changes),
        ("--long-prompt skip --max-prompt-length 30", Changes),
        ("--text-as-chat --chat-template chatml", Changes),
        ("--bos never", Changes),
        ("--no-eos", Changes),
        ("--boundary strict", Changes),
    ];
    let mut tried = compare("data check data --tokenizer model --json", &rows, printed(&world, "none"));
    let rows = [("--show-bad-rows 1", Changes), ("--strict", Changes), ("--max-bad-rows 1", Changes)];
    tried.extend(compare("data check bad.jsonl --json", &rows, printed(&world, "none")));
    assert_all_tried("data check", tried);
}

pub(super) fn flags_of_show_change_what_is_printed_or_are_refused() {
    let world = world_with_splits();
    let rows = [
        ("--row 4", Changes),
        ("--tokenizer oracle/oracle", Same),
        ("--tokenizer absent", Changes),
        ("--format explicit", Same),
        ("--format tokenized", Changes),
        ("--split test", Changes),
        ("--prompt-column question", Changes),
        ("--chosen-column rejected --rejected-column chosen", Changes),
        // Refused.
        ("--strict", Changes),
        ("--max-bad-rows 0", Changes),
        ("--limit 5", Changes),
        ("pairs.jsonl --mix 1,3", Changes),
        ("pairs.jsonl --mix 1,3 --mix-seed 4 --mix-end all", Changes),
        ("--max-length 50", Changes),
        ("--max-prompt-length 5", Changes),
        ("--long-prompt skip --max-prompt-length 5", Changes),
        ("--text-as-chat --chat-template chatml", Changes),
        ("--bos never", Changes),
        ("--no-eos", Changes),
    ];
    let base = "data show data --row 3 --tokenizer model --json";
    let mut tried = compare(base, &rows, printed(&world, "none"));
    // A pair that was there before is not shown.
    let base = "data show data --row 13 --tokenizer model --json";
    tried.extend(compare(base, &[("--dedup", Changes)], printed(&world, "none")));
    // The pair whose response begins in the middle of a word.
    let base = "data show data --row 12 --tokenizer model --json";
    tried.extend(compare(base, &[("--boundary strict", Changes)], printed(&world, "none")));
    assert_all_tried("data show", tried);
}

pub(super) fn flags_of_convert_change_the_file_or_are_known_not_to() {
    let world = world_with_splits();
    world.write("bad.jsonl", format!("{}{{}}\n", world.read_text("pairs.jsonl")));
    let rows = [
        ("--format explicit", Same),
        ("--format tokenized", Changes),
        ("--split test", Changes),
        ("--prompt-column question", Changes),
        ("--chosen-column rejected --rejected-column chosen", Changes),
        ("--limit 5", Changes),
        ("--dedup", Changes),
        ("pairs.jsonl --mix 1,3", Changes),
        ("pairs.jsonl --mix 1,3 --mix-seed 4 --mix-end all", Changes),
        // Nothing has changed here: see `provenance.rs`.
        ("--accept-changed", Same),
    ];
    let mut tried = compare("data convert data --out out.jsonl", &rows, printed(&world, "out.jsonl"));
    let rows = [("--strict", Changes), ("--max-bad-rows 0", Changes)];
    tried.extend(compare("data convert bad.jsonl --out out.jsonl", &rows, printed(&world, "out.jsonl")));
    assert_all_tried("data convert", tried);
}

pub(super) fn flags_of_split_change_the_files_or_are_known_not_to() {
    let world = world_with_splits();
    world.write("bad.jsonl", format!("{}{{}}\n", world.read_text("pairs.jsonl")));
    let rows = [
        ("--eval-fraction 0.6", Changes),
        ("--out-train other.jsonl", Changes),
        ("--format explicit", Same),
        ("--split test", Changes),
        ("--prompt-column question", Changes),
        ("--chosen-column rejected --rejected-column chosen", Changes),
        ("--limit 5", Changes),
        ("pairs.jsonl --mix 1,3", Changes),
        ("pairs.jsonl --mix 1,3 --mix-seed 4 --mix-end all", Changes),
        ("--memory-limit 1GiB", Same),
        // Nothing has changed here: see `provenance.rs`.
        ("--accept-changed", Same),
    ];
    let base = "data split data --eval-fraction 0.4 --out-train out.jsonl --out-eval eval.jsonl";
    let mut tried = compare(base, &rows, printed(&world, "out.jsonl"));
    // The pair that was there before is held out.
    let rows = [("--out-eval other.jsonl", Changes), ("--dedup", Changes)];
    tried.extend(compare(base, &rows, printed(&world, "eval.jsonl")));
    let base = base.replace("split data", "split bad.jsonl");
    let rows = [("--strict", Changes), ("--max-bad-rows 0", Changes)];
    tried.extend(compare(&base, &rows, printed(&world, "out.jsonl")));
    assert_all_tried("data split", tried);
}

pub(super) fn flags_of_generated_data_change_the_file() {
    let world = scored_world(4);
    let rows = [("--pairs 4", Changes), ("--temperature 9", Changes), ("--seed 1", Changes)];
    let mut tried = compare("data generate --pairs 20 --out out.jsonl", &rows, printed(&world, "out.jsonl"));
    let rows = [("--size 2KiB", Changes)];
    tried.extend(compare("data generate --size 9KiB --out out.jsonl", &rows, printed(&world, "out.jsonl")));
    assert_all_tried("data generate", tried);
}

pub(super) fn flags_of_eval_change_what_is_printed_or_are_known_not_to() {
    let world = world_with_splits();
    let base = "eval --model model --data data --reference oracle/oracle --json";
    let rows = [
        ("--beta 1", Changes),
        ("--model oracle/reference", Changes),
        ("--reference oracle/reference", Changes),
    ];
    // Sums of another order.
    let more = [("--tokens-per-batch 100", Changes), ("--eval-fraction 0.3", Changes)];
    let rows = [&rows[..], &more, DATA_FLAGS].concat();
    assert_all_tried("eval", compare(base, &rows, printed(&world, "none")));
}

pub(super) fn flags_of_generate_change_the_responses() {
    let world = scored_world(4);
    let rows = [
        ("--max-new-tokens 4", Changes),
        ("--temperature 0.1", Changes),
        ("--top-p 0.1", Changes),
        ("--seed 1", Changes),
        ("--model oracle/oracle", Changes),
    ];
    let base = "generate --model model --prompts pairs.jsonl --max-new-tokens 8 --out out.jsonl";
    let mut tried = compare(base, &rows, printed(&world, "out.jsonl"));
    world.write("chat.jsonl", r#"{"prompt": [{"role": "user", "content": "Why?"}]}"#);
    let base = "generate --model model --prompts chat.jsonl --max-new-tokens 8 --chat-template plain --out out.jsonl";
    tried.extend(compare(base, &[("--chat-template chatml", Changes)], printed(&world, "out.jsonl")));
    assert_all_tried("generate", tried);
}

pub(super) fn flags_of_explain_change_what_is_shown() {
    let world = scored_world(4);
    world.sepo("select --scores scores.parquet --out selection.parquet --rule salience").done();
    let rows = [
        ("--row 1", Changes),
        ("--tokenizer model", Same),
        ("--tokenizer absent", Changes),
        ("--selection selection.parquet", Changes),
        ("--html page.html", Changes),
    ];
    let base = "explain --scores scores.parquet --row 0 --json";
    assert_all_tried("explain", compare(base, &rows, printed(&world, "page.html")));
}

pub(super) fn flags_of_report_change_where_it_lies() {
    let world = scored_world(4);
    let tried = compare("report oracle", &[("--out page.html", Changes)], printed(&world, "page.html"));
    assert_all_tried("report", tried);
}

pub(super) fn objectives_are_told_for_people_and_programs() {
    let world = scored_world(2);
    let rows = [("--json", Changes)];
    assert_all_tried("objectives", compare("objectives", &rows, printed(&world, "none")));
    assert_all_tried("objectives", compare("objectives kto", &rows, printed(&world, "none")));
}
