//! Which tokens of one tokenizer share bytes with which of another.

use std::collections::BTreeMap;
use std::ops::Range;

use sepo_data::Span;

/// A source and a target token that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shared {
    pub(super) source: usize,
    pub(super) target: usize,
    /// Bytes that both stand for; 1 for two tokens that stand for none.
    pub(super) n_bytes: u32,
}

/// Every pair of tokens that share a byte, by source token, then by place in the text.
///
/// Tokens that stand for no text are matched with each other where they stand at the same place: the first with the
/// first. Spans may come in any order and overlap.
///
/// A sweep: target tokens by where they begin, and for each the furthest end up to it, tell where to look for a source
/// token. For spans that rise, as tokens do, that is linear.
pub(super) fn shared(source: &[Span], target: &[Span]) -> Vec<Shared> {
    let mut order: Vec<usize> = (0..target.len()).collect();
    order.sort_by_key(|&i| target[i].start);
    let mut furthest = Vec::with_capacity(order.len());
    let mut end = 0;
    for &i in &order {
        end = end.max(target[i].end);
        furthest.push(end);
    }
    let mut empty: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    // Later ones first, so that the first is taken off the end.
    for (i, span) in target.iter().enumerate().rev().filter(|(_, span)| span.start == span.end) {
        empty.entry(span.start).or_default().push(i);
    }
    let mut all = Vec::with_capacity(source.len() + target.len());
    for (s, span) in source.iter().enumerate() {
        if span.start == span.end {
            let matched = empty.get_mut(&span.start).and_then(Vec::pop);
            all.extend(matched.map(|target| Shared { source: s, target, n_bytes: 1 }));
            continue;
        }
        let first = furthest.partition_point(|end| *end <= span.start);
        for &t in &order[first..] {
            if target[t].start >= span.end {
                break;
            }
            let Range { start, end } = target[t].start.max(span.start)..target[t].end.min(span.end);
            if start < end {
                all.push(Shared { source: s, target: t, n_bytes: end - start });
            }
        }
    }
    all
}
