//! `data check`, `data show` and `data convert` find, show and keep what is in a data set.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{DATA, DEVICE, USAGE, World, json_lines, sepo, shared};

/// The reason that a row is counted under, and what its line must name.
type Problem = (&'static str, &'static str);

/// One row of every kind; good ones have no problem.
fn planted_rows() -> Vec<(Vec<u8>, Option<Problem>)> {
    let row = |value: Value| value.to_string().into_bytes();
    let pair = |prompt: &str| row(json!({"prompt": prompt, "chosen": "yes", "rejected": "no"}));
    vec![
        (pair("first"), None),
        (row(json!({"prompt": "p", "chosen": "", "rejected": "no"})), Some(("empty-side", "chosen"))),
        (row(json!({"prompt": "p", "chosen": "yes", "rejected": ""})), Some(("empty-side", "rejected"))),
        (
            row(json!({"prompt": "p", "chosen": "same", "rejected": "same"})),
            Some(("identical-sides", "identical")),
        ),
        (row(json!({"prompt": "p", "chosen": "yes"})), Some(("missing-column", "`rejected` is missing"))),
        (row(json!({"prompt": "p", "chosen": 5, "rejected": "no"})), Some(("wrong-type", "`chosen`"))),
        (row(json!({"prompt": null, "chosen": "yes", "rejected": "no"})), Some(("null-column", "`prompt`"))),
        (row(json!([1, 2])), Some(("not-an-object", "not an object"))),
        (b"{\"prompt\": \"\xff\"}".to_vec(), Some(("invalid-utf8", "line 9"))),
        (b"{\"prompt\": \"p\", ".to_vec(), Some(("invalid-json", "line 10"))),
        (pair(&"long ".repeat(200)), Some(("prompt-too-long", "exceeds"))),
        (pair("last"), None),
    ]
}

fn write_planted(world: &World) -> String {
    let rows: Vec<Vec<u8>> = planted_rows().into_iter().map(|(bytes, _)| bytes).collect();
    world.write("planted.jsonl", rows.join(&b'\n'))
}

#[test]
fn check_finds_every_planted_problem_with_file_row_and_reason() {
    let world = World::new(3);
    let (good, bad) = (world.path("pairs.jsonl"), write_planted(&world));
    let model = world.path("model");
    let arguments =
        ["data", "check", &good, &bad, "--tokenizer", &model, "--long-prompt", "skip", "--max-length", "200"];
    let check = sepo(arguments.iter().chain(&["--json"])).json();
    let mut expected = std::collections::BTreeMap::<&str, u64>::new();
    let listed: Vec<&str> =
        check["bad_rows"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    let human = sepo(arguments).done().stderr;
    for (row, (_, problem)) in planted_rows().into_iter().enumerate() {
        let Some((kind, named)) = problem else { continue };
        *expected.entry(kind).or_default() += 1;
        let start = format!("{bad}, row {row}: ");
        let line = listed.iter().find(|line| line.starts_with(&start));
        let line = line.unwrap_or_else(|| panic!("no row {row} in {listed:?}"));
        assert!(line.contains(named), "{kind}: {line}");
        assert!(human.contains(line), "{line}: {human}");
    }
    assert_eq!(listed.len(), 10);
    let rows: Vec<usize> =
        listed.iter().filter_map(|line| line.split([' ', ':']).nth(2)?.parse().ok()).collect();
    assert_eq!(rows, (1..=10).collect::<Vec<_>>(), "in the order of the file, whatever found them");
    let few = sepo(arguments.iter().chain(&["--show-bad-rows", "3", "--json"])).json();
    assert_eq!(few["bad_rows"], json!(listed[..3]));
    assert_eq!(check["unusable"], json!(expected));
    assert_eq!((&check["rows"], &check["usable"]), (&json!(15), &json!(5)));
    assert_eq!(check["unit"], "tokens");
    assert_eq!(check["lengths"]["prompt"]["n"], 5);
    assert_eq!(check["tokenized"]["n_pairs"], 5);
}

#[test]
fn check_lists_as_many_bad_rows_as_asked_and_counts_all() {
    let world = World::new(1);
    let check = sepo(["data", "check", &write_planted(&world), "--show-bad-rows", "2", "--json"]).json();
    assert_eq!(check["bad_rows"].as_array().unwrap().len(), 2);
    // Without a tokenizer no prompt is too long.
    assert_eq!((&check["rows"], &check["usable"]), (&json!(12), &json!(3)));
    assert_eq!(check["unit"], "bytes");
    let limited = sepo(["data", "check", &write_planted(&world), "--limit", "4", "--json"]).json();
    assert_eq!((&limited["rows"], &limited["usable"]), (&json!(4), &json!(1)));
}

#[test]
fn strict_and_the_bound_on_bad_rows_end_with_the_code_for_data() {
    let world = World::new(1);
    let (bad, model, out) = (write_planted(&world), world.path("model"), world.path("out"));
    // Nine rows are bad whatever reads them; the long prompt is cut.
    for (flags, code) in
        [(&["--max-bad-rows", "9"][..], 0), (&["--max-bad-rows", "8"], DATA), (&["--strict"], DATA), (&[], 0)]
    {
        let check = sepo(["data", "check", &bad, "--json"].iter().chain(flags));
        assert_eq!(check.code, Some(code), "{flags:?}: {}", check.stderr);
        assert_eq!(check.stdout_json()["usable"], 3, "all rows are reported, whatever the code");
        let sft = ["sft", "--model", &model, "--data", &bad, "--out", &out, "--json"];
        let sft = sepo(sft.iter().chain(flags));
        assert_eq!(sft.code, Some(code), "{flags:?}: {}", sft.stderr);
        let converted = world.path("converted.jsonl");
        let convert = sepo(["data", "convert", &bad, "--out", &converted].iter().chain(flags));
        assert_eq!(convert.code, Some(code), "{flags:?}: {}", convert.stderr);
    }
    let strict = sepo(["sft", "--model", &model, "--data", &bad, "--out", &out, "--strict"]);
    strict.fails(DATA, &["planted.jsonl, row 1: the chosen response is empty"]);
}

#[test]
fn data_without_a_usable_row_ends_with_the_code_for_data() {
    let world = World::new(1);
    let rows = "{\"prompt\": \"p\", \"chosen\": \"a\", \"rejected\": \"a\"}\n".repeat(3);
    let (hopeless, model) = (world.write("hopeless.jsonl", rows), world.path("model"));
    let check = sepo(["data", "check", &hopeless, "--json"]);
    assert_eq!(check.code, Some(DATA), "{}", check.stderr);
    assert_eq!(check.stdout_json()["unusable"], json!({"identical-sides": 3}));
    let out = world.path("out");
    sepo(["sft", "--model", &model, "--data", &hopeless, "--out", &out]).fails(DATA, &["no row of the data"]);
    sepo(["data", "convert", &hopeless, "--out", &world.path("c.jsonl")])
        .fails(DATA, &["no row of the data"]);
    let empty = world.write("empty.jsonl", "");
    sepo(["data", "check", &empty]).fails(DATA, &["empty.jsonl"]);
    for typed in ["--max-length=9", "--no-eos", "--bos=never", "--boundary=strict", "--chat-template=plain"] {
        sepo(["data", "check", &empty, typed]).fails(USAGE, &["without `--tokenizer`"]);
    }
    sepo(["data", "check", &world.path("absent.jsonl")]).fails(DATA, &["absent.jsonl", "does not exist"]);
}

#[test]
fn show_prints_text_ids_and_the_border() {
    let world = World::new(4);
    let (pairs, model) = (world.path("pairs.jsonl"), world.path("model"));
    let arguments = ["data", "show", &pairs, "--row", "2", "--tokenizer", &model];
    let shown = sepo(arguments.iter().chain(&["--json"])).json();
    let source = &json_lines(&world.read_text("pairs.jsonl"))[2];
    assert_eq!((&shown["file_row"], &shown["text"]), (&json!(2), source));
    let tokens = |side: &Value, key: &str| -> String {
        side[key].as_array().unwrap().iter().map(|token| token.as_str().unwrap()).collect()
    };
    assert_eq!(shown["prompt_ids"][0], 0, "the prompt begins with BOS");
    assert_eq!(format!("<s>{}", source["prompt"].as_str().unwrap()), tokens(&shown, "prompt_tokens"));
    for name in ["chosen", "rejected"] {
        let side = &shown[name];
        assert_eq!(side["ids"].as_array().unwrap().last(), Some(&json!(1)), "{name} is closed");
        assert_eq!((&side["closed"], &side["truncated"]), (&json!(true), &json!(false)));
        assert_eq!(format!("{}</s>", source[name].as_str().unwrap()), tokens(side, "tokens"));
    }
    let human = sepo(arguments).done();
    assert_eq!(human.stdout, "");
    for part in ["pairs.jsonl, row 2", "chosen response", "closed by an end-of-sequence token", "0\"<s>\""] {
        assert!(human.stderr.contains(part), "no `{part}` in: {}", human.stderr);
    }
    sepo(["data", "show", &pairs, "--row", "4", "--tokenizer", &model]).fails(DATA, &["no row 4"]);
    let bad = write_planted(&world);
    sepo(["data", "show", &bad, "--row", "3", "--tokenizer", &model]).fails(DATA, &["row 3", "identical"]);
}

#[test]
fn convert_keeps_every_pair_through_every_form() {
    let world = World::new(20);
    let mut from = world.path("pairs.jsonl");
    for name in ["1.parquet", "2.jsonl.gz", "3.jsonl.zst", "4.jsonl"] {
        let out = world.path(name);
        let converted = sepo(["data", "convert", &from, "--out", &out, "--json"]).json();
        assert_eq!(converted, json!({"written": 20, "unusable": 0}), "{name}");
        from = out;
    }
    let [first, last] = ["pairs.jsonl", "4.jsonl"].map(|name| json_lines(&world.read_text(name)));
    assert_eq!(first, last);
    let two = world.path("two.jsonl");
    sepo(["data", "convert", &from, "--out", &two, "--limit", "2"]).done();
    assert_eq!(json_lines(&world.read_text("two.jsonl")), first[..2]);
    sepo(["data", "convert", &from, "--out", &world.path("pairs.csv")])
        .fails(DATA, &["pairs.csv", ".parquet"]);
}

#[test]
fn flags_of_the_machine_mean_the_same_in_every_data_command() {
    let world = World::new(1);
    let (pairs, model, out) = (world.path("pairs.jsonl"), world.path("model"), world.path("out.jsonl"));
    for command in [
        &["data", "check", &pairs][..],
        &["data", "show", &pairs, "--row", "0", "--tokenizer", &model],
        &["data", "convert", &pairs, "--out", &out],
    ] {
        sepo(command.iter().chain(&["--device", "cuda"])).fails(DEVICE, &["`cuda`"]);
        sepo(command.iter().chain(&["--device", "tpu"])).fails(USAGE, &["`tpu`"]);
    }
}

#[test]
fn check_reads_real_data_sets() {
    for (name, rows, unusable) in [
        ("pairs/hh-harmless-base-test.jsonl", 2308, json!({})),
        ("pairs/llamafactory-dpo_en.jsonl", 300, json!({})),
        ("pairs/llmbar-Natural.jsonl", 100, json!({})),
        ("pairs/ultrafeedback-processed-eval_clean.jsonl", 200, json!({"identical-sides": 1})),
        ("raw/hh-rlhf-harmless-base-test.jsonl.gz", 2312, json!({"transcripts-differ": 4})),
        ("raw/llamafactory-dpo_en_demo.json", 300, json!({})),
        ("raw/tinystories_1000.json", 1000, json!({})),
        ("ultrafeedback_binarized", 150, json!({"identical-sides": 1})),
    ] {
        let Some(path) = shared(&format!("data/{name}")) else { continue };
        let check = sepo(["data", "check", path.to_str().unwrap(), "--json"]).json();
        println!("{name}: {}: {} rows, {}", check["format"], check["rows"], check["unusable"]);
        assert_eq!((&check["rows"], &check["unusable"]), (&json!(rows), &unusable), "{name}");
    }
}

#[test]
fn generated_pairs_are_as_many_as_asked_for_and_begin_alike() {
    let world = World::new(0);
    let pairs = |line: &str| {
        let generated = world.sepo(&format!("data generate --seed 5 --json {line}")).json();
        (generated["pairs"].as_u64().unwrap(), generated["text_bytes"].as_u64().unwrap())
    };
    assert_eq!(pairs("--pairs 7 --out few.jsonl").0, 7);
    let (n, n_bytes) = pairs("--size 20KiB --out many.jsonl");
    assert!((20 << 10..21 << 10).contains(&n_bytes) && n > 7, "{n} pairs of {n_bytes} bytes");
    assert!(world.read_text("many.jsonl").starts_with(&world.read_text("few.jsonl")));
    world.write_pairs("built-in.jsonl", 7);
    assert_eq!(world.read_text("few.jsonl"), world.read_text("built-in.jsonl"));
    pairs("--pairs 7 --out few.parquet");
    let check = world.sepo("data check few.parquet --json").json();
    assert_eq!((check["usable"].as_u64(), check["format"].as_str()), (Some(7), Some("explicit")));
    assert_ne!(pairs("--pairs 7 --out few.jsonl --temperature 9"), (0, 0));
    for (line, name) in [
        ("--out x.jsonl", "--pairs"),
        ("--out x.jsonl --pairs 1 --size 1KiB", "--size"),
        ("--out x.jsonl --pairs 1 --temperature 0", "0"),
    ] {
        world.sepo(&format!("data generate {line}")).fails(support::USAGE, &[name]);
    }
    world.sepo("data generate --pairs 1 --out x.txt").fails(support::DATA, &["x.txt"]);
}
