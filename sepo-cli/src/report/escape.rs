use crate::heatmap::stand_in;

/// Text that is safe both between tags and inside a quoted attribute. Control characters, which HTML forbids, and
/// overrides of the writing direction become visible stand-ins.
///
/// Equivalent to this slow code: replace `&`, `<`, `>`, `"`, `'` by their references, one after the other.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            '\r' => {}
            _ => escaped.push(stand_in(c).unwrap_or(c)),
        }
    }
    escaped
}

/// Text without what a page or an SVG must not hold, for those who escape on their own.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { stand_in(c).unwrap_or(c) }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The characters that `escape` wrote as references, read back.
    fn unescape(escaped: &str) -> String {
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
            .iter()
            .fold(escaped.to_owned(), |text, (reference, c)| text.replace(reference, c))
    }

    proptest! {
        #[test]
        fn nothing_escapes_and_nothing_is_lost(text in any::<String>()) {
            let escaped = escape(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            prop_assert!(!escaped.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
            let expected: String = text.chars().filter(|c| *c != '\r').map(|c| match c {
                '\n' | '\t' => c,
                _ => stand_in(c).unwrap_or(c),
            }).collect();
            prop_assert_eq!(unescape(&escaped), expected);
        }
    }
}
