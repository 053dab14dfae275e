//! The walls between the rooms of docs/ARCHITECTURE.md, held by reading the sources.

mod arrows;
mod circles;
mod names;
mod shop_words;
mod source;
