//! The crash matrix: of the order saga, and of a saga that nobody knows.

use baton_lab::sim::matrix::cases::Boundary;
use baton_lab::sim::matrix::{Matrix, check};
use baton_lab::sim::report;
use baton_shop::saga;
use saga_core::definition::{Definition, StepOptions};

fn checked(definition: &Definition) -> Matrix {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let matrix = check(definition, jobs, |_, _| ()).expect("the simulation can be set up");
    println!("{}", report::matrix(definition, &matrix));
    assert!(matrix.failed.is_empty(), "{} cases failed", matrix.failed.len());
    // A boundary that no case ever reached would be a matrix with a hole in it.
    for boundary in Boundary::all() {
        assert!(matrix.boundaries.get(&boundary) > Some(&0), "{boundary:?} was never reached");
    }
    matrix
}

#[test]
fn the_order_saga_survives_every_crash_at_every_step() {
    let total = checked(&saga::definition()).total();
    // Seven half-steps, five outcomes, fifteen boundaries, three duplicates.
    assert_eq!(total.run, 7 * 5 * 15 * 3);
    assert!(total.reached * 10 > total.run * 8, "{} of {} boundaries reached", total.reached, total.run);
}

#[test]
fn a_saga_of_unknown_participants_does_too() {
    let options = StepOptions::new();
    let definition = Definition::builder("trip", 3)
        .compensatable("hotel.book", "hotel", "hotel.book", "hotel.cancel", options)
        .compensatable("flight.book", "flight", "flight.book", "flight.cancel", options)
        .pivot("card.charge", "bank", "card.charge", options)
        .retriable("mail.send", "mail", "mail.send", options)
        .build()
        .expect("a sound definition");
    let total = checked(&definition).total();
    assert_eq!(total.run, 6 * 5 * 15 * 3);
}
