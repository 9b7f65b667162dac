use super::scale::Shade;
use super::wrap::{Cell, CellKind};
use super::{Color, HeatmapToken, Scale};

// Shades of the 256-colour cube, weakest first: every terminal in use has them, and black is readable on each.
const POSITIVE: [u8; 5] = [223, 222, 215, 214, 208];
const NEGATIVE: [u8; 5] = [189, 153, 111, 75, 69];
const BLACK: u8 = 16;
const RESET: &str = "\x1b[0m";

/// The escape sequence that opens a token's style, empty where the token is plain.
fn style(shade: Shade, selected: bool) -> String {
    let mut codes = String::new();
    if selected {
        codes.push_str("1;4");
    }
    let background = match shade {
        Shade::Plain => None,
        Shade::Negative(level) => Some(NEGATIVE[usize::from(level) - 1]),
        Shade::Positive(level) => Some(POSITIVE[usize::from(level) - 1]),
    };
    if let Some(background) = background {
        if selected {
            codes.push(';');
        }
        codes.push_str(&format!("38;5;{BLACK};48;5;{background}"));
    }
    if codes.is_empty() { codes } else { format!("\x1b[{codes}m") }
}

/// A line of cells with each token's style around its run of cells.
pub(super) fn paint(line: &[Cell], tokens: &[HeatmapToken], scale: Scale, color: Color) -> String {
    let mut out = String::new();
    for run in line.chunk_by(|a, b| a.token == b.token) {
        let text: String = run.iter().map(|cell| cell.text.as_str()).collect();
        let open = match (color, tokens.get(run[0].token)) {
            (Color::Always, Some(token)) => style(scale.shade(token.score), token.selected),
            _ => String::new(),
        };
        if open.is_empty() {
            out.push_str(&text);
        } else {
            out.push_str(&format!("{open}{text}{RESET}"));
        }
    }
    out
}

/// The row of `+` and `-` that stands above a line, or `None` where nothing in the line is planted.
pub(super) fn planted_marks(line: &[Cell], tokens: &[HeatmapToken]) -> Option<String> {
    let mut row = String::new();
    for cell in line {
        let planted = tokens.get(cell.token).and_then(|token| token.planted);
        let mark = planted.filter(|_| cell.kind != CellKind::Space).map_or(' ', |quality| quality.mark());
        row.extend(std::iter::repeat_n(mark, cell.width));
    }
    let row = row.trim_end();
    (!row.is_empty()).then(|| row.to_owned())
}

/// The two colour ramps with the scores they stand for, or `None` where they do not fit.
pub(super) fn ramp(scale: Scale, columns: usize) -> Option<String> {
    let swatch = |background: &u8| format!("\x1b[48;5;{background}m  {RESET}");
    let negative: String = NEGATIVE.iter().rev().map(swatch).collect();
    let positive: String = POSITIVE.iter().map(swatch).collect();
    let (low, high) = (format!("score <= {:+.2}", -scale.limit()), format!(">= {:+.2}", scale.limit()));
    let n_columns = low.len() + high.len() + 2 * (NEGATIVE.len() + POSITIVE.len()) + " 0 ".len() + 2;
    (n_columns <= columns).then(|| format!("{low} {negative} 0 {positive} {high}"))
}

pub(super) fn bold(text: &str, color: Color) -> String {
    match color {
        Color::Always => format!("\x1b[1m{text}{RESET}"),
        Color::Never => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of a colour of the 6 x 6 x 6 cube.
    fn luminance(index: u8) -> f64 {
        let channel = |step: u8| {
            let value = f64::from(if step == 0 { 0 } else { 55 + 40 * step }) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let cube = index - 16;
        0.2126 * channel(cube / 36) + 0.7152 * channel(cube / 6 % 6) + 0.0722 * channel(cube % 6)
    }

    #[test]
    fn black_is_readable_on_every_shade() {
        for shade in POSITIVE.iter().chain(&NEGATIVE) {
            assert!((luminance(*shade) + 0.05) / 0.05 >= 4.5, "shade {shade}");
        }
    }
}
