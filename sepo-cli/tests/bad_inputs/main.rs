//! What is said of bad input, word for word, with its exit code; and that nothing is left half-written.
//!
//! Each family is a table of cases ([`case::Case`]): what is wrong, how it comes to be so, what is typed, how it ends. What
//! is said stands in `snapshots/`, a page a family; `INSTA_UPDATE=always` writes the pages anew.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod artifact;
mod case;
mod checkpoint;
mod data;
mod flag;
mod machine;
mod model;
mod recipe;
mod said;
mod table;
mod tokenizer;
mod tree;
mod world;
