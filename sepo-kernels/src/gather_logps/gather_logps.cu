// Log-probabilities of chosen tokens from tiles of logits, and the tiles' gradient
//
//     lse[h]  = log sum_v exp(logits[h, v])                   logps[r] = logits[h(r), targets[r]] - lse[h(r)]
//     dlogits[h, v] = sum_{r reads h} dlogps[r] (1[v = targets[r]] - exp(logits[h, v] - lse[h]))
//
// The caller walks over chunks of hidden rows and, within, over tiles of the vocabulary; cuBLASLt makes a tile of logits
// (float, [n, stride]) and takes its gradient. `[rows, vocab]` never exists. A *group* is a hidden row that some row reads
// and the rows that read it: group g of the chunk has hidden row hidden_rows[g] and rows first_rows[g]..end_rows[g].
//
// Bound by memory, from L2 where the tile fits there: forward 4 bytes a logit; backward 4 bytes read and sizeof(T) written.
// The caller has checked that rows and targets are in range.

// Takes a tile into the running maximum and sum of every group. grid: one block a group; block: a multiple of 32.
// Each thread sums what it reads relative to its own maximum; the block brings these sums to a common one.
extern "C" __global__ void logsumexp_f32(
    const float *logits,   // [n, stride], the first `width` of each row
    const u32 *first_rows, // [n]
    const u32 *end_rows,   // [n]
    const u32 *targets,    // [n_rows]
    float *max,            // [n]
    double *sum,           // [n], of exp(logit - max)
    double *target_logits, // [n_rows]
    u32 width,
    u32 stride,
    u32 first_token, // of the tile
    u32 begin        // 1: the first tile, there is nothing to go on from
) {
    __shared__ float max_scratch[WARP];
    __shared__ double sum_scratch[WARP];
    const u32 W = Width<float>::value;
    const float *row = logits + (u64)blockIdx.x * stride;
    const float NONE = -__uint_as_float(0x7f800000u); // -infinity

    float own = NONE;
    double total = 0.0;
    for (u32 c = threadIdx.x * W; c < width; c += blockDim.x * W) {
        float v[W];
        load(row + c, width - c, v);
        u32 n = width - c < W ? width - c : W;
        float now = own;
        for (u32 i = 0; i < n; i++) now = fmaxf(now, v[i]);
        // Terms that are all -infinity, or not-a-number, leave no finite maximum: shift by 0, so that the former add
        // nothing and the latter spoil the sum.
        float shift = now == NONE ? 0.0f : now;
        if (now > own) total *= (double)expf(own - shift);
        for (u32 i = 0; i < n; i++) total += (double)expf(v[i] - shift);
        own = now;
    }
    float before = begin ? NONE : max[blockIdx.x];
    float all = fmaxf(block_max(own, max_scratch), before);
    float shift = all == NONE ? 0.0f : all;
    total = block_sum(total * exp((double)(own == NONE ? 0.0f : own) - (double)shift), sum_scratch);
    if (threadIdx.x == 0) {
        if (!begin) total += sum[blockIdx.x] * exp((double)before - (double)shift);
        max[blockIdx.x] = all;
        sum[blockIdx.x] = total;
    }
    u32 end = end_rows[blockIdx.x];
    for (u32 r = first_rows[blockIdx.x] + threadIdx.x; r < end; r += blockDim.x) {
        u32 c = targets[r] - first_token; // wraps where the target is in an earlier tile
        if (c < width) target_logits[r] = (double)row[c];
    }
}

// What the sums come to. grid: one thread a group; block: any multiple of 32.
extern "C" __global__ void finish_logps_f64(
    const float *max,       // [n]
    const double *sum,      // [n]
    const u32 *hidden_rows, // [n]
    const u32 *first_rows,  // [n]
    const u32 *end_rows,    // [n]
    double *lse,            // [n_hidden]
    double *logps,          // [n_rows], the targets' logits so far
    u32 n
) {
    u32 g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= n) return;
    double value = (double)max[g] + log(sum[g]);
    lse[hidden_rows[g]] = value;
    for (u32 r = first_rows[g]; r < end_rows[g]; r++) logps[r] -= value;
}

// The gradient of a tile. grid: (pieces of the tile over threads, n); block: a multiple of 32.
template <class T>
__device__ void gradient(
    const float *logits,    // [n, stride]
    const u32 *hidden_rows, // [n]
    const u32 *first_rows,  // [n]
    const u32 *end_rows,    // [n]
    const u32 *targets,     // [n_rows]
    const double *lse,      // [n_hidden]
    const double *dlogps,   // [n_rows]
    T *dlogits,             // [n, stride]; for floats, may be the logits
    u32 width,
    u32 stride,
    u32 first_token
) {
    const u32 W = Width<T>::value;
    u32 g = blockIdx.y, c = (blockIdx.x * blockDim.x + threadIdx.x) * W;
    if (c >= width) return;
    u32 first = first_rows[g], end = end_rows[g];
    double total = 0.0;
    for (u32 r = first; r < end; r++) total += dlogps[r];
    // The shift is a float; what rounding took from the log-sum-exp goes into the factor.
    double exact = lse[hidden_rows[g]];
    float shift = (float)exact;
    float factor = (float)(-total * exp((double)shift - exact));
    const float *row = logits + (u64)g * stride + c;
    float v[W];
    for (u32 i = 0; i < W; i++) v[i] = c + i < width ? factor * expf(row[i] - shift) : 0.0f;
    for (u32 r = first; r < end; r++) {
        u32 at = targets[r] - first_token - c; // wraps where the target is before this piece
#pragma unroll // v stays in registers
        for (u32 i = 0; i < W; i++) {
            if (at == i) v[i] += (float)dlogps[r];
        }
    }
    store(dlogits + (u64)g * stride + c, width - c, v);
}

// Gradients of packed hidden rows to their places. grid: one block a group; block: a multiple of 32.
template <class T>
__device__ void spread(
    const float *dpacked,   // [n, d]
    const u32 *hidden_rows, // [n]
    T *dhidden,             // [n_hidden, d]
    u32 d
) {
    const u32 W = Width<T>::value;
    const float *from = dpacked + (u64)blockIdx.x * d;
    T *to = dhidden + (u64)hidden_rows[blockIdx.x] * d;
    for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
        float v[W];
        load_each<W>(from + c, d - c, v);
        store(to + c, d - c, v);
    }
}

extern "C" __global__ void logits_to_gradient_f32(
    const float *logits, const u32 *hidden_rows, const u32 *first_rows, const u32 *end_rows, const u32 *targets,
    const double *lse, const double *dlogps, float *dlogits, u32 width, u32 stride, u32 first_token
) {
    gradient(logits, hidden_rows, first_rows, end_rows, targets, lse, dlogps, dlogits, width, stride, first_token);
}

extern "C" __global__ void logits_to_gradient_bf16(
    const float *logits, const u32 *hidden_rows, const u32 *first_rows, const u32 *end_rows, const u32 *targets,
    const double *lse, const double *dlogps, bf16 *dlogits, u32 width, u32 stride, u32 first_token
) {
    gradient(logits, hidden_rows, first_rows, end_rows, targets, lse, dlogps, dlogits, width, stride, first_token);
}

extern "C" __global__ void spread_rows_f32(
    const float *dpacked, const u32 *hidden_rows, float *dhidden, u32 d
) { spread(dpacked, hidden_rows, dhidden, d); }

extern "C" __global__ void spread_rows_bf16(
    const float *dpacked, const u32 *hidden_rows, bf16 *dhidden, u32 d
) { spread(dpacked, hidden_rows, dhidden, d); }
