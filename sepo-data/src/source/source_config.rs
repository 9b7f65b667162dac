//! What a source is made of.

use super::{Dedup, EvalFraction, Mix, Part};
use crate::ReadConfig;

/// Settings of a [`PairSource`](super::PairSource); the default reads all pairs as they come.
///
/// # Examples
///
/// ```
/// use sepo_data::{EvalFraction, Part, SourceConfig};
///
/// let tenth = EvalFraction::new(0.1)?;
/// let held_out = SourceConfig { part: Some((tenth, Part::Eval)), ..SourceConfig::default() };
/// assert_eq!(held_out.mix, None);
/// # Ok::<(), sepo_data::EvalFractionError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourceConfig {
    /// How files are read.
    pub read: ReadConfig,
    /// Shares of the inputs. `None`: one after the other.
    pub mix: Option<Mix>,
    /// Leaves out duplicates.
    pub dedup: Option<Dedup>,
    /// Ends behind so many rows, bad ones, duplicates and those of the other part included.
    pub limit: Option<u64>,
    /// The one part of a split.
    pub part: Option<(EvalFraction, Part)>,
}
