//! `baton-lab check`: the crash matrix of a registered saga.

use super::Check;
use crate::sim::matrix::{cases, check};
use crate::sim::report;
use baton::failure::Failure;
use baton::progress::Progress;
use baton::show::Printer;
use baton_shop::saga::registry;

/// Runs the command. Fails if a case fails.
///
/// # Errors
/// A verdict if any case broke a promise.
pub fn start(args: &Check, printer: Printer) -> Result<(), Failure> {
    let registry = registry();
    let Some(saga) = registry.newest(&args.saga) else {
        let known: Vec<String> = registry.ids().iter().map(ToString::to_string).collect();
        return Err(Failure::Usage(format!("no saga is called {:?}; there are {}", args.saga, known.join(", "))));
    };
    let definition = saga.definition();
    let jobs = args.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let progress = Progress::begin("cases", cases::cases(definition).len(), printer.quiet());
    let matrix = check(definition, jobs, |_, _| progress.add(1)).map_err(Failure::Other)?;
    progress.end();
    if printer.json() {
        printer.value(&report::matrix_json(definition, &matrix));
    } else {
        printer.text(&report::matrix(definition, &matrix));
    }
    if matrix.failed.is_empty() { Ok(()) } else { Err(Failure::Verdict("a case broke a promise")) }
}
