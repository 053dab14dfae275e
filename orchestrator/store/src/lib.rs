//! Where sagas are kept: the implementations of the seams in [`baton_engine::store`].
//!
//! | module | what it holds |
//! |---|---|
//! | [`sql`] | MariaDB and SQLite, one body of statements |
//! | [`memory`] | maps, for tests and the simulator |
//! | [`row`] | a saga, its journal and the audit as columns |
//! | [`migrations`] | the schema, step by step |
//! | [`conformance`] | the suite that every implementation passes |

pub mod conformance;
pub mod memory;
pub mod migrations;
pub mod row;
pub mod sql;
