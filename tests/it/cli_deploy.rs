//! The files in deploy/ against the real command line and the real configuration: no engine is needed to keep them true.

use baton::cli::{Cli, Command};
use baton::config::layers::Layers;
use baton::shop::cli::ShopCommand;
use baton::shop::config::{SECTIONS, ShopConfig};
use clap::Parser as _;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_norway::Value;
use std::collections::BTreeSet;
use std::path::Path;

fn deploy(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(file: &str) -> Value {
    let mut value: Value = serde_norway::from_str(&deploy(file)).expect("it is YAML");
    // What is merged may have been merged itself.
    for _ in 0..2 {
        value.apply_merge().expect("its merge keys are sound");
    }
    value
}

fn texts(value: &Value) -> Vec<String> {
    let list = value.as_sequence().expect("a list");
    list.iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

/// The services of compose.yaml that run Baton's image.
fn services() -> Vec<(String, Value)> {
    let compose = yaml("compose.yaml");
    let all = compose["services"].as_mapping().expect("services").clone();
    let ours = all.into_iter().filter(|(_, service)| service["image"].as_str() == Some("baton"));
    ours.map(|(name, service)| (name.as_str().expect("a name").to_owned(), service)).collect()
}

/// As a process of its own would see it: arguments and environment together.
fn layers(service: &Value) -> Layers {
    let environment = service["environment"].as_mapping().expect("an environment");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let environment = environment.iter().map(|(name, value)| (text(name), text(value)));
    Layers::stack(&[SECTIONS], None, environment, &[]).expect("its keys exist")
}

#[test]
fn every_command_of_compose_parses() {
    let services = services();
    assert_eq!(services.len(), 10, "4 migrations, sandbox, 3 participants, 2 orchestrators");
    for (name, service) in services {
        let command = texts(&service["command"]);
        let line = std::iter::once("baton".to_owned()).chain(command.clone());
        let cli = Cli::try_parse_from(line).unwrap_or_else(|error| panic!("{name}: {error}"));
        match cli.command {
            Some(Command::Orchestrator(_)) => assert!(name.starts_with("orchestrator")),
            Some(Command::Participant { name: participant, .. }) => assert_eq!(name, participant),
            Some(Command::Migrate(_)) => assert!(name.starts_with("migrate-")),
            Some(Command::Shop(ShopCommand::SandboxProvider { .. })) => assert_eq!(name, "sandbox"),
            other => panic!("{name} runs {other:?}"),
        }
    }
}

#[test]
fn every_environment_of_compose_is_a_sound_configuration() {
    for (name, service) in services() {
        let layers = layers(&service);
        assert!(layers.warnings().is_empty(), "{name}: {:?}", layers.warnings());
        layers.config().unwrap_or_else(|error| panic!("{name}: {error}"));
        ShopConfig::of(&layers).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn health_checks_ask_the_port_the_service_listens_on() {
    for (name, service) in services() {
        let config = layers(&service).config().expect("sound");
        let listens = match name.as_str() {
            name if config.participants.contains_key(name) => config.own(name).expect("whole").listen,
            name if name.starts_with("orchestrator") => config.server.listen,
            _ => {
                assert_eq!(service["healthcheck"]["disable"].as_bool(), Some(true), "{name} has no gRPC port");
                continue;
            }
        };
        let test = texts(&service["healthcheck"]["test"]);
        assert_eq!(test[..2], ["CMD", "/usr/local/bin/baton"], "{name}: there is no shell in the image");
        let cli = Cli::try_parse_from(&test[1..]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(matches!(cli.command, Some(Command::Health { .. })), "{name}");
        assert_eq!(cli.global.server, Some(format!("127.0.0.1:{}", listens.port())), "{name}");
    }
}

#[test]
fn what_depends_on_what_exists_and_schemas_come_first() {
    let compose = yaml("compose.yaml");
    let all = compose["services"].as_mapping().expect("services");
    let names: BTreeSet<&str> = all.keys().filter_map(Value::as_str).collect();
    for (name, service) in services() {
        let Some(needs) = service["depends_on"].as_mapping() else { continue };
        for need in needs.keys().filter_map(Value::as_str) {
            assert!(names.contains(need), "{name} needs {need}");
        }
        let process = ["order", "payment", "stock"].contains(&name.as_str()) || name.starts_with("orchestrator");
        if process {
            assert_eq!(needs["migrate-orchestrator"]["condition"].as_str(), Some("service_completed_successfully"));
        }
    }
}

#[test]
fn each_service_has_a_user_for_its_own_schema_only() {
    let sql = deploy("mariadb/init.sql");
    let mut schemas = BTreeSet::new();
    for (name, service) in services() {
        let Some(environment) = service["environment"].as_mapping() else { continue };
        for (key, value) in environment {
            let (Some(key), Some(url)) = (key.as_str(), value.as_str()) else { continue };
            let Some(rest) = url.strip_prefix("mysql://").filter(|_| key.ends_with("STORE__URL")) else { continue };
            let (credentials, place) = rest.split_once('@').expect("credentials");
            let (user, password) = credentials.split_once(':').expect("a password");
            let schema = place.rsplit('/').next().expect("a schema");
            let owner = if name.starts_with("migrate-") { "baton_migrate" } else { schema };
            assert_eq!(user, owner, "{name}: who may do what");
            assert!(sql.contains(&format!("'{user}'@'%' IDENTIFIED BY '{password}'")), "{name}: {user} is unknown");
            assert!(sql.contains(&format!("ON {schema}.* TO '{user}'@'%'")), "{name}: {user} may not use {schema}");
            schemas.insert(schema.to_owned());
        }
    }
    assert_eq!(schemas.len(), 4);
    for line in sql.lines().filter(|line| line.starts_with("GRANT")) {
        for too_much in ["ALL", "SUPER", "FILE", "GRANT OPTION", "*.*", "DROP"] {
            assert!(!line.contains(too_much), "{too_much} is too much: {line}");
        }
        for tables in ["CREATE", "ALTER", "INDEX", "REFERENCES"] {
            let migrates = line.contains("'baton_migrate'");
            assert_eq!(line.contains(tables), migrates, "only migrations change tables: {line}");
        }
    }
}

#[test]
fn the_image_runs_the_binary_as_nobody_and_checks_itself() {
    let dockerfile = deploy("Dockerfile");
    let arguments = |instruction: &str| {
        let line = dockerfile.lines().rev().find(|line| line.trim_start().starts_with(instruction)).expect(instruction);
        let list = line.trim_start().strip_prefix(instruction).expect("its arguments");
        serde_json::from_str::<Vec<String>>(list.trim()).expect("the form without a shell")
    };
    let entry = arguments("ENTRYPOINT");
    assert_eq!(entry, ["/usr/local/bin/baton"]);
    // The last CMD of the file is the one of HEALTHCHECK.
    let health = arguments("CMD");
    assert!(matches!(Cli::try_parse_from(&health).expect("it parses").command, Some(Command::Health { .. })));
    assert!(dockerfile.lines().any(|line| line.starts_with("USER 65532")), "not root");
    assert!(dockerfile.contains("\nFROM scratch\n"), "no shell in the image");
    // What is copied onto a directory that is there leaves that directory to its owner, whatever --chown says.
    assert!(dockerfile.contains("\nCOPY --from=build --chown=65532:65532 /state /data\n"), "state has an owner");
    assert!(!dockerfile.contains("/image/data"), "and no other copy makes its directory first");
}

#[test]
fn prometheus_scrapes_the_admin_ports_of_compose() {
    let prometheus = yaml("prometheus/prometheus.yml");
    let jobs = prometheus["scrape_configs"].as_sequence().expect("jobs");
    let scraped: BTreeSet<String> = jobs.iter().flat_map(|job| texts(&job["static_configs"][0]["targets"])).collect();
    let mut served = BTreeSet::new();
    for (name, service) in services() {
        let config = layers(&service).config().expect("sound");
        let admin = match name.as_str() {
            name if config.participants.contains_key(name) => config.own(name).expect("whole").admin_listen,
            name if name.starts_with("orchestrator") => config.server.admin_listen,
            _ => continue,
        };
        served.insert(format!("{name}:{}", admin.port()));
    }
    assert_eq!(scraped, served);
}

/// Names of series that Baton's processes serve. A metric with labels is not told before it counts something; those of the
/// participants have labels, so that their names are taken from where they are registered.
pub fn served_metrics() -> BTreeSet<String> {
    let mut registry = Registry::default();
    baton_orchestrator::metrics::Metrics::register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).expect("it encodes");
    let series = text.lines().filter(|line| !line.starts_with('#'));
    let mut served: BTreeSet<String> =
        series.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("participants/kit/src/metrics.rs");
    let source = std::fs::read_to_string(source).expect("it is there");
    let names = source.split('"').filter(|text| text.starts_with("saga_participant_"));
    served.extend(names.map(|name| format!("{name}_total")));
    served.extend(of_payments());
    served
}

/// What the payment participant counts of its own.
fn of_payments() -> BTreeSet<String> {
    let mut registry = Registry::default();
    baton_payment::metrics::PaymentMetrics::default().register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).expect("it encodes");
    let series = text.lines().filter(|line| !line.starts_with('#'));
    let mut served: BTreeSet<String> = series.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    // Nobody has a currency yet.
    served.insert("shop_payment_open_minor_units".to_owned());
    served
}

/// Names of series in an expression: its words but those of the language, which take arguments or stand between two others.
fn asked_metrics(expression: &str) -> BTreeSet<String> {
    let mut bare = String::new();
    let mut depth = 0;
    for character in expression.chars() {
        match character {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            other if depth == 0 => bare.push(other),
            _ => {}
        }
    }
    let words = bare.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    let names = words.filter(|word| word.starts_with(|it: char| it.is_ascii_alphabetic()));
    const LANGUAGE: [&str; 9] = ["max", "sum", "rate", "increase", "absent", "and", "or", "unless", "offset"];
    names.filter(|word| !LANGUAGE.contains(word)).map(str::to_owned).collect()
}

#[test]
fn every_alert_asks_for_what_is_served_and_leads_to_a_page() {
    let prometheus = yaml("prometheus/prometheus.yml");
    assert_eq!(texts(&prometheus["rule_files"]), ["alerts.yml"]);
    let mounted = texts(&yaml("compose.yaml")["services"]["prometheus"]["volumes"]);
    assert!(mounted.iter().any(|volume| volume.contains("/alerts.yml:/etc/prometheus/alerts.yml")), "{mounted:?}");
    let jobs = prometheus["scrape_configs"].as_sequence().expect("jobs").iter();
    let jobs: BTreeSet<&str> = jobs.map(|job| job["job_name"].as_str().expect("a name")).collect();

    let mut served = served_metrics();
    assert!(served.contains("saga_started_total"), "{served:?}");
    // Prometheus's own, of each target.
    served.insert("up".to_owned());
    let alerts = yaml("prometheus/alerts.yml");
    let mut names = BTreeSet::new();
    for rule in alerts["groups"][0]["rules"].as_sequence().expect("rules") {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let (name, expression) = (text(&rule["alert"]), text(&rule["expr"]));
        let asked = asked_metrics(&expression);
        assert!(!asked.is_empty() && asked.is_subset(&served), "{name} asks for {:?}", &asked - &served);
        for job in expression.split("job=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(jobs.contains(job), "{name}: nothing is scraped as {job}");
        }
        assert!(["page", "ticket"].contains(&text(&rule["labels"]["severity"]).as_str()), "{name}");
        let annotations = &rule["annotations"];
        assert!(!text(&annotations["summary"]).is_empty() && !text(&annotations["description"]).is_empty(), "{name}");
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(text(&annotations["runbook"]));
        assert!(page.is_file(), "{name} leads to {}", page.display());
        assert!(names.insert(name.clone()), "{name} is there twice");
    }
    assert!(names.len() >= 7, "{names:?}");
}

#[test]
fn what_an_alert_asks_for_is_found() {
    let expression = "max(saga_a) > 0 and sum(rate(saga_b_total{job=\"saga_c\"}[5m])) == 0 unless up offset 15m";
    assert_eq!(asked_metrics(expression), ["saga_a", "saga_b_total", "up"].map(str::to_owned).into());
}
