//! The recipe's text and the overrides, as one table whose spans say from which of them a value comes.

use std::ops::Range;
use std::path::Path;

use miette::{LabeledSpan, NamedSource};
use sepo_data::is_url;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::{Located, Mistake};
use super::sections::holds_paths;
use crate::args::template_choice;

/// Texts one after the other; a byte offset over all of them names a place in one.
#[derive(Debug)]
pub(super) struct Sources {
    /// The file first, then every override.
    parts: Vec<Part>,
    /// What the file is.
    pub(super) what: &'static str,
}

#[derive(Debug)]
struct Part {
    name: String,
    /// Blanks in place of all texts before this one, then the text: the parser's offsets are the common ones.
    padded: String,
    start: usize,
    /// Dots in an override's key, and one more; 0 for the recipe.
    depth: usize,
}

impl Part {
    fn text(&self) -> &str {
        &self.padded[self.start..]
    }
}

impl Sources {
    pub(super) fn new(
        (what, file): (&'static str, &Path),
        text: &str,
        overrides: &[String],
    ) -> Result<Self, Located> {
        let name = file.display().to_string();
        let parts = vec![Part { name, padded: text.to_owned(), start: 0, depth: 0 }];
        let mut sources = Self { parts, what };
        for typed in overrides {
            let (snippet, depth) = assignment(typed)?;
            // One more, so that the end of a text is not the start of the next.
            let start = sources.parts.last().map_or(0, |part| part.padded.len()) + 1;
            let padded = " ".repeat(start) + &snippet;
            sources.parts.push(Part { name: "--set".to_owned(), padded, start, depth });
        }
        Ok(sources)
    }

    /// The table of the recipe with every override in it, in their order. Paths in overrides are made absolute, since
    /// whoever types one means the folder they are in, not the recipe's.
    pub(super) fn parse(&self) -> Result<DeTable<'_>, Located> {
        let mut root = DeTable::new();
        for part in &self.parts {
            let table = DeTable::parse(&part.padded).map_err(|error| {
                let mistake = Mistake::Syntax { what: self.what, reason: error.message().to_owned() };
                let end = part.padded.len();
                self.locate(mistake, error.span().unwrap_or(end..end), "here")
            })?;
            let mut table = table.into_inner();
            if part.depth > 0 {
                make_absolute(&mut table);
            }
            merge(&mut root, table, part.depth);
        }
        Ok(root)
    }

    /// The mistake with a label at `span`.
    pub(super) fn locate(&self, mistake: Mistake, span: Range<usize>, label: impl Into<String>) -> Located {
        let part = self.parts.iter().rev().find(|part| part.start <= span.start);
        let Some(part) = part else { return Located::nowhere(mistake) };
        let text = NamedSource::new(&part.name, part.text().to_owned()).with_language("TOML");
        let within = span.start - part.start..span.end.max(span.start) - part.start;
        let label = LabeledSpan::new_with_span(Some(label.into()), within);
        Located::at(mistake, text, label)
    }
}

/// `a.b=c` as TOML, and how many names the key has. What is no TOML value is taken as a string: a shell eats quotes.
fn assignment(typed: &str) -> Result<(String, usize), Located> {
    let refuse = || {
        let help = "write `--set select.keep_chosen=0.5`; values are TOML, bare words are strings";
        Located::nowhere(Mistake::Override { typed: typed.to_owned() }).with_help(help)
    };
    let (key, value) = typed.split_once('=').ok_or_else(refuse)?;
    let (key, value) = (key.trim(), value.trim());
    let names: Vec<&str> = key.split('.').collect();
    let is_bare =
        |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    if names.len() < 2 || !names.iter().all(is_bare) || value.is_empty() || value.contains('\n') {
        return Err(refuse());
    }
    let is_toml = DeValue::parse(value).is_ok();
    let is_meant_as_toml = value.starts_with(['"', '\'', '[', '{']);
    let value =
        if is_toml || is_meant_as_toml { value.to_owned() } else { toml::Value::from(value).to_string() };
    Ok((format!("{key} = {value}"), names.len()))
}

/// Puts `new` into `into`: the first `depth` names of a path are followed, what they lead to is replaced.
fn merge<'i>(into: &mut DeTable<'i>, new: DeTable<'i>, depth: usize) {
    for (key, value) in new {
        let both = (into.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut), value);
        match both {
            (Some(DeValue::Table(old)), value) if depth > 1 && value.get_ref().is_table() => {
                if let DeValue::Table(table) = value.into_inner() {
                    merge(old, table, depth - 1);
                }
            }
            (_, value) => {
                // The key's own span must become the new one too.
                into.remove(key.get_ref().as_ref());
                into.insert(key, value);
            }
        }
    }
}

fn make_absolute(root: &mut DeTable<'_>) {
    for (section, table) in root.iter_mut() {
        let DeValue::Table(table) = table.get_mut() else { continue };
        for (key, value) in table.iter_mut() {
            let key = format!("{}.{}", section.get_ref(), key.get_ref());
            let is_file = |text: &str| matches!(template_choice(text), sepo_data::TemplateChoice::File(_));
            let is_template = key == "tokens.template" && value.get_ref().as_str().is_some_and(is_file);
            if holds_paths(&key) || is_template {
                make_value_absolute(value.get_mut());
            }
        }
    }
}

fn make_value_absolute(value: &mut DeValue<'_>) {
    match value {
        DeValue::String(path) => {
            if !is_url(path)
                && let Ok(absolute) = std::path::absolute(path.as_ref())
            {
                *path = absolute.display().to_string().into();
            }
        }
        DeValue::Array(paths) => paths.iter_mut().for_each(|path| make_value_absolute(path.get_mut())),
        _ => {}
    }
}
