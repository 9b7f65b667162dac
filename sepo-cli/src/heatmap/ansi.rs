use unicode_width::UnicodeWidthStr;

use super::ansi_line::{bold, paint, planted_marks, ramp};
use super::strongest::strongest;
use super::visible::{Glyph, glyphs};
use super::wrap::{Cell, CellKind, wrap};
use super::{HeatmapPair, HeatmapSide, HeatmapToken, Scale};

/// How many of the highest and of the lowest scores are listed under a side.
const N_STRONGEST: usize = 3;

/// How wide a drawing may be, in terminal columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Width(usize);

impl Width {
    /// A width of `n` columns; fewer than 20 are taken as 20, because less holds no legend.
    ///
    /// ```
    /// use sepo_cli::heatmap::Width;
    /// assert_eq!(Width::columns(80).get(), 80);
    /// assert_eq!(Width::columns(0).get(), 20);
    /// ```
    pub fn columns(n: usize) -> Self {
        Self(n.max(20))
    }

    /// The number of columns.
    pub fn get(self) -> usize {
        self.0
    }
}

impl Default for Width {
    /// 80 columns.
    fn default() -> Self {
        Self(80)
    }
}

/// Whether escape sequences may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Backgrounds from the 256-colour palette; selected tokens bold and underlined.
    Always,
    /// Text alone; selected tokens in brackets.
    Never,
}

/// The heat-map as lines for a terminal, each at most `width` columns wide (escape sequences take none).
///
/// Above a line stand `+` and `-` where its tokens are planted. Under each side come the strongest scores in numbers, so
/// that the drawing also tells them without colour. Control characters in a token are replaced by visible ones.
///
/// ```
/// use sepo_cli::heatmap::{Color, HeatmapPair, HeatmapSide, HeatmapToken, Width, ansi};
/// let token = |text: &str, selected| HeatmapToken { text: text.into(), selected, ..Default::default() };
/// let tokens = vec![token("It", false), token(" is", false), token(" Paris", true)];
/// let pair = HeatmapPair {
///     title: "row 3".into(),
///     prompt: "Capital of France?".into(),
///     sides: vec![HeatmapSide { name: "chosen".into(), tokens }],
/// };
/// assert!(ansi(&pair, Width::columns(60), Color::Never).contains("It is [Paris]"));
/// ```
pub fn ansi(pair: &HeatmapPair, width: Width, color: Color) -> String {
    let scale = Scale::fit(std::slice::from_ref(pair));
    let mut lines: Vec<String> = plain(&pair.title, width).iter().map(|line| bold(line, color)).collect();
    lines.push(String::new());
    lines.push(bold("prompt", color));
    lines.extend(plain(&pair.prompt, width));
    for side in &pair.sides {
        lines.push(String::new());
        lines.extend(side_lines(side, scale, width, color));
    }
    lines.push(String::new());
    lines.extend(legend(pair, scale, width, color));
    let mut out = lines.join("\n");
    out.push('\n');
    out
}

fn side_lines(side: &HeatmapSide, scale: Scale, width: Width, color: Color) -> Vec<String> {
    let heading = format!("{}: {}", side.name, side.summary());
    let mut lines: Vec<String> = plain(&heading, width).iter().map(|line| bold(line, color)).collect();
    let cells = side.tokens.iter().enumerate().flat_map(|(i, token)| token_cells(i, token, color)).collect();
    for line in wrap(cells, width.get()) {
        lines.extend(planted_marks(&line, &side.tokens));
        lines.push(paint(&line, &side.tokens, scale, color));
    }
    let strong = strongest(side, N_STRONGEST);
    if !strong.is_empty() {
        lines.push("strongest scores".into());
    }
    lines.extend(strong.into_iter().map(|(position, token)| strong_line(position, token, width)));
    lines
}

/// The cells of one token. Its leading spaces stay outside the brackets, so that the text reads as text.
fn token_cells(index: usize, token: &HeatmapToken, color: Color) -> Vec<Cell> {
    let glyphs = glyphs(&token.text);
    let only_spaces = glyphs.iter().all(|glyph| *glyph == Glyph::Space);
    let n_leading =
        if only_spaces { 0 } else { glyphs.iter().take_while(|glyph| **glyph == Glyph::Space).count() };
    let in_brackets = token.selected && color == Color::Never;
    let mut cells: Vec<Cell> = Vec::with_capacity(glyphs.len() + 2);
    for (i, glyph) in glyphs.iter().enumerate() {
        if i == n_leading && in_brackets {
            cells.push(Cell::ink('[', index));
        }
        match glyph {
            Glyph::Space if only_spaces => cells.push(Cell::ink('·', index)),
            glyph => push_glyph(&mut cells, *glyph, index),
        }
    }
    if in_brackets {
        close_bracket(&mut cells, index);
    }
    cells
}

fn push_glyph(cells: &mut Vec<Cell>, glyph: Glyph, token: usize) {
    match glyph {
        Glyph::Space => cells.push(Cell::space(token)),
        Glyph::Text(c) | Glyph::StandIn(c) => push_ink(cells, c, token),
        Glyph::LineBreak => {
            if let Some(last) = cells.last_mut() {
                last.kind = CellKind::LastOfLine;
            }
        }
    }
}

/// A character without a width of its own (a combining accent) joins the cell before it, so no break parts them.
fn push_ink(cells: &mut Vec<Cell>, c: char, token: usize) {
    let cell = Cell::ink(c, token);
    match cells.last_mut() {
        Some(last) if cell.width == 0 && last.kind == CellKind::Ink => {
            last.text.push(c);
            // A variation selector can widen the character before it.
            last.width = last.text.width();
        }
        _ => cells.push(cell),
    }
}

/// The bracket belongs before the break of a token that ends its line.
fn close_bracket(cells: &mut Vec<Cell>, token: usize) {
    let bracket = Cell::ink(']', token);
    match cells.last_mut() {
        Some(last) if last.kind == CellKind::LastOfLine => {
            last.kind = CellKind::Ink;
            cells.push(Cell { kind: CellKind::LastOfLine, ..bracket });
        }
        _ => cells.push(bracket),
    }
}

/// `  +2.310  #17 " brown"  selected  oracle -0.202  reference -2.512`, cut at the width.
fn strong_line(position: usize, token: &HeatmapToken, width: Width) -> String {
    let text: String = glyphs(&token.text)
        .into_iter()
        .filter_map(|glyph| match glyph {
            Glyph::Text(c) | Glyph::StandIn(c) => Some(c),
            Glyph::Space => Some(' '),
            Glyph::LineBreak => None,
        })
        .collect();
    let mut line = format!("  {:+8.3}  #{position:<4} \"{text}\"", token.score.unwrap_or(f32::NAN));
    if token.selected {
        line.push_str("  selected");
    }
    for (name, logp) in [("oracle", token.oracle_logp), ("reference", token.reference_logp)] {
        if let Some(logp) = logp {
            line.push_str(&format!("  {name} {logp:+.3}"));
        }
    }
    cut(&line, width.get())
}

fn cut(line: &str, columns: usize) -> String {
    if line.width() <= columns {
        return line.to_owned();
    }
    let mut kept = String::new();
    for c in line.chars() {
        kept.push(c);
        if kept.width() >= columns {
            kept.pop();
            break;
        }
    }
    kept.push('…');
    kept
}

/// Text without scores, wrapped.
fn plain(text: &str, width: Width) -> Vec<String> {
    let mut cells = Vec::new();
    for glyph in glyphs(text) {
        push_glyph(&mut cells, glyph, 0);
    }
    wrap(cells, width.get())
        .into_iter()
        .map(|line| line.into_iter().map(|cell| cell.text).collect())
        .collect()
}

fn legend(pair: &HeatmapPair, scale: Scale, width: Width, color: Color) -> Vec<String> {
    let mut words = match color {
        Color::Always => "selected tokens are bold and underlined".to_owned(),
        Color::Never => "selected tokens are in [brackets]".to_owned(),
    };
    if pair.has_planted() {
        words.push_str("; above a token: + planted good, - planted bad");
    }
    let mut lines = Vec::new();
    if color == Color::Always {
        lines.extend(ramp(scale, width.get()));
    }
    lines.extend(plain(&words, width));
    lines
}
