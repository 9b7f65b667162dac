//! Where a template makes values that hold others, and checks put there.
//!
//! The engine counts steps and the bytes of texts, but a list that holds a list twice costs a step, and forty such steps make
//! one that is printed, compared or hashed for years. Nor does it mind a list a million lists deep, which no stack survives.
//! So each place of a template where a value can come to hold another gets one of the filters of [`bound`](super::bound).
//! The engine's trees cannot be changed in place, so a template with checks is a copy of the one that was parsed.

use minijinja::machinery::ast::{
    AutoEscape, Block, Break, CallBlock, Continue, Do, EmitExpr, EmitRaw, Expr, FilterBlock, ForLoop, IfCond,
    Macro, Set, SetBlock, Spanned, Stmt, Template, WithBlock,
};
use minijinja::{Error, ErrorKind};

use super::bound::STORED;
use super::checked_expression::{call, checked, expression, target, unchecked};

/// The statement with checks in it.
///
/// # Errors
///
/// Tags that name other files: there are none.
pub(super) fn with_checks<'a>(statement: &Stmt<'a>) -> Result<Stmt<'a>, Error> {
    Ok(match statement {
        Stmt::Template(node) => {
            Stmt::Template(Spanned::new(Template { children: all(&node.children)? }, node.span()))
        }
        Stmt::EmitExpr(node) => {
            // The engine treats a call of `loop` by its form.
            Stmt::EmitExpr(Spanned::new(EmitExpr { expr: expression(&node.expr) }, node.span()))
        }
        Stmt::EmitRaw(node) => Stmt::EmitRaw(Spanned::new(EmitRaw { raw: node.raw }, node.span())),
        Stmt::ForLoop(node) => Stmt::ForLoop(Spanned::new(for_loop(node)?, node.span())),
        Stmt::IfCond(node) => {
            let (true_body, false_body) = (all(&node.true_body)?, all(&node.false_body)?);
            Stmt::IfCond(Spanned::new(
                IfCond { expr: expression(&node.expr), true_body, false_body },
                node.span(),
            ))
        }
        Stmt::WithBlock(node) => {
            let assignments =
                node.assignments.iter().map(|(name, value)| (target(name), expression(value))).collect();
            Stmt::WithBlock(Spanned::new(WithBlock { assignments, body: all(&node.body)? }, node.span()))
        }
        Stmt::Set(node) => Stmt::Set(Spanned::new(set(node), node.span())),
        Stmt::SetBlock(node) => {
            let (filter, body) = (node.filter.as_ref().map(unchecked), all(&node.body)?);
            Stmt::SetBlock(Spanned::new(SetBlock { target: target(&node.target), filter, body }, node.span()))
        }
        Stmt::AutoEscape(node) => {
            let enabled = expression(&node.enabled);
            Stmt::AutoEscape(Spanned::new(AutoEscape { enabled, body: all(&node.body)? }, node.span()))
        }
        Stmt::FilterBlock(node) => {
            let (filter, body) = (unchecked(&node.filter), all(&node.body)?);
            let filter_span = node.filter_span;
            Stmt::FilterBlock(Spanned::new(FilterBlock { filter, filter_span, body }, node.span()))
        }
        Stmt::Block(node) => {
            let block = Block { name: node.name, required: node.required, body: all(&node.body)? };
            Stmt::Block(Spanned::new(block, node.span()))
        }
        Stmt::Macro(node) => Stmt::Macro(macro_of(node)?),
        Stmt::CallBlock(node) => {
            let (call, macro_decl) = (call(&node.call), macro_of(&node.macro_decl)?);
            let call_expr_span = node.call_expr_span;
            Stmt::CallBlock(Spanned::new(CallBlock { call, call_expr_span, macro_decl }, node.span()))
        }
        Stmt::Do(node) => Stmt::Do(Spanned::new(Do { call: call(&node.call) }, node.span())),
        Stmt::Continue(node) => Stmt::Continue(Spanned::new(Continue, node.span())),
        Stmt::Break(node) => Stmt::Break(Spanned::new(Break, node.span())),
        Stmt::Import(node) => return Err(no_files(node.span().start_line)),
        Stmt::FromImport(node) => return Err(no_files(node.span().start_line)),
        Stmt::Extends(node) => return Err(no_files(node.span().start_line)),
        Stmt::Include(node) => return Err(no_files(node.span().start_line)),
    })
}

fn no_files(line: u16) -> Error {
    let text = format!(
        "a chat template cannot read other files, as the tag on line {line} would; put their text into it"
    );
    Error::new(ErrorKind::SyntaxError, text)
}

fn all<'a>(statements: &[Stmt<'a>]) -> Result<Vec<Stmt<'a>>, Error> {
    statements.iter().map(with_checks).collect()
}

fn for_loop<'a>(node: &ForLoop<'a>) -> Result<ForLoop<'a>, Error> {
    Ok(ForLoop {
        target: target(&node.target),
        iter: expression(&node.iter),
        filter_expr: node.filter_expr.as_ref().map(expression),
        recursive: node.recursive,
        body: all(&node.body)?,
        else_body: all(&node.else_body)?,
    })
}

fn set<'a>(node: &Set<'a>) -> Set<'a> {
    let expr = expression(&node.expr);
    // A variable is replaced; a namespace goes on to be what others hold, itself included.
    let expr = if matches!(node.target, Expr::Var(_)) { expr } else { checked(expr, STORED) };
    Set { target: target(&node.target), expr }
}

fn macro_of<'a>(node: &Spanned<Macro<'a>>) -> Result<Spanned<Macro<'a>>, Error> {
    let args = node.args.iter().map(target).collect();
    let defaults = node.defaults.iter().map(expression).collect();
    Ok(Spanned::new(Macro { name: node.name, args, defaults, body: all(&node.body)? }, node.span()))
}
