//! `sepo-cli lineage`

use std::collections::BTreeSet;

use crate::args::LineageArgs;
use crate::console::{Form, result};
use crate::exit::{CliError, Exit};
use crate::provenance::{Node, State, Subject, lineage};

pub(crate) fn run(args: &LineageArgs) -> Result<Exit, CliError> {
    let trees: Vec<Node> = ends(Subject::find(&args.path)?).iter().map(lineage).collect::<Result<_, _>>()?;
    let form = if args.json { Form::Json } else { Form::Human };
    result(form, &trees, |trees| trees.iter().map(Node::text).collect::<Vec<_>>().join("\n\n"))?;
    let is_sound = trees.iter().all(|tree| tree.worst() == State::Unchanged);
    Ok(if args.check && !is_sound { Exit::Data } else { Exit::Done })
}

/// Those that nothing else of them was made from: they stand in its tree.
fn ends(subjects: Vec<Subject>) -> Vec<Subject> {
    let inner: BTreeSet<String> =
        subjects.iter().flat_map(|subject| subject.record.upstream.keys().cloned()).collect();
    subjects.into_iter().filter(|subject| !inner.contains(&subject.record.hash())).collect()
}
