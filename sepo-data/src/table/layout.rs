//! The structures of Parquet's metadata, as far as the reader knows them.
//!
//! The reader takes a field it knows for what it should be, whatever the file says it is. Where the two differ it goes on
//! reading in the wrong place, and finds lengths that no check has seen. So a known field must be of its kind.

/// What a field of a structure is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Bool,
    Byte,
    Int32,
    Int64,
    Double,
    Binary,
    List(&'static Kind),
    Struct(&'static Layout),
}

/// Fields by their number.
pub(super) type Layout = [(i16, Kind)];

use Kind::{Binary, Bool, Byte, Double, Int32, Int64, List, Struct};

/// Number of the field of `FileMetaData` that holds the schema.
pub(super) const SCHEMA: i16 = 2;
/// Number of the field of `SchemaElement` that says how many of the following ones are inside of it.
pub(super) const N_CHILDREN: i16 = 5;

const EMPTY: &Layout = &[];

const TIME_UNIT: &Layout = &[(1, Struct(EMPTY)), (2, Struct(EMPTY)), (3, Struct(EMPTY))];

const TIME: &Layout = &[(1, Bool), (2, Struct(TIME_UNIT))];

const LOGICAL_TYPE: &Layout = &[
    (1, Struct(EMPTY)),
    (2, Struct(EMPTY)),
    (3, Struct(EMPTY)),
    (4, Struct(EMPTY)),
    (5, Struct(&[(1, Int32), (2, Int32)])),
    (6, Struct(EMPTY)),
    (7, Struct(TIME)),
    (8, Struct(TIME)),
    (10, Struct(&[(1, Byte), (2, Bool)])),
    (11, Struct(EMPTY)),
    (12, Struct(EMPTY)),
    (13, Struct(EMPTY)),
    (14, Struct(EMPTY)),
    (15, Struct(EMPTY)),
    (16, Struct(&[(1, Byte)])),
    (17, Struct(&[(1, Binary)])),
    (18, Struct(&[(1, Binary), (2, Int32)])),
];

const SCHEMA_ELEMENT: &Layout = &[
    (1, Int32),
    (2, Int32),
    (3, Int32),
    (4, Binary),
    (N_CHILDREN, Int32),
    (6, Int32),
    (7, Int32),
    (8, Int32),
    (9, Int32),
    (10, Struct(LOGICAL_TYPE)),
];

const STATISTICS: &Layout =
    &[(1, Binary), (2, Binary), (3, Int64), (4, Int64), (5, Binary), (6, Binary), (7, Bool), (8, Bool)];

const KEY_VALUE: &Layout = &[(1, Binary), (2, Binary)];

const BOUNDING_BOX: &Layout =
    &[(1, Double), (2, Double), (3, Double), (4, Double), (5, Double), (6, Double), (7, Double), (8, Double)];

const COLUMN_META_DATA: &Layout = &[
    (1, Int32),
    (2, List(&Int32)),
    (3, List(&Binary)),
    (4, Int32),
    (5, Int64),
    (6, Int64),
    (7, Int64),
    (8, List(&Struct(KEY_VALUE))),
    (9, Int64),
    (10, Int64),
    (11, Int64),
    (12, Struct(STATISTICS)),
    (13, List(&Struct(&[(1, Int32), (2, Int32), (3, Int32)]))),
    (14, Int64),
    (15, Int32),
    (16, Struct(&[(1, Int64), (2, List(&Int64)), (3, List(&Int64))])),
    (17, Struct(&[(1, Struct(BOUNDING_BOX)), (2, List(&Int32))])),
];

const COLUMN_CHUNK: &Layout = &[
    (1, Binary),
    (2, Int64),
    (3, Struct(COLUMN_META_DATA)),
    (4, Int64),
    (5, Int32),
    (6, Int64),
    (7, Int32),
    (9, Binary),
];

const ROW_GROUP: &Layout = &[
    (1, List(&Struct(COLUMN_CHUNK))),
    (2, Int64),
    (3, Int64),
    (4, List(&Struct(&[(1, Int32), (2, Bool), (3, Bool)]))),
    (5, Int64),
    (6, Int64),
    (7, Int32),
];

/// `FileMetaData`, the footer.
pub(super) const FILE_META_DATA: &Layout = &[
    (1, Int32),
    (SCHEMA, List(&Struct(SCHEMA_ELEMENT))),
    (3, Int64),
    (4, List(&Struct(ROW_GROUP))),
    (5, List(&Struct(KEY_VALUE))),
    (6, Binary),
    (7, List(&Struct(&[(1, Struct(EMPTY))]))),
    (9, Binary),
];

/// `PageHeader`, in front of every page.
pub(super) const PAGE_HEADER: &Layout = &[
    (1, Int32),
    (2, Int32),
    (3, Int32),
    (4, Int32),
    (5, Struct(&[(1, Int32), (2, Int32), (3, Int32), (4, Int32), (5, Struct(STATISTICS))])),
    (6, Struct(EMPTY)),
    (7, Struct(&[(1, Int32), (2, Int32), (3, Bool)])),
    (
        8,
        Struct(&[
            (1, Int32),
            (2, Int32),
            (3, Int32),
            (4, Int32),
            (5, Int32),
            (6, Int32),
            (7, Bool),
            (8, Struct(STATISTICS)),
        ]),
    ),
];
