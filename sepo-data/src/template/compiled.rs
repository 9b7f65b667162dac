//! A template as the engine runs it.

use std::collections::BTreeMap;
use std::fmt;

use minijinja::machinery::{CodeGenerator, Instructions, eval, make_string_output, parse};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, Value};
use self_cell::self_cell;

use super::checks::with_checks;

/// Name of the template in errors.
const NAME: &str = "chat_template";

struct Program<'source> {
    instructions: Instructions<'source>,
    blocks: BTreeMap<&'source str, Instructions<'source>>,
}

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
        // As transformers sets Jinja up.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
        Owned::try_new(source, |source| program(source, syntax)).map(Self)
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

fn program(source: &str, syntax: SyntaxConfig) -> Result<Program<'_>, Error> {
    let tree = with_checks(&parse(source, NAME, syntax)?)?;
    let mut generator = CodeGenerator::new(NAME, source);
    generator.compile_stmt(&tree);
    let (instructions, blocks) = generator.finish();
    Ok(Program { instructions, blocks })
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Compiled").field(self.0.borrow_owner()).finish()
    }
}
