//! Whether a result replaces what stands in the output or is added to it

/// What happens to the values that an output holds before the call
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// They are replaced
    Overwrite,
    /// The result is added to them
    Add,
}
