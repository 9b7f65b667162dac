//! Where every key and value stands.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use toml::de::{DeTable, DeValue};

use super::mistake::{Located, Mistake};
use super::source::Sources;

/// Spans by dotted path.
#[derive(Debug)]
pub(super) struct Places {
    sources: Rc<Sources>,
    spans: BTreeMap<String, Spans>,
}

#[derive(Debug)]
struct Spans {
    key: Range<usize>,
    value: Range<usize>,
}

impl Places {
    pub(super) fn of(table: &DeTable<'_>, sources: Rc<Sources>) -> Self {
        let mut places = Self { sources, spans: BTreeMap::new() };
        places.add(table, "");
        places
    }

    fn add(&mut self, table: &DeTable<'_>, prefix: &str) {
        for (key, value) in table {
            let path = format!("{prefix}{}", key.get_ref());
            if let DeValue::Table(table) = value.get_ref() {
                self.add(table, &format!("{path}."));
            }
            self.spans.insert(path, Spans { key: key.span(), value: value.span() });
        }
    }

    /// Whether the key was written.
    pub(super) fn has(&self, path: &str) -> bool {
        self.spans.contains_key(path)
    }

    /// The mistake at the key.
    pub(super) fn at_key(&self, path: &str, mistake: Mistake, label: impl Into<String>) -> Located {
        self.at(self.spans.get(path).map(|spans| spans.key.clone()), mistake, label)
    }

    /// The mistake at the value.
    pub(super) fn at_value(&self, path: &str, mistake: Mistake, label: impl Into<String>) -> Located {
        self.at(self.spans.get(path).map(|spans| spans.value.clone()), mistake, label)
    }

    fn at(&self, span: Option<Range<usize>>, mistake: Mistake, label: impl Into<String>) -> Located {
        match span {
            Some(span) => self.sources.locate(mistake, span, label),
            None => Located::nowhere(mistake),
        }
    }

    /// The mistake of a value that is of the wrong kind; `section` is where it was looked for.
    pub(super) fn unreadable(&self, section: &str, error: &toml::de::Error) -> Located {
        let span = error.span();
        let holds = |spans: &Spans, at: usize| spans.value.contains(&at) || spans.key.contains(&at);
        // The longest path is the innermost.
        let path = span.as_ref().and_then(|span| {
            let around = self.spans.iter().filter(|(path, spans)| {
                path.starts_with(section) && holds(spans, span.start) && *path != section
            });
            around.map(|(path, _)| path).max_by_key(|path| path.len())
        });
        let key = path.cloned().unwrap_or_else(|| section.to_owned());
        self.at(span, Mistake::Value { key, reason: error.message().trim().to_owned() }, "this value")
    }
}
