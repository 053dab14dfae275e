//! What a storm was and what came of it: for machines as JSON, for people as one page with pictures.
//!
//! - [`model`]: the values. [`html`]: the page. `chart`: its pictures, inline SVG. Nothing is loaded from anywhere.

mod chart;
mod holdings;
pub mod html;
pub mod model;
