use unicode_width::UnicodeWidthChar;

/// What is never parted on a terminal line: a character and the combining ones after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) width: usize,
    /// Index of the token the cell belongs to.
    pub(super) token: usize,
    pub(super) kind: CellKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CellKind {
    Ink,
    /// A line may end here, and the cell is then dropped.
    Space,
    /// The line ends after this cell.
    LastOfLine,
}

impl Cell {
    pub(super) fn ink(c: char, token: usize) -> Self {
        Self { text: c.to_string(), width: c.width().unwrap_or(0), token, kind: CellKind::Ink }
    }

    pub(super) fn space(token: usize) -> Self {
        Self { text: " ".into(), width: 1, token, kind: CellKind::Space }
    }
}

/// The cells broken into lines no wider than `columns`: at spaces where there are any, otherwise between cells.
pub(super) fn wrap(cells: Vec<Cell>, columns: usize) -> Vec<Vec<Cell>> {
    let mut lines = Vec::new();
    let mut line: Vec<Cell> = Vec::new();
    for cell in cells {
        if width_of(&line) + cell.width > columns {
            if cell.kind == CellKind::Space {
                lines.push(std::mem::take(&mut line));
                continue;
            }
            let rest = split_at_last_space(&mut line);
            lines.push(std::mem::replace(&mut line, rest));
        }
        let is_last = cell.kind == CellKind::LastOfLine;
        line.push(cell);
        if is_last {
            lines.push(std::mem::take(&mut line));
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Cuts the line at its last space, drops that space, and returns what stood behind it.
fn split_at_last_space(line: &mut Vec<Cell>) -> Vec<Cell> {
    match line.iter().rposition(|cell| cell.kind == CellKind::Space) {
        Some(space) if space > 0 => {
            let rest = line.split_off(space + 1);
            line.pop();
            rest
        }
        _ => Vec::new(),
    }
}

pub(super) fn width_of(line: &[Cell]) -> usize {
    line.iter().map(|cell| cell.width).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, columns: usize) -> Vec<String> {
        let cells = text.chars().map(|c| if c == ' ' { Cell::space(0) } else { Cell::ink(c, 0) }).collect();
        wrap(cells, columns)
            .into_iter()
            .map(|line| line.into_iter().map(|cell| cell.text).collect())
            .collect()
    }

    #[test]
    fn breaks_at_spaces_and_inside_what_is_too_long() {
        assert_eq!(lines("the quick brown", 9), ["the quick", "brown"]);
        assert_eq!(lines("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(lines("a bcdefgh", 4), ["a", "bcde", "fgh"]);
    }

    #[test]
    fn wide_characters_count_twice_and_combining_ones_not_at_all() {
        assert_eq!(lines("日本語", 5), ["日本", "語"]);
        assert_eq!(lines("e\u{301}e\u{301}e\u{301}", 3), ["e\u{301}e\u{301}e\u{301}"]);
    }
}
