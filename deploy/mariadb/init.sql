-- One schema and one user for each service, run once by the server on an empty data directory. A service can reach
-- nothing but its own schema. The passwords are those of compose.yaml: for one machine, not for the world.
--
-- Services read and write rows. Only `baton migrate`, which runs before them and ends, may change tables; it reads and
-- writes rows too, for its own list of what it has done.

CREATE DATABASE IF NOT EXISTS baton_orchestrator CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE IF NOT EXISTS baton_order CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE IF NOT EXISTS baton_payment CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE DATABASE IF NOT EXISTS baton_stock CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE USER IF NOT EXISTS 'baton_orchestrator'@'%' IDENTIFIED BY 'orchestrator-local';
CREATE USER IF NOT EXISTS 'baton_order'@'%' IDENTIFIED BY 'order-local';
CREATE USER IF NOT EXISTS 'baton_payment'@'%' IDENTIFIED BY 'payment-local';
CREATE USER IF NOT EXISTS 'baton_stock'@'%' IDENTIFIED BY 'stock-local';
CREATE USER IF NOT EXISTS 'baton_migrate'@'%' IDENTIFIED BY 'migrate-local';

GRANT SELECT, INSERT, UPDATE, DELETE ON baton_orchestrator.* TO 'baton_orchestrator'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON baton_order.* TO 'baton_order'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON baton_payment.* TO 'baton_payment'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON baton_stock.* TO 'baton_stock'@'%';

GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES ON baton_orchestrator.* TO 'baton_migrate'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES ON baton_order.* TO 'baton_migrate'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES ON baton_payment.* TO 'baton_migrate'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES ON baton_stock.* TO 'baton_migrate'@'%';
