//! Tests as data: a saga's story as commands, and below each what came of it.
//!
//! A script is a sequence of blocks, separated by blank lines. Lines that begin with `#` are for the reader. A block's
//! commands stand above a line `----`, their output below it:
//!
//! ```text
//! # The hotel is full: the trip is closed and the traveller gets the money back.
//! reply hotel.book rejected NO_ROOM
//! ----
//! v4 compensating trip.open, waits for the reply to attempt 1 of 190 until +5s (NO_ROOM)
//!    send trip trip.close attempt 1
//! ```
//!
//! | command | what it does |
//! |---|---|
//! | `define NAME/VERSION [deadline=D]`, then one indented line per step | checks a definition and uses it |
//! | `use NAME/VERSION` | uses one of the definitions that the test hands in |
//! | `start [id=N] [input=TEXT]` | starts a saga; the clock starts at zero |
//! | `reply STEP [action\|undo] succeeded\|rejected\|unavailable [REASON] [attempt=N] [output=TEXT] [message=TEXT]` | a participant answers; without `attempt=`, the newest |
//! | `wake`, `wake due`, `wake early` | time has passed: none, up to the deadline, up to one microsecond before it |
//! | `cancel\|retry\|skip\|resolve-done\|resolve-undone\|pause\|resume ACTOR REASON` | an operator acts |
//! | `show` | prints what the saga has learned |
//! | `journal` | prints the journal |
//! | `replay` | folds the journal and compares |
//!
//! Steps are `happened NAME PARTICIPANT undo=U`, `compensatable NAME PARTICIPANT undo=U`, `covered NAME PARTICIPANT
//! by=STEP`, `pivot NAME PARTICIPANT [undo=U]`, `retriable NAME PARTICIPANT`, with `action=` (the step's name if not
//! given), `attempts=`, `timeout=`, `undo-attempts=` and `undo-timeout=`. Any event may end with `+DURATION`, which lets
//! that much time pass before it. Words with spaces stand in double quotes.

mod define;
mod file;
mod run;
pub(crate) mod text;
mod words;

pub use file::{CheckError, REWRITE, check, check_block};
pub use run::{ScriptError, run};
