//! The tree, drawn.

use std::fmt::Write as _;

use super::super::settings::is_composed;
use super::{InputKind, Made, Node, State};
use crate::console::grouped;

/// Digits of a hash that are shown; `--json` has all.
const DIGITS: usize = 12;

impl Node {
    /// A line for each node, inputs below what was made from them.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.draw(["", ""], &mut text);
        text.pop();
        text
    }

    fn draw(&self, [first, rest]: [&str; 2], text: &mut String) {
        let _ = writeln!(text, "{first}{}", self.line());
        let inputs = self.made.iter().flat_map(|made| &made.inputs);
        let inputs: Vec<&Self> = inputs.chain(&self.parts).collect();
        let bar = if inputs.is_empty() { "  " } else { "│ " };
        for difference in &self.differences {
            let _ = writeln!(text, "{rest}{bar}  {difference}");
        }
        for accepted in self.made.iter().flat_map(|made| &made.accepted) {
            let what = accepted.differences.join("; ");
            let _ = writeln!(
                text,
                "{rest}{bar}  accepted although changed, as {}: `{}`: {what}",
                accepted.role, accepted.path
            );
        }
        for (i, input) in inputs.iter().enumerate() {
            let [branch, below] =
                if i + 1 == inputs.len() { ["└─ ", "   "] } else { ["├─ ", "│  "] };
            input.draw([&format!("{rest}{branch}"), &format!("{rest}{below}")], text);
        }
    }

    fn line(&self) -> String {
        let role = self.role.as_ref().map(|role| format!("{role} ")).unwrap_or_default();
        let made = self.made.as_ref().map(|made| format!(": {}", made.text())).unwrap_or_default();
        let state = match self.state {
            // Nothing is recorded of it outside of itself.
            State::Unchanged if self.role.is_none() && self.kind == InputKind::File => "",
            State::Unchanged => ", unchanged",
            State::Changed => ", CHANGED",
            State::Missing => ", NOT THERE",
        };
        let hash: String = self.blake3.chars().take(DIGITS).collect();
        let files = match self.files.len() {
            1 => String::new(),
            n => format!("{n} files, "),
        };
        format!("{role}`{}`{made} ({files}blake3 {hash}{state})", self.path)
    }
}

impl Made {
    /// The command with what is most asked for.
    fn text(&self) -> String {
        let part = self.part.as_ref().map(|part| format!(" ({part})")).unwrap_or_default();
        let mut text = format!("{}{part} {}, {}", self.stage, self.program_version, self.device);
        if let Some(seed) = self.seed {
            let _ = write!(text, ", seed {seed}");
        }
        let said = [("/objective/name", "objective"), ("/rule", "rule")];
        for (pointer, name) in said {
            match self.settings.pointer(pointer) {
                Some(_) if name == "objective" && is_composed(&self.settings) => {
                    text += ", objective composed"
                }
                Some(serde_json::Value::String(value)) => {
                    let _ = write!(text, ", {name} {value}");
                }
                // A rule with settings.
                Some(value) if !value.is_null() => {
                    let _ = write!(text, ", {name} {value}");
                }
                _ => {}
            }
        }
        for name in ["pairs", "steps"] {
            if let Some(n) = self.counts.get(name) {
                let _ = write!(text, ", {} {name}", grouped(*n));
            }
        }
        if self.is_above {
            text += "; see above";
        }
        text
    }
}
