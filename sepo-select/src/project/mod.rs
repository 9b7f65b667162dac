//! From the tokens of one tokenizer to those of another, through the bytes of the text that both stand for.
//!
//! An oracle and the policy it serves need not share a vocabulary: both cut the same response text, and a value of an
//! oracle's token belongs to the bytes it stands for. [`project`] carries values over, [`WithinText`] settles what stands
//! around the text where templates differ, and [`Coverage`] says what went lost.

mod closing;
mod coverage;
mod error;
mod overlap;
mod projection;

pub use closing::WithinText;
pub use coverage::Coverage;
pub use error::ProjectError;
pub use projection::{Projected, Projection, project};
