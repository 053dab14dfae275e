//! The part of the page about what processes hold: before the first nemesis, after the last, and the most in between.

use super::model::Campaign;
use crate::storm::holdings::{Held, Holdings};
use baton_query::svg::escape;
use std::fmt::Write as _;

/// A figure of a process.
type HoldingFigure = fn(&Held) -> Option<u64>;

/// What is shown of each process.
const FIGURES: [(&str, HoldingFigure); 4] = [
    ("memory, MiB", |held| Some(held.memory_mib)),
    ("files", |held| Some(held.files)),
    ("threads", |held| Some(held.threads)),
    ("tasks", |held| held.tasks),
];

/// A table of all processes. Clusters that replaced one another count as one: each has a baseline of its own, the first
/// of which is shown.
pub(super) fn section(body: &mut String, campaign: &Campaign) {
    let all: Vec<&(Holdings, Holdings)> =
        campaign.nemeses.iter().filter_map(|report| report.holdings.as_ref()).collect();
    let (Some((before, _)), Some((_, last))) = (all.first(), all.last()) else { return };
    body.push_str("<h2>What processes hold</h2><div class=\"card\"><table><tr><th>process");
    for (name, _) in FIGURES {
        let _ = write!(body, "<th class=\"n\">{name}");
    }
    for held in &before.processes {
        let _ = write!(body, "<tr><td>{}", escape(&held.name));
        for (_, figure) in FIGURES {
            let of = |holdings: &Holdings| holdings.processes.iter().find(|it| it.name == held.name).and_then(figure);
            let most = all.iter().filter_map(|(_, after)| of(after)).max();
            body.push_str(&cell(figure(held), of(last), most));
        }
    }
    let connections = |holdings: &Holdings| holdings.database.iter().map(|(_, count)| count).sum::<u64>();
    let most = |of: &dyn Fn(&Holdings) -> u64| all.iter().map(|(_, after)| of(after)).max();
    for (name, of) in [
        ("database connections", &connections as &dyn Fn(&Holdings) -> u64),
        ("broker connections", &|holdings: &Holdings| holdings.broker),
    ] {
        let _ = write!(body, "<tr><td>{name}{}", cell(Some(of(before)), Some(of(last)), most(of)));
    }
    body.push_str(
        "</table><p class=\"dim\">Before the first nemesis → after the last (the most after any), each time at rest.</p></div>",
    );
}

fn cell(before: Option<u64>, last: Option<u64>, most: Option<u64>) -> String {
    match (before, last, most) {
        (Some(before), Some(last), Some(most)) => format!("<td class=\"n\">{before} → {last} ({most})"),
        _ => "<td class=\"n\">·".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_shows_before_last_and_most() {
        assert_eq!(cell(Some(30), Some(34), Some(41)), "<td class=\"n\">30 → 34 (41)");
        assert_eq!(cell(None, Some(1), Some(1)), "<td class=\"n\">·");
    }
}
