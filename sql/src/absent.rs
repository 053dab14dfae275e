//! Stand for the drivers that a build leaves out: nothing of them can exist, so nothing of them is ever called.

#[cfg(not(feature = "mariadb"))]
pub(crate) mod mariadb {
    use crate::error::SqlError;
    use crate::migration::Migration;
    use crate::tx::{Body, Line, Returned};
    use crate::value::{Row, Value};
    use std::time::Duration;

    #[derive(Clone, Debug)]
    pub(crate) enum MariaDb {}

    impl MariaDb {
        pub(crate) async fn open(_url: &str, _connections: u32, _acquire_timeout: Duration) -> Result<Self, SqlError> {
            Err(SqlError::Refused("this build knows no MariaDB: it was made without the feature `mariadb`".to_owned()))
        }

        pub(crate) async fn transaction(&self, _body: Body) -> Result<Returned, SqlError> {
            match *self {}
        }

        pub(crate) async fn query(&self, _sql: &str, _args: Vec<Value>, _line: Line) -> Result<Vec<Row>, SqlError> {
            match *self {}
        }

        pub(crate) async fn migrate(&self, _migrations: Vec<Migration>) -> Result<Vec<&'static str>, SqlError> {
            match *self {}
        }

        pub(crate) async fn ready(&self, _table: &str) -> Result<(), SqlError> {
            match *self {}
        }
    }

    pub(crate) mod pool {
        use crate::error::SqlError;
        use crate::value::{Row, Value};
        use std::convert::Infallible;

        pub(crate) struct Lease(Infallible);

        impl Lease {
            pub(crate) async fn execute(&mut self, _sql: &str, _args: Vec<Value>) -> Result<u64, SqlError> {
                match self.0 {}
            }

            pub(crate) async fn query(&mut self, _sql: &str, _args: Vec<Value>) -> Result<Vec<Row>, SqlError> {
                match self.0 {}
            }
        }
    }
}

#[cfg(not(feature = "sqlite"))]
pub(crate) mod sqlite {
    use crate::error::SqlError;
    use crate::migration::Migration;
    use crate::tx::{Body, Line, Returned};
    use crate::value::{Row, Value};
    use std::convert::Infallible;
    use std::path::PathBuf;

    #[derive(Clone, Debug)]
    pub(crate) enum Sqlite {}

    pub(crate) struct Connection(Infallible);

    fn absent() -> SqlError {
        SqlError::Refused("this build knows no SQLite: it was made without the feature `sqlite`".to_owned())
    }

    impl Sqlite {
        pub(crate) fn open_memory() -> Result<Self, SqlError> {
            Err(absent())
        }

        pub(crate) fn open_file(_path: PathBuf) -> Result<Self, SqlError> {
            Err(absent())
        }

        pub(crate) async fn transaction(&self, _body: Body) -> Result<Returned, SqlError> {
            match *self {}
        }

        pub(crate) async fn query(&self, _sql: &str, _args: Vec<Value>, _line: Line) -> Result<Vec<Row>, SqlError> {
            match *self {}
        }

        pub(crate) async fn migrate(&self, _migrations: Vec<Migration>) -> Result<Vec<&'static str>, SqlError> {
            match *self {}
        }
    }

    pub(crate) mod statements {
        pub(crate) use super::Connection;
        use crate::error::SqlError;
        use crate::value::{Row, Value};

        pub(crate) fn execute(connection: &Connection, _sql: &str, _args: &[Value]) -> Result<u64, SqlError> {
            match connection.0 {}
        }

        pub(crate) fn query(connection: &Connection, _sql: &str, _args: &[Value]) -> Result<Vec<Row>, SqlError> {
            match connection.0 {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::database::{Database, DatabaseConfig};

    async fn told(config: DatabaseConfig) -> String {
        Database::open(config).await.expect_err("it is refused").to_string()
    }

    #[cfg(not(feature = "mariadb"))]
    #[tokio::test]
    async fn mariadb_is_refused_by_the_name_of_its_feature() {
        let told = told(DatabaseConfig::mariadb("mysql://u:hunter2@h/s")).await;
        assert!(told.contains("the feature `mariadb`") && !told.contains("hunter2"), "{told}");
    }

    #[cfg(not(feature = "sqlite"))]
    #[tokio::test]
    async fn sqlite_is_refused_by_the_name_of_its_feature() {
        assert!(told(DatabaseConfig::SqliteMemory).await.contains("the feature `sqlite`"));
    }
}
