//! Which columns hold weights.

/// Names of the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightColumns {
    /// The row in the data; the column need not be there.
    pub row: String,
    /// Weights of chosen responses.
    pub chosen: String,
    /// Weights of rejected responses.
    pub rejected: String,
}

impl Default for WeightColumns {
    /// `row`, `chosen_weights`, `rejected_weights`.
    fn default() -> Self {
        Self { row: "row".into(), chosen: "chosen_weights".into(), rejected: "rejected_weights".into() }
    }
}
