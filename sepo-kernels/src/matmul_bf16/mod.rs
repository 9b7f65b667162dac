//! Strided matrix products whose operands are rounded to bf16 and whose sums are `f32`
//!
//! In simple words, `out[i][j] (+)= scale * sum over k of bf16(a[i][k]) * bf16(b[k][j])`. How it is fast:
//!
//! 1. Both operands are packed first (`pack.rs`): rounded, and put in the order in which they are read.
//! 2. A tile of [`MR`] rows and [`NR`] columns of `out` is summed in registers (`avx512.rs`, `portable.rs`),
//!    then written.
//! 3. Sums are cut after at most [`MAX_DEPTH`] terms, so that a tile's part of the packed operands stays in the caches.
//!    The first part is written as the caller asks and the others are added to it, in the order of the terms.
//! 4. Threads share the tiles of a block. Each tile is summed by one of them.
//!
//! So the order of a sum depends on `k` alone: neither on the number of threads nor on the other sizes and the strides.
//! Which instructions sum may change the last bits, and what numbers below 2^-126 become.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod instructions;
mod pack;
mod portable;
#[cfg(test)]
mod tests;
mod tile;

use crate::Write;
use crate::matmul::{Mat, Product, Threads, assert_fits, has_no_terms};
use crate::simd::{Loop, MulAdd, vectorized};
use instructions::Instructions;
use pack::Panels;
use rayon::prelude::*;
use std::cell::Cell;
use std::ops::Range;
use tile::{MR, NR, Tile};

/// Terms that are summed in registers: a panel of the left operand takes 24 KB, one of the right operand 64 KB
const MAX_DEPTH: usize = 1024 / MIRI_SHARE;

/// Rows that are packed at a time, 8 MB at [`MAX_DEPTH`]
const MAX_ROWS: usize = (341 * MR).div_ceil(MIRI_SHARE * MR) * MR;

/// Columns that are packed at a time, 8 MB at [`MAX_DEPTH`]
const MAX_COLS: usize = (128 * NR).div_ceil(MIRI_SHARE * NR) * NR;

/// Blocks are so much smaller under Miri, which interprets: its tests cross them, too
const MIRI_SHARE: usize = if cfg!(miri) { 64 } else { 1 };

/// Rows of a task: their packed values take 192 KB of a second-level cache at [`MAX_DEPTH`]
const TASK_ROWS: usize = 8 * MR;

/// Tasks that a block is cut into where its size allows, so that threads end at about the same time
const MIN_TASKS: usize = 64;

/// `out (+)= scale * a b`, where the rows of `out` are `out_stride` values apart
///
/// [`matmul`](crate::matmul::matmul) with operands in bf16: each value of `a` and `b` counts as the nearest bf16 number,
/// of two the one with an even mantissa. Numbers below 2^-126 count as zero, not-a-number values and infinities stay
/// what they are. Products are exact and sums are `f32`.
pub(crate) fn matmul_bf16(
    a: Mat<'_>,
    b: Mat<'_>,
    out: &mut [f32],
    out_stride: usize,
    product: Product,
    write: Write,
    threads: Threads,
) {
    if has_no_terms(out, out_stride, product, write) {
        return;
    }
    assert_fits(a, b, out, out_stride, product);
    let call = Call { a, b, product, write, threads, instructions: Instructions::best() };
    call.run(out, out_stride);
}

/// Packed operands of one block
#[derive(Default)]
struct Packed {
    a: Vec<u32>,
    b: Vec<u32>,
}

thread_local! {
    // Taken and put back, since a thread that waits for its tasks may run another product in between.
    static PACKED: Cell<Packed> = const { Cell::new(Packed { a: Vec::new(), b: Vec::new() }) };
}

/// A product that has terms and whose matrices fit
struct Call<'a> {
    a: Mat<'a>,
    b: Mat<'a>,
    product: Product,
    write: Write,
    threads: Threads,
    instructions: Instructions,
}

impl Call<'_> {
    fn run(&self, out: &mut [f32], out_stride: usize) {
        let Product { m, n, k, .. } = self.product;
        let mut packed = PACKED.take();
        for cols in blocks(n, MAX_COLS) {
            for rows in blocks(m, MAX_ROWS) {
                let mut tasks = tasks(&mut out[rows.start * out_stride..], out_stride, rows.len(), &cols);
                // Parts of about one length; an even one, since terms come in pairs.
                let depth = k.div_ceil(k.div_ceil(MAX_DEPTH)).next_multiple_of(2);
                for depth in blocks(k, depth) {
                    self.add_block(rows.clone(), cols.clone(), depth, &mut tasks, &mut packed);
                }
            }
        }
        PACKED.set(packed);
    }

    /// Adds the terms `depth` to a block of the output
    fn add_block(
        &self,
        rows: Range<usize>,
        cols: Range<usize>,
        depth: Range<usize>,
        tasks: &mut [Task<'_>],
        packed: &mut Packed,
    ) {
        let write = if depth.start == 0 { self.write } else { Write::Add };
        let n_pairs = depth.len().div_ceil(2);
        let a = aligned(&mut packed.a, rows.len().div_ceil(MR) * n_pairs);
        let b = aligned(&mut packed.b, cols.len().div_ceil(NR) * n_pairs);
        Panels { mat: self.a, lanes: rows, depth: depth.clone(), packed: &mut *a }
            .fill(|panels| self.instructions.pack(panels), self.threads);
        Panels { mat: self.b.transposed(), lanes: cols, depth, packed: &mut *b }
            .fill(|panels| self.instructions.pack(panels), self.threads);
        let (a, b) = (&*a, &*b);
        let run = |task: &mut Task<'_>| {
            let a = &a[task.first_row / MR * n_pairs..];
            let b = &b[task.first_col / NR * n_pairs..];
            task.add(a, b, n_pairs, self.instructions, self.product.scale, write);
        };
        match self.threads {
            Threads::One => tasks.iter_mut().for_each(run),
            Threads::Pool => tasks.par_iter_mut().for_each(run),
        }
    }
}

/// Consecutive ranges of at most `len` that cover `0..n`
fn blocks(n: usize, len: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n).step_by(len).map(move |start| start..n.min(start + len))
}

/// `n` arrays in the buffer, from the start of a cache line on
fn aligned<const W: usize>(buffer: &mut Vec<u32>, n: usize) -> &mut [[u32; W]] {
    const LINE: usize = 64;
    let len = n * W + LINE / size_of::<u32>();
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    // A matter of speed alone, which is why a start that cannot be found does no harm.
    let start = buffer.as_ptr().align_offset(LINE).min(LINE / size_of::<u32>());
    &mut buffer[start..].as_chunks_mut().0[..n]
}

/// A part of a block of the output, for one thread
struct Task<'a> {
    /// first row and column, from those of the block
    first_row: usize,
    first_col: usize,
    rows: Vec<&'a mut [f32]>,
}

/// The tasks of a block: `n_rows` rows from the start of `out`, and of them the columns `cols`
fn tasks<'a>(out: &'a mut [f32], out_stride: usize, n_rows: usize, cols: &Range<usize>) -> Vec<Task<'a>> {
    let n_col_tasks = MIN_TASKS.div_ceil(n_rows.div_ceil(TASK_ROWS));
    let task_cols = cols.len().div_ceil(n_col_tasks).next_multiple_of(NR);
    let mut tasks = Vec::new();
    for (i, rows) in out.chunks_mut(TASK_ROWS * out_stride).take(n_rows.div_ceil(TASK_ROWS)).enumerate() {
        let first_row = i * TASK_ROWS;
        let n_task_rows = TASK_ROWS.min(n_rows - first_row);
        let new = tasks.len();
        tasks.extend(blocks(cols.len(), task_cols).map(|cols| Task {
            first_row,
            first_col: cols.start,
            rows: Vec::with_capacity(n_task_rows),
        }));
        for row in rows.chunks_mut(out_stride).take(n_task_rows) {
            let row = row[cols.clone()].chunks_mut(task_cols);
            tasks[new..].iter_mut().zip(row).for_each(|(task, row)| task.rows.push(row));
        }
    }
    tasks
}

impl Task<'_> {
    /// Adds the products of panels, of which the first ones are those of the task's first row and column
    fn add(
        &mut self,
        a: &[[u32; MR]],
        b: &[[u32; NR]],
        n_pairs: usize,
        instructions: Instructions,
        scale: f32,
        write: Write,
    ) {
        let n_cols = self.rows[0].len();
        for (cols, b) in blocks(n_cols, NR).zip(b.chunks_exact(n_pairs)) {
            for (rows, a) in self.rows.chunks_mut(MR).zip(a.chunks_exact(n_pairs)) {
                rows.iter().for_each(|row| instructions.prefetch(&row[cols.clone()]));
                let tile = instructions.multiply(a, b);
                vectorized(WriteTile { tile: &tile, rows, cols: cols.clone(), scale, write });
            }
        }
    }
}

/// The part of a tile that is within the matrix, written to its rows
struct WriteTile<'a, 'b> {
    tile: &'a Tile,
    rows: &'a mut [&'b mut [f32]],
    cols: Range<usize>,
    scale: f32,
    write: Write,
}

impl Loop for WriteTile<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let Self { tile, rows, cols, scale, write } = self;
        for (row, sums) in rows.iter_mut().zip(&tile.0) {
            let row = &mut row[cols.clone()];
            if let Ok(row) = <&mut [f32; NR]>::try_from(&mut *row) {
                // All columns: an array by value, which becomes whole registers.
                let mut new = *row;
                for (new, sum) in new.iter_mut().zip(sums) {
                    *new = if write == Write::Add { *new + scale * sum } else { scale * sum };
                }
                *row = new;
                continue;
            }
            match write {
                Write::Overwrite => row.iter_mut().zip(sums).for_each(|(to, sum)| *to = scale * sum),
                Write::Add => row.iter_mut().zip(sums).for_each(|(to, sum)| *to += scale * sum),
            }
        }
    }
}
