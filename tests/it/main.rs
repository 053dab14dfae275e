//! The integration tests of the binary: one binary, so that they link once and share their servers.

mod bad_input;
mod cli_config;
mod cli_demo;
mod cli_deploy;
mod cli_dev;
mod cli_doctor;
mod cli_exit_codes;
mod cli_help;
mod cli_told;
mod cli_verify;
mod console;
mod docs;
mod earlier;
mod embedded;
mod foreign_client;
mod http;
mod late_payment;
mod linked;
mod operators;
mod operators_many;
mod public_names;
mod real_shape;
mod shapes_agree;
mod support;
mod telemetry;
mod walls;
