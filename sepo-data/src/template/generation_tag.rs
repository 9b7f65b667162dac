//! `{% generation %}…{% endgeneration %}`, an extension of transformers that marks the assistant's tokens.
//!
//! Rendering ignores the mark and keeps the body. The engine knows no custom tags, so each tag is replaced in the
//! source by a tag that does nothing (`{% if true %}`, `{% endif %}`) with the same whitespace control: what is
//! trimmed around a block tag stays trimmed, and line numbers in errors stay right. `{% with %}` would also give the
//! body a scope of its own, as transformers does, but the engine leaves that scope open on `{% continue %}`.

use std::borrow::Cow;

/// The source without generation tags. Comments, strings and `{% raw %}` blocks are left alone.
pub(super) fn without_generation_tags(source: &str) -> Cow<'_, str> {
    if !source.contains("generation") {
        return Cow::Borrowed(source);
    }
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    let mut is_raw = false;
    while let Some(at) = next_opening(rest, is_raw) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        // In a raw block everything is text up to its end, quotes included.
        let length = if is_raw && keyword(rest) != "endraw" { 2 } else { tag_length(rest) };
        let (tag, after) = rest.split_at(length);
        rest = after;
        if !(tag.starts_with("{%") && tag.ends_with("%}")) {
            out.push_str(tag);
            continue;
        }
        match keyword(tag) {
            "generation" => out.push_str(&tag.replacen("generation", "if true", 1)),
            "endgeneration" => out.push_str(&tag.replacen("endgeneration", "endif", 1)),
            word => {
                is_raw = word == "raw";
                out.push_str(tag);
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Where the next `{{`, `{%` or `{#` stands; in a raw block, only `{%` counts.
fn next_opening(text: &str, is_raw: bool) -> Option<usize> {
    text.as_bytes().windows(2).position(|pair| match pair {
        b"{%" => true,
        b"{{" | b"{#" => !is_raw,
        _ => false,
    })
}

/// Bytes of the tag that `text` starts with, its closing included; all of `text` where nothing closes it.
fn tag_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let closing: &[u8; 2] = match &bytes[..2] {
        b"{{" => b"}}",
        b"{%" => b"%}",
        _ => b"#}",
    };
    let honours_strings = closing != b"#}";
    let mut quote = None;
    let mut i = 2;
    while i + 1 < bytes.len() {
        match (quote, bytes[i]) {
            (Some(_), b'\\') => i += 1,
            (Some(open), byte) if byte == open => quote = None,
            (None, byte @ (b'\'' | b'"')) if honours_strings => quote = Some(byte),
            (None, _) if bytes[i..].starts_with(closing) => return i + 2,
            _ => {}
        }
        i += 1;
    }
    text.len()
}

/// First word of a `{% … %}` tag.
fn keyword(tag: &str) -> &str {
    let inner = tag.trim_start_matches("{%").trim_start_matches(['-', '+']).trim_start();
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    &inner[..end]
}

#[cfg(test)]
mod tests {
    use super::without_generation_tags as rewritten;

    #[test]
    fn keeps_whitespace_control() {
        assert_eq!(rewritten("a {%- generation -%} b {%+endgeneration%}"), "a {%- if true -%} b {%+endif%}");
    }

    #[test]
    fn leaves_strings_comments_and_raw_blocks_alone() {
        let untouched =
            "{{ '{% generation %}' }}{# {% generation %} #}{% raw %}{% generation %}{% endraw %}generation";
        assert_eq!(rewritten(untouched), untouched);
        let raw = "{% raw %}'{% generation %}\"{%- endraw %}";
        assert_eq!(rewritten(&format!("{raw}{{% generation %}}")), format!("{raw}{{% if true %}}"));
        assert_eq!(rewritten("{{ \"%}\\\"}}\" }}{% generation %}x"), "{{ \"%}\\\"}}\" }}{% if true %}x");
    }

    #[test]
    fn survives_what_never_closes() {
        for text in
            ["{% generation", "{{ 'generation", "{# generation", "generation {", "日本 {% generation %"]
        {
            assert_eq!(rewritten(text), text);
        }
    }
}
