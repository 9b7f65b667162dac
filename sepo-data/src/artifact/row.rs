//! What an artifact is made of: its rows, their columns, and the metadata beside them.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ArtifactError;
use super::column::Column;
use super::view::{Place, RowView};
use crate::Span;

/// A row of an artifact.
///
/// Closed: the columns of these files are contracts with other programs, so the rows are this crate's own.
pub trait ArtifactRow: Sized {
    /// The `sepo` metadata of the file.
    type Meta: Debug + Serialize + DeserializeOwned;

    /// The columns in the file's order.
    #[doc(hidden)]
    const COLUMNS: &'static [Column];

    /// Whether these are all columns of the file: only then can a file be written from such rows, and can their values be
    /// compared with its checksum.
    #[doc(hidden)]
    const HOLDS_ALL: bool = true;

    /// One value a column, in the columns' order.
    #[doc(hidden)]
    fn values(&self) -> Vec<Value<'_>>;

    /// The row that a file holds; what [`check`](Self::check) finds need not be looked for.
    #[doc(hidden)]
    fn decode(view: &RowView<'_>) -> Result<Self, ArtifactError>;

    /// Whether the values fit each other; asked of every row before it is written and after it is read.
    #[doc(hidden)]
    fn check(&self, _: Place<'_>) -> Result<(), ArtifactError> {
        Ok(())
    }

    /// Sets what [`count`](Self::count) counts to 0.
    #[doc(hidden)]
    fn clear_counts(meta: &mut Self::Meta);

    /// Counts a row that was written.
    #[doc(hidden)]
    fn count(&self, meta: &mut Self::Meta);
}

/// The value of one column in one row.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    UInt64(u64),
    Boolean(bool),
    UInt32List(&'a [u32]),
    Float32List(&'a [f32]),
    SpanList(Option<&'a [Span]>),
}
