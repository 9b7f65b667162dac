/// One drawable piece of a token's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Glyph {
    /// A character that shows itself.
    Text(char),
    /// A space, which each drawing treats in its own way.
    Space,
    /// A visible stand-in for a character that shows nothing, or does something.
    StandIn(char),
    /// Where the text breaks its line; the stand-in `↵` comes before it.
    LineBreak,
}

/// The glyphs of a token, in order. A token without text is `∅`.
pub(super) fn glyphs(text: &str) -> Vec<Glyph> {
    let mut glyphs = Vec::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' ' => glyphs.push(Glyph::Space),
            '\n' => glyphs.extend([Glyph::StandIn('↵'), Glyph::LineBreak]),
            '\t' => glyphs.push(Glyph::StandIn('⇥')),
            '\u{a0}' => glyphs.push(Glyph::StandIn('⍽')),
            _ => glyphs.push(stand_in(c).map_or(Glyph::Text(c), Glyph::StandIn)),
        }
    }
    if glyphs.is_empty() {
        glyphs.push(Glyph::StandIn('∅'));
    }
    glyphs
}

/// A visible character for one that must not reach a terminal or a page: control characters (a token may hold a
/// terminal escape) and overrides of the writing direction (a token may turn its neighbours around).
pub(crate) fn stand_in(c: char) -> Option<char> {
    match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)),
        '\x7f' => Some('␡'),
        '\u{80}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fdd0}'..='\u{fdef}' => {
            Some('\u{fffd}')
        }
        _ if u32::from(c) & 0xfffe == 0xfffe => Some('\u{fffd}'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_nothing_gets_a_stand_in() {
        let shown: String = glyphs("a b\t\u{1b}[31m\n\u{202e}\u{0}\u{7f}\u{a0}")
            .into_iter()
            .map(|glyph| match glyph {
                Glyph::Text(c) | Glyph::StandIn(c) => c,
                Glyph::Space => '·',
                Glyph::LineBreak => '|',
            })
            .collect();
        assert_eq!(shown, "a·b⇥␛[31m↵|\u{fffd}␀␡⍽");
        assert_eq!(glyphs(""), [Glyph::StandIn('∅')]);
    }
}
