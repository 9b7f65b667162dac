//! A recipe: the whole pipeline in one TOML file, oracle → score → select → train → eval → report.
//!
//! [`run`] is the command. [`load`] makes a checked [`Recipe`] of the file and the overrides; [`execute`] does what has not been done,
//! and [`dry_run`] says what that would be. A stage is known by what went into it: the hashes of its inputs, its settings and
//! the program's version, kept in `stage.json` beside its result.

mod check;
mod checked;
mod execute;
mod hashes;
mod input;
mod keys;
mod length;
mod load;
mod mistake;
mod nearest;
mod objective;
mod paths;
mod perform;
mod place;
mod plan;
mod record;
mod report;
mod run;
mod section;
mod sections;
mod source;
mod stage;
mod tables;
mod wording;

use checked::Recipe;
use execute::{Summary, dry_run, execute};
use load::load;
pub(crate) use load::read;
pub(crate) use objective::chosen;
pub(crate) use run::run;

use stage::Stage;
