//! The `tojson` filter as transformers defines it: Python's `json.dumps(x, ensure_ascii=False)`.
//!
//! Unlike the engine's own filter nothing is escaped for HTML, and the separators are Python's.

use std::fmt::Write as _;

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

/// Bytes of text that cost as much as a value.
const BYTES_PER_STEP: usize = 64;
/// Longest indentation of a level, and longest separator.
const MAX_LAYOUT_BYTES: usize = 64;
/// Values nest at most this deep; Python stops near 1000.
const MAX_DEPTH: usize = 200;

/// How `json.dumps` lays its output out.
struct Layout {
    ensure_ascii: bool,
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
}

/// What has been written, and how much of it has been paid for. The engine counts a text when it is there.
struct Page<'a> {
    text: String,
    n_paid: usize,
    state: &'a State<'a, 'a>,
}

impl Page<'_> {
    /// Takes the steps for a value and for the text since the last one.
    fn pay(&mut self) -> Result<(), Error> {
        let n_new = self.text.len() - self.n_paid;
        self.n_paid = self.text.len();
        self.state.consume_fuel(1 + (n_new / BYTES_PER_STEP) as u64)
    }
}

/// The value as JSON text. Arguments are those of transformers: `ensure_ascii`, `indent`, `separators`, `sort_keys`.
pub(super) fn tojson(
    state: &State<'_, '_>,
    value: &Value,
    ensure_ascii: Option<Value>,
    indent: Option<Value>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let ensure_ascii = ensure_ascii.or(kwargs.get("ensure_ascii")?).is_some_and(|flag| flag.is_true());
    let indent = indent.or(kwargs.get("indent")?).map(indent_text).transpose()?.flatten();
    let separators: Option<Vec<String>> = kwargs.get("separators")?;
    let sort_keys = kwargs.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    kwargs.assert_all_used()?;
    let (item_separator, key_separator) = match separators.as_deref() {
        Some([item, key]) if item.len().max(key.len()) <= MAX_LAYOUT_BYTES => (item.clone(), key.clone()),
        Some(_) => return Err(invalid("`separators` takes two short strings")),
        // Python: no space before a line break.
        None => ((if indent.is_some() { "," } else { ", " }).to_owned(), ": ".to_owned()),
    };
    let layout = Layout { ensure_ascii, indent, item_separator, key_separator, sort_keys };
    let mut page = Page { text: String::new(), n_paid: 0, state };
    layout.write(&mut page, value, 0)?;
    Ok(Value::from(page.text))
}

fn invalid(detail: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail)
}

/// `indent=4` and `indent="\t"` are both Python's; none means one line.
fn indent_text(indent: Value) -> Result<Option<String>, Error> {
    match indent.kind() {
        ValueKind::None | ValueKind::Undefined => Ok(None),
        ValueKind::String => match indent.as_str() {
            Some(text) if text.len() <= MAX_LAYOUT_BYTES => Ok(Some(text.to_owned())),
            _ => Err(invalid("`indent` takes a number of spaces up to 64 or a short string")),
        },
        // A bool is an integer in Python, and `indent=0` still breaks lines.
        ValueKind::Bool => Ok(Some((if indent.is_true() { " " } else { "" }).to_owned())),
        _ => match indent.as_usize() {
            Some(width) if width <= 64 => Ok(Some(" ".repeat(width))),
            _ => Err(invalid("`indent` takes a number of spaces up to 64 or a string")),
        },
    }
}

impl Layout {
    fn write(&self, page: &mut Page<'_>, value: &Value, depth: usize) -> Result<(), Error> {
        page.pay()?;
        let out = &mut page.text;
        if depth > MAX_DEPTH {
            return Err(invalid("the value nests too deep for JSON"));
        }
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => write_number(out, value)?,
            ValueKind::String => self.write_string(out, value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => self.write_list(page, value, depth)?,
            ValueKind::Map => self.write_map(page, value, depth)?,
            _ => return Err(invalid("the value has no JSON form")),
        }
        Ok(())
    }

    fn write_list(&self, page: &mut Page<'_>, value: &Value, depth: usize) -> Result<(), Error> {
        page.text.push('[');
        let mut is_empty = true;
        for item in value.try_iter()? {
            self.before_item(&mut page.text, is_empty, depth + 1);
            is_empty = false;
            self.write(page, &item, depth + 1)?;
        }
        self.close(&mut page.text, is_empty, depth, ']');
        Ok(())
    }

    fn write_map(&self, page: &mut Page<'_>, value: &Value, depth: usize) -> Result<(), Error> {
        let mut entries = Vec::new();
        for key in value.try_iter()? {
            entries.push((key_text(&key)?, value.get_item(&key)?));
        }
        if self.sort_keys {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
        }
        page.text.push('{');
        for (i, (key, item)) in entries.iter().enumerate() {
            self.before_item(&mut page.text, i == 0, depth + 1);
            self.write_string(&mut page.text, key);
            page.text.push_str(&self.key_separator);
            self.write(page, item, depth + 1)?;
        }
        self.close(&mut page.text, entries.is_empty(), depth, '}');
        Ok(())
    }

    fn before_item(&self, out: &mut String, is_first: bool, depth: usize) {
        if !is_first {
            out.push_str(&self.item_separator);
        }
        self.break_line(out, depth);
    }

    fn close(&self, out: &mut String, is_empty: bool, depth: usize, bracket: char) {
        if !is_empty {
            self.break_line(out, depth);
        }
        out.push(bracket);
    }

    fn break_line(&self, out: &mut String, depth: usize) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            (0..depth).for_each(|_| out.push_str(indent));
        }
    }

    fn write_string(&self, out: &mut String, text: &str) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                c if c < ' ' || (self.ensure_ascii && !c.is_ascii()) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let _ = write!(out, "\\u{unit:04x}"); // writing to a String cannot fail
                    }
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}

/// Python turns the keys that JSON cannot hold into strings.
fn key_text(key: &Value) -> Result<String, Error> {
    let mut text = String::new();
    match key.kind() {
        ValueKind::String => return Ok(key.as_str().unwrap_or_default().to_owned()),
        ValueKind::None => text.push_str("null"),
        ValueKind::Bool => text.push_str(if key.is_true() { "true" } else { "false" }),
        ValueKind::Number => write_number(&mut text, key)?,
        _ => return Err(invalid("a key has no JSON form")),
    }
    Ok(text)
}

fn write_number(out: &mut String, value: &Value) -> Result<(), Error> {
    if value.is_integer() {
        let _ = write!(out, "{value}"); // writing to a String cannot fail
        return Ok(());
    }
    out.push_str(&python_float(f64::try_from(value.clone())?));
    Ok(())
}

/// Python's `repr` of a float: the shortest digits that read back, an exponent below 1e-4 and from 1e16.
fn python_float(x: f64) -> String {
    if x.is_nan() {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return (if x > 0.0 { "Infinity" } else { "-Infinity" }).to_owned();
    }
    let magnitude = x.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let scientific = format!("{x:e}");
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{x:?}")
}

#[cfg(test)]
mod tests {
    use super::python_float;

    #[test]
    fn floats_read_as_python_writes_them() {
        let expected = [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (1.5e-5, "1.5e-05"),
            (1e-4, "0.0001"),
            (1e100, "1e+100"),
            (f64::NAN, "NaN"),
        ];
        for (x, text) in expected {
            assert_eq!(python_float(x), text);
        }
    }
}
