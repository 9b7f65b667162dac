//! What of a response is compared with what of the other.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::batch::{LossBatch, PairRows};
use crate::error::Side;

/// How a response is cut into the units that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Partition {
    /// It is one unit.
    Whole,
    /// Each row is one.
    Token,
    /// So many rows are one; the last may be shorter.
    Window(usize),
    /// Rows of one number in `segments`, next to each other, are one.
    Segment,
}

/// Which unit of the chosen response is compared with which of the rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pairing {
    /// The first with the first, and so on, until the shorter response ends. Whole responses make one comparison.
    ByIndex,
    /// The chosen unit of the highest mean weight with the rejected unit of the lowest, and so on, until one side ends (2D-DPO, arXiv
    /// 2410.19720, eq. 6). Equal ones keep their order.
    ByWeight,
    /// Over all pairs of the call: the smallest chosen `h(U)` with the smallest rejected one, and so on (AOT, arXiv 2406.05882,
    /// unpaired). Whole responses only. The loss **depends on the neighbours**; what a comparison costs is counted in the pair of the
    /// same place.
    BatchOrder,
}

/// How the comparisons of one pair add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitSum {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
}

/// Rows of both sides that are compared.
pub(crate) struct Unit {
    pub(crate) chosen: Range<usize>,
    pub(crate) rejected: Range<usize>,
}

/// The comparisons of one pair.
pub(crate) fn units(
    (partition, pairing): (Partition, Pairing),
    pair: &PairRows,
    batch: &LossBatch<'_>,
) -> Vec<Unit> {
    let cut = |side| cut(partition, pair.side(side).rows, batch.segments);
    let (mut chosen, mut rejected) = (cut(Side::Chosen), cut(Side::Rejected));
    if pairing == Pairing::ByWeight {
        let mean = |rows: &Range<usize>| {
            batch.weights[rows.clone()].iter().sum::<f64>() / (rows.len() as f64).max(1.0)
        };
        chosen.sort_by(|a, b| mean(b).total_cmp(&mean(a)));
        rejected.sort_by(|a, b| mean(a).total_cmp(&mean(b)));
    }
    chosen.into_iter().zip(rejected).map(|(chosen, rejected)| Unit { chosen, rejected }).collect()
}

fn cut(partition: Partition, rows: Range<usize>, segments: Option<&[u32]>) -> Vec<Range<usize>> {
    let windows = |n: usize| {
        rows.clone().step_by(n).map(|start| start..rows.end.min(start.saturating_add(n))).collect()
    };
    match (partition, segments) {
        (Partition::Segment, Some(segments)) => {
            let runs = segments[rows.clone()].chunk_by(|a, b| a == b);
            let mut start = rows.start;
            runs.map(|run| {
                start += run.len();
                start - run.len()..start
            })
            .collect()
        }
        (Partition::Token, _) => windows(1),
        (Partition::Window(n), _) => windows(n.max(1)),
        (Partition::Whole | Partition::Segment, _) => vec![rows],
    }
}
