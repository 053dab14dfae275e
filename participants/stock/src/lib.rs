//! The stock participant.
