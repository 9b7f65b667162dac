//! The whole of the `sepo-cli` binary, which only calls [`main`]: parse, call, print, draw.
//!
//! [`report`] and [`heatmap`] draw what the other crates compute, and are useful by themselves. Everything else is private:
//! the command line is the interface, and the libraries below it are the API.

#![forbid(unsafe_code)]

mod advice;
mod args;
mod claim;
mod command;
mod console;
mod dispatch;
mod examples;
mod exit;
pub mod heatmap;
mod interrupt;
mod length;
mod machine;
mod memory;
mod methods;
mod model_dir;
mod pairs;
mod progress;
mod provenance;
mod quickstart;
mod recipe;
mod remedy;
mod remote;
pub mod report;
mod reproduce;
mod shard_error;
mod step_weights;
mod undone;

use std::process::ExitCode;

use clap::Parser;

use args::Cli;
use exit::Exit;

/// Runs the command line of this process, and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    // A panic is a bug of ours and has an exit code of its own.
    let outcome = std::panic::catch_unwind(|| dispatch::run(Cli::parse()));
    match outcome {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(error)) => {
            console::say(format!("{:?}", error.report));
            error.exit.into()
        }
        Err(_) => {
            console::say(
                "this is a bug in sepo-cli; please report the lines above with the command that you ran",
            );
            Exit::Bug.into()
        }
    }
}

/// All commands with their flags, as they are typed. For tests and for programs that complete what is typed.
#[doc(hidden)]
#[must_use]
pub fn command_line() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Whether a recipe of this text, with overrides such as `select.keep_chosen=0.5`, makes sense as far as that needs no other
/// file. For fuzzing; [`main`] is the way in for everybody else.
///
/// # Errors
///
/// What is wrong, as the program says it.
#[doc(hidden)]
pub fn check_recipe(text: &str, overrides: &[String]) -> Result<(), String> {
    match recipe::read(std::path::Path::new("recipe.toml"), text, overrides) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{:?}", error.report)),
    }
}

/// The method that `CONTRIBUTING.md` adds.
#[cfg(doctest)]
#[doc = include_str!("../../CONTRIBUTING.md")]
struct Contributing;
