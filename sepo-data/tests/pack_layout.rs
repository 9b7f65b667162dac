//! Packed batches against the sequences they stand for, written out one by one.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use proptest::collection::vec;
use proptest::prelude::*;
use sepo_data::{PackError, PackItem, PackedBatch, RowPolicy, Side, plan_batches};

/// An item that owns its lists.
#[derive(Debug, Clone)]
struct Item {
    row: u64,
    prompt: Vec<u32>,
    sides: [Response; 2],
}

#[derive(Debug, Clone)]
struct Response {
    ids: Vec<u32>,
    weights: Option<Vec<f32>>,
}

impl Item {
    fn borrow(&self) -> PackItem<'_> {
        let [chosen, rejected] = &self.sides;
        PackItem {
            row: self.row,
            prompt_ids: &self.prompt,
            chosen_ids: &chosen.ids,
            rejected_ids: &rejected.ids,
            chosen_weights: chosen.weights.as_deref(),
            rejected_weights: rejected.weights.as_deref(),
        }
    }
}

/// (the sequence up to the predicting token, the target, the weight)
type Row = (Vec<u32>, u32, f32);

/// The rows of one side without any packing: a prefix of the whole sequence for each target.
fn naive_rows(prompt: &[u32], response: &Response, policy: RowPolicy) -> Vec<Row> {
    let sequence = [prompt, &response.ids].concat();
    let weight = |i: usize| match (&response.weights, i.checked_sub(prompt.len())) {
        (Some(weights), Some(token)) => weights[token],
        _ => 1.0,
    };
    let first = if policy == RowPolicy::Everything { 1 } else { prompt.len().max(1) };
    (first..sequence.len())
        .map(|i| (sequence[..i].to_vec(), sequence[i], weight(i)))
        .filter(|row| policy != RowPolicy::Weighted || row.2 != 0.0)
        .collect()
}

/// The rows of one side, read back through the segments.
fn packed_rows(batch: &PackedBatch, rows: std::ops::Range<usize>) -> Vec<Row> {
    rows.map(|r| {
        let position = batch.row_positions[r] as usize;
        let mut segment = batch.segment_offsets.partition_point(|&start| start <= position) - 1;
        let mut context = batch.tokens[batch.segment_offsets[segment]..=position].to_vec();
        while let Some(parent) = batch.segment_parents[segment] {
            assert!(parent < segment, "a parent stands before its children");
            let parent_tokens = batch.segment_offsets[parent]..batch.segment_offsets[parent + 1];
            context = [&batch.tokens[parent_tokens], &context].concat();
            segment = parent;
        }
        (context, batch.row_targets[r], batch.row_weights[r])
    })
    .collect()
}

/// Tokens that some row depends on; the prompt once where it is shared.
fn naive_tokens(item: &Item, rows: &[Vec<Row>; 2]) -> usize {
    let longest = |rows: &[Row]| rows.iter().map(|(context, ..)| context.len()).max();
    let prompt = item.prompt.len();
    let own: usize = rows.iter().filter_map(|rows| longest(rows)).map(|n| n - prompt.min(n)).sum();
    let has_rows = rows.iter().any(|rows| !rows.is_empty());
    own + if has_rows { prompt } else { 0 }
}

fn check(items: &[Item], policy: RowPolicy) {
    let borrowed: Vec<_> = items.iter().map(Item::borrow).collect();
    let batch = PackedBatch::pack(&borrowed, policy).unwrap();
    assert_eq!(batch.segment_offsets.len(), batch.n_segments() + 1);
    assert!(batch.segment_offsets.windows(2).all(|w| w[0] < w[1]), "no empty segments");
    assert_eq!(batch.segment_offsets.last(), Some(&batch.n_tokens()));
    assert_eq!([batch.row_positions.len(), batch.row_weights.len()], [batch.n_rows(); 2]);
    assert_eq!(batch.pairs.len(), items.len());

    let (mut next_row, mut n_tokens) = (0, 0);
    for (item, pair) in items.iter().zip(&batch.pairs) {
        assert_eq!(pair.row, item.row);
        assert_eq!(pair.chosen.start, next_row, "rows are contiguous");
        assert_eq!(pair.rejected.start, pair.chosen.end);
        next_row = pair.rejected.end;
        let rows = [0, 1].map(|side| naive_rows(&item.prompt, &item.sides[side], policy));
        assert_eq!(packed_rows(&batch, pair.chosen.clone()), rows[0]);
        if policy != RowPolicy::Everything {
            assert_eq!(packed_rows(&batch, pair.rejected.clone()), rows[1]);
        }
        assert_eq!(item.borrow().packed_tokens(policy), naive_tokens(item, &rows));
        n_tokens += naive_tokens(item, &rows);
    }
    assert_eq!(next_row, batch.n_rows());
    assert_eq!(n_tokens, batch.n_tokens(), "every token is one that a row depends on");
}

fn response(max: usize, has_prompt: bool) -> impl Strategy<Value = Response> {
    let weight = prop_oneof![3 => Just(0.0f32), 1 => Just(1.0), 1 => -2.0f32..2.0];
    let token = (0u32..9, weight);
    (vec(token, 0..=max), any::<bool>()).prop_map(move |(tokens, weighted)| {
        let (ids, mut weights): (Vec<_>, Vec<_>) = tokens.into_iter().unzip();
        if let Some(first) = weights.first_mut().filter(|_| !has_prompt) {
            *first = 0.0;
        }
        Response { ids, weights: weighted.then_some(weights) }
    })
}

fn item() -> impl Strategy<Value = Item> {
    (any::<u64>(), vec(0u32..9, 0..4)).prop_flat_map(|(row, prompt)| {
        let has_prompt = !prompt.is_empty();
        [response(5, has_prompt), response(5, has_prompt)].prop_map(move |sides| Item {
            row,
            prompt: prompt.clone(),
            sides,
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn rows_name_the_tokens_of_the_unpacked_sequences(items in vec(item(), 0..5)) {
        check(&items, RowPolicy::AllResponse);
        check(&items, RowPolicy::Weighted);
    }

    #[test]
    fn language_modelling_predicts_every_token_but_the_first(mut items in vec(item(), 0..5)) {
        for item in &mut items {
            item.sides[1] = Response { ids: vec![], weights: None };
        }
        let borrowed: Vec<_> = items.iter().map(Item::borrow).collect();
        let batch = PackedBatch::pack(&borrowed, RowPolicy::Everything).unwrap();
        for (item, pair) in items.iter().zip(&batch.pairs) {
            let rows = naive_rows(&item.prompt, &item.sides[0], RowPolicy::Everything);
            prop_assert_eq!(packed_rows(&batch, pair.chosen.clone()), rows);
            prop_assert!(pair.rejected.is_empty());
        }
        let n_tokens: usize = borrowed.iter().map(|item| item.packed_tokens(RowPolicy::Everything)).sum();
        prop_assert_eq!(n_tokens, batch.n_tokens());
        prop_assert!(batch.segment_parents.iter().all(Option::is_none));
    }

    #[test]
    fn batches_cover_all_items_in_order_and_fill_their_budget(
        lengths in vec(0usize..30, 0..40), budget in 0usize..60, max_items in 0usize..6,
    ) {
        let batches = plan_batches(&lengths, budget, max_items);
        let covered: Vec<usize> = batches.iter().cloned().flatten().collect();
        prop_assert_eq!(covered, (0..lengths.len()).collect::<Vec<_>>());
        let fits = |range: std::ops::Range<usize>| {
            range.len() <= max_items && lengths[range].iter().sum::<usize>() <= budget
        };
        for batch in &batches {
            prop_assert!(batch.len() == 1 || fits(batch.clone()));
            let is_last = batch.end == lengths.len();
            prop_assert!(is_last || !fits(batch.start..batch.end + 1), "the next item would have fit");
        }
    }
}

#[test]
fn a_first_token_alone_needs_the_prompt_alone() {
    let item = PackItem {
        prompt_ids: &[1, 2],
        chosen_ids: &[3, 4, 5],
        rejected_ids: &[6],
        chosen_weights: Some(&[1.0, 0.0, 0.0]),
        rejected_weights: Some(&[0.0]),
        ..PackItem::default()
    };
    let batch = PackedBatch::pack(&[item], RowPolicy::Weighted).unwrap();
    assert_eq!((batch.tokens, batch.segment_parents), (vec![1, 2], vec![None]));
    assert_eq!((batch.row_positions, batch.row_targets), (vec![1], vec![3]));
}

#[test]
fn a_pair_without_rows_takes_no_tokens_but_keeps_its_place() {
    let empty = PackItem { row: 1, prompt_ids: &[1, 2], ..PackItem::default() };
    let other = PackItem { row: 2, prompt_ids: &[1], chosen_ids: &[2], rejected_ids: &[3], ..empty };
    let batch = PackedBatch::pack(&[empty, other], RowPolicy::AllResponse).unwrap();
    assert_eq!(batch.tokens, [1]);
    assert_eq!(batch.pairs[0].chosen, 0..0);
    assert_eq!((batch.pairs[1].chosen.clone(), batch.pairs[1].rejected.clone()), (0..1, 1..2));
}

#[test]
fn bad_weights_are_named() {
    let item =
        PackItem { row: 9, prompt_ids: &[1], chosen_ids: &[2, 3], rejected_ids: &[4], ..PackItem::default() };
    let pack = |item| PackedBatch::pack(&[item], RowPolicy::Weighted).unwrap_err();
    assert_eq!(
        pack(PackItem { rejected_weights: Some(&[1.0, 1.0]), ..item }),
        PackError::WeightCount { row: 9, side: Side::Rejected, n_weights: 2, n_tokens: 1 }
    );
    assert_eq!(
        pack(PackItem { chosen_weights: Some(&[0.0, f32::INFINITY]), ..item }),
        PackError::NonFiniteWeight { row: 9, side: Side::Chosen, token: 1, weight: f32::INFINITY }
    );
    assert_eq!(
        pack(PackItem { prompt_ids: &[], chosen_weights: Some(&[0.5, 0.0]), ..item }),
        PackError::WeightWithoutPrompt { row: 9, side: Side::Chosen, weight: 0.5 }
    );
    assert_eq!(
        PackedBatch::pack(&[item], RowPolicy::Everything).unwrap_err(),
        PackError::TwoSequences { row: 9, n_tokens: 1 }
    );
}
