//! Where every key and value stands.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use toml::de::{DeTable, DeValue};

use super::mistake::{Located, Mistake};
use super::nearest::nearest;
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

    /// The path at which a setting stands that belongs to a part of a section: in the part, in the section, or the innermost that is
    /// written of the part's own path. Where nothing is, the setting's own.
    pub(super) fn nearest_to(&self, section: &str, part: &str, setting: &str) -> String {
        let part = format!("{section}.{part}");
        let (within, last) = (format!("{part}."), format!(".{setting}"));
        let in_part = self.spans.keys().find(|path| path.starts_with(&within) && path.ends_with(&last));
        let own = format!("{section}.{setting}");
        let mut around = part.match_indices('.').map(|(dot, _)| &part[..dot]).collect::<Vec<_>>();
        around.push(&part);
        let innermost = around.into_iter().rev().find(|path| self.has(path) && *path != section);
        match (in_part, innermost) {
            (Some(path), _) => path.clone(),
            (None, _) if self.has(&own) => own,
            (None, Some(path)) => path.to_owned(),
            (None, None) => own,
        }
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
        let reason = error.message().trim().to_owned();
        let meant = meant(&reason).map(|name| format!("did you mean `{name}`?"));
        let located = self.at(span, Mistake::Value { key, reason }, "this value");
        match meant {
            Some(help) => located.with_help(help),
            None => located,
        }
    }
}

/// The name that was probably meant, out of the list of those that there are: serde's, or that of the TOML reader for the numbers of a
/// choice.
fn meant(reason: &str) -> Option<&str> {
    if let Some(lists) = reason.strip_prefix("unexpected keys in table: ") {
        let (typed, known) = lists.split_once(", available keys: ")?;
        return nearest(typed.split(", ").next()?, known.split(", "));
    }
    if let Some((typed, known)) =
        reason.strip_prefix("invalid value: string \"").and_then(|rest| rest.split_once('"'))
    {
        return nearest(typed, known.split('`').skip(1).step_by(2));
    }
    let is_unknown = reason.starts_with("unknown field") || reason.starts_with("unknown variant");
    let mut quoted = reason.split('`').skip(1).step_by(2);
    let typed = quoted.next().filter(|_| is_unknown)?;
    nearest(typed, quoted)
}
