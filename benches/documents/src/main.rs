//! `baton-document`: the four designs that Baton is measured against, each as processes of its own, and no engine at all.
//!
//! | design | processes | flow |
//! |---|---|---|
//! | one transaction | `monolith --lock database` | look the payment up, then one transaction with `SELECT … FOR UPDATE` |
//! | Redis lock | `monolith --lock redis` | the stock change in a transaction of its own under a lock in Redis |
//! | no engine | `monolith --lock none` | the steps' transactions one after the other, over 32 connections; a crash leaves an order half done |
//! | events | `order`, `payment`, `stock` | each step an event to the next service; failures go nowhere |
//! | choreography | the same with `--compensate` | failures are events too: order states and refunds |
//!
//! They place orders behind the very gRPC service of Baton, keep Baton's own business tables, and use its database
//! layer, its bus and its client of the payment provider, so that a comparison compares designs and not drivers. They
//! keep no sagas, no ledgers and no outbox: that is the difference to be measured.

mod door;
mod events;
mod monolith;
mod order;
mod orders;
mod payment;
mod payments;
mod process;
mod redis_lock;
mod shelf;
mod stock;
mod tables;
mod waiting;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use process::Surroundings;
use std::net::SocketAddr;
use std::time::Duration;

// As in `baton` itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One process of one of the designs.
#[derive(Debug, Parser)]
#[command(name = "baton-document", version)]
struct Arguments {
    #[command(flatten)]
    surroundings: Surroundings,
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Create the tables of all services
    Migrate,
    /// Everything in one process
    Monolith {
        /// gRPC address
        #[arg(long)]
        listen: SocketAddr,
        /// What guards the stock
        #[arg(long)]
        lock: Lock,
    },
    /// The order service: takes orders, and ends them when it hears of their end
    Order {
        /// gRPC address
        #[arg(long)]
        listen: SocketAddr,
        /// Where it says that it is ready
        #[arg(long)]
        ready: SocketAddr,
        /// How long a caller waits for an end before it is told that there is none yet
        #[arg(long, default_value_t = 10_000)]
        patience_ms: u64,
    },
    /// The payment service: looks payments up, and refunds
    Payment {
        /// Where it says that it is ready
        #[arg(long)]
        ready: SocketAddr,
        /// Publish compensating events
        #[arg(long)]
        compensate: bool,
    },
    /// The stock service
    Stock {
        /// Where it says that it is ready
        #[arg(long)]
        ready: SocketAddr,
        /// Publish compensating events
        #[arg(long)]
        compensate: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Lock {
    /// A row lock of the database, held to the end of one transaction
    Database,
    /// A lock in Redis around a transaction for the stock alone
    Redis,
    /// Nothing but the condition of each statement: the steps' transactions one after the other, which is no engine at all
    None,
}

#[tokio::main]
async fn main() -> Result<()> {
    // The one provider of the build graph; Err only says that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::WARN).init();
    let Arguments { surroundings, role } = Arguments::parse();
    match role {
        Role::Migrate => tables::migrate(&surroundings).await,
        Role::Monolith { listen, lock: Lock::Database } => monolith::with_row_lock(&surroundings, listen).await,
        Role::Monolith { listen, lock: Lock::Redis } => monolith::with_redis_lock(&surroundings, listen).await,
        Role::Monolith { listen, lock: Lock::None } => monolith::bare(&surroundings, listen).await,
        Role::Order { listen, ready, patience_ms } => {
            order::run(&surroundings, listen, ready, Duration::from_millis(patience_ms)).await
        }
        Role::Payment { ready, compensate } => payment::run(&surroundings, ready, compensate).await,
        Role::Stock { ready, compensate } => stock::run(&surroundings, ready, compensate).await,
    }
}
