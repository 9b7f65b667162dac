//! Attention on a device

use super::AttentionShape;
use super::mma::mma_source;
use super::plan::AttentionPlan;
use crate::device::{
    Arg, DeviceError, ElementKind, Executor, Float, Kernel, Launch, Placed, Slice, SliceMut, Source,
    blocks_of,
};
use crate::shape::assert_shape;

pub(crate) static SOURCE: Source = Source {
    op: "attention",
    text: include_str!("attention.cu"),
    kernels: &[
        "attention_f32",
        "attention_bf16",
        "attention_delta_f32",
        "attention_delta_bf16",
        "attention_backward_queries_f32",
        "attention_backward_queries_bf16",
        "attention_backward_keys_f32",
        "attention_backward_keys_bf16",
    ],
};

const THREADS: u32 = 256;
/// Rows that a block keeps, and rows that go by at a time
const ROWS: usize = 64;
const PASSING: usize = 32;

/// How attention is computed
#[derive(Clone, Copy, Debug)]
enum Form {
    /// `attention.cu`: any head size, float products
    Plain,
    /// `attention_mma.cu`, the text for this head size
    TensorCores(&'static Source),
}

impl Form {
    /// Tensor cores for bf16 heads of a size that there is a text for, where all rows are aligned for 16-byte copies
    fn of<T: Float>(head_dim: usize, rows: &[Slice<'_, T>]) -> Self {
        let aligned = rows.iter().all(|slice| slice.address().is_multiple_of(16));
        match mma_source(head_dim) {
            Some(source) if T::KIND == ElementKind::Bf16 && aligned => Self::TensorCores(source),
            _ => Self::Plain,
        }
    }

    /// The form's launch of `plain`, or of its twin `mma`; blocks keep `kept` rows of each of 64 queries or keys
    ///
    /// The plain form takes the size of a head as its last argument, where the other has a constant.
    fn launch<'a>(
        self,
        [plain, mma]: [&'static str; 2],
        kept: usize,
        grid: [u32; 3],
        head_dim: usize,
        args: &'a [Arg],
    ) -> Launch<'a> {
        let bytes = |n: usize| u32::try_from(n).expect("heads are narrow");
        match self {
            Self::Plain => Launch {
                kernel: Kernel { source: &SOURCE, name: plain },
                grid,
                block: THREADS,
                shared_bytes: bytes(4 * (kept * ROWS * head_dim + 2 * PASSING * (head_dim + 1))),
                args,
            },
            // Two stages of passing rows of two sides: 64 in the forward pass, 32 in the others, which keep more.
            Self::TensorCores(source) => Launch {
                kernel: Kernel { source, name: mma },
                grid,
                block: 128,
                shared_bytes: bytes(2 * (kept * ROWS + 2 * 2 * PASSING * (3 - kept)) * (head_dim + 8)),
                args: &args[..args.len() - 1],
            },
        }
    }
}

/// Queries, keys and values on a device
#[derive(Clone, Copy, Debug)]
pub struct AttentionInput<'a, T> {
    /// `[n_queries, n_heads, head_dim]`
    pub q: Slice<'a, T>,
    /// `[n_tokens, n_kv_heads, head_dim]`
    pub k: Slice<'a, T>,
    /// `[n_tokens, n_kv_heads, head_dim]`
    pub v: Slice<'a, T>,
    /// heads; its window must be the plan's
    pub shape: AttentionShape,
}

impl<T: Float> AttentionInput<'_, T> {
    fn check(&self, plan: &AttentionPlan) {
        let AttentionShape { n_heads, n_kv_heads, head_dim, window } = self.shape;
        let &AttentionPlan { n_queries, n_tokens, .. } = plan;
        assert_eq!(window, plan.window, "the plan was made for another window");
        assert!(n_kv_heads > 0 && n_heads > 0 && n_heads.is_multiple_of(n_kv_heads), "{:?}", self.shape);
        assert!((1..=128).contains(&head_dim), "heads of {head_dim} values");
        assert!(n_heads < 65_536, "{n_heads} heads are more than a grid has");
        assert_shape("`q`", self.q.len(), [n_queries, n_heads, head_dim]);
        assert_shape("`k`", self.k.len(), [n_tokens, n_kv_heads, head_dim]);
        assert_eq!(self.v.len(), self.k.len(), "`v` must be as long as `k`");
    }

    fn window(&self) -> Arg {
        Arg::count(self.shape.window.unwrap_or(0))
    }
}

/// A plan's words on the device, taken apart
struct Words<'a> {
    tiles: Slice<'a, u32>,
    entries: Slice<'a, u32>,
    positions: Slice<'a, u32>,
    key_tiles: Slice<'a, u32>,
    met: Slice<'a, u32>,
}

impl<'a> Words<'a> {
    fn new(placed: Placed<'a, AttentionPlan>) -> Self {
        let (plan, words) = (placed.plan(), placed.words());
        let parts = plan.parts;
        let lens =
            [4 * parts.n_tiles, 3 * parts.n_entries, plan.n_queries, 5 * parts.n_key_tiles, parts.n_met];
        let mut start = 0;
        let [tiles, entries, positions, key_tiles, met] = lens.map(|len| {
            let part = words.range(start..start + len);
            start += len;
            part
        });
        Self { tiles, entries, positions, key_tiles, met }
    }
}

fn grid(n_tiles: usize, n_heads: usize) -> [u32; 3] {
    let [x, y] = [n_tiles, n_heads].map(|n| u32::try_from(n).expect("checked to fit a grid"));
    [x, y, 1]
}

/// As [`attention`](crate::attention()) on the CPU, over the tiles of a plan
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `out` | as `q` |
/// | `lse` | `[n_queries, n_heads]` |
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where a slice does not have its shape, the plan was made for another layout or window, or heads are wider than 128.
#[expect(unsafe_code, reason = "a launch")]
pub fn attention<T: Float>(
    on: &impl Executor,
    input: AttentionInput<'_, T>,
    placed: Placed<'_, AttentionPlan>,
    mut out: SliceMut<'_, T>,
    mut lse: SliceMut<'_, f32>,
) -> Result<(), DeviceError> {
    let plan = placed.plan();
    input.check(plan);
    let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = input.shape;
    assert_eq!(out.len(), input.q.len(), "`out` must be as long as `q`");
    assert_shape("`lse`", lse.len(), [plan.n_queries, n_heads]);
    if out.is_empty() {
        return Ok(());
    }
    let words = Words::new(placed);
    let args = [
        Arg::read(input.q),            // const T *q
        Arg::read(input.k),            // const T *k
        Arg::read(input.v),            // const T *v
        Arg::read(words.tiles),        // const u32 *tiles
        Arg::read(words.entries),      // const u32 *entries
        Arg::read(words.positions),    // const u32 *positions
        Arg::write(&mut out),          // T *out
        Arg::write(&mut lse),          // float *lse
        Arg::count(n_heads),           // u32 n_heads
        Arg::count(n_kv_heads),        // u32 n_kv_heads
        input.window(),                // u32 window
        Arg::F32(input.shape.scale()), // float scale
        Arg::count(head_dim),          // u32 head_dim
    ];
    let form = Form::of(head_dim, &[input.q, input.k, input.v, out.as_slice()]);
    let names = [T::pick("attention_f32", "attention_bf16"), "attention"];
    let launch = form.launch(names, 1, grid(plan.parts.n_tiles, n_heads), head_dim, &args);
    // SAFETY: the list is the kernel's; the words are the plan's, whose tiles are rows of `q` that no other tile has and
    // tokens of `k` and `v`, since it was made from as many queries and tokens; block (t, h) writes head h of the rows of
    // tile t.
    unsafe { on.launch(&launch) }
}

/// What the forward pass left, and the gradient of its result
#[derive(Clone, Copy, Debug)]
pub struct AttentionOutput<'a, T> {
    /// as `q`
    pub out: Slice<'a, T>,
    /// `[n_queries, n_heads]`
    pub lse: Slice<'a, f32>,
    /// as `q`
    pub dout: Slice<'a, T>,
}

/// Where the backward pass leaves its gradients, each overwritten
#[derive(Debug)]
pub struct AttentionGrads<'a, T> {
    /// as `q`
    pub dq: SliceMut<'a, T>,
    /// as `k`
    pub dk: SliceMut<'a, T>,
    /// as `v`
    pub dv: SliceMut<'a, T>,
    /// scratch, `[n_queries, n_heads]`
    pub delta: SliceMut<'a, f32>,
}

/// As [`attention_backward`](crate::attention_backward) on the CPU, over the tiles of a plan; no atomics, one order of sums
///
/// # Errors
/// Where a launch fails.
///
/// # Panics
/// Where a slice does not have its shape, the plan was made for another layout or window, or heads are wider than 128.
pub fn attention_backward<T: Float>(
    on: &impl Executor,
    input: AttentionInput<'_, T>,
    placed: Placed<'_, AttentionPlan>,
    output: AttentionOutput<'_, T>,
    grads: AttentionGrads<'_, T>,
) -> Result<(), DeviceError> {
    let plan = placed.plan();
    input.check(plan);
    let AttentionOutput { out, lse, dout } = output;
    let AttentionGrads { mut dq, mut dk, mut dv, mut delta } = grads;
    let (q, k, n_heads) = (input.q, input.k, input.shape.n_heads);
    assert_eq!(
        (out.len(), dout.len(), dq.len()),
        (q.len(), q.len(), q.len()),
        "`out`, `dout` and `dq` are as `q`"
    );
    assert_eq!((dk.len(), dv.len()), (k.len(), k.len()), "`dk` and `dv` must be as long as `k`");
    assert_shape("`lse`", lse.len(), [plan.n_queries, n_heads]);
    assert_eq!(delta.len(), lse.len(), "`delta` must be as long as `lse`");
    let words = Words::new(placed);
    deltas(on, out, dout, &mut delta, input.shape.head_dim)?;
    let given = Given { input, lse, delta: delta.as_slice(), dout };
    backward_queries(on, &given, plan, &words, &mut dq)?;
    backward_keys(on, &given, plan, &words, (&mut dk, &mut dv))
}

/// What both halves of the backward pass read
struct Given<'a, T> {
    input: AttentionInput<'a, T>,
    lse: Slice<'a, f32>,
    delta: Slice<'a, f32>,
    dout: Slice<'a, T>,
}

#[expect(unsafe_code, reason = "a launch")]
fn deltas<T: Float>(
    on: &impl Executor,
    out: Slice<'_, T>,
    dout: Slice<'_, T>,
    delta: &mut SliceMut<'_, f32>,
    head_dim: usize,
) -> Result<(), DeviceError> {
    if delta.is_empty() {
        return Ok(());
    }
    let n = delta.len();
    assert!(n < 1 << 27, "{n} heads of queries are more than 32-bit thread numbers can name");
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: T::pick("attention_delta_f32", "attention_delta_bf16") },
        grid: [blocks_of(32 * n, THREADS), 1, 1],
        block: THREADS,
        shared_bytes: 0,
        args: &[
            Arg::read(out),       // const T *out
            Arg::read(dout),      // const T *dout
            Arg::write(delta),    // float *delta
            Arg::count(n),        // u32 n
            Arg::count(head_dim), // u32 head_dim
        ],
    };
    // SAFETY: the list is the kernel's; warp i reads row i of both and writes value i of `delta`.
    unsafe { on.launch(&launch) }
}

#[expect(unsafe_code, reason = "a launch")]
fn backward_queries<T: Float>(
    on: &impl Executor,
    given: &Given<'_, T>,
    plan: &AttentionPlan,
    words: &Words<'_>,
    dq: &mut SliceMut<'_, T>,
) -> Result<(), DeviceError> {
    if dq.is_empty() {
        return Ok(());
    }
    let &Given { input, lse, delta, dout } = given;
    let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = input.shape;
    let name = T::pick("attention_backward_queries_f32", "attention_backward_queries_bf16");
    let args = [
        Arg::read(input.q),            // const T *q
        Arg::read(input.k),            // const T *k
        Arg::read(input.v),            // const T *v
        Arg::read(dout),               // const T *dout
        Arg::read(lse),                // const float *lse
        Arg::read(delta),              // const float *delta
        Arg::read(words.tiles),        // const u32 *tiles
        Arg::read(words.entries),      // const u32 *entries
        Arg::read(words.positions),    // const u32 *positions
        Arg::write(dq),                // T *dq
        Arg::count(n_heads),           // u32 n_heads
        Arg::count(n_kv_heads),        // u32 n_kv_heads
        input.window(),                // u32 window
        Arg::F32(input.shape.scale()), // float scale
        Arg::count(head_dim),          // u32 head_dim
    ];
    let form = Form::of(head_dim, &[input.q, input.k, input.v, dout, dq.as_slice()]);
    let names = [name, "attention_backward_queries"];
    let launch = form.launch(names, 2, grid(plan.parts.n_tiles, n_heads), head_dim, &args);
    // SAFETY: the list is the kernel's; tiles of the plan are rows of `q` and tokens of `k` and `v`; block (t, h) writes
    // head h of the rows of tile t of `dq`.
    unsafe { on.launch(&launch) }
}

#[expect(unsafe_code, reason = "a launch")]
fn backward_keys<T: Float>(
    on: &impl Executor,
    given: &Given<'_, T>,
    plan: &AttentionPlan,
    words: &Words<'_>,
    (dk, dv): (&mut SliceMut<'_, T>, &mut SliceMut<'_, T>),
) -> Result<(), DeviceError> {
    if dk.is_empty() {
        return Ok(());
    }
    let &Given { input, lse, delta, dout } = given;
    let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = input.shape;
    let name = T::pick("attention_backward_keys_f32", "attention_backward_keys_bf16");
    let args = [
        Arg::read(input.q),            // const T *q
        Arg::read(input.k),            // const T *k
        Arg::read(input.v),            // const T *v
        Arg::read(dout),               // const T *dout
        Arg::read(lse),                // const float *lse
        Arg::read(delta),              // const float *delta
        Arg::read(words.tiles),        // const u32 *tiles
        Arg::read(words.key_tiles),    // const u32 *key_tiles
        Arg::read(words.met),          // const u32 *query_tiles
        Arg::read(words.positions),    // const u32 *positions
        Arg::write(dk),                // T *dk
        Arg::write(dv),                // T *dv
        Arg::count(n_heads),           // u32 n_heads
        Arg::count(n_kv_heads),        // u32 n_kv_heads
        input.window(),                // u32 window
        Arg::F32(input.shape.scale()), // float scale
        Arg::count(head_dim),          // u32 head_dim
    ];
    let form = Form::of(head_dim, &[input.q, input.k, input.v, dout, dk.as_slice(), dv.as_slice()]);
    let names = [name, "attention_backward_keys"];
    let launch = form.launch(names, 2, grid(plan.parts.n_key_tiles, n_kv_heads), head_dim, &args);
    // SAFETY: the list is the kernel's; every token is in one tile of keys, and block (t, h) writes head h of its tokens;
    // tiles of queries that the plan names are rows of `q`.
    unsafe { on.launch(&launch) }
}
