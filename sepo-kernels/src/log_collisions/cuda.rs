//! Collision probabilities on a device: the walk of `gather_logps`, without rows

use crate::device::{
    Arg, DeviceError, Executor, Float, Kernel, Launch, SliceMut, Source, blocks_of, threads_for,
};
use crate::gather_logps::input::HeadInput;
use crate::shape::n_values;
use std::ops::Range;

pub(crate) static SOURCE: Source = Source {
    op: "log_collisions",
    text: include_str!("log_collisions.cu"),
    kernels: &["row_sums_f32", "finish_collisions_f64"],
};

const THREADS: u32 = 256;

/// Device memory for the distributions of a model at a chunk of hidden rows; [`RowSumLens`] says how much
#[derive(Debug)]
pub struct RowSumBuffers<'a> {
    /// a tile of logits
    pub logits: SliceMut<'a, f32>,
    /// running maxima
    pub max: SliceMut<'a, f32>,
    /// running sums
    pub sum: SliceMut<'a, f64>,
}

/// Least lengths of [`RowSumBuffers`]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowSumLens {
    /// of `logits`
    pub logits: usize,
    /// of `max` and `sum`, and of all else that is one value a row of a chunk
    pub chunk: usize,
}

impl RowSumLens {
    /// What a model's hidden rows need
    #[must_use]
    pub fn of<T: Float>(input: &HeadInput<'_, T>) -> Self {
        let chunk = input.shape.n_hidden.min(input.tiling.chunk);
        Self { logits: n_values([chunk, input.tiling.stride(input.shape.vocab)]), chunk }
    }
}

impl RowSumBuffers<'_> {
    /// The part that `n` hidden rows need
    pub(crate) fn first(&mut self, n: usize, stride: usize) -> RowSumBuffers<'_> {
        RowSumBuffers {
            logits: self.logits.reborrow().range(0..n_values([n, stride])),
            max: self.max.reborrow().range(0..n),
            sum: self.sum.reborrow().range(0..n),
        }
    }

    /// Makes the logits of a tile for the hidden rows `rows`, and takes them into the maxima and sums
    #[expect(unsafe_code, reason = "a launch")]
    pub(crate) fn add_tile<T: Float>(
        &mut self,
        on: &impl Executor,
        input: &HeadInput<'_, T>,
        (rows, tile): (&Range<usize>, &Range<usize>),
        squares: Option<&mut SliceMut<'_, f64>>,
    ) -> Result<(), DeviceError> {
        let stride = input.tiling.stride(input.shape.vocab);
        assert!(squares.as_ref().is_none_or(|squares| squares.len() == rows.len()), "one value a row");
        self.make_logits(on, input, (rows, tile))?;
        let launch = Launch {
            kernel: Kernel { source: &SOURCE, name: "row_sums_f32" },
            grid: [u32::try_from(rows.len()).expect("chunks are small"), 1, 1],
            block: threads_for(tile.len(), 1, THREADS),
            shared_bytes: 0,
            args: &[
                Arg::read(self.logits.as_slice()),    // const float *logits
                Arg::write(&mut self.max),            // float *max
                Arg::write(&mut self.sum),            // double *sum
                Arg::write_or_null(squares),          // double *squares
                Arg::count(tile.len()),               // u32 width
                Arg::count(stride),                   // u32 stride
                Arg::U32(u32::from(tile.start == 0)), // u32 begin
            ],
        };
        // SAFETY: the list is the kernel's; block h reads row h of the tile and writes value h of the sums, which are as
        // many as rows.
        unsafe { on.launch(&launch) }
    }

    /// The logits of a tile for the hidden rows `rows`
    pub(crate) fn make_logits<T: Float>(
        &mut self,
        on: &impl Executor,
        input: &HeadInput<'_, T>,
        (rows, tile): (&Range<usize>, &Range<usize>),
    ) -> Result<(), DeviceError> {
        let d_model = input.shape.d_model;
        let hidden = input.hidden.range(rows.start * d_model..rows.end * d_model);
        assert_eq!((self.max.len(), self.sum.len()), (rows.len(), rows.len()), "one value a row");
        input.tile_logits(on, hidden, tile, &mut self.logits, false)
    }
}

/// `log Σ_v p[v]²` at every hidden row, as [`log_collisions`](crate::log_collisions) on the CPU
///
/// `squares` is scratch as long as `sum`; `collisions` has one value a hidden row.
///
/// # Errors
/// Where a launch or a product fails.
///
/// # Panics
/// Where a slice does not have its shape or a buffer is short.
#[expect(unsafe_code, reason = "a launch")]
pub fn log_collisions<T: Float>(
    on: &impl Executor,
    input: HeadInput<'_, T>,
    mut buffers: RowSumBuffers<'_>,
    mut squares: SliceMut<'_, f64>,
    mut collisions: SliceMut<'_, f64>,
) -> Result<(), DeviceError> {
    input.check();
    let (n_hidden, vocab) = (input.shape.n_hidden, input.shape.vocab);
    assert_eq!(collisions.len(), n_hidden, "`collisions` must have one value a hidden row");
    for rows in input.tiling.chunks(n_hidden) {
        let n = rows.len();
        let mut buffers = buffers.first(n, input.tiling.stride(vocab));
        let mut squares = squares.reborrow().range(0..n);
        for tile in input.tiling.tiles(vocab) {
            buffers.add_tile(on, &input, (&rows, &tile), Some(&mut squares))?;
        }
        let mut collisions = collisions.reborrow().range(rows);
        let launch = Launch {
            kernel: Kernel { source: &SOURCE, name: "finish_collisions_f64" },
            grid: [blocks_of(n, THREADS), 1, 1],
            block: THREADS,
            shared_bytes: 0,
            args: &[
                Arg::read(buffers.sum.as_slice()), // const double *sum
                Arg::read(squares.as_slice()),     // const double *squares
                Arg::write(&mut collisions),       // double *collisions
                Arg::count(n),                     // u32 n
            ],
        };
        // SAFETY: the list is the kernel's; thread h touches value h of arrays of n.
        unsafe { on.launch(&launch) }?;
    }
    Ok(())
}
