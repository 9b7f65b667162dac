//! No flag is taken and then ignored: each changes what is made, or leaves it alone for a reason that stands here.
//!
//! The commands and their flags are those that the program itself knows ([`tree`]), so that a new one without a row here
//! fails.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod effect;
mod machine;
mod made;
mod scoring;
mod shown;
mod training;
mod tree;
mod whole;
mod world;

use support::sepo;

/// A command, and the walk over its flags.
const WALKS: &[(&str, fn())] = &[
    ("data check", shown::flags_of_check_change_what_is_printed),
    ("data show", shown::flags_of_show_change_what_is_printed_or_are_refused),
    ("data convert", shown::flags_of_convert_change_the_file_or_are_known_not_to),
    ("data split", shown::flags_of_split_change_the_files_or_are_known_not_to),
    ("data generate", shown::flags_of_generated_data_change_the_file),
    ("sft", training::flags_of_sft_change_the_weights_or_are_known_not_to),
    ("oracle", training::flags_of_oracle_change_the_models_or_are_known_not_to),
    ("score", scoring::flags_of_score_change_the_scores_or_are_known_not_to),
    ("select", scoring::flags_of_select_change_the_selection_or_are_known_not_to),
    ("classify train", scoring::flags_of_classify_train_change_the_head_or_are_known_not_to),
    ("classify score", scoring::flags_of_classify_score_change_the_scores_or_are_known_not_to),
    ("weights import", scoring::flags_of_import_change_the_weights_or_are_known_not_to),
    ("weights export", scoring::flags_of_export_change_the_file_or_are_known_not_to),
    ("weights project", scoring::flags_of_project_change_the_weights_or_are_known_not_to),
    ("train", training::flags_of_train_change_the_weights_or_are_known_not_to),
    ("objectives", shown::objectives_are_told_for_people_and_programs),
    ("eval", shown::flags_of_eval_change_what_is_printed_or_are_known_not_to),
    ("generate", shown::flags_of_generate_change_the_responses),
    ("explain", shown::flags_of_explain_change_what_is_shown),
    ("report", shown::flags_of_report_change_where_it_lies),
    ("lineage", made::flags_of_lineage_change_what_is_printed),
    ("reproduce", made::flags_of_reproduce_change_where_it_lies_or_are_known_not_to),
    ("run", whole::flags_of_run_change_what_is_run_or_are_known_not_to),
    ("bench methods", whole::flags_of_bench_change_what_is_compared_and_it_goes_on),
    ("quickstart", whole::flags_of_quickstart_change_the_data),
    ("doctor", whole::doctor_has_no_flags_but_those_of_the_machine),
];

#[test]
fn every_flag_of_every_command_changes_something_or_is_known_not_to() {
    let commands = tree::commands();
    let without: Vec<&String> =
        commands.iter().filter(|name| !WALKS.iter().any(|(walked, _)| walked == name)).collect();
    assert!(without.is_empty(), "no walk over the flags of {without:?}");
    let failed: Vec<&str> = std::thread::scope(|scope| {
        let walks: Vec<_> = WALKS.iter().map(|(name, walk)| (*name, scope.spawn(walk))).collect();
        walks.into_iter().filter_map(|(name, walk)| walk.join().err().map(|_| name)).collect()
    });
    assert!(failed.is_empty(), "see above for what is wrong with {failed:?}");
}

#[test]
fn every_command_has_help_and_refuses_an_unknown_flag() {
    for name in tree::commands() {
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
