//! The fused head on a device
//!
//! ```text
//! for CHUNK hidden rows that some row reads          (packed side by side)
//!     for TILE tokens of the vocabulary              (a tile of logits: 32 MB, which stays in L2)
//!         logits = hidden lm_headᵀ                   cuBLASLt, f32 sums
//!         forward:  running maximum and Σ exp        one block a row
//!         backward: dlogits, and two products        cuBLASLt
//! ```

use super::HeadShape;
use crate::Rows;
use crate::device::{
    Arg, DeviceError, Executor, Float, Kernel, Launch, Matrix, MatrixProduct, Slice, SliceMut, Source,
    blocks_of, threads_for,
};
use crate::embedding::cuda::embedding;
use std::ops::Range;

pub(crate) static SOURCE: Source = Source {
    op: "gather_logps",
    text: include_str!("gather_logps.cu"),
    kernels: &[
        "logsumexp_f32",
        "finish_logps_f64",
        "logits_to_gradient_f32",
        "logits_to_gradient_bf16",
        "spread_rows_f32",
        "spread_rows_bf16",
    ],
};

const THREADS: u32 = 256;

/// Which hidden rows are read, by which rows; [`words`](Self::words) go to the device
///
/// For the backward pass leave out rows without a gradient: hidden rows that nothing is left of cost nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadPlan {
    // of every group: hidden row; first row; end of its rows; then the targets of all rows
    words: Vec<u32>,
    n_groups: usize,
    n_rows: usize,
    n_hidden: usize,
    vocab: usize,
}

impl HeadPlan {
    /// The plan of the hidden rows that are read by a row for which `wanted` holds
    ///
    /// # Panics
    /// Where there are 2^32 rows.
    ///
    /// # Examples
    /// ```
    /// use sepo_kernels::{Rows, cuda::HeadPlan};
    ///
    /// let rows = Rows::new(vec![0, 0, 2], vec![7, 4, 1], 3, 8)?;
    /// assert_eq!(HeadPlan::new(&rows, |_| true).words(), [0, 2, 0, 2, 2, 3, 7, 4, 1]);
    /// # Ok::<(), sepo_kernels::KernelError>(())
    /// ```
    #[must_use]
    pub fn new(rows: &Rows, wanted: impl Fn(usize) -> bool) -> Self {
        let groups = super::tiles::groups(rows, wanted);
        let word = |n: usize| u32::try_from(n).expect("rows are below 2^32");
        let hidden_rows = groups.iter().map(|group| word(group.hidden_row));
        let first_rows = groups.iter().map(|group| word(group.rows.start));
        let end_rows = groups.iter().map(|group| word(group.rows.end));
        let targets = rows.targets().iter().copied();
        let words = hidden_rows.chain(first_rows).chain(end_rows).chain(targets).collect();
        let (n_groups, n_rows) = (groups.len(), rows.len());
        Self { words, n_groups, n_rows, n_hidden: rows.n_hidden(), vocab: rows.vocab() }
    }

    /// What the device is given
    #[must_use]
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// Hidden rows that are read
    #[must_use]
    pub fn n_groups(&self) -> usize {
        self.n_groups
    }

    /// Rows of the list that it was made of
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    pub(crate) fn check(&self, words: Slice<'_, u32>, shape: HeadShape) {
        assert_eq!(words.len(), self.words.len(), "`words` must be those of the plan");
        assert!(self.n_hidden <= shape.n_hidden, "the plan is for {} hidden rows", self.n_hidden);
        assert!(self.vocab <= shape.vocab, "the plan is for a vocabulary of {}", self.vocab);
    }
}

/// A plan's words on the device, taken apart
#[derive(Clone, Copy)]
pub(crate) struct Groups<'a> {
    pub(crate) hidden_rows: Slice<'a, u32>,
    pub(crate) first_rows: Slice<'a, u32>,
    pub(crate) end_rows: Slice<'a, u32>,
    pub(crate) targets: Slice<'a, u32>,
}

impl<'a> Groups<'a> {
    /// The groups `range` of a plan
    pub(crate) fn new(plan: &HeadPlan, words: Slice<'a, u32>, range: Range<usize>) -> Self {
        let n = plan.n_groups;
        let part = |i: usize| words.range(i * n + range.start..i * n + range.end);
        Self {
            hidden_rows: part(0),
            first_rows: part(1),
            end_rows: part(2),
            targets: words.range(3 * n..words.len()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.hidden_rows.len()
    }
}

/// How much of the logits exists at a time
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadTiling {
    /// hidden rows in a chunk
    pub chunk: usize,
    /// tokens in a tile of the vocabulary, a multiple of 8 so that rows of logits are aligned
    pub tile: usize,
}

impl Default for HeadTiling {
    /// 1024 rows by 8192 tokens: 32 MiB of logits
    fn default() -> Self {
        Self { chunk: 1024, tile: 8192 }
    }
}

impl HeadTiling {
    /// Values of a row of a tile, from one row to the next
    pub(crate) fn stride(self, vocab: usize) -> usize {
        assert!(self.chunk > 0 && self.tile > 0 && self.tile.is_multiple_of(8), "{self:?}");
        self.tile.min(vocab.next_multiple_of(8))
    }

    /// Buffer lengths for a head: packed hidden rows, and a tile of logits
    pub(crate) fn lens(self, plan: &HeadPlan, shape: HeadShape) -> [usize; 2] {
        let rows = plan.n_groups.min(self.chunk);
        [rows * shape.d_model, rows * self.stride(shape.vocab)]
    }

    pub(crate) fn chunks(self, n_groups: usize) -> impl Iterator<Item = Range<usize>> {
        (0..n_groups).step_by(self.chunk).map(move |start| start..n_groups.min(start + self.chunk))
    }

    pub(crate) fn tiles(self, vocab: usize) -> impl Iterator<Item = Range<usize>> {
        (0..vocab).step_by(self.tile).map(move |start| start..vocab.min(start + self.tile))
    }
}

/// Device memory that the head works in; [`HeadBufferLens`] says how much
#[derive(Debug)]
pub struct HeadBuffers<'a, T> {
    /// packed hidden rows
    pub packed: SliceMut<'a, T>,
    /// a tile of logits
    pub logits: SliceMut<'a, f32>,
    /// its gradient; only for the backward pass
    pub dlogits: SliceMut<'a, T>,
    /// gradient of packed hidden rows; only for the backward pass
    pub dpacked: SliceMut<'a, f32>,
    /// running maxima of a chunk; only for the forward pass
    pub max: SliceMut<'a, f32>,
    /// running sums of a chunk; only for the forward pass
    pub sum: SliceMut<'a, f64>,
}

/// Least lengths of [`HeadBuffers`]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadBufferLens {
    /// of `packed` and `dpacked`
    pub packed: usize,
    /// of `logits` and `dlogits`
    pub logits: usize,
    /// of `max` and `sum`
    pub chunk: usize,
}

impl HeadBufferLens {
    /// What a plan needs
    #[must_use]
    pub fn of(plan: &HeadPlan, shape: HeadShape, tiling: HeadTiling) -> Self {
        let [packed, logits] = tiling.lens(plan, shape);
        Self { packed, logits, chunk: plan.n_groups.min(tiling.chunk) }
    }
}

/// Hidden rows and the map from them to logits, on a device
#[derive(Clone, Copy, Debug)]
pub struct HeadInput<'a, T> {
    /// `[n_hidden, d_model]`, after the final norm
    pub hidden: Slice<'a, T>,
    /// `[vocab, d_model]`
    pub lm_head: Slice<'a, T>,
    /// sizes of both
    pub shape: HeadShape,
    /// how much of the logits exists at a time
    pub tiling: HeadTiling,
}

impl<T: Float> HeadInput<'_, T> {
    pub(crate) fn check(&self) {
        let HeadShape { n_hidden, d_model, vocab } = self.shape;
        assert_eq!(self.hidden.len(), n_hidden * d_model, "`hidden` must be [{n_hidden}, {d_model}]");
        assert_eq!(self.lm_head.len(), vocab * d_model, "`lm_head` must be [{vocab}, {d_model}]");
    }

    /// Rows of `lm_head` for the tokens of `tile`
    fn weights(&self, tile: &Range<usize>) -> Slice<'_, T> {
        let d_model = self.shape.d_model;
        self.lm_head.range(tile.start * d_model..tile.end * d_model)
    }

    /// Logits of packed hidden rows for the tokens of `tile`
    #[expect(unsafe_code, reason = "a product")]
    pub(crate) fn tile_logits(
        &self,
        on: &impl Executor,
        packed: Slice<'_, T>,
        tile: &Range<usize>,
        logits: &mut SliceMut<'_, f32>,
        add: bool,
    ) -> Result<(), DeviceError> {
        let HeadShape { d_model, vocab, .. } = self.shape;
        let (stride, n) = (self.tiling.stride(vocab), packed.len() / d_model);
        let product = MatrixProduct {
            a: rows_of(packed, d_model),
            b: transposed(rows_of(self.weights(tile), d_model)),
            out: rows_of(logits.as_slice(), stride),
            m: n,
            n: tile.len(),
            k: d_model,
            scale: 1.0,
            add,
        };
        // SAFETY: `packed` is n rows of d_model values, the weights are as many as the tile has tokens, and `logits` is n
        // rows of `stride` values, of which the first of each are written.
        unsafe { on.matmul(&product) }
    }

    /// `dpacked (+)= dlogits weights`, and `dlm_head += dlogitsᵀ packed` for the tokens of `tile`
    #[expect(unsafe_code, reason = "two products")]
    pub(crate) fn tile_gradients(
        &self,
        on: &impl Executor,
        (packed, dlogits): (Slice<'_, T>, Slice<'_, T>),
        tile: &Range<usize>,
        dpacked: &mut SliceMut<'_, f32>,
        dlm_head: &mut SliceMut<'_, f32>,
    ) -> Result<(), DeviceError> {
        let HeadShape { d_model, vocab, .. } = self.shape;
        let (stride, n) = (self.tiling.stride(vocab), packed.len() / d_model);
        let dlogits = rows_of(dlogits, stride);
        let dweights = dlm_head.as_slice().range(tile.start * d_model..tile.end * d_model);
        let to_hidden = MatrixProduct {
            a: dlogits,
            b: rows_of(self.weights(tile), d_model),
            out: rows_of(dpacked.as_slice(), d_model),
            m: n,
            n: d_model,
            k: tile.len(),
            scale: 1.0,
            add: tile.start > 0,
        };
        let to_weights = MatrixProduct {
            a: transposed(dlogits),
            b: rows_of(packed, d_model),
            out: rows_of(dweights, d_model),
            m: tile.len(),
            n: d_model,
            k: n,
            scale: 1.0,
            add: true,
        };
        // SAFETY: `dlogits` is n rows of `stride` values, of which the first of each are the tile's; `packed` and `dpacked`
        // are n rows of d_model values, weights and their gradient as many as the tile has tokens.
        unsafe { on.matmul(&to_hidden) }?;
        // SAFETY: as above.
        unsafe { on.matmul(&to_weights) }
    }
}

fn rows_of<T: Float>(values: Slice<'_, T>, stride: usize) -> Matrix {
    Matrix { address: values.address(), kind: T::KIND, row_stride: stride, column_stride: 1 }
}

fn transposed(matrix: Matrix) -> Matrix {
    Matrix { row_stride: matrix.column_stride, column_stride: matrix.row_stride, ..matrix }
}

/// The log-probability of every row's target, as [`gather_logps`](crate::gather_logps) on the CPU
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `words` | the plan's, on the device |
/// | `logps` | one value a row of the plan, written where its hidden row is in the plan |
/// | `lse` | `[n_hidden]`, written for hidden rows in the plan |
///
/// # Errors
/// Where a launch or a product fails.
///
/// # Panics
/// Where a slice does not have its shape or a buffer is short.
#[expect(unsafe_code, reason = "launches")]
pub fn gather_logps<T: Float>(
    on: &impl Executor,
    input: HeadInput<'_, T>,
    (plan, words): (&HeadPlan, Slice<'_, u32>),
    buffers: HeadBuffers<'_, T>,
    mut logps: SliceMut<'_, f64>,
    mut lse: SliceMut<'_, f64>,
) -> Result<(), DeviceError> {
    input.check();
    plan.check(words, input.shape);
    let HeadShape { n_hidden, d_model, vocab } = input.shape;
    assert_eq!((logps.len(), lse.len()), (plan.n_rows, n_hidden), "`logps` and `lse`");
    let HeadBuffers { mut packed, mut logits, mut max, mut sum, .. } = buffers;
    for chunk in input.tiling.chunks(plan.n_groups) {
        let groups = Groups::new(plan, words, chunk);
        let n = groups.len();
        let mut packed = packed.reborrow().range(0..n * d_model);
        let mut logits = logits.reborrow().range(0..n * input.tiling.stride(vocab));
        let mut max = max.reborrow().range(0..n);
        let mut sum = sum.reborrow().range(0..n);
        embedding(on, input.hidden, groups.hidden_rows, d_model, packed.reborrow())?;
        for tile in input.tiling.tiles(vocab) {
            input.tile_logits(on, packed.as_slice(), &tile, &mut logits, false)?;
            let launch = Launch {
                kernel: Kernel { source: &SOURCE, name: "logsumexp_f32" },
                grid: [u32::try_from(n).expect("chunks are small"), 1, 1],
                block: threads_for(tile.len(), f32::WIDTH, THREADS),
                shared_bytes: 0,
                args: &[
                    Arg::read(logits.as_slice()),           // const float *logits
                    Arg::read(groups.first_rows),           // const u32 *first_rows
                    Arg::read(groups.end_rows),             // const u32 *end_rows
                    Arg::read(groups.targets),              // const u32 *targets
                    Arg::write(&mut max),                   // float *max
                    Arg::write(&mut sum),                   // double *sum
                    Arg::write(&mut logps),                 // double *target_logits
                    Arg::count(tile.len()),                 // u32 width
                    Arg::count(input.tiling.stride(vocab)), // u32 stride
                    Arg::count(tile.start),                 // u32 first_token
                    Arg::U32(u32::from(tile.start == 0)),   // u32 begin
                ],
            };
            // SAFETY: the list is the kernel's; block g reads row g of the tile and writes value g of `max` and `sum`, and
            // the rows of its group, which the plan has from a checked list.
            unsafe { on.launch(&launch) }?;
        }
        let launch = Launch {
            kernel: Kernel { source: &SOURCE, name: "finish_logps_f64" },
            grid: [blocks_of(n, THREADS), 1, 1],
            block: THREADS,
            shared_bytes: 0,
            args: &[
                Arg::read(max.as_slice()),     // const float *max
                Arg::read(sum.as_slice()),     // const double *sum
                Arg::read(groups.hidden_rows), // const u32 *hidden_rows
                Arg::read(groups.first_rows),  // const u32 *first_rows
                Arg::read(groups.end_rows),    // const u32 *end_rows
                Arg::write(&mut lse),          // double *lse
                Arg::write(&mut logps),        // double *logps
                Arg::count(n),                 // u32 n
            ],
        };
        // SAFETY: the list is the kernel's; thread g touches value g of the sums, its hidden row's value and its rows'.
        unsafe { on.launch(&launch) }?;
    }
    Ok(())
}

/// Where [`gather_logps_backward`] leaves its gradients
#[derive(Debug)]
pub struct HeadGrads<'a, T> {
    /// `[n_hidden, d_model]`: rows that are in the plan are overwritten, the others left as they are
    pub dhidden: SliceMut<'a, T>,
    /// `[vocab, d_model]`, added to
    pub dlm_head: SliceMut<'a, f32>,
}

/// The gradients of [`gather_logps`], as [`gather_logps_backward`](crate::gather_logps_backward) on the CPU
///
/// Logits are computed again, a tile at a time. `dlogps`, one value a row, is what the loss asks for; `lse` is the forward
/// pass's. The plan may have fewer hidden rows than the forward pass's: those whose rows have a gradient.
///
/// # Errors
/// Where a launch or a product fails.
///
/// # Panics
/// Where a slice does not have its shape or a buffer is short.
#[expect(unsafe_code, reason = "launches")]
pub fn gather_logps_backward<T: Float>(
    on: &impl Executor,
    input: HeadInput<'_, T>,
    (plan, words): (&HeadPlan, Slice<'_, u32>),
    buffers: HeadBuffers<'_, T>,
    (lse, dlogps): (Slice<'_, f64>, Slice<'_, f64>),
    grads: HeadGrads<'_, T>,
) -> Result<(), DeviceError> {
    input.check();
    plan.check(words, input.shape);
    let HeadShape { n_hidden, d_model, vocab } = input.shape;
    assert_eq!((dlogps.len(), lse.len()), (plan.n_rows, n_hidden), "`dlogps` and `lse`");
    let HeadGrads { mut dhidden, mut dlm_head } = grads;
    assert_eq!(dhidden.len(), input.hidden.len(), "`dhidden` must be as long as `hidden`");
    assert_eq!(dlm_head.len(), input.lm_head.len(), "`dlm_head` must be as long as `lm_head`");
    let HeadBuffers { mut packed, mut logits, mut dlogits, mut dpacked, .. } = buffers;
    let stride = input.tiling.stride(vocab);
    for chunk in input.tiling.chunks(plan.n_groups) {
        let groups = Groups::new(plan, words, chunk);
        let n = groups.len();
        let mut packed = packed.reborrow().range(0..n * d_model);
        let mut logits = logits.reborrow().range(0..n * stride);
        let mut dlogits = dlogits.reborrow().range(0..n * stride);
        let mut dpacked = dpacked.reborrow().range(0..n * d_model);
        embedding(on, input.hidden, groups.hidden_rows, d_model, packed.reborrow())?;
        for tile in input.tiling.tiles(vocab) {
            input.tile_logits(on, packed.as_slice(), &tile, &mut logits, false)?;
            let block = threads_for(tile.len(), T::WIDTH, THREADS);
            let launch = Launch {
                kernel: Kernel {
                    source: &SOURCE,
                    name: T::pick("logits_to_gradient_f32", "logits_to_gradient_bf16"),
                },
                grid: [
                    blocks_of(tile.len().div_ceil(T::WIDTH), block),
                    u32::try_from(n).expect("chunks are small"),
                    1,
                ],
                block,
                shared_bytes: 0,
                args: &[
                    Arg::read(logits.as_slice()),  // const float *logits
                    Arg::read(groups.hidden_rows), // const u32 *hidden_rows
                    Arg::read(groups.first_rows),  // const u32 *first_rows
                    Arg::read(groups.end_rows),    // const u32 *end_rows
                    Arg::read(groups.targets),     // const u32 *targets
                    Arg::read(lse),                // const double *lse
                    Arg::read(dlogps),             // const double *dlogps
                    Arg::write(&mut dlogits),      // T *dlogits
                    Arg::count(tile.len()),        // u32 width
                    Arg::count(stride),            // u32 stride
                    Arg::count(tile.start),        // u32 first_token
                ],
            };
            // SAFETY: the list is the kernel's; a thread reads and writes its columns of row g of the tiles, and reads what
            // belongs to its group, which the plan has from a checked list.
            unsafe { on.launch(&launch) }?;
            let operands = (packed.as_slice(), dlogits.as_slice());
            input.tile_gradients(on, operands, &tile, &mut dpacked, &mut dlm_head)?;
        }
        spread_rows(on, dpacked.as_slice(), groups.hidden_rows, d_model, &mut dhidden)?;
    }
    Ok(())
}

/// Copies gradients of packed hidden rows to their places
#[expect(unsafe_code, reason = "a launch")]
pub(crate) fn spread_rows<T: Float>(
    on: &impl Executor,
    dpacked: Slice<'_, f32>,
    hidden_rows: Slice<'_, u32>,
    d_model: usize,
    dhidden: &mut SliceMut<'_, T>,
) -> Result<(), DeviceError> {
    if dpacked.is_empty() {
        return Ok(());
    }
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: T::pick("spread_rows_f32", "spread_rows_bf16") },
        grid: [u32::try_from(hidden_rows.len()).expect("chunks are small"), 1, 1],
        block: threads_for(d_model, T::WIDTH, THREADS),
        shared_bytes: 0,
        args: &[
            Arg::read(dpacked),     // const float *dpacked
            Arg::read(hidden_rows), // const u32 *hidden_rows
            Arg::write(dhidden),    // T *dhidden
            Arg::count(d_model),    // u32 d
        ],
    };
    // SAFETY: the list is the kernel's; groups have different hidden rows, which the plan has from a checked list.
    unsafe { on.launch(&launch) }
}
