/// A number with four significant digits: `0.6931`, `12.5`, `5e-5`, `1.235e6`.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "not finite".into();
    }
    if value == 0.0 {
        return "0".into();
    }
    let size = value.abs();
    if !(1e-3..1e6).contains(&size) {
        return scientific(value, 3);
    }
    #[expect(clippy::cast_possible_truncation, reason = "size is in 1e-3..1e6, its logarithm in -3..6")]
    let magnitude = size.log10().floor() as i32;
    let n_decimals = usize::try_from(3 - magnitude).unwrap_or(0);
    trim(&format!("{value:.n_decimals$}")).to_owned()
}

/// `1.5e-5`, without the zeros that say nothing.
pub(super) fn scientific(value: f64, n_decimals: usize) -> String {
    let text = format!("{value:.n_decimals$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => format!("{}e{exponent}", trim(mantissa)),
        None => text,
    }
}

fn trim(decimal: &str) -> &str {
    if decimal.contains('.') { decimal.trim_end_matches('0').trim_end_matches('.') } else { decimal }
}

/// Whether a table cell holds a number, perhaps with an interval, a unit sign or a multiplier.
pub(super) fn is_numeric(cell: &str) -> bool {
    let cell = cell.trim();
    let starts_as_number = cell
        .trim_start_matches(['+', '-', '−', '±', '<', '>', '≤', '≥', '~', ' '])
        .starts_with(|c: char| c.is_ascii_digit() || c == '.');
    starts_as_number
        && cell.chars().all(|c| c.is_ascii_digit() || "+-−±.,%×x eE()[]–/<>≤≥~\u{a0}\u{2009}".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown: Vec<String> = [0.0, 0.712_345, -12.5, 5e-5, 1_234_567.0, 123_456.0, 0.1 + 0.2, f64::NAN]
            .into_iter()
            .map(number)
            .collect();
        assert_eq!(shown, ["0", "0.7123", "-12.5", "5e-5", "1.235e6", "123456", "0.3", "not finite"]);
    }

    #[test]
    fn intervals_are_numeric_and_names_are_not() {
        for cell in ["12", "-0.5", "0.71 ± 0.03", "30 %", "1e-5", "0.7 [0.6–0.8]", "2.1×", "≤ 0.05"] {
            assert!(is_numeric(cell), "{cell}");
        }
        for cell in ["", "sepo", "3 seeds", "-", "–", "0xff", "a1b2"] {
            assert!(!is_numeric(cell), "{cell}");
        }
    }
}
