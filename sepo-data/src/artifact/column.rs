//! Columns of the schemas and their types.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};

use super::ArtifactError;

/// The types that columns have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnKind {
    UInt64,
    Boolean,
    UInt32List,
    Float32List,
    /// May be null as a whole.
    SpanList,
}

/// A column of a schema.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub(super) name: &'static str,
    pub(super) kind: ColumnKind,
    pub(super) is_noisy: bool,
}

/// The row in the source; every artifact has it.
pub(super) const ROW: Column = Column::new("row", ColumnKind::UInt64);

impl Column {
    pub(super) const fn new(name: &'static str, kind: ColumnKind) -> Self {
        Self { name, kind, is_noisy: false }
    }

    /// A list of floats hardly two of which are equal, such as log-probabilities: they are stored so that the compressor
    /// sees their exponents side by side, where a dictionary would only cost time.
    pub(super) const fn noisy(name: &'static str) -> Self {
        Self { name, kind: ColumnKind::Float32List, is_noisy: true }
    }

    fn matches(self, found: &DataType) -> bool {
        match (self.kind, found) {
            (ColumnKind::UInt64, DataType::UInt64) | (ColumnKind::Boolean, DataType::Boolean) => true,
            (ColumnKind::UInt32List, DataType::List(item)) => *item.data_type() == DataType::UInt32,
            (ColumnKind::Float32List, DataType::List(item)) => *item.data_type() == DataType::Float32,
            (ColumnKind::SpanList, DataType::List(item)) => match item.data_type() {
                DataType::Struct(fields) => ["start", "end"].iter().all(|name| {
                    fields.find(name).is_some_and(|(_, field)| *field.data_type() == DataType::UInt32)
                }),
                _ => false,
            },
            _ => false,
        }
    }

    pub(super) fn expected(self) -> &'static str {
        match self.kind {
            ColumnKind::UInt64 => "UInt64",
            ColumnKind::Boolean => "Boolean",
            ColumnKind::UInt32List => "List<UInt32>",
            ColumnKind::Float32List => "List<Float32>",
            ColumnKind::SpanList => "List<Struct<start: UInt32, end: UInt32>>",
        }
    }

    fn data_type(self) -> DataType {
        match self.kind {
            ColumnKind::UInt64 => DataType::UInt64,
            ColumnKind::Boolean => DataType::Boolean,
            ColumnKind::UInt32List => DataType::List(element(DataType::UInt32)),
            ColumnKind::Float32List => DataType::List(element(DataType::Float32)),
            ColumnKind::SpanList => DataType::List(element(DataType::Struct(span_fields()))),
        }
    }

    /// Whether a file's schema has this column, with this type.
    pub(super) fn check(self, path: &Path, schema: &Schema) -> Result<usize, ArtifactError> {
        let (column, expected) = (self.name, self.expected());
        let Ok(index) = schema.index_of(column) else {
            return Err(ArtifactError::MissingColumn { path: path.to_path_buf(), column, expected });
        };
        let found = schema.field(index).data_type();
        if !self.matches(found) {
            let found = Box::new(found.clone());
            return Err(ArtifactError::ColumnType { path: path.to_path_buf(), column, expected, found });
        }
        Ok(index)
    }
}

/// The Arrow schema of `columns`. Items are named as the Parquet specification names them.
pub(super) fn schema(columns: &[Column]) -> SchemaRef {
    let field = |c: &Column| Field::new(c.name, c.data_type(), c.kind == ColumnKind::SpanList);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Fields>()))
}

pub(super) fn element(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("element", data_type, false))
}

pub(super) fn span_fields() -> Fields {
    ["start", "end"].map(|name| Field::new(name, DataType::UInt32, false)).into_iter().collect()
}
