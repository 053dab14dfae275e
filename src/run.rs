//! From the command line to an exit code.

use crate::cli::{ALL, Cli, Command, ConfigCommand, Global};
use crate::client::{Client, is_garbled, leaves_doubt, speaks_http};
use crate::config::layers::Layers;
use crate::config::{Config, print};
use crate::failure::{Exit, Failure};
use crate::linked::{self, Linked};
use crate::shop::cli::ShopCommand;
use crate::shop::config::{SECTIONS, ShopConfig};
use crate::shop::{demo, items, orders, payments, sandbox_provider};
use crate::show::Printer;
use crate::{
    audit, dead_letters, dev, doctor, health, holds, installation, jobs, kills, migrate, orchestrator, output,
    participant, sagas, tls, verify,
};
use clap::builder::PossibleValuesParser;
use clap::{CommandFactory as _, FromArgMatches as _};
use std::process::ExitCode;
use std::sync::OnceLock;

/// Everything the binary does.
#[must_use]
pub fn main() -> ExitCode {
    let cli = command_line()
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command_line())));
    let done = match cli {
        Ok(cli) => started(cli).map_or_else(failed, |()| 0),
        Err(error) => {
            let printed = error.print();
            // What cannot be told on standard error cannot be told at all.
            if !error.use_stderr() {
                output::keep(printed);
            }
            // Help and version are no failures, clap says so by its own exit code.
            u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8)
        }
    };
    let written = output::written().map_or_else(failed, |()| 0);
    ExitCode::from(if done == 0 { written } else { done })
}

/// The command line of this binary: participants are those that are linked in.
fn command_line() -> clap::Command {
    let services = || [ALL, linked::ORCHESTRATOR].into_iter().chain(linked::names());
    let of_schema = |up_or_status: clap::Command| {
        up_or_status.mut_arg("service", |argument| argument.value_parser(PossibleValuesParser::new(services())))
    };
    Cli::command()
        .mut_subcommand("participant", |participant| {
            participant.mut_arg("name", |name| name.value_parser(PossibleValuesParser::new(linked::names())))
        })
        .mut_subcommand("migrate", |migrate| {
            migrate.mut_subcommand("up", of_schema).mut_subcommand("status", of_schema)
        })
}

/// Says why, and returns the exit code that follows.
fn failed(failure: Failure) -> u8 {
    output::talk(&format!("error: {failure}"));
    failure.exit() as u8
}

fn started(mut cli: Cli) -> Result<(), Failure> {
    cli.global = cli.global.or(|name| std::env::var_os(name)).map_err(Failure::Usage)?;
    let printer = Printer::new(&cli.global);
    let layers = layers(&cli)?;
    for warning in layers.warnings() {
        printer.say(&format!("warning: {warning}"));
    }
    if cli.global.print_config {
        printer.either(|| print::json(&layers), || print::toml(&layers));
        return Ok(());
    }
    let Some(command) = cli.command else {
        output::keep(command_line().print_help());
        return Err(Failure::Usage("say what to do".to_owned()));
    };
    let (config, shop) = (layers.config()?, ShopConfig::of(&layers)?);
    tls::install();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(dispatch(command, config, shop, printer))
}

/// Flags that have a key in the configuration become its topmost layer.
fn layers(cli: &Cli) -> Result<Layers, Failure> {
    let Global { config, set, server, .. } = &cli.global;
    let mut flags: Vec<(String, String, String)> =
        set.iter().map(|(key, value)| (key.clone(), value.clone(), "--set".to_owned())).collect();
    let mut flag = |key: &str, value: Option<String>, name: &str| {
        flags.extend(value.map(|value| (key.to_owned(), value, name.to_owned())));
    };
    flag("client.server", server.clone(), "--server");
    match &cli.command {
        Some(Command::Orchestrator(listen)) => {
            flag("server.listen", listen.listen.map(|it| it.to_string()), "--listen");
            flag("server.admin_listen", listen.admin_listen.map(|it| it.to_string()), "--admin-listen");
        }
        Some(Command::Dev(dev)) => {
            flag("server.listen", dev.listen.listen.map(|it| it.to_string()), "--listen");
            flag("server.admin_listen", dev.listen.admin_listen.map(|it| it.to_string()), "--admin-listen");
            flag("provider.listen", dev.provider_listen.map(|it| it.to_string()), "--provider-listen");
        }
        Some(Command::Participant { name, listen }) => {
            let key = |leaf: &str| format!("participants.{name}.{leaf}");
            flag(&key("listen"), listen.listen.map(|it| it.to_string()), "--listen");
            flag(&key("admin_listen"), listen.admin_listen.map(|it| it.to_string()), "--admin-listen");
        }
        Some(Command::Shop(ShopCommand::SandboxProvider { listen })) => {
            flag("provider.listen", listen.map(|it| it.to_string()), "--listen");
        }
        _ => {}
    }
    // Variables that are not UTF-8 cannot be ours.
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(Layers::stack(&[SECTIONS], config.as_deref(), environment, &flags)?)
}

async fn dispatch(command: Command, config: Config, shop: ShopConfig, printer: Printer) -> Result<(), Failure> {
    match command {
        Command::Config(ConfigCommand::Check) => {
            printer.say("the configuration is sound");
            Ok(())
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command_line(), "baton", &mut script);
            output::bytes(&script);
            Ok(())
        }
        Command::Health { service } => client(&config, async |it| health::run(service, &it, printer).await).await,
        Command::Chaos(command) => client(&config, async |it| kills::run(command, &it, printer).await).await,
        Command::Jobs(command) => client(&config, async |it| jobs::run(command, &it, printer).await).await,
        Command::Holds(command) => client(&config, async |it| holds::run(command, &it, printer).await).await,
        Command::Sagas(command) => client(&config, async |it| sagas::run(command, &it, printer).await).await,
        Command::Overview => client(&config, async |it| installation::overview(&it, printer).await).await,
        Command::Definitions(command) => {
            client(&config, async |it| installation::definitions(command, &it, printer).await).await
        }
        Command::Audit(command) => client(&config, async |it| audit::run(command, &it, printer).await).await,
        Command::DeadLetters(command) => {
            client(&config, async |it| dead_letters::run(command, &it, printer).await).await
        }
        Command::Shop(command) => of_shop(command, config, shop, printer).await,
        Command::Dev(args) => dev::run(&args, &config, &shop, printer).await,
        Command::Orchestrator(_) => orchestrator::run(config, &Linked::of(&shop), !printer.no_colour()).await,
        Command::Participant { name, .. } => {
            participant::run(&name, config, &Linked::of(&shop), !printer.no_colour()).await
        }
        Command::Doctor(args) => {
            let of_shop = crate::shop::doctor::look(args.data_dir.as_deref(), &config, &shop);
            doctor::run(&args, &config, &Linked::of(&shop), of_shop, printer).await
        }
        Command::Verify(args) => verify::run(&args, &config, &Linked::of(&shop), &shop.provider, printer).await,
        Command::Migrate(command) => migrate::run(command, &config, &Linked::of(&shop), printer).await,
    }
}

async fn of_shop(command: ShopCommand, config: Config, shop: ShopConfig, printer: Printer) -> Result<(), Failure> {
    match command {
        ShopCommand::Items(command) => client(&config, async |it| items::run(command, &it, printer).await).await,
        ShopCommand::Orders(command) => {
            let provider = &shop.provider.base_url;
            client(&config, async |it| orders::run(command, &it, provider, printer).await).await
        }
        ShopCommand::Payments(command) => client(&config, async |it| payments::run(command, &it, printer).await).await,
        ShopCommand::Demo(args) => demo::start(&args, config, shop, printer).await,
        ShopCommand::SandboxProvider { .. } => {
            sandbox_provider::run(&config, &shop.provider, !printer.no_colour()).await
        }
    }
}

/// Connects and runs one client command; Ctrl-C ends it at once, which is safe: the server holds all state, and a request that
/// is under way can be repeated under its id.
async fn client(config: &Config, command: impl AsyncFnOnce(Client) -> Result<(), Failure>) -> Result<(), Failure> {
    let asked = OnceLock::new();
    let work = async {
        let client = Client::connect(&config.client).await?;
        let client = asked.get_or_init(|| client);
        match command(client.clone()).await {
            Err(Failure::Status(status)) if is_garbled(&status) && speaks_http(&config.client.server).await => {
                Err(Failure::Unreachable(format!(
                    "{} speaks HTTP and not gRPC, as the page does; gRPC is at {} unless told otherwise (server.listen), \
                     `baton dev` prints where",
                    config.client.server, config.server.listen
                )))
            }
            Err(Failure::Status(status)) if is_garbled(&status) && status.details().is_empty() => {
                let (server, why) = (&config.client.server, status.message());
                let told =
                    Failure::Unreachable(format!("{server} gave no answer that is gRPC; is that its gRPC port? {why}"));
                Err(if leaves_doubt(&status) { client.in_doubt(told) } else { told })
            }
            Err(Failure::Status(status)) if leaves_doubt(&status) => Err(client.in_doubt(Failure::Status(status))),
            done => done,
        }
    };
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => Err(match asked.get() {
            Some(client) => client.in_doubt(Failure::Interrupted),
            None => Failure::Interrupted,
        }),
    }
}
