//! The integration tests of `baton-sql`: one binary, so that they link once and share their servers.

mod faults;
mod mariadb_bounds;
mod mariadb_faults;
mod mariadb_readiness;
mod suite;
