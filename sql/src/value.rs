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

impl Value {
    /// Bytes it takes in a statement, roughly.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Null => 1,
            Self::Int(_) => 8,
            Self::Bytes(bytes) => bytes.len(),
            Self::Text(text) => text.len(),
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<u8> for Value {
    fn from(value: u8) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(value: &[u8; N]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
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

    /// Column `index` as a whole number, or `None` for NULL.
    pub fn opt_int(&self, index: usize) -> Result<Option<i64>, SqlError> {
        match self.0.get(index) {
            Some(Value::Null) => Ok(None),
            _ => self.int(index).map(Some),
        }
    }

    /// Column `index` as bytes.
    pub fn bytes(&self, index: usize) -> Result<&[u8], SqlError> {
        match self.0.get(index) {
            Some(Value::Bytes(value)) => Ok(value),
            other => Err(SqlError::decode(index, "bytes", other)),
        }
    }

    /// Column `index` as bytes, or `None` for NULL.
    pub fn opt_bytes(&self, index: usize) -> Result<Option<&[u8]>, SqlError> {
        match self.0.get(index) {
            Some(Value::Null) => Ok(None),
            _ => self.bytes(index).map(Some),
        }
    }

    /// Column `index` as exactly `N` bytes, for ids and digests.
    pub fn array<const N: usize>(&self, index: usize) -> Result<[u8; N], SqlError> {
        self.bytes(index)?.try_into().map_err(|_| SqlError::decode(index, "bytes of fixed length", self.0.get(index)))
    }

    /// Column `index` as text.
    pub fn text(&self, index: usize) -> Result<&str, SqlError> {
        match self.0.get(index) {
            Some(Value::Text(value)) => Ok(value),
            other => Err(SqlError::decode(index, "text", other)),
        }
    }

    /// Column `index` as text, or `None` for NULL.
    pub fn opt_text(&self, index: usize) -> Result<Option<&str>, SqlError> {
        match self.0.get(index) {
            Some(Value::Null) => Ok(None),
            _ => self.text(index).map(Some),
        }
    }
}

impl SqlError {
    pub(crate) fn decode(column: usize, expected: &'static str, found: Option<&Value>) -> Self {
        let found = match found {
            None => "no such column",
            Some(Value::Null) => "null",
            Some(Value::Int(_)) => "int",
            Some(Value::Bytes(_)) => "bytes",
            Some(Value::Text(_)) => "text",
        };
        Self::Decode { column, expected, found: found.to_owned() }
    }
}
