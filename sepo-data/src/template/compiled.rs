//! A template as the engine runs it.

use std::fmt;

use minijinja::machinery::{eval, make_string_output};
use minijinja::{AutoEscape, Environment, Error, Value};
use self_cell::self_cell;

use super::program::Program;

self_cell!(
    /// The program, and the source that it names its variables from.
    struct Owned {
        owner: String,
        #[covariant]
        dependent: Program,
    }
);

/// A compiled template, with checks in it that keep its values small.
pub(super) struct Compiled(Owned);

impl Compiled {
    /// The program of `source`.
    pub(super) fn new(source: String) -> Result<Self, Error> {
        Owned::try_new(source, |source| Program::new(source)).map(Self)
    }

    /// What it renders.
    pub(super) fn render(&self, environment: &Environment<'_>, context: Value) -> Result<String, Error> {
        let Program { instructions, blocks } = self.0.borrow_dependent();
        let mut text = String::new();
        eval(
            environment,
            instructions,
            context,
            blocks,
            &mut make_string_output(&mut text),
            AutoEscape::None,
        )?;
        Ok(text)
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Compiled").field(self.0.borrow_owner()).finish()
    }
}
