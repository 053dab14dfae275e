//! What goes into and comes out of a statement.

use crate::error::SqlError;

/// A bound parameter or a column's content. Both databases store whole numbers, bytes and UTF-8 text; nothing else is
/// used by Baton (booleans are 0 and 1, times are microseconds, ids are 16 bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// BIGINT / INTEGER.
    Int(i64),
    /// BINARY, VARBINARY, BLOB.
    Bytes(Vec<u8>),
    /// VARCHAR / TEXT, UTF-8.
    Text(String),
}

/// One row of a result, columns by position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// Column `index` as a whole number.
    pub fn int(&self, index: usize) -> Result<i64, SqlError> {
        match self.0.get(index) {
            Some(Value::Int(value)) => Ok(*value),
            other => Err(SqlError::decode(index, "int", other)),
        }
    }
}
