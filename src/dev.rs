//! `baton dev`: the embedded shape on a directory that is kept between runs.

use crate::cli::Dev;
use crate::config::Config;
use crate::embedded::ChaosAccess;
use crate::failure::Failure;
use crate::shop::config::ShopConfig;
use crate::shop::embedded::EmbeddedShop;
use crate::shop::orders::first_steps;
use crate::show::Printer;
use crate::{signals, telemetry};

/// Runs until SIGTERM or Ctrl-C.
///
/// # Errors
/// If it cannot start.
pub async fn run(args: &Dev, config: &Config, shop: &ShopConfig, printer: Printer) -> Result<(), Failure> {
    let telemetry = telemetry::start(&config.telemetry, "baton-dev", !printer.no_colour())?;
    let stop = signals::stopping()?;
    let embedded = tokio::select! {
        embedded = EmbeddedShop::start(config, shop, &args.data_dir, ChaosAccess::OnLoopback) => embedded?,
        () = stop.cancelled() => return Err(Failure::Interrupted),
    };
    printer.text(&welcome(&embedded, args));
    stop.cancelled().await;
    printer.say("stopping");
    embedded.stop().await;
    telemetry.close().await;
    Ok(())
}

/// Where things are, and what to type next.
fn welcome(embedded: &EmbeddedShop, args: &Dev) -> String {
    let (address, admin_address, provider) = (embedded.address(), embedded.admin_address(), &embedded.provider);
    let baton = if address.port() == 7400 { "baton".to_owned() } else { format!("baton --server {address}") };
    let steps: String = first_steps(&baton, provider).iter().map(|line| format!("\n  {line}")).collect();
    format!(
        "Baton is up, its state is in {}\n\
         \n  page      http://{admin_address}/   find sagas, learn why they stand where they stand, set them right\
         \n  gRPC      {address}   every service, with reflection\
         \n  HTTP      http://{admin_address}/metrics  /livez  /readyz  /version\
         \n  API       http://{admin_address}/api/docs   the same services as HTTP/JSON, for curl\
         \n  sandbox   {provider}   payment provider (PortOne V1)\
         \n\nNext, in another terminal:\n{steps}\
         \n  {baton} sagas list\n\
         \nCtrl-C stops it; the next start goes on where it was.",
        args.data_dir.display()
    )
}
