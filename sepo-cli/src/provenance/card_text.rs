//! The model card: its words.

use std::fmt::Write as _;

use serde_json::Value;

use super::card::Card;
use super::settings::is_composed;
use super::{Input, InputKind, hub};
use crate::console::grouped;

/// Metrics that say something of the model; how fast it was made says nothing.
const METRICS: [&str; 8] = [
    "step",
    "epoch",
    "loss",
    "rewards/accuracies",
    "rewards/margins",
    "accuracies/logp_sum",
    "logps/chosen",
    "logps/rejected",
];

impl Card<'_> {
    /// The whole file.
    pub(super) fn text(&self) -> String {
        let record = self.record;
        let mut text = self.front_matter();
        let _ = writeln!(text, "{}\n\n# {}\n\n{}\n", Self::MARK, self.title, self.summary());
        self.add_inputs(&mut text);
        self.add_selection(&mut text);
        self.add_metrics(&mut text);
        let _ = writeln!(text, "## Settings\n\n| setting | value |\n|---|---|");
        add_settings("", &record.settings, &mut text);
        let _ = writeln!(text, "| device | {} |\n", code(&record.device));
        if !record.counts.is_empty() {
            let _ = writeln!(text, "| count | |\n|---|---|");
            for (name, n) in &record.counts {
                let _ = writeln!(text, "| {} | {} |", name.replace('_', " "), grouped(*n));
            }
            text.push('\n');
        }
        let _ = writeln!(text, "## Files\n\n| file | bytes | blake3 |\n|---|---|---|");
        for file in &record.outputs {
            let _ = writeln!(text, "| {} | {} | `{}` |", code(&file.name), grouped(file.bytes), file.blake3);
        }
        text + "\n" + &self.usage()
    }

    fn front_matter(&self) -> String {
        let mut text = "---\nlibrary_name: transformers\npipeline_tag: text-generation\n".to_owned();
        if let Some(base) = hub::base_model(self.record) {
            let _ = writeln!(text, "base_model: {base}\nbase_model_relation: finetune");
        }
        let datasets = hub::datasets(self.record);
        if !datasets.is_empty() {
            text += "datasets:\n";
            datasets.iter().for_each(|id| text += &format!("- {id}\n"));
        }
        text += "tags:\n- sepo\n- preference-optimization\n";
        if let Some(objective) = self.objective().filter(|name| *name != "sepo") {
            // A name of our own: letters and hyphens.
            let _ = writeln!(text, "- {objective}");
        }
        text + "---\n"
    }

    /// The loss's name.
    fn objective(&self) -> Option<&str> {
        let record = self.record;
        match (record.stage.as_str(), record.part.as_deref()) {
            ("quickstart", _) => None,
            ("sft", _) | ("oracle", Some("reference")) => Some("sft"),
            ("oracle", _) => Some("dpo"),
            _ if is_composed(&record.settings) => Some("composed"),
            _ => record.settings.pointer("/objective/name").and_then(Value::as_str),
        }
    }

    fn summary(&self) -> String {
        let record = self.record;
        if let ("quickstart", Some(part)) = (record.stage.as_str(), record.part.as_deref()) {
            return format!(
                "`{}` of the pipeline on built-in data, which shows how the parts play together: a small model of made-up text, by `sepo-cli quickstart` {}.",
                plain(part),
                record.program_version
            );
        }
        let start = ["start", "reference", "model"]
            .into_iter()
            .filter(|role| *role != "reference" || record.stage == "oracle")
            .find_map(|role| record.input(role));
        let from = start.map(|input| format!(" from {}", place(input))).unwrap_or_default();
        let made = match (record.stage.as_str(), record.part.as_deref()) {
            ("oracle", Some("reference")) if record.input("reference").is_some() => {
                return format!(
                    "The reference of an oracle: a copy of the model{from}, without further training."
                );
            }
            ("oracle", Some("reference")) => "The reference of an oracle, fine-tuned on chosen responses",
            ("oracle", _) => {
                "The oracle of selective preference optimization: its log-probabilities minus those of its reference score tokens. Trained by DPO"
            }
            ("sft", _) => "Fine-tuned on chosen responses",
            _ => "A policy, trained on preferences",
        };
        let with = self.objective().map(|name| format!(" with the objective `{name}`")).unwrap_or_default();
        format!("{made}{from}{with}, by `sepo-cli {}` {}.", record.stage, record.program_version)
    }

    fn add_inputs(&self, text: &mut String) {
        let _ =
            writeln!(text, "## Made from\n\n| input | path | file | bytes | blake3 |\n|---|---|---|---|---|");
        for input in &self.record.inputs {
            for file in &input.files {
                let (role, path, name) = (&input.role, place(input), code(&file.name));
                let _ = writeln!(
                    text,
                    "| {role} | {path} | {name} | {} | `{}` |",
                    grouped(file.bytes),
                    file.blake3
                );
            }
        }
        for accepted in &self.record.accepted {
            let (path, what) = (code(&accepted.path), accepted.differences.join("; "));
            let _ =
                write!(text, "\nAccepted although changed, as {}: {path}: {}\n", accepted.role, plain(&what));
        }
        text.push('\n');
    }

    /// What is known of the selection that was trained on.
    fn add_selection(&self, text: &mut String) {
        // Pairs of a file may have a record, too; a selection is an input of one file.
        let selection = self.record.input("data").filter(|input| input.kind == InputKind::File);
        let hash = selection.and_then(|input| input.record.as_ref());
        let Some(selection) = hash.and_then(|hash| self.record.upstream.get(hash)) else { return };
        let _ = writeln!(text, "## Selection\n\n| setting | value |\n|---|---|");
        add_settings("", &selection.settings, text);
        for (name, n) in &selection.counts {
            let _ = writeln!(text, "| {} | {} |", name.replace('_', " "), grouped(*n));
        }
        text.push('\n');
    }

    fn add_metrics(&self, text: &mut String) {
        if self.metrics.is_empty() {
            return;
        }
        let value = |row: &super::card::Measured, name: &str| {
            let value = row.values.get(name).or_else(|| row.values.get(&format!("eval_{name}")))?.as_f64()?;
            Some(if name == "step" { format!("{value}") } else { format!("{value:.4}") })
        };
        let is_known = |name: &&&str| self.metrics.iter().any(|row| value(row, name).is_some());
        let names: Vec<&&str> = METRICS.iter().filter(is_known).collect();
        let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
        let header = names.iter().map(|name| (**name).to_owned());
        let _ =
            writeln!(text, "## Metrics\n\n{}", line(std::iter::once(String::new()).chain(header).collect()));
        let _ = writeln!(text, "|{}", "---|".repeat(names.len() + 1));
        for row in &self.metrics {
            let values = names.iter().map(|name| value(row, name).unwrap_or_else(|| "–".to_owned()));
            let _ = writeln!(text, "{}", line(std::iter::once(row.what.to_owned()).chain(values).collect()));
        }
        text.push('\n');
    }

    fn usage(&self) -> String {
        let name = plain(&self.title).replace('"', "");
        format!(
            "## Use\n\n```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n\
             model = AutoModelForCausalLM.from_pretrained(\"{name}\")\n\
             tokenizer = AutoTokenizer.from_pretrained(\"{name}\")\n```\n\n\
             ## Make it again\n\n`sepo.json` holds every setting and the hashes of every input.\n\n\
             ```sh\nsepo-cli lineage {name}     # what it was made from, and whether that is still there and the same\n\
             sepo-cli reproduce {name}   # runs the stage again and compares\n```\n"
        )
    }
}

fn add_settings(prefix: &str, value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                add_settings(&path, value, text);
            }
        }
        Value::Null => {}
        Value::Array(items) if items.is_empty() => {}
        Value::String(string) => {
            let _ = writeln!(text, "| {prefix} | {} |", code(string));
        }
        other => {
            let _ = writeln!(text, "| {prefix} | {} |", code(&other.to_string()));
        }
    }
}

/// Where an input lay.
fn place(input: &Input) -> String {
    code(&input.given.join(" "))
}

/// Text that ends no cell and no line.
fn plain(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('|', "\\|")
}

fn code(text: &str) -> String {
    format!("`{}`", plain(text).replace('`', "'"))
}
