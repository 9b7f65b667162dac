//! Packed batches against the sequences they stand for, written out one by one.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::collections::HashSet;

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

/// Tokens that some row depends on: one for each different beginning of a sequence that a hidden state stands for.
fn naive_tokens(rows: &[Vec<Row>; 2]) -> usize {
    let contexts = rows.iter().flatten().map(|(context, ..)| context);
    contexts.flat_map(|context| (1..=context.len()).map(|n| &context[..n])).collect::<HashSet<_>>().len()
}

/// The same where nothing but the prompt is shared.
fn tokens_without_sharing(item: &Item, rows: &[Vec<Row>; 2]) -> usize {
    let longest = |rows: &[Row]| rows.iter().map(|(context, ..)| context.len()).max();
    let prompt = item.prompt.len();
    let own: usize = rows.iter().filter_map(|rows| longest(rows)).map(|n| n - prompt).sum();
    let has_rows = rows.iter().any(|rows| !rows.is_empty());
    own + if has_rows { prompt } else { 0 }
}

/// Compares a batch with its sequences, and returns the tokens that were saved by sharing more than prompts.
fn check(items: &[Item], policy: RowPolicy) -> usize {
    let borrowed: Vec<_> = items.iter().map(Item::borrow).collect();
    let batch = PackedBatch::pack(&borrowed, policy).unwrap();
    assert_eq!(batch.segment_offsets.len(), batch.n_segments() + 1);
    assert!(batch.segment_offsets.windows(2).all(|w| w[0] < w[1]), "no empty segments");
    assert_eq!(batch.segment_offsets.last(), Some(&batch.n_tokens()));
    assert_eq!([batch.row_positions.len(), batch.row_weights.len()], [batch.n_rows(); 2]);
    assert_eq!(batch.pairs.len(), items.len());

    let (mut next_row, mut n_tokens, mut n_unshared) = (0, 0, 0);
    for (item, pair) in items.iter().zip(&batch.pairs) {
        assert_eq!(pair.row, item.row);
        assert_eq!(pair.chosen.start, next_row, "rows are contiguous");
        assert_eq!(pair.rejected.start, pair.chosen.end);
        next_row = pair.rejected.end;
        let rows = [0, 1].map(|side| naive_rows(&item.prompt, &item.sides[side], policy));
        assert_eq!(packed_rows(&batch, pair.chosen.clone()), rows[0]);
        assert_eq!(packed_rows(&batch, pair.rejected.clone()), rows[1]);
        assert_eq!(item.borrow().packed_tokens(policy), naive_tokens(&rows));
        n_tokens += naive_tokens(&rows);
        n_unshared += tokens_without_sharing(item, &rows);
    }
    assert_eq!(next_row, batch.n_rows());
    assert_eq!(n_tokens, batch.n_tokens(), "every token is one that a row depends on");
    assert!(n_tokens <= n_unshared, "{n_tokens} tokens, {n_unshared} without sharing");
    n_unshared - n_tokens
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
        let sides = [response(5, has_prompt), response(5, has_prompt)];
        // Up to the whole of the shorter response, and past its end.
        let n_shared = prop_oneof![Just(0), 0usize..7];
        (sides, n_shared).prop_map(move |(mut sides, n_shared)| {
            let [chosen, rejected] = &mut sides;
            rejected.ids.iter_mut().zip(&chosen.ids).take(n_shared).for_each(|(to, from)| *to = *from);
            Item { row, prompt: prompt.clone(), sides }
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

/// All selections of `n` tokens, and none, which selects all.
fn selections(n: usize, has_prompt: bool) -> impl Iterator<Item = Option<Vec<f32>>> {
    let weight = move |mask: usize, token: usize| {
        let is_selected = mask >> token & 1 == 1 && (token > 0 || has_prompt);
        if is_selected { 1.0 } else { 0.0 }
    };
    (0..1usize << n).map(move |mask| Some((0..n).map(|token| weight(mask, token)).collect())).chain([None])
}

/// Lengths of a prompt, two responses and what these have in common, from nothing to all of the shorter one.
fn small_pairs() -> impl Iterator<Item = [usize; 4]> {
    let responses = (0..=4).flat_map(|n_chosen| (0..=4).map(move |n_rejected| (n_chosen, n_rejected)));
    responses.flat_map(|(n_chosen, n_rejected)| {
        let shared = 0..=n_chosen.min(n_rejected);
        shared
            .flat_map(move |n_shared| (0..=2).map(move |n_prompt| [n_prompt, n_chosen, n_rejected, n_shared]))
    })
}

#[test]
fn every_small_pair_with_every_selection_shares_what_its_responses_begin_with() {
    let (mut n_saved, mut most_saved) = (0, 0);
    for [n_prompt, n_chosen, n_rejected, n_shared] in small_pairs() {
        let ids = |first: u32, n: usize| (first..).take(n);
        let prompt: Vec<u32> = ids(0, n_prompt).collect();
        let chosen: Vec<u32> = ids(10, n_chosen).collect();
        let rejected: Vec<u32> = ids(10, n_shared).chain(ids(20, n_rejected - n_shared)).collect();
        for chosen_weights in selections(n_chosen, n_prompt > 0) {
            for rejected_weights in selections(n_rejected, n_prompt > 0) {
                let sides = [(&chosen, chosen_weights.clone()), (&rejected, rejected_weights)]
                    .map(|(ids, weights)| Response { ids: ids.clone(), weights });
                let saved = check(&[Item { row: 3, prompt: prompt.clone(), sides }], RowPolicy::Weighted);
                assert!(saved <= n_shared, "saved {saved} of {n_shared}");
                n_saved += usize::from(saved > 0);
                most_saved = most_saved.max(saved);
            }
        }
    }
    assert!(n_saved > 1000 && most_saved == 3, "{n_saved} pairs saved up to {most_saved} tokens");
}

#[test]
fn a_response_that_the_other_begins_with_is_no_segment() {
    let item = PackItem {
        prompt_ids: &[1],
        chosen_ids: &[2, 3],
        rejected_ids: &[2, 3, 4, 5],
        ..PackItem::default()
    };
    let batch = PackedBatch::pack(&[item], RowPolicy::AllResponse).unwrap();
    assert_eq!((batch.tokens, batch.segment_offsets), (vec![1, 2, 3, 4], vec![0, 2, 4]));
    assert_eq!(batch.segment_parents, [None, Some(0)]);
    assert_eq!((batch.row_positions, batch.row_targets), (vec![0, 1, 0, 1, 2, 3], vec![2, 3, 2, 3, 4, 5]));
}

#[test]
fn nothing_is_shared_with_a_side_that_has_no_rows() {
    let item = PackItem {
        prompt_ids: &[1],
        chosen_ids: &[2, 3, 4],
        rejected_ids: &[2, 3, 5],
        rejected_weights: Some(&[0.0; 3]),
        ..PackItem::default()
    };
    let batch = PackedBatch::pack(&[item], RowPolicy::Weighted).unwrap();
    assert_eq!((batch.tokens, batch.segment_offsets), (vec![1, 2, 3], vec![0, 1, 3]));
    assert_eq!((batch.pairs[0].chosen.clone(), batch.pairs[0].rejected.clone()), (0..3, 3..3));
}

#[test]
fn without_a_prompt_the_root_is_what_responses_begin_with() {
    let item = PackItem { chosen_ids: &[2, 3, 4], rejected_ids: &[2, 5, 6], ..PackItem::default() };
    let batch = PackedBatch::pack(&[item], RowPolicy::AllResponse).unwrap();
    assert_eq!((batch.tokens, batch.segment_parents), (vec![2, 3, 5], vec![None, Some(0), Some(0)]));
    assert_eq!((batch.row_positions, batch.row_targets), (vec![0, 1, 0, 2], vec![3, 4, 5, 6]));
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
