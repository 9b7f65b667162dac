//! Expressions with checks in them.

use minijinja::machinery::ast::{
    BinOp, BinOpKind, Call, CallArg, Compare, CompareOp, Const, Expr, Filter, GetAttr, GetItem, IfExpr, List,
    Map, Slice, Spanned, Test, Tuple, UnaryOp, UnaryOpKind, Var,
};

use super::bound::{BOUNDED, FLAT, SUMMED, WEIGHED};

/// Filters whose result holds nothing: a text, a number, or what they were given.
const PLAIN_FILTERS: [&str; 26] = [
    "abs",
    "bool",
    "capitalize",
    "count",
    "d",
    "default",
    "e",
    "escape",
    "first",
    "float",
    "indent",
    "int",
    "join",
    "last",
    "length",
    "lower",
    "max",
    "min",
    "replace",
    "round",
    "safe",
    "string",
    "title",
    "tojson",
    "trim",
    "upper",
];
/// Functions that the compiler knows by name.
const ENGINE_CALLS: [&str; 3] = ["super", "loop", "caller"];
/// Tests that look into what they compare.
const COMPARING_TESTS: [&str; 14] =
    ["eq", "equalto", "==", "ne", "!=", "lt", "lessthan", "<", "le", "<=", "gt", "greaterthan", "ge", "in"];

/// The expression with checks in it and around it.
pub(super) fn expression<'a>(node: &Expr<'a>) -> Expr<'a> {
    let makes_holder = match node {
        Expr::List(list) => !list.items.iter().all(is_constant),
        Expr::Tuple(tuple) => !tuple.items.iter().all(is_constant),
        Expr::Map(map) => !map.values.iter().all(is_constant),
        Expr::Filter(filter) => !PLAIN_FILTERS.contains(&filter.name),
        Expr::Call(call) => !matches!(&call.expr, Expr::Var(var) if ENGINE_CALLS.contains(&var.id)),
        // Text and text make text; anything else beside a text fails.
        Expr::BinOp(sum)
            if matches!(sum.op, BinOpKind::Add) && !is_constant(&sum.left) && !is_constant(&sum.right) =>
        {
            return checked(unchecked(node), SUMMED);
        }
        _ => false,
    };
    let copy = unchecked(node);
    if makes_holder { checked(copy, BOUNDED) } else { copy }
}

/// The expression with checks in it.
pub(super) fn unchecked<'a>(node: &Expr<'a>) -> Expr<'a> {
    match node {
        Expr::Var(var) => Expr::Var(Spanned::new(Var { id: var.id }, var.span())),
        Expr::Const(constant) => {
            Expr::Const(Spanned::new(Const { value: constant.value.clone() }, constant.span()))
        }
        Expr::Slice(node) => {
            let [start, stop, step] =
                [&node.start, &node.stop, &node.step].map(|bound| bound.as_ref().map(expression));
            Expr::Slice(Spanned::new(Slice { expr: expression(&node.expr), start, stop, step }, node.span()))
        }
        Expr::UnaryOp(node) => {
            #[expect(clippy::needless_match, reason = "it can be neither copied nor cloned")]
            let op = match node.op {
                UnaryOpKind::Not => UnaryOpKind::Not,
                UnaryOpKind::Neg => UnaryOpKind::Neg,
            };
            Expr::UnaryOp(Spanned::new(UnaryOp { op, expr: expression(&node.expr) }, node.span()))
        }
        Expr::BinOp(node) => Expr::BinOp(Spanned::new(operation(node), node.span())),
        Expr::Compare(node) => Expr::Compare(Spanned::new(comparison(node), node.span())),
        Expr::IfExpr(node) => {
            let (test_expr, true_expr) = (expression(&node.test_expr), expression(&node.true_expr));
            let false_expr = node.false_expr.as_ref().map(expression);
            Expr::IfExpr(Spanned::new(IfExpr { test_expr, true_expr, false_expr }, node.span()))
        }
        Expr::Filter(node) => {
            let (expr, args) = (node.expr.as_ref().map(expression), arguments(&node.args));
            Expr::Filter(Spanned::new(Filter { name: node.name, expr, args }, node.span()))
        }
        Expr::Test(node) => {
            let expr = expression(&node.expr);
            let expr = if COMPARING_TESTS.contains(&node.name) { checked(expr, WEIGHED) } else { expr };
            Expr::Test(Spanned::new(Test { name: node.name, expr, args: arguments(&node.args) }, node.span()))
        }
        Expr::GetAttr(node) => Expr::GetAttr(Spanned::new(
            GetAttr { expr: expression(&node.expr), name: node.name },
            node.span(),
        )),
        Expr::GetItem(node) => {
            let (expr, subscript_expr) = (expression(&node.expr), expression(&node.subscript_expr));
            Expr::GetItem(Spanned::new(GetItem { expr, subscript_expr }, node.span()))
        }
        Expr::Call(node) => Expr::Call(call(node)),
        Expr::List(node) => Expr::List(Spanned::new(List { items: each(&node.items) }, node.span())),
        Expr::Tuple(node) => Expr::Tuple(Spanned::new(Tuple { items: each(&node.items) }, node.span())),
        Expr::Map(node) => {
            Expr::Map(Spanned::new(Map { keys: each(&node.keys), values: each(&node.values) }, node.span()))
        }
    }
}

/// What is assigned to, as it is.
pub(super) fn target<'a>(node: &Expr<'a>) -> Expr<'a> {
    match node {
        Expr::List(node) => {
            Expr::List(Spanned::new(List { items: node.items.iter().map(target).collect() }, node.span()))
        }
        Expr::Tuple(node) => {
            Expr::Tuple(Spanned::new(Tuple { items: node.items.iter().map(target).collect() }, node.span()))
        }
        Expr::GetAttr(node) => {
            Expr::GetAttr(Spanned::new(GetAttr { expr: target(&node.expr), name: node.name }, node.span()))
        }
        other => unchecked(other),
    }
}

/// The call; what is called keeps its form, by which the compiler knows it.
pub(super) fn call<'a>(node: &Spanned<Call<'a>>) -> Spanned<Call<'a>> {
    Spanned::new(Call { expr: unchecked(&node.expr), args: arguments(&node.args) }, node.span())
}

/// The expression in a filter.
pub(super) fn checked<'a>(node: Expr<'a>, name: &'static str) -> Expr<'a> {
    let span = node.span();
    Expr::Filter(Spanned::new(Filter { name, expr: Some(node), args: Vec::new() }, span))
}

fn operation<'a>(node: &BinOp<'a>) -> BinOp<'a> {
    let (left, right) = (expression(&node.left), expression(&node.right));
    let op = node.op;
    match op {
        // A list that is repeated takes nothing until it is printed.
        BinOpKind::Mul => BinOp { op, left: checked(left, FLAT), right: checked(right, FLAT) },
        BinOpKind::Eq
        | BinOpKind::Ne
        | BinOpKind::Lt
        | BinOpKind::Lte
        | BinOpKind::Gt
        | BinOpKind::Gte
        | BinOpKind::In
            if !is_constant(&node.left) && !is_constant(&node.right) =>
        {
            BinOp { op, left: checked(left, WEIGHED), right: checked(right, WEIGHED) }
        }
        _ => BinOp { op, left, right },
    }
}

fn comparison<'a>(node: &Compare<'a>) -> Compare<'a> {
    // Nothing in a list or map is looked at to compare it with a text.
    let is_simple = is_constant(&node.expr) || node.ops.iter().all(|operation| is_constant(&operation.expr));
    let operand = |node: &Expr<'a>| {
        let copy = expression(node);
        if is_simple { copy } else { checked(copy, WEIGHED) }
    };
    let ops = node.ops.iter().map(|operation| CompareOp { op: operation.op, expr: operand(&operation.expr) });
    Compare { expr: operand(&node.expr), ops: ops.collect() }
}

fn arguments<'a>(arguments: &[CallArg<'a>]) -> Vec<CallArg<'a>> {
    let argument = |argument: &CallArg<'a>| match argument {
        CallArg::Pos(value) => CallArg::Pos(expression(value)),
        CallArg::Kwarg(name, value) => CallArg::Kwarg(name, expression(value)),
        CallArg::PosSplat(value) => CallArg::PosSplat(expression(value)),
        CallArg::KwargSplat(value) => CallArg::KwargSplat(expression(value)),
    };
    arguments.iter().map(argument).collect()
}

fn each<'a>(nodes: &[Expr<'a>]) -> Vec<Expr<'a>> {
    nodes.iter().map(expression).collect()
}

fn is_constant(node: &Expr<'_>) -> bool {
    matches!(node, Expr::Const(_))
}
