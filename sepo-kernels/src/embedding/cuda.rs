//! Embedding on a device

use crate::device::{
    Arg, DeviceError, Executor, Float, Indices, Kernel, Launch, Placed, Plan, Slice, SliceMut, Source,
    threads_for,
};
use crate::shape::{assert_shape, n_values};

pub(crate) static SOURCE: Source = Source {
    op: "embedding",
    text: include_str!("embedding.cu"),
    kernels: &[
        "embedding_f32",
        "embedding_bf16",
        "embedding_backward_f32",
        "embedding_backward_bf16",
        "add_rows_f32",
        "add_rows_bf16",
    ],
};

/// The ids of a batch and its tokens by id, made where the ids are known: each row of the gradient then belongs to one block
///
/// Holding the value is the proof that ids are below the vocabulary. It is placed on the device once a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddingPlan {
    // distinct ids, ascending; where each one's tokens start, and the end; the tokens; the id of each token
    words: Vec<u32>,
    n_distinct: usize,
    n_tokens: usize,
    vocab: usize,
}

impl EmbeddingPlan {
    /// The plan of a batch
    ///
    /// # Panics
    /// Where an id is not below `vocab`, or there are 2^32 tokens.
    ///
    /// # Examples
    /// ```
    /// use sepo_kernels::cuda::{EmbeddingPlan, Plan};
    ///
    /// let plan = EmbeddingPlan::new(&[7, 2, 7], 8);
    /// assert_eq!(plan.words(), [2, 7, 0, 1, 3, 1, 0, 2, 7, 2, 7]); // distinct ids; starts; tokens; ids
    /// ```
    #[must_use]
    pub fn new(ids: &[u32], vocab: usize) -> Self {
        for (token, &id) in ids.iter().enumerate() {
            assert!((id as usize) < vocab, "token {token} has id {id}, the table has {vocab} rows");
        }
        let n_tokens = u32::try_from(ids.len()).expect("tokens are below 2^32");
        let mut tokens: Vec<u32> = (0..n_tokens).collect();
        tokens.sort_by_key(|&token| ids[token as usize]); // stable: equal ids keep the order of their tokens
        let (mut distinct, mut starts) = (Vec::new(), Vec::new());
        for (start, &token) in (0..).zip(&tokens) {
            let id = ids[token as usize];
            if distinct.last() != Some(&id) {
                distinct.push(id);
                starts.push(start);
            }
        }
        starts.push(n_tokens);
        let n_distinct = distinct.len();
        Self {
            words: [distinct.as_slice(), &starts, &tokens, ids].concat(),
            n_distinct,
            n_tokens: ids.len(),
            vocab,
        }
    }
}

impl Plan for EmbeddingPlan {
    fn words(&self) -> &[u32] {
        &self.words
    }
}

/// As [`embedding`](crate::embedding) on the CPU
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `table` | `[vocab, d_model]`, with the plan's vocabulary |
/// | `out` | `[n_tokens, d_model]` |
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where a slice does not have its shape.
pub fn embedding<T: Float>(
    on: &impl Executor,
    table: Slice<'_, T>,
    placed: Placed<'_, EmbeddingPlan>,
    d_model: usize,
    out: SliceMut<'_, T>,
) -> Result<(), DeviceError> {
    let (&EmbeddingPlan { n_tokens, vocab, .. }, words) = (placed.plan(), placed.words());
    assert_shape("`table`", table.len(), [vocab, d_model]);
    let ids = words.range(words.len() - n_tokens..words.len());
    pick_rows(on, table, Indices { words: ids, end: vocab }, d_model, out)
}

/// The rows of `table` that `rows` name, side by side in `out`
#[expect(unsafe_code, reason = "a launch")]
pub(crate) fn pick_rows<T: Float>(
    on: &impl Executor,
    table: Slice<'_, T>,
    rows: Indices<'_>,
    d_model: usize,
    mut out: SliceMut<'_, T>,
) -> Result<(), DeviceError> {
    let n_rows = rows.words.len();
    assert!(table.len() >= n_values([rows.end, d_model]), "`table` must have {} rows of {d_model}", rows.end);
    assert_shape("`out`", out.len(), [n_rows, d_model]);
    if out.is_empty() {
        return Ok(());
    }
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: T::pick("embedding_f32", "embedding_bf16") },
        grid: [u32::try_from(n_rows).expect("rows are below 2^31"), 1, 1],
        block: threads_for(d_model, T::WIDTH, 256),
        shared_bytes: 0,
        args: &[
            Arg::read(table),      // const T *table
            Arg::read(rows.words), // const u32 *ids
            Arg::write(&mut out),  // T *out
            Arg::count(d_model),   // u32 d
        ],
    };
    // SAFETY: the list is the kernel's; block t reads row `ids[t]` of the table, which is below `rows.end` and so one that
    // it has, and writes row t of `out`.
    unsafe { on.launch(&launch) }
}

/// As [`embedding_backward`](crate::embedding_backward) on the CPU, with the same sums in the same order
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `dout` | `[n_tokens, d_model]` |
/// | `dtable` | `[vocab, d_model]`, added to |
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where a slice does not have its shape.
#[expect(unsafe_code, reason = "a launch")]
pub fn embedding_backward<T: Float>(
    on: &impl Executor,
    placed: Placed<'_, EmbeddingPlan>,
    dout: Slice<'_, T>,
    mut dtable: SliceMut<'_, f32>,
) -> Result<(), DeviceError> {
    let (&EmbeddingPlan { n_distinct, n_tokens, vocab, .. }, words) = (placed.plan(), placed.words());
    let d_model = dtable.len().checked_div(vocab).unwrap_or(0);
    assert_eq!(dtable.len(), vocab * d_model, "`dtable` must be {vocab} rows");
    assert_shape("`dout`", dout.len(), [n_tokens, d_model]);
    if dout.is_empty() {
        return Ok(());
    }
    let starts = n_distinct..2 * n_distinct + 1;
    let tokens = starts.end..starts.end + n_tokens;
    let launch = Launch {
        kernel: Kernel {
            source: &SOURCE,
            name: T::pick("embedding_backward_f32", "embedding_backward_bf16"),
        },
        grid: [u32::try_from(n_distinct).expect("ids are below 2^31"), 1, 1],
        block: threads_for(d_model, T::WIDTH, 256),
        shared_bytes: 0,
        args: &[
            Arg::read(words.range(0..n_distinct)), // const u32 *ids
            Arg::read(words.range(starts)),        // const u32 *starts
            Arg::read(words.range(tokens)),        // const u32 *tokens
            Arg::read(dout),                       // const T *dout
            Arg::write(&mut dtable),               // float *dtable
            Arg::count(d_model),                   // u32 d
        ],
    };
    // SAFETY: the list is the kernel's; the words are the plan's, whose ids are distinct and below `vocab`, so that each
    // block has a row of `dtable` to itself, and its tokens are rows of `dout`.
    unsafe { on.launch(&launch) }
}

/// Adds each of `rows` to the row of `x` that the plan's id names
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `rows` | `[n_tokens, d_model]` |
/// | `x` | `[vocab, d_model]`, with the plan's vocabulary |
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where a slice does not have its shape, or the plan has an id twice.
#[expect(unsafe_code, reason = "a launch")]
pub fn add_rows<T: Float>(
    on: &impl Executor,
    rows: Slice<'_, T>,
    placed: Placed<'_, EmbeddingPlan>,
    d_model: usize,
    mut x: SliceMut<'_, T>,
) -> Result<(), DeviceError> {
    let (&EmbeddingPlan { n_distinct, n_tokens, vocab, .. }, words) = (placed.plan(), placed.words());
    assert_eq!(n_distinct, n_tokens, "rows are added to different rows");
    assert_shape("`rows`", rows.len(), [n_tokens, d_model]);
    assert_shape("`x`", x.len(), [vocab, d_model]);
    if rows.is_empty() {
        return Ok(());
    }
    let positions = words.range(words.len() - n_tokens..words.len());
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: T::pick("add_rows_f32", "add_rows_bf16") },
        grid: [u32::try_from(n_tokens).expect("rows are below 2^31"), 1, 1],
        block: threads_for(d_model, T::WIDTH, 256),
        shared_bytes: 0,
        args: &[
            Arg::read(rows),      // const T *rows
            Arg::read(positions), // const u32 *positions
            Arg::write(&mut x),   // T *x
            Arg::count(d_model),  // u32 d
        ],
    };
    // SAFETY: the list is the kernel's; the words are the plan's, whose ids are distinct and rows of `x`, so that each block
    // has a row of it to itself, and reads its row of `rows`.
    unsafe { on.launch(&launch) }
}
