//! `baton-lab sim`: many seeds of the simulator, or one with its story.

use super::Sim;
use crate::sim::campaign::{Totals, campaign};
use crate::sim::report;
use crate::sim::run::{Options, run};
use crate::sim::shrink::shrink;
use crate::sim::swarm::{KINDS, Limits};
use baton::failure::Failure;
use baton::progress::Progress;
use baton::show::Printer;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

/// Stories told after a campaign; the rest of the failing seeds are named.
const STORIES: usize = 2;

/// Runs the command. Fails if a seed fails.
///
/// # Errors
/// A verdict if any seed broke a promise.
pub fn start(args: &Sim, printer: Printer) -> Result<(), Failure> {
    #[cfg(feature = "planted-bugs")]
    if args.planted {
        return planted(printer);
    }
    let options = options(args)?;
    match args.seed {
        Some(seed) => single(seed, &options, printer),
        None => many(args, &options, printer),
    }
}

fn options(args: &Sim) -> Result<Options, Failure> {
    if let Some(unknown) = args.without.iter().find(|name| !KINDS.iter().any(|kind| kind.name == name.as_str())) {
        let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        return Err(Failure::Usage(format!("{unknown:?} is no kind of fault; there are {}", known.join(", "))));
    }
    let limits = Limits {
        without: args.without.iter().cloned().collect(),
        orders: args.orders,
        orchestrators: args.orchestrators,
        copies: args.copies,
    };
    Ok(Options { limits, trace: args.trace, ..Options::default() })
}

fn single(seed: u64, options: &Options, printer: Printer) -> Result<(), Failure> {
    let outcome = run(seed, options);
    if printer.json() {
        let totals = campaign(seed..seed + 1, 1, options, |_| true);
        printer.value(&report::totals_json(&totals));
    } else {
        for line in &outcome.lines {
            printer.text(line);
        }
        printer.text(&report::outcome(&outcome));
        if let Some(audit) = &outcome.audit {
            printer.text(&audit.table());
        }
    }
    if outcome.failures.is_empty() { Ok(()) } else { Err(Failure::Verdict("the seed broke a promise")) }
}

fn many(args: &Sim, options: &Options, printer: Printer) -> Result<(), Failure> {
    let (first, end) = args.seeds;
    let jobs = args.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let count = usize::try_from(end - first).unwrap_or(usize::MAX);
    let progress = Progress::begin("seeds", count, printer.quiet());
    let totals = campaign(first..end, jobs, options, |_| {
        progress.add(1);
        true
    });
    progress.end();
    if printer.json() {
        printer.value(&report::totals_json(&totals));
    } else {
        printer.text(&report::totals(&totals));
        tell(&totals, options, printer);
    }
    if let Some(file) = &args.record {
        record(file, &totals, first)?;
    }
    if totals.failed == 0 { Ok(()) } else { Err(Failure::Verdict("a seed broke a promise")) }
}

fn tell(totals: &Totals, options: &Options, printer: Printer) {
    for failed in totals.failures.iter().take(STORIES) {
        printer.say(&format!("seed {} failed; shrinking", failed.seed));
        printer.text(&report::story(&shrink(failed, options)));
    }
    for failed in totals.failures.iter().skip(STORIES) {
        printer.text(&report::outcome(failed));
    }
}

/// Appends the totals to the committed table, with its header if the file is new.
fn record(file: &Path, totals: &Totals, first: u64) -> Result<(), Failure> {
    let is_new = !file.exists();
    let mut out = OpenOptions::new().create(true).append(true).open(file)?;
    if is_new {
        writeln!(out, "{}", report::RECORD_HEADER)?;
    }
    writeln!(out, "{}", report::record(totals, first, commit()))?;
    Ok(())
}

/// The commit this was built from, as the Makefile says; a look at the repository would tell of whatever is checked out now.
fn commit() -> &'static str {
    option_env!("BATON_COMMIT").unwrap_or("unknown")
}

#[cfg(feature = "planted-bugs")]
fn planted(printer: Printer) -> Result<(), Failure> {
    use crate::sim::planted::{ALL, SEEDS};
    let mut table = baton::show::table();
    table.set_header(["defect", "what is wrong", "noticed by"]);
    let mut missed = 0;
    let progress = Progress::begin("defects", ALL.len(), printer.quiet());
    for planted in ALL {
        let caught = planted.caught_within(SEEDS);
        progress.add(1);
        let blind = planted.breaks.iter().any(|invariant| !caught.contains_key(invariant));
        missed += usize::from(blind);
        let by: Vec<String> =
            caught.iter().map(|(invariant, (seed, _))| format!("{invariant} (seed {seed})")).collect();
        let by = if by.is_empty() { "NOBODY".to_owned() } else { by.join(", ") };
        table.add_row([planted.name, planted.what, by.as_str()]);
    }
    progress.end();
    printer.text(&table.trim_fmt());
    if missed == 0 { Ok(()) } else { Err(Failure::Verdict("a planted defect was not noticed")) }
}
