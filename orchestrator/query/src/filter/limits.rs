//! How large a filter may be.

/// Bytes a filter may have: as long as an address in a browser may safely be.
pub const MAX_BYTES: usize = 2_048;

/// Parentheses that may stand in one another; bounds the recursion here and in every evaluation.
pub const MAX_DEPTH: usize = 16;

/// Comparisons a filter may make; bounds the SQL.
pub const MAX_TERMS: usize = 32;
