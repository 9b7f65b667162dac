//! One bad input, and what must come of it.

use std::fmt::Write as _;

use super::said::said;
use super::support::World;
use super::tree::{Tree, is_unfinished};
use super::world::fresh;

/// One bad input.
pub(super) struct Case {
    /// What is wrong, as a title.
    pub(super) what: &'static str,
    /// Makes it so, in a folder as [`fresh`] leaves it.
    pub(super) before: fn(&World),
    /// What is typed after `sepo-cli`.
    pub(super) typed: &'static str,
    /// The exit code; with 0, the input is passed over with a warning.
    pub(super) exit: i32,
}

/// Nothing has to be made so: the flags are at fault.
pub(super) fn as_it_is(_: &World) {}

/// Runs every case: each ends as it must and leaves nothing, and what they say is what stands in `snapshots/NAME.snap`.
#[track_caller]
pub(super) fn check(name: &str, cases: &[Case]) {
    let (mut page, mut wrong) = (String::new(), Vec::new());
    for case in cases {
        let (said, otherwise) = case.run();
        writeln!(page, "# {}\n\n{said}", case.what).unwrap();
        wrong.extend(otherwise.into_iter().map(|otherwise| format!("{}: {otherwise}", case.what)));
    }
    assert_said(name, &page);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Compares a page with that of the name.
#[track_caller]
pub(super) fn assert_said(name: &str, page: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, page));
}

impl Case {
    /// Runs the case in a folder of its own. Returns what was said, and what was not as it must be.
    fn run(&self) -> (String, Vec<String>) {
        let world = fresh();
        (self.before)(&world);
        let before = Tree::of(&world);
        let ran = said(&world, self.typed);
        let after = Tree::of(&world);
        let mut wrong = Vec::new();
        if ran.code != Some(self.exit) {
            wrong.push(format!("it ended with {:?}, not with {}", ran.code, self.exit));
        }
        if !ran.stdout.is_empty() {
            wrong.push(format!("it wrote to stdout: {}", ran.stdout));
        }
        let left: Vec<&str> = match self.exit {
            0 => after.names().filter(|name| is_unfinished(name)).collect(),
            _ => before.changed(&after),
        };
        if !left.is_empty() {
            wrong.push(format!("it left or changed {left:?}"));
        }
        let said = match self.exit {
            // The rest tells of what went well, at which speed.
            0 => warnings(&ran.stderr),
            _ => ran.stderr,
        };
        (format!("$ sepo-cli {}\n{said}exit code {}\n", self.typed, self.exit), wrong)
    }
}

fn warnings(said: &str) -> String {
    said.lines()
        .filter(|line| line.trim_start().to_lowercase().starts_with("warn"))
        .map(|line| format!("{line}\n"))
        .collect()
}
