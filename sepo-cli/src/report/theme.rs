//! Every colour of a page, for both schemes, in one table that the style sheet and the charts are made from.

use std::fmt::Write as _;

/// A colour by name, in the light and in the dark scheme, as `0xRRGGBB`.
pub(crate) struct Tone {
    pub(crate) name: &'static str,
    pub(crate) light: u32,
    pub(crate) dark: u32,
}

const fn tone(name: &'static str, light: u32, dark: u32) -> Tone {
    Tone { name, light, dark }
}

pub(crate) static INK: Tone = tone("ink", 0x1c2128, 0xe6eaef);
pub(crate) static MUTED: Tone = tone("muted", 0x57606a, 0xa3adb8);
pub(crate) static GRID: Tone = tone("grid", 0xdde2e8, 0x343c46);

/// Series colours: the first six are told apart with the common colour deficiencies, the others are for charts with more
/// lines; dashes and markers tell them apart without colour.
pub(crate) static SERIES: [Tone; 12] = [
    tone("series-0", 0x0b63a8, 0x6cb6ff),
    tone("series-1", 0xb84a00, 0xffa657),
    tone("series-2", 0x0a7a5a, 0x56d4a0),
    tone("series-3", 0x8b3fa0, 0xd8a2f0),
    tone("series-4", 0xa62040, 0xff8fa3),
    tone("series-5", 0x6a5c10, 0xd9c65c),
    tone("series-6", 0x1f4e9c, 0x9cb8ff),
    tone("series-7", 0x8a3a12, 0xffc896),
    tone("series-8", 0x2f6b1f, 0xa5e08c),
    tone("series-9", 0x5d3fb0, 0xc3b1ff),
    tone("series-10", 0x7a1f5c, 0xff9ed8),
    tone("series-11", 0x4d5a66, 0xb5c2d0),
];

static SURFACES: [Tone; 8] = [
    tone("paper", 0xffffff, 0x12161b),
    tone("panel", 0xf6f8fa, 0x1a2027),
    tone("link", 0x0b5cad, 0x6cb6ff),
    tone("warning", 0x8a4600, 0xffb86b),
    tone("warning-paper", 0xfff6e8, 0x2a2013),
    tone("good", 0x0b6b3a, 0x5fd38d),
    tone("bad", 0xa8182f, 0xff95a1),
    tone("ink-on-heat", 0x14181d, 0xf4f6f8),
];

/// Shades of a negative score, weakest first.
static NEGATIVE: [Tone; 5] = [
    tone("negative-1", 0xe4f0fc, 0x15273d),
    tone("negative-2", 0xc4e0fa, 0x173659),
    tone("negative-3", 0x9ccaf6, 0x19457a),
    tone("negative-4", 0x73b1f2, 0x1c5598),
    tone("negative-5", 0x4c98e8, 0x2063b2),
];

/// Shades of a positive score, weakest first.
static POSITIVE: [Tone; 5] = [
    tone("positive-1", 0xffefdc, 0x33220f),
    tone("positive-2", 0xffdcb3, 0x4b2f10),
    tone("positive-3", 0xffc485, 0x673e0e),
    tone("positive-4", 0xfdaa54, 0x824c0b),
    tone("positive-5", 0xf58f26, 0x985707),
];

fn tones() -> impl Iterator<Item = &'static Tone> {
    [&INK, &MUTED, &GRID].into_iter().chain(&SERIES).chain(&SURFACES).chain(&NEGATIVE).chain(&POSITIVE)
}

/// Stroke patterns of the series, in chart units; the first is solid.
const DASHES: [&str; 12] = [
    "none",
    "14 8",
    "3 7",
    "22 7 3 7",
    "8 5",
    "22 6 8 6",
    "30 5",
    "5 4",
    "14 4 3 4 3 4",
    "3 3",
    "18 12",
    "10 4 4 4",
];

/// Custom properties for both schemes, and the rules that turn a chart's own (light) colours into them.
///
/// A chart carries the light colours as plain attributes, so it is right by itself when someone cuts it out of the page.
pub(crate) fn css() -> String {
    let mut css = String::from(":root{color-scheme:light dark;");
    for tone in tones() {
        let _ = write!(css, "--{}:#{:06x};", tone.name, tone.light);
    }
    css.push_str("}\n@media screen and (prefers-color-scheme:dark){:root{");
    for tone in tones() {
        let _ = write!(css, "--{}:#{:06x};", tone.name, tone.dark);
    }
    css.push_str("}}\n");
    for tone in [&INK, &MUTED, &GRID].into_iter().chain(&SERIES) {
        let Tone { name, light, .. } = tone;
        let _ = writeln!(
            css,
            ".chart [fill=\"#{light:06X}\"]{{fill:var(--{name})}}.chart [stroke=\"#{light:06X}\"]{{stroke:var(--{name})}}"
        );
    }
    for (tone, dash) in SERIES.iter().zip(DASHES) {
        let _ = writeln!(css, ".chart polyline[stroke=\"#{:06X}\"]{{stroke-dasharray:{dash}}}", tone.light);
    }
    for level in 1..=NEGATIVE.len() {
        let _ = writeln!(
            css,
            ".n{level}{{background:var(--negative-{level})}}.p{level}{{background:var(--positive-{level})}}"
        );
    }
    css
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(rgb: u32) -> f64 {
        let channel = |shift: u32| {
            let value = f64::from((rgb >> shift) & 0xff) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(16) + 0.7152 * channel(8) + 0.0722 * channel(0)
    }

    fn contrast(a: u32, b: u32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn named(name: &str) -> &'static Tone {
        tones().find(|tone| tone.name == name).unwrap()
    }

    fn check(text: &Tone, behind: &Tone, at_least: f64) {
        for (scheme, ratio) in
            [("light", contrast(text.light, behind.light)), ("dark", contrast(text.dark, behind.dark))]
        {
            assert!(ratio >= at_least, "{} on {}, {scheme}: {ratio:.2}", text.name, behind.name);
        }
    }

    #[test]
    fn text_has_the_contrast_of_wcag_aa() {
        for text in ["ink", "muted", "link", "good", "bad", "ink-on-heat"] {
            check(named(text), named("paper"), 4.5);
            check(named(text), named("panel"), 4.5);
        }
        check(named("warning"), named("warning-paper"), 4.5);
        check(named("ink"), named("warning-paper"), 4.5);
        for shade in NEGATIVE.iter().chain(&POSITIVE) {
            check(named("ink-on-heat"), shade, 4.5);
        }
    }

    #[test]
    fn lines_have_the_contrast_of_graphics() {
        for series in &SERIES {
            check(series, named("paper"), 4.5);
        }
    }

    #[test]
    fn no_two_tones_of_a_chart_share_their_light_colour() {
        let mut colours: Vec<u32> =
            [&INK, &MUTED, &GRID].into_iter().chain(&SERIES).map(|tone| tone.light).collect();
        colours.sort_unstable();
        colours.dedup();
        assert_eq!(colours.len(), SERIES.len() + 3);
    }
}
