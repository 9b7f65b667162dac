//! What can go wrong with a whole input ([`DataError`]) and with one row of it ([`BadReason`]).

mod bad_reason;
mod data_error;

pub use bad_reason::BadReason;
pub use data_error::DataError;
