//! Choosing the main point of a passage that has been read.

mod coverage;
pub(crate) mod main_point;

pub use main_point::representative;
