//! What operators do, from one table through gRPC, the command line, HTTP and the page alike: find, explain, act.

mod audit;
mod cli;
mod drivers;
mod equal;
mod http;
mod page;
mod people;
mod shop;
mod table;
