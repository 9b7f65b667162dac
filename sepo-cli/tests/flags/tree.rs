//! All commands and flags that there are, as the program itself knows them.

use std::collections::BTreeSet;

use clap::Command;

/// Flags that `machine.rs` tries, on every command that has them.
pub(super) const MACHINE_FLAGS: [&str; 3] = ["--device", "--json", "--threads"];

/// Every command that does something, such as `data check`.
pub(super) fn commands() -> Vec<String> {
    let mut root = sepo_cli::command_line();
    root.build();
    let mut found = Vec::new();
    collect(&root, "", &mut |name, _| found.push(name.to_owned()));
    found
}

/// Every `--flag` of a command, but for help and version.
pub(super) fn flags_of(command: &str) -> BTreeSet<String> {
    let mut root = sepo_cli::command_line();
    root.build();
    let mut found = BTreeSet::new();
    collect(&root, "", &mut |name, leaf| {
        if name == command {
            found.extend(
                leaf.get_arguments()
                    .filter_map(|argument| argument.get_long())
                    .map(|long| format!("--{long}")),
            );
        }
    });
    found.remove("--help");
    found.remove("--version");
    found
}

fn collect(command: &Command, prefix: &str, found: &mut impl FnMut(&str, &Command)) {
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let name = format!("{prefix}{}", sub.get_name());
        if sub.has_subcommands() {
            collect(sub, &format!("{name} "), found);
        } else {
            found(&name, sub);
        }
    }
}
