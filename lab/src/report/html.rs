//! The page: verdicts, pictures, what was checked. One file, nothing loaded from anywhere, no scripts.

use super::model::{Campaign, Invariant, NemesisReport, Verdict};
use super::{chart, holdings};
use crate::storm::courier::Courier;
use baton_query::svg::escape;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How the page looks.
const STYLE: &str = include_str!("style.css");

/// The whole page.
#[must_use]
pub fn page(campaign: &Campaign) -> String {
    let mut body = String::new();
    head(&mut body, campaign);
    if !campaign.nemeses.is_empty() {
        body.push_str("<h2>All nemeses</h2><div class=\"card\">");
        body.push_str(&legend(&[
            ("#cfdff1", "as before"),
            ("#e2757d", "fault"),
            ("#f3c27c", "until as busy as before"),
            ("#e3e7ed", "no new orders, until all is at rest"),
        ]));
        body.push_str(&chart::overview(campaign));
        body.push_str("<p class=\"dim\">On the right: from the end of the fault until as many orders ended in a second as before it.</p></div>");
    }
    recovery(&mut body, campaign);
    invariants(&mut body, campaign);
    holdings::section(&mut body, campaign);
    ends(&mut body, campaign);
    if !campaign.nemeses.is_empty() {
        body.push_str("<h2>One by one</h2>");
        body.push_str(&legend(&[
            ("#7aa6d8", "orders ended in a second"),
            ("#d9434e", "calls without an answer"),
            ("#e08a1e", "p99 from placing to the told end (right)"),
            ("#2e7d4f", "healed"),
            ("#b4232f", "events; point at them"),
        ]));
    }
    campaign.nemeses.iter().for_each(|report| one(&mut body, report));
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Baton storm, seed {}</title>\
         <style>{STYLE}</style></head><body><main>{body}</main></body></html>\n",
        campaign.seed
    )
}

fn head(body: &mut String, campaign: &Campaign) {
    let [passed, failed] = [Verdict::Passed, Verdict::Failed].map(|verdict| campaign.count(&verdict));
    let not_run = campaign.nemeses.len() - passed - failed;
    let sum = |of: fn(&NemesisReport) -> u64| campaign.nemeses.iter().map(of).sum::<u64>();
    let fired = sum(|report| report.fired.iter().map(|fired| fired.times).sum());
    let checks: usize = campaign.nemeses.iter().map(|report| report.invariants.len()).sum();
    let broken: usize =
        campaign.nemeses.iter().flat_map(|report| &report.invariants).filter(|invariant| invariant.broken > 0).count();
    let badge = if campaign.passed() { badge("passed", "") } else { badge("failed", "bad") };
    let _ = write!(
        body,
        "<h1>Baton storm {badge}</h1><p class=\"dim\">Version {}, began {}, seed <code>{}</code>: {} s of load per nemesis, {} orders a \
         second; two orchestrators, two of each participant, {} as real processes, a fault proxy between \
         every two.</p><div class=\"tiles\">",
        escape(&campaign.version),
        escape(&campaign.began),
        campaign.seed,
        campaign.seconds,
        campaign.rate,
        match campaign.courier {
            Courier::Rabbitmq => "MariaDB, RabbitMQ and Redis",
            Courier::Grpc => "MariaDB and Redis, commands over gRPC streams without a broker,",
        }
    );
    let tiles = [
        (passed.to_string(), "nemeses passed"),
        (failed.to_string(), "failed"),
        (not_run.to_string(), "not run"),
        (fired.to_string(), "faults fired"),
        (sum(|report| report.orders).to_string(), "orders"),
        (sum(|report| report.unknown_calls).to_string(), "calls in doubt"),
        (checks.to_string(), "checks"),
        (broken.to_string(), "broken"),
    ];
    for (number, name) in tiles {
        let _ = write!(body, "<div class=\"tile\"><b>{number}</b>{name}</div>");
    }
    body.push_str("</div>");
}

fn recovery(body: &mut String, campaign: &Campaign) {
    if campaign.recovery.is_empty() {
        return;
    }
    body.push_str("<h2>Recovery</h2><div class=\"card\"><table><tr><th>what<th class=\"n\">samples<th class=\"n\">p50<th class=\"n\">p99<th class=\"n\">max<th class=\"n\">target p99<th>");
    for figure in &campaign.recovery {
        let badge = if figure.is_met() { badge("met", "") } else { badge("missed", "bad") };
        let _ = write!(body, "<tr><td>{}<td class=\"n\">{}", escape(&figure.what), figure.samples);
        for value in [figure.p50, figure.p99, figure.max, figure.target] {
            let _ = write!(body, "<td class=\"n\">{value:.2} {}", figure.unit);
        }
        let _ = write!(body, "<td>{badge}");
    }
    body.push_str("</table></div>");
}

/// Each promise with how often it was held against a run.
fn invariants(body: &mut String, campaign: &Campaign) {
    let mut all: BTreeMap<(&str, &str), (usize, u64, usize)> = BTreeMap::new();
    for invariant in campaign.nemeses.iter().flat_map(|report| &report.invariants) {
        let entry = all.entry((&invariant.id, &invariant.name)).or_default();
        entry.0 += 1;
        entry.1 += first_number(&invariant.counted);
        entry.2 += invariant.broken;
    }
    if all.is_empty() {
        return;
    }
    body.push_str("<h2>What was checked</h2><div class=\"card\"><table><tr><th><th>promise<th class=\"n\">runs<th class=\"n\">looked at<th class=\"n\">broken by");
    for ((id, name), (runs, looked_at, broken)) in all {
        let _ = write!(
            body,
            "<tr><td>{}<td>{}<td class=\"n\">{runs}<td class=\"n\">{looked_at}<td class=\"n\">{broken}",
            escape(id),
            escape(name)
        );
    }
    body.push_str("</table></div>");
}

fn ends(body: &mut String, campaign: &Campaign) {
    let mut sums: BTreeMap<(String, &str), u64> = BTreeMap::new();
    for end in campaign.nemeses.iter().flat_map(|report| &report.ends) {
        *sums.entry((words(&format!("{:?}", end.kind)), &end.end)).or_default() += end.count;
    }
    if sums.is_empty() {
        return;
    }
    let kinds: Vec<&String> =
        sums.keys().map(|(kind, _)| kind).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    let names: Vec<&str> =
        sums.keys().map(|(_, end)| *end).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    body.push_str("<h2>Orders by end</h2><div class=\"card\"><table><tr><th>order");
    names.iter().for_each(|name| {
        let _ = write!(body, "<th class=\"n\">{}", escape(name));
    });
    for kind in kinds {
        let _ = write!(body, "<tr><td>{}", escape(kind));
        for name in &names {
            let count = sums.get(&(kind.clone(), *name)).copied().unwrap_or(0);
            let text = if count == 0 { "·".to_owned() } else { count.to_string() };
            let _ = write!(body, "<td class=\"n\">{text}");
        }
    }
    body.push_str("</table></div>");
}

fn one(body: &mut String, report: &NemesisReport) {
    let badge = match &report.verdict {
        Verdict::Passed => badge("passed", ""),
        Verdict::Failed => badge("failed", "bad"),
        Verdict::NotRun(_) => badge("not run", "none"),
    };
    let _ = write!(
        body,
        "<div class=\"card\"><div class=\"head\"><h3>{}</h3>{badge}<span class=\"dim\">{}</span></div>",
        escape(&report.name),
        escape(&report.what)
    );
    if let Verdict::NotRun(why) = &report.verdict {
        let _ = write!(body, "<p class=\"dim\">{}</p></div>", escape(why));
        return;
    }
    let fired: u64 = report.fired.iter().map(|fired| fired.times).sum();
    let heal = report.heal_ms.map_or_else(|| "not within the load".to_owned(), seconds);
    let _ = write!(
        body,
        "<p class=\"dim\">fired {fired} times · {} orders, {} calls, {} in doubt · {:.1} orders/s before the fault · healed in {heal} · \
         at rest {} after the load</p>",
        report.orders,
        report.calls,
        report.unknown_calls,
        report.baseline,
        seconds(report.rested_ms.saturating_sub(report.load_to_ms))
    );
    offenders(body, &report.invariants);
    if !report.seconds.is_empty() {
        body.push_str(&chart::run(report));
    }
    let _ = write!(
        body,
        "<details><summary>what it did, {} things; {} checks</summary><table>",
        report.fired.len(),
        report.invariants.len()
    );
    for fired in &report.fired {
        let _ = write!(body, "<tr><td>{}<td class=\"n\">{}", escape(&fired.what), fired.times);
    }
    for invariant in &report.invariants {
        let _ = write!(
            body,
            "<tr><td>{} {}<td class=\"n\">{}",
            invariant.id,
            escape(&invariant.name),
            escape(&invariant.counted)
        );
    }
    body.push_str("</table></details></div>");
}

fn offenders(body: &mut String, invariants: &[Invariant]) {
    let broken = invariants.iter().filter(|invariant| invariant.broken > 0);
    for invariant in broken {
        let _ = write!(
            body,
            "<ul class=\"offenders\"><li><b>{} {}</b>: broken by {}<ul>",
            invariant.id,
            escape(&invariant.name),
            invariant.broken
        );
        for offender in &invariant.offenders {
            let _ = write!(body, "<li>{}", escape(offender));
        }
        body.push_str("</ul></ul>");
    }
}

fn legend(entries: &[(&str, &str)]) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|(colour, text)| format!("<span><i style=\"background:{colour}\"></i>{text}</span>"))
        .collect();
    format!("<div class=\"legend\">{}</div>", entries.concat())
}

fn badge(text: &str, class: &str) -> String {
    format!("<span class=\"badge {class}\">{text}</span>")
}

#[allow(clippy::cast_precision_loss)]
fn seconds(ms: u64) -> String {
    format!("{:.1} s", ms as f64 / 1000.0)
}

/// `SomebodyElses` as `somebody elses`.
fn words(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

fn first_number(text: &str) -> u64 {
    let digits: String = text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found() {
        assert_eq!(words("SomebodyElses"), "somebody elses");
        assert_eq!(first_number("within 65 s"), 65);
    }

    #[test]
    fn a_page_is_whole_and_loads_nothing() {
        let campaign = Campaign {
            version: "1".into(),
            seed: 7,
            courier: Courier::Rabbitmq,
            seconds: 1,
            rate: 1.0,
            began: "now".into(),
            nemeses: Vec::new(),
            recovery: Vec::new(),
        };
        let page = page(&campaign);
        assert!(page.starts_with("<!doctype html>") && page.contains("seed <code>7</code>"));
        assert!(!page.contains("http") && !page.contains("<script"));
    }
}
