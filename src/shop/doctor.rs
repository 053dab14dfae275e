//! What `baton doctor` looks at for the shop: its payment provider, and money that waits for a person.

use crate::config::{Config, key};
use crate::doctor::finding::Finding;
use crate::doctor::{PATIENCE, within};
use crate::shop::config::ShopConfig;
use crate::wiring;
use baton_payment::tally::WatchTally;
use baton_sql::database::{Database, DatabaseConfig};
use std::path::Path;

/// All of it: of the files of a `baton dev`, or of what the configuration names.
pub async fn look(data_dir: Option<&Path>, config: &Config, shop: &ShopConfig) -> Vec<Finding> {
    let Some(directory) = data_dir else {
        let store = config.store_of("payment").ok().and_then(|store| wiring::database(store).ok());
        let mut findings = vec![provider(&shop.provider.base_url).await];
        findings.extend(money(store).await);
        return findings;
    };
    money(Some(DatabaseConfig::sqlite(directory.join("payment.db")))).await.into_iter().collect()
}

/// Payments whose money waits for a person. Nothing if the participant's database cannot be asked: that is said of the database.
async fn money(store: Option<DatabaseConfig>) -> Option<Finding> {
    let store = store?;
    if let DatabaseConfig::SqliteFile { path } = &store
        && !path.is_file()
    {
        return None;
    }
    let tally = async {
        let database = Database::open(store).await?;
        WatchTally::read(&database).await
    };
    Some(waiting(&within(tally).await.ok()?))
}

fn waiting(tally: &WatchTally) -> Finding {
    if tally.open == 0 {
        return Finding::ok(
            "payment",
            "money",
            format!("no payment waits for a person, {} are watched", tally.watched),
        );
    }
    let sums: Vec<String> =
        tally.open_minor_units.iter().map(|(currency, sum)| format!("{sum} minor units of {currency}")).collect();
    let known = if sums.is_empty() { "an unknown sum".to_owned() } else { sums.join(", ") };
    let found = format!("{} payments wait for a person: {known}", tally.open);
    let mend = "`baton payments cases --open` names them: send the money back at the provider, or let it stand and note it \
                with `baton payments settle`";
    Finding::bad("payment", "money", found, mend)
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;
    use std::collections::BTreeMap;

    #[test]
    fn money_that_waits_for_a_person_is_named_with_its_sum() {
        let tally = |open, sums: &[(&str, i64)]| WatchTally {
            watched: 7,
            open,
            open_minor_units: sums.iter().map(|(code, sum)| ((*code).to_owned(), *sum)).collect::<BTreeMap<_, _>>(),
        };
        assert_eq!(waiting(&tally(0, &[])).verdict, Verdict::Ok);
        let finding = waiting(&tally(2, &[("KRW", 1_500), ("USD", 1_234)]));
        assert_eq!(finding.verdict, Verdict::Bad);
        assert_eq!(finding.found, "2 payments wait for a person: 1500 minor units of KRW, 1234 minor units of USD");
        assert_eq!(waiting(&tally(1, &[])).found, "1 payments wait for a person: an unknown sum");
    }
}
