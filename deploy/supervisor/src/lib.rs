//! Private MariaDB, RabbitMQ and Redis instances, and Baton processes, started and killed by us.
