//! What `baton doctor` looks at for the shop: its payment provider.

use crate::config::key;
use crate::doctor::finding::Finding;
use crate::doctor::{PATIENCE, within};

/// Any answer will do: what its addresses mean is between it and the payment participant.
pub async fn provider(url: &str) -> Finding {
    let client = match reqwest::Client::builder().timeout(PATIENCE).build() {
        Ok(client) => client,
        Err(error) => return Finding::bad("provider", "reachable", error.to_string(), ""),
    };
    let shown = key::mask_password(url);
    match within(client.get(url).send()).await {
        Ok(answer) => Finding::ok("provider", "reachable", format!("{shown} answers {}", answer.status().as_u16())),
        Err(_) => {
            let found = format!("nobody answers at {shown}");
            let mend = "payments can be neither looked up nor refunded: mend provider.base_url or the network";
            Finding::bad("provider", "reachable", found, mend)
        }
    }
}
