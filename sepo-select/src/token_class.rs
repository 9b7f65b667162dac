//! What kind of text a token is.

use serde::{Deserialize, Serialize};

/// What kind of text a token is, for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenClass {
    /// A word's beginning: a space and letters.
    WordStart,
    /// Letters that continue a word, or begin one without a space.
    WordPiece,
    /// Neither letters nor digits.
    Punctuation,
    /// Digits only.
    Digit,
    /// Spaces and line breaks only.
    Whitespace,
    /// A special token, such as the end of a sequence.
    Special,
}

impl TokenClass {
    /// The class of a token that is not special, from its text as a vocabulary or a decoder gives it.
    ///
    /// A space may be a space or a vocabulary's sign for one (`Ġ`, `▁`), a line break also `Ċ`; a leading space does
    /// not count for anything but words. The empty text is [`Whitespace`](Self::Whitespace).
    ///
    /// # Examples
    ///
    /// ```
    /// use sepo_select::TokenClass;
    /// assert_eq!(TokenClass::of_text("Ġhouse"), TokenClass::WordStart);
    /// assert_eq!(TokenClass::of_text("ing"), TokenClass::WordPiece);
    /// assert_eq!(TokenClass::of_text(" 42"), TokenClass::Digit);
    /// assert_eq!(TokenClass::of_text("),"), TokenClass::Punctuation);
    /// assert_eq!(TokenClass::of_text("ĊĊ"), TokenClass::Whitespace);
    /// ```
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        let is_space = |c: char| c.is_whitespace() || matches!(c, 'Ġ' | '▁' | 'Ċ' | 'ĉ');
        let trimmed = text.trim_matches(is_space);
        if trimmed.is_empty() {
            Self::Whitespace
        } else if trimmed.chars().all(char::is_numeric) {
            Self::Digit
        } else if !trimmed.chars().any(char::is_alphanumeric) {
            Self::Punctuation
        } else if text.starts_with(is_space) {
            Self::WordStart
        } else {
            Self::WordPiece
        }
    }
}
