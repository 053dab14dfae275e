//! Checkers: what Baton promises, as programs.
