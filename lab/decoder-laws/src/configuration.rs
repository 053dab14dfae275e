//! Configuration: whatever a file and the environment hold, no secret is ever shown, what is accepted is within its
//! bounds, and what is printed can be read again.

use crate::input::Input;
use baton::config::Config;
use baton::config::layers::Layers;
use baton::config::print;
use baton::shop::config::{SECTIONS, ShopConfig};
use std::time::Duration;

/// Stands where only a secret stands.
const SECRET: &str = "hunter2-of-the-law";

/// Where the secret is: in the environment, or at the beginning or the end of a file.
const FRAMES: [(&str, &str); 4] = [
    ("", ""),
    ("[provider]\nsecret = \"hunter2-of-the-law", ""),
    ("[store]\nurl = \"mysql://baton:hunter2-of-the-law@db/baton", ""),
    ("", "\n[provider]\nsecret = \"hunter2-of-the-law\"\n"),
];

/// The first byte chooses a frame, then a file up to a zero byte, then variables: name, value, name, value.
///
/// # Panics
/// If a law is broken.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let (before, after) = FRAMES[usize::from(input.byte()) % FRAMES.len()];
    let file = format!("{before}{}{after}", String::from_utf8_lossy(input.until_zero()));
    let mut environment = Vec::new();
    if before.is_empty() && after.is_empty() {
        environment.push(("BATON_PROVIDER__SECRET".to_owned(), SECRET.to_owned()));
        environment.push(("BATON_BUS__URL".to_owned(), format!("amqp://baton:{SECRET}@mq{}", input.text())));
    }
    while !input.is_empty() {
        let part = |input: &mut Input<'_>| String::from_utf8_lossy(input.until_zero()).into_owned();
        let (name, value) = (format!("BATON_{}", part(&mut input)), part(&mut input));
        // Files are not the law's business: these would be read.
        if !name.to_ascii_lowercase().ends_with("_file") {
            environment.push((name, value));
        }
    }
    let layers = Layers::of_texts(&[SECTIONS], Some(("file", &file)), environment, &[]);
    let layers = match layers {
        Ok(layers) => layers,
        Err(error) => return hidden(&error.to_string()),
    };
    layers.warnings().iter().for_each(|warning| hidden(warning));
    let shown = print::json(&layers);
    let printed = print::toml(&layers);
    hidden(&shown.to_string());
    hidden(&printed);
    match layers.config().and_then(|config| Ok((config, ShopConfig::of(&layers)?))) {
        Err(error) => hidden(&error.to_string()),
        Ok((config, shop)) => {
            hidden(&format!("{config:?} {shop:?}"));
            within_bounds(&config, &shop);
            let again =
                Layers::of_texts(&[SECTIONS], Some(("file", &printed)), [], &[]).expect("what is printed can be read");
            assert_eq!(values(&print::json(&again)), values(&shown), "and says the same");
        }
    }
}

fn hidden(text: &str) {
    assert!(!text.contains(SECRET), "a secret is shown: {text}");
}

fn within_bounds(config: &Config, shop: &ShopConfig) {
    let day = Duration::from_secs(24 * 60 * 60);
    let least = Duration::from_millis(10);
    let engine = &config.engine;
    for pause in [engine.waker_pause, config.bus.confirm_timeout] {
        assert!((least..=day).contains(&pause));
    }
    for patience in [config.server.shutdown_timeout, config.client.timeout, shop.provider.timeout] {
        assert!(patience <= day);
    }
    assert!((1..=65_536).contains(&engine.max_batch) && (1..=1_048_576).contains(&engine.queue));
    assert!((1..=1_000).contains(&config.retention.step));
    if let Some(keep) = config.retention.keep {
        assert!(keep >= Duration::from_secs(60) && keep <= 36_500 * day);
        assert!(keep > config.bus.confirm_timeout.max(config.client.timeout));
    }
    let stores = config.participants.values().filter_map(|participant| participant.store.as_ref());
    for store in stores.chain([&config.store]) {
        assert!((2..=1_000).contains(&store.connections) && store.parsed().is_ok());
    }
}

/// Keys and values without their origins.
fn values(shown: &serde_json::Value) -> Vec<(serde_json::Value, serde_json::Value)> {
    let entries = shown.as_array().expect("a list");
    entries.iter().map(|entry| (entry["key"].clone(), entry["value"].clone())).collect()
}
