use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::{Color, HeatmapPair, HeatmapSide, HeatmapToken, Quality, Width, ansi, html};
use crate::report::sample;

/// The text without `ESC [ … m`.
fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or("").to_owned();
    parts.fold(first, |shown, part| shown + part.split_once('m').map_or(part, |(_, rest)| rest))
}

fn any_pair() -> impl Strategy<Value = HeatmapPair> {
    let quality = prop_oneof![Just(None), Just(Some(Quality::Good)), Just(Some(Quality::Bad))];
    let token = ("\\PC{0,6}|[ \\n\\t\\x1b\\r]{0,3}|日本 ?", any::<Option<f32>>(), any::<bool>(), quality);
    let token = token.prop_map(|(text, score, selected, planted)| HeatmapToken {
        text,
        score,
        selected,
        planted,
        oracle_logp: score,
        reference_logp: None,
    });
    let side = ("[a-z]{1,8}", prop::collection::vec(token, 0..40))
        .prop_map(|(name, tokens)| HeatmapSide { name, tokens });
    (any::<String>(), any::<String>(), prop::collection::vec(side, 0..3))
        .prop_map(|(title, prompt, sides)| HeatmapPair { title, prompt, sides })
}

#[test]
fn reads_without_colour() {
    insta::assert_snapshot!(ansi(&sample::pair(), Width::columns(72), Color::Never));
}

#[test]
fn colour_only_adds_escapes_and_takes_brackets() {
    let coloured = ansi(&sample::pair(), Width::columns(80), Color::Always);
    assert!(coloured.contains("\x1b[1;4;38;5;16;48;5;208m Paris\x1b[0m"));
    assert!(without_escapes(&coloured).contains("The capital of France is Paris"));
    assert!(!coloured.contains('['.to_string().as_str().repeat(2).as_str()));
}

#[test]
fn a_selected_line_break_keeps_its_bracket() {
    let token = |text: &str, selected| HeatmapToken { text: text.into(), selected, ..Default::default() };
    let tokens = vec![token("a", false), token("\n", true), token("b", false)];
    let side = HeatmapSide { name: "chosen".into(), tokens };
    let shown =
        ansi(&HeatmapPair { sides: vec![side], ..Default::default() }, Width::default(), Color::Never);
    assert!(shown.contains("\na[↵]\nb\n"), "{shown}");
}

#[test]
fn a_page_of_one_pair() {
    let page = html(&sample::pair());
    let tokens: Vec<&str> = page.lines().filter(|line| line.contains("class=\"tokens\"")).collect();
    insta::assert_snapshot!(tokens.join("\n").replace("<wbr>", "\n").replace("<br>", "<br>\n"));
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal(pair in any_pair(), n_columns in 0..120usize) {
        let width = Width::columns(n_columns);
        for color in [Color::Always, Color::Never] {
            for line in ansi(&pair, width, color).lines() {
                let shown = without_escapes(line);
                prop_assert!(shown.width() <= width.get(), "{} > {}: {shown:?}", shown.width(), width.get());
            }
        }
    }

    #[test]
    fn no_control_character_of_the_data_reaches_the_terminal(pair in any_pair()) {
        let shown = ansi(&pair, Width::default(), Color::Never);
        prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\n'));
    }

    #[test]
    fn a_page_holds_one_span_per_token(pair in any_pair()) {
        let page = html(&pair);
        let n_tokens: usize = pair.sides.iter().map(|side| side.tokens.len()).sum();
        prop_assert_eq!(page.matches("title=\"#").count(), n_tokens);
    }
}
