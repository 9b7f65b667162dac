//! How far the steps before a tokenizer's model can blow a text up.

use serde_json::Value;

use super::TokenizeError;

/// Bytes that a byte of text may become. SentencePiece's mark for a space takes three.
const MAX_GROWTH: u64 = 1024;

/// Refuses a tokenizer whose normalizers together could make a text more than [`MAX_GROWTH`] times as long: some dozens of
/// replacements, each harmless, would make a word fill the memory.
pub(super) fn check_growth(normalizer: &Value) -> Result<(), TokenizeError> {
    match growth(normalizer) {
        growth if growth > MAX_GROWTH => Err(TokenizeError::Growth { growth, limit: MAX_GROWTH }),
        _ => Ok(()),
    }
}

/// Bytes of the longest text that a byte of text can become.
fn growth(step: &Value) -> u64 {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map_or(0, |text| text.len() as u64);
    match step.get("type").and_then(Value::as_str) {
        Some("Sequence") => {
            let steps = step.get("normalizers").and_then(Value::as_array);
            steps.into_iter().flatten().map(growth).fold(1, u64::saturating_mul)
        }
        Some("Replace") => {
            let content = text(step.get("content"));
            match text(step.get("pattern").and_then(|pattern| pattern.get("String"))) {
                // A regular expression, or an empty string, can match before every byte and leave it in place.
                0 => content.saturating_add(1),
                pattern => content.div_ceil(pattern).max(1),
            }
        }
        // Once a text, and every text has a byte at least.
        Some("Prepend") => text(step.get("prepend")).saturating_add(1).min(MAX_GROWTH + 1),
        // Unicode's longest decompositions, and one character a byte.
        Some("NFD" | "NFC" | "Lowercase" | "ByteLevel" | "BertNormalizer") => 3,
        Some("NFKD" | "NFKC") => 11,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn usual_normalizers_pass_and_bombs_do_not() {
        let replace = |pattern: &str, content: &str| json!({"type": "Replace", "pattern": {"String": pattern}, "content": content});
        let sequence = |steps: Vec<Value>| json!({"type": "Sequence", "normalizers": steps});
        let llama = sequence(vec![json!({"type": "Prepend", "prepend": "▁"}), replace(" ", "▁")]);
        assert!(check_growth(&llama).is_ok());
        assert!(check_growth(&Value::Null).is_ok());
        let albert = sequence(vec![
            replace("``", "\""),
            replace("''", "\""),
            json!({"type": "NFKD"}),
            json!({"type": "StripAccents"}),
            json!({"type": "Lowercase"}),
            json!({"type": "Precompiled", "precompiled_charsmap": ""}),
            json!({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}),
        ]);
        assert!(check_growth(&albert).is_ok());
        let doubled = sequence(vec![replace("a", "aa"); 11]);
        assert!(matches!(check_growth(&doubled), Err(TokenizeError::Growth { growth: 2048, limit: 1024 })));
        assert!(check_growth(&replace("", &"x".repeat(5000))).is_err());
        assert!(check_growth(&sequence(vec![doubled; 100])).is_err(), "no overflow");
    }
}
