//! Source to instructions, within the depth that a stack has room for.

use std::collections::BTreeMap;
use std::thread;

use minijinja::machinery::{CodeGenerator, Instructions, Token, parse, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Error, ErrorKind};

use super::checks::with_checks;

/// Name of the template in errors.
const NAME: &str = "chat_template";
/// Most words and signs of one tag. An expression such as `a + a + …` is as deep as it is long.
const MAX_TAG_TOKENS: usize = 2_000;
/// Most `{% elif %}` of a template. Each is inside the one before it.
const MAX_ELIFS: usize = 2_000;
/// Stack for the engine's compiler, which goes into expressions by calling itself: room for what is allowed, in a build
/// without optimisation.
const STACK_BYTES: usize = 64 << 20;

/// A template as the engine runs it.
pub(super) struct Program<'source> {
    pub(super) instructions: Instructions<'source>,
    pub(super) blocks: BTreeMap<&'source str, Instructions<'source>>,
}

impl<'source> Program<'source> {
    /// The program of `source`, with checks in it.
    pub(super) fn new(source: &'source str) -> Result<Self, Error> {
        // As transformers sets Jinja up.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
        check_depth(source, &syntax)?;
        let failed = |detail: &'static str| Error::new(ErrorKind::InvalidOperation, detail);
        thread::scope(|scope| {
            let compiler = thread::Builder::new().stack_size(STACK_BYTES);
            let compiling = compiler.spawn_scoped(scope, || compile(source, syntax));
            let compiling = compiling.map_err(|error| {
                failed("there is no thread to compile the template in").with_source(error)
            })?;
            compiling.join().unwrap_or_else(|_| Err(failed("the engine gave up on the template")))
        })
    }
}

fn compile(source: &str, syntax: SyntaxConfig) -> Result<Program<'_>, Error> {
    let tree = with_checks(&parse(source, NAME, syntax)?)?;
    let mut generator = CodeGenerator::new(NAME, source);
    generator.compile_stmt(&tree);
    let (instructions, blocks) = generator.finish();
    Ok(Program { instructions, blocks })
}

/// Refuses what would be too deep. A source that is no template passes: the parser says what is wrong with it.
fn check_depth(source: &str, syntax: &SyntaxConfig) -> Result<(), Error> {
    let refuse = |line: u16, detail: String| {
        Err(Error::new(ErrorKind::SyntaxError, format!("{detail} (line {line}); divide it with `set`")))
    };
    let (mut n_tokens, mut n_elifs) = (0, 0);
    for (token, span) in tokenize(source, false, syntax.clone()).map_while(Result::ok) {
        n_tokens += 1;
        match token {
            Token::TemplateData(_) | Token::VariableStart | Token::BlockStart => n_tokens = 0,
            Token::Ident("elif") => n_elifs += 1,
            _ => {}
        }
        if n_tokens > MAX_TAG_TOKENS {
            return refuse(span.start_line, format!("a tag has more than {MAX_TAG_TOKENS} words and signs"));
        }
        if n_elifs > MAX_ELIFS {
            return refuse(span.start_line, format!("there are more than {MAX_ELIFS} `elif`"));
        }
    }
    Ok(())
}
