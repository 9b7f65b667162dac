//! Layouts of segments and rows, at the level of the whole network: what a chain or a tree of segments computes is what
//! its flat sequences compute, and a request that makes no sense is an error with numbers in it.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

mod support;

use proptest::prelude::*;
use sepo_kernels::Segments;
use sepo_model::{Activations, Model, ModelError, Network, SequenceBatch};
use support::{CONFIGS, VOCAB, model, pass, relative_l2};

/// Segments as their tokens, and the segment that each continues.
#[derive(Debug, Clone)]
struct Tree {
    tokens: Vec<Vec<u32>>,
    parents: Vec<Option<usize>>,
}

/// A batch that owns its parts, with a slope for the gradient of each row.
#[derive(Debug, Clone)]
struct Request {
    tokens: Vec<u32>,
    segments: Segments,
    rows: Vec<(u32, u32)>,
    slopes: Vec<f64>,
}

impl Request {
    fn run(&self, model: &Model, activations: Activations) -> (Vec<f64>, Vec<f32>) {
        let (positions, targets): (Vec<u32>, Vec<u32>) = self.rows.iter().copied().unzip();
        let batch = SequenceBatch {
            tokens: &self.tokens,
            segments: &self.segments,
            row_positions: &positions,
            row_targets: &targets,
        };
        pass(model, activations, &batch, |_| self.slopes.clone())
    }

    /// On a network that has run the batch without a gradient before.
    fn run_on(&self, mut network: Network, model: &Model) -> (Vec<f64>, Vec<f32>) {
        let (positions, targets): (Vec<u32>, Vec<u32>) = self.rows.iter().copied().unzip();
        let batch = SequenceBatch {
            tokens: &self.tokens,
            segments: &self.segments,
            row_positions: &positions,
            row_targets: &targets,
        };
        let before = network.logps(&model.parameters, &batch).unwrap();
        let logps = network.forward(&model.parameters, &batch).unwrap();
        assert_eq!(before, logps);
        let mut gradient = vec![0.0; model.parameters.len()];
        network.backward(&model.parameters, &self.slopes, &mut gradient).unwrap();
        (logps, gradient)
    }
}

fn slope(i: usize) -> f64 {
    (i * 7 % 5) as f64 - 1.75
}

impl Tree {
    fn offsets(&self) -> Vec<usize> {
        let mut offsets = vec![0];
        for tokens in &self.tokens {
            offsets.push(offsets[offsets.len() - 1] + tokens.len());
        }
        offsets
    }

    /// Flat indices of the tokens of the sequence that ends with segment `leaf`.
    fn path(&self, leaf: usize) -> Vec<usize> {
        let offsets = self.offsets();
        let mut segments = vec![leaf];
        while let Some(parent) = self.parents[segments[segments.len() - 1]] {
            segments.push(parent);
        }
        segments.iter().rev().flat_map(|&segment| offsets[segment]..offsets[segment + 1]).collect()
    }

    /// Every token of every segment's sequence predicted, in the tree and in flat sequences. A token that several
    /// sequences share gets a row for each.
    fn requests(&self) -> (Request, Vec<Request>) {
        let tokens = self.tokens.concat();
        let mut whole = Request {
            segments: Segments::new(self.offsets(), self.parents.clone()).unwrap(),
            tokens,
            rows: Vec::new(),
            slopes: Vec::new(),
        };
        let mut flat = Vec::new();
        for leaf in 0..self.tokens.len() {
            let path = self.path(leaf);
            let tokens: Vec<u32> = path.iter().map(|&index| whole.tokens[index]).collect();
            let mut rows = Vec::new();
            let mut slopes = Vec::new();
            for (position, pair) in path.windows(2).enumerate() {
                let target = whole.tokens[pair[1]];
                slopes.push(slope(whole.rows.len()));
                whole.slopes.push(slope(whole.rows.len()));
                whole.rows.push((u32::try_from(pair[0]).unwrap(), target));
                rows.push((u32::try_from(position).unwrap(), target));
            }
            flat.push(Request { segments: Segments::single(tokens.len()), tokens, rows, slopes });
        }
        (whole, flat)
    }
}

/// How far apart f32 sums over the same terms in another order may bring a log-prob: 500 units of rounding, as random
/// weights magnify them now and then.
const LOGP_OFF: f64 = 3e-5;

fn assert_close(name: &str, model: &Model, ours: &(Vec<f64>, Vec<f32>), plain: &(Vec<f64>, Vec<f64>)) {
    assert_eq!(ours.0.len(), plain.0.len(), "{name}");
    for (row, (ours, plain)) in ours.0.iter().zip(&plain.0).enumerate() {
        assert!((ours - plain).abs() < LOGP_OFF, "{name}, row {row}: {ours} and {plain}");
    }
    let norm = |values: &[f64]| values.iter().map(|g| g * g).sum::<f64>().sqrt();
    let whole = norm(&plain.1);
    for info in model.parameters.layout() {
        let plain = &plain.1[info.range.clone()];
        let ours = ours.1[info.range.clone()].iter().map(|g| f64::from(*g));
        let size = norm(plain);
        let off = relative_l2(ours, plain.iter().copied()) * if size > 0.0 { size } else { 1.0 };
        // A key's bias has no gradient but rounding, hence the floor.
        assert!(off <= 1e-4 * size + 1e-6 * whole, "{name}: {} is off by {off} of {size}", info.name);
    }
}

fn run_flat(model: &Model, flat: &[Request]) -> (Vec<f64>, Vec<f64>) {
    let mut logps = Vec::new();
    let mut sum = vec![0.0; model.parameters.len()];
    for request in flat {
        let (values, gradient) = request.run(model, Activations::Kept);
        logps.extend(values);
        sum.iter_mut().zip(gradient).for_each(|(sum, part)| *sum += f64::from(part));
    }
    (logps, sum)
}

fn check_tree(name: &str, model: &Model, tree: &Tree) {
    let (whole, flat) = tree.requests();
    let plain = run_flat(model, &flat);
    for activations in [Activations::Kept, Activations::Recomputed] {
        assert_close(name, model, &whole.run(model, activations), &plain);
    }
}

#[test]
fn a_chain_of_prompt_and_common_prefix_equals_flat_sequences() {
    let tree = Tree {
        tokens: vec![vec![3, 17, 5, 5], vec![1, 9, 22], vec![0, 4, 2, 8, 8], vec![6, 2]],
        parents: vec![None, Some(0), Some(1), Some(1)],
    };
    for (name, keys) in CONFIGS {
        check_tree(name, &model(keys, 11), &tree);
    }
}

/// Up to ten segments, empty ones too; each continues an earlier one or none.
fn tree() -> impl Strategy<Value = Tree> {
    let vocab = u32::try_from(VOCAB).unwrap();
    let segment = (prop::collection::vec(0..vocab, 0..6), any::<prop::sample::Index>());
    prop::collection::vec(segment, 1..10).prop_map(|segments| {
        let parent =
            |(i, (_, index)): (usize, &(Vec<u32>, prop::sample::Index))| index.index(i + 1).checked_sub(1);
        Tree {
            parents: segments.iter().enumerate().map(parent).collect(),
            tokens: segments.into_iter().map(|(tokens, _)| tokens).collect(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_of_segments_equals_flat_sequences(tree in tree(), config in 0..CONFIGS.len(), seed in any::<u64>()) {
        let (name, keys) = CONFIGS[config];
        check_tree(name, &model(keys, seed), &tree);
    }

    #[test]
    fn rows_may_stand_in_any_order(
        tree in tree(),
        config in 0..CONFIGS.len(),
        keys in prop::collection::vec(any::<u64>(), 400),
    ) {
        let (name, config) = CONFIGS[config];
        let model = model(config, 5);
        let (request, _) = tree.requests();
        let (logps, gradient) = request.run(&model, Activations::Kept);
        let mut order: Vec<usize> = (0..logps.len()).collect();
        order.sort_by_key(|&row| keys[row % keys.len()]);
        let shuffled = Request {
            rows: order.iter().map(|&row| request.rows[row]).collect(),
            slopes: order.iter().map(|&row| request.slopes[row]).collect(),
            ..request
        };
        let plain = (
            order.iter().map(|&row| logps[row]).collect(),
            gradient.into_iter().map(f64::from).collect(),
        );
        assert_close(name, &model, &shuffled.run(&model, Activations::Kept), &plain);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_last_block_leaves_out_changes_nothing(
        tree in tree(),
        config in 0..CONFIGS.len(),
        keep in prop::collection::vec(any::<bool>(), 400),
        seed in any::<u64>(),
    ) {
        let (name, keys) = CONFIGS[config];
        let model = model(keys, seed);
        let (all, _) = tree.requests();
        let kept: Vec<usize> = (0..all.rows.len()).filter(|row| keep[row % keep.len()]).collect();
        let some = Request {
            rows: kept.iter().map(|&row| all.rows[row]).collect(),
            slopes: kept.iter().map(|&row| all.slopes[row]).collect(),
            ..all.clone()
        };
        // Every row asked for, those that are not kept without a slope: the last block leaves nothing out.
        let mut masked = all;
        (0..masked.slopes.len()).filter(|row| !keep[row % keep.len()]).for_each(|row| masked.slopes[row] = 0.0);
        let (logps, gradient) = masked.run(&model, Activations::Kept);
        let plain =
            (kept.iter().map(|&row| logps[row]).collect(), gradient.into_iter().map(f64::from).collect());
        for activations in [Activations::Kept, Activations::Recomputed] {
            assert_close(name, &model, &some.run(&model, activations), &plain);
            let network = Network::new(&model.config, activations).with_every_output();
            assert_close(name, &model, &some.run_on(network, &model), &plain);
        }
    }
}

#[test]
fn a_repeated_row_adds_its_slopes() {
    let once = Request {
        tokens: vec![4, 8, 15, 16],
        segments: Segments::single(4),
        rows: vec![(3, 2), (1, 15)],
        slopes: vec![1.5, -0.5],
    };
    let repeated = Request {
        rows: vec![(3, 2), (1, 15), (3, 2), (3, 2)],
        slopes: vec![1.0, -0.5, 2.0, -1.5],
        ..once.clone()
    };
    for (name, keys) in CONFIGS {
        let model = model(keys, 2);
        let (logps, gradient) = once.run(&model, Activations::Kept);
        let plain =
            (vec![logps[0], logps[1], logps[0], logps[0]], gradient.into_iter().map(f64::from).collect());
        assert_close(name, &model, &repeated.run(&model, Activations::Kept), &plain);
    }
}

#[test]
fn an_empty_batch_and_a_batch_without_rows_have_no_logps_and_no_gradient() {
    let tokens = [1, 2, 3];
    let cases: [(&[u32], Segments); 4] = [
        (&[], Segments::new(vec![0], vec![]).unwrap()),
        (&[], Segments::single(0)),
        (&tokens, Segments::single(3)),
        (&tokens, Segments::new(vec![0, 0, 3, 3], vec![None, Some(0), Some(1)]).unwrap()),
    ];
    for (name, keys) in CONFIGS {
        let model = model(keys, 3);
        for (tokens, segments) in &cases {
            let batch = SequenceBatch { tokens, segments, row_positions: &[], row_targets: &[] };
            for activations in [Activations::Kept, Activations::Recomputed] {
                let (logps, gradient) = pass(&model, activations, &batch, |_| Vec::new());
                assert!(logps.is_empty(), "{name}");
                assert!(gradient.iter().all(|g| *g == 0.0), "{name}");
                let mut network = Network::new(&model.config, activations);
                assert!(network.logps(&model.parameters, &batch).unwrap().is_empty(), "{name}");
            }
        }
    }
}

#[test]
fn buffers_of_a_larger_batch_leave_no_trace_in_a_smaller_one() {
    let small =
        Request { tokens: vec![7, 3], segments: Segments::single(2), rows: vec![(1, 9)], slopes: vec![1.0] };
    let large: Vec<u32> = (0..50).map(|i| i * 5 % 23).collect();
    for (name, keys) in CONFIGS {
        let model = model(keys, 6);
        for activations in [Activations::Kept, Activations::Recomputed] {
            let (logps, gradient) = small.run(&model, activations);
            let mut network = Network::new(&model.config, activations);
            let segments = Segments::single(50);
            let batch = SequenceBatch {
                tokens: &large,
                segments: &segments,
                row_positions: &[49],
                row_targets: &[1],
            };
            network.forward(&model.parameters, &batch).unwrap();
            network.backward(&model.parameters, &[1.0], &mut vec![0.0; gradient.len()]).unwrap();
            let batch = SequenceBatch {
                tokens: &small.tokens,
                segments: &small.segments,
                row_positions: &[1],
                row_targets: &[9],
            };
            let mut again = vec![0.0; gradient.len()];
            assert_eq!(network.forward(&model.parameters, &batch).unwrap(), logps, "{name}");
            network.backward(&model.parameters, &[1.0], &mut again).unwrap();
            assert_eq!(again, gradient, "{name}");
        }
    }
}

/// A model, a network and one valid batch to spoil.
fn two_rows<'a>(segments: &'a Segments) -> SequenceBatch<'a> {
    SequenceBatch { tokens: &[1, 2, 3], segments, row_positions: &[2, 0], row_targets: &[4, 2] }
}

#[test]
fn backward_needs_a_forward_pass_of_its_own() {
    let model = model(CONFIGS[0].1, 1);
    let mut network = Network::new(&model.config, Activations::Kept);
    let mut gradient = vec![0.0; model.parameters.len()];
    let segments = Segments::single(3);
    let batch = two_rows(&segments);
    let mut backward = |network: &mut Network| network.backward(&model.parameters, &[1.0; 2], &mut gradient);

    assert!(matches!(backward(&mut network), Err(ModelError::NoForward)));
    network.logps(&model.parameters, &batch).unwrap();
    assert!(matches!(backward(&mut network), Err(ModelError::NoForward)), "`logps` keeps nothing");
    network.forward(&model.parameters, &batch).unwrap();
    backward(&mut network).unwrap();
    assert!(matches!(backward(&mut network), Err(ModelError::NoForward)), "a forward pass is used up");
    network.forward(&model.parameters, &batch).unwrap();
    network.logps(&model.parameters, &batch).unwrap();
    assert!(matches!(backward(&mut network), Err(ModelError::NoForward)), "`logps` took its buffers");
    network.forward(&model.parameters, &batch).unwrap();
    let spoilt = SequenceBatch { tokens: &[1, 2, 99], ..batch };
    network.forward(&model.parameters, &spoilt).unwrap_err();
    assert!(matches!(backward(&mut network), Err(ModelError::NoForward)), "the last forward pass failed");
    assert!(gradient.iter().any(|g| *g != 0.0));
}

#[test]
fn lengths_that_do_not_agree_are_named() {
    let model = model(CONFIGS[0].1, 1);
    let mut network = Network::new(&model.config, Activations::Kept);
    let segments = Segments::single(3);
    let batch = two_rows(&segments);
    let spoilt = [
        (SequenceBatch { tokens: &[1, 2], ..batch }, (2, 3)),
        (SequenceBatch { tokens: &[1, 2, 3, 4], ..batch }, (4, 3)),
        (SequenceBatch { row_targets: &[4], ..batch }, (1, 2)),
        (SequenceBatch { row_positions: &[0, 1, 2], ..batch }, (2, 3)),
        (SequenceBatch { row_positions: &[2, 3], ..batch }, (3, 4)),
    ];
    for (batch, numbers) in spoilt {
        let error = network.logps(&model.parameters, &batch).unwrap_err();
        let ModelError::BatchShape { found, expected, .. } = error else { panic!("{error}") };
        assert_eq!((found, expected), numbers);
    }

    let mut gradient = vec![0.0; model.parameters.len()];
    for (n_slopes, n_weights, numbers) in
        [(1, gradient.len(), (1, 2)), (3, gradient.len(), (3, 2)), (2, 5, (5, gradient.len()))]
    {
        network.forward(&model.parameters, &batch).unwrap();
        let slopes = vec![1.0; n_slopes];
        let error = network.backward(&model.parameters, &slopes, &mut gradient[..n_weights]).unwrap_err();
        let ModelError::BatchShape { found, expected, .. } = error else { panic!("{error}") };
        assert_eq!((found, expected), numbers);
        assert!(gradient.iter().all(|g| *g == 0.0));
    }
}

#[test]
fn ids_beyond_the_vocabulary_are_named_with_their_index() {
    let model = model(CONFIGS[0].1, 1);
    let mut network = Network::new(&model.config, Activations::Kept);
    let segments = Segments::single(3);
    let batch = two_rows(&segments);
    let token = SequenceBatch { tokens: &[1, 23, 3], ..batch };
    let error = network.forward(&model.parameters, &token).unwrap_err();
    assert!(matches!(error, ModelError::TokenOutOfVocab { index: 1, id: 23, vocab: VOCAB }), "{error:?}");
}

/// Rows are sorted inside; the error must name the caller's row.
#[test]
fn targets_beyond_the_vocabulary_are_named_with_the_callers_row() {
    let model = model(CONFIGS[0].1, 1);
    let mut network = Network::new(&model.config, Activations::Kept);
    let segments = Segments::single(3);
    let target = SequenceBatch { row_targets: &[u32::MAX, 2], ..two_rows(&segments) };
    let error = network.forward(&model.parameters, &target).unwrap_err();
    assert!(
        matches!(error, ModelError::TokenOutOfVocab { index: 0, id: u32::MAX, vocab: VOCAB }),
        "{error:?}"
    );
}
