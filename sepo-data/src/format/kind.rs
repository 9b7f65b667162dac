//! The kinds of values that a column can hold.

use std::fmt;

/// What a value is, as far as reading pairs is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A whole number of any width.
    Integer,
    /// A number with a fraction or an exponent.
    Float,
    /// A string.
    Text,
    /// Bytes that need not be UTF-8.
    Binary,
    /// A list with nothing in it.
    EmptyList,
    /// A list of whole numbers.
    Integers,
    /// A list of structs, such as messages.
    Messages,
    /// Any other list.
    List,
    /// Named fields.
    Struct,
    /// A type that no format uses, such as a time stamp.
    Other,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Integer => "an integer",
            Self::Float => "a fraction",
            Self::Text => "a string",
            Self::Binary => "bytes",
            Self::EmptyList => "an empty list",
            Self::Integers => "a list of integers",
            Self::Messages => "a list of messages",
            Self::List => "a list",
            Self::Struct => "an object",
            Self::Other => "a value of another type",
        })
    }
}
