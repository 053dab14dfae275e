//! `baton dev`: the embedded shape on a directory that is kept between runs.

use crate::cli::Dev;
use crate::config::Config;
use crate::embedded::{Chaos, Embedded};
use crate::failure::Failure;
use crate::shop::orders::pay_with_curl;
use crate::show::Printer;
use crate::{signals, telemetry};

/// Runs until SIGTERM or Ctrl-C.
///
/// # Errors
/// If it cannot start.
pub async fn run(args: &Dev, config: &Config, printer: Printer) -> Result<(), Failure> {
    let telemetry = telemetry::start(&config.telemetry, "baton-dev", !printer.no_colour())?;
    let stop = signals::stopping()?;
    let embedded = tokio::select! {
        embedded = Embedded::start(config, &args.data_dir, Chaos::OnLoopback) => embedded?,
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
fn welcome(embedded: &Embedded, args: &Dev) -> String {
    let Embedded { address, admin_address, provider, .. } = embedded;
    let server = if address.port() == 7400 { String::new() } else { format!(" --server {address}") };
    let pay = pay_with_curl(provider, "NUMBER", 24_000, "KRW");
    format!(
        "Baton is up, its state is in {}\n\
         \n  page      http://{admin_address}/   find sagas, learn why they stand where they stand, set them right\
         \n  gRPC      {address}   every service, with reflection\
         \n  HTTP      http://{admin_address}/metrics  /livez  /readyz  /version\
         \n  API       http://{admin_address}/api/docs   the same services as HTTP/JSON, for curl\
         \n  sandbox   {provider}   payment provider (PortOne V1)\
         \n\nNext, in another terminal:\n\
         \n  baton{server} items create sku-1 --price 12000 --stock 10\
         \n  baton{server} orders create --line sku-1=2\
         \n  {pay}\
         \n  baton{server} orders place --order NUMBER --payment IMP_UID\
         \n  baton{server} orders watch NUMBER\
         \n  baton{server} sagas list\n\
         \nCtrl-C stops it; the next start goes on where it was.",
        args.data_dir.display()
    )
}
