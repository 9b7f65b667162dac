// Two divergences beside the log-probabilities: tiles of logits a of the policy and b of another distribution
//
//     p = softmax(a[h])   q = softmax(b[h])
//     forward_kl[r] = sum_v q (log q - log p)          reverse_kl[r] = sum_v p (log p - log q)
//     dlogits[h, v] = sum_r   dlogps[r] (1[v = targets[r]] - p[v]) + dforward[r] (p[v] - q[v])
//                           + dreverse[r] p[v] (log p[v] - log q[v] - reverse_kl[r])
//
// The walk and the groups are those of gather_logps. What is kept of each side of a group while tiles go by:
// the maximum, sum = sum_v exp(x - max), difference = sum_v exp(x - max) (x - y), with y the other side's logit.
//
// Bound by memory, from L2 where the tiles fit there: forward 16 bytes a logit (two sweeps over two tiles, the second from
// L1 or L2); backward 8 bytes read and sizeof(T) written.

const u32 SIDES = 2;

// grid: one block a group; block: a multiple of 32.
extern "C" __global__ void divergence_f32(
    const float *a,        // [n, stride], the first `width` of each row
    const float *b,        // the same
    const u32 *first_rows, // [n]
    const u32 *end_rows,   // [n]
    const u32 *targets,    // [n_rows]
    float *max,            // [n, SIDES]
    double *sum,           // [n, SIDES]
    double *difference,    // [n, SIDES]
    double *target_logits, // [n_rows]
    u32 width,
    u32 stride,
    u32 first_token, // of the tile
    u32 begin        // 1: the first tile, there is nothing to go on from
) {
    __shared__ float max_scratch[WARP];
    __shared__ double sum_scratch[WARP];
    const float *rows[SIDES] = {a + (u64)blockIdx.x * stride, b + (u64)blockIdx.x * stride};
    const float NONE = -__uint_as_float(0x7f800000u); // -infinity

    for (u32 side = 0; side < SIDES; side++) {
        const float *x = rows[side], *y = rows[1 - side];
        u32 at = blockIdx.x * SIDES + side;
        float before = begin ? NONE : max[at];
        float own = NONE;
        for (u32 c = threadIdx.x; c < width; c += blockDim.x) own = fmaxf(own, x[c]);
        float all = fmaxf(block_max(own, max_scratch), before);
        float shift = all == NONE ? 0.0f : all; // see gather_logps
        double total = 0.0, apart = 0.0;
        for (u32 c = threadIdx.x; c < width; c += blockDim.x) {
            float weight = expf(x[c] - shift);
            total += (double)weight;
            // What has no weight adds nothing, however far apart the logits are.
            apart += weight == 0.0f ? 0.0 : (double)(weight * (x[c] - y[c]));
        }
        total = block_sum(total, sum_scratch);
        apart = block_sum(apart, sum_scratch);
        if (threadIdx.x == 0) {
            double keep = exp((double)before - (double)shift);
            max[at] = all;
            sum[at] = begin ? total : sum[at] * keep + total;
            difference[at] = begin ? apart : difference[at] * keep + apart;
        }
    }
    u32 end = end_rows[blockIdx.x];
    for (u32 r = first_rows[blockIdx.x] + threadIdx.x; r < end; r += blockDim.x) {
        u32 c = targets[r] - first_token; // wraps where the target is in an earlier tile
        if (c < width) target_logits[r] = (double)rows[0][c];
    }
}

// What the sums come to. grid: one thread a group; block: any multiple of 32.
extern "C" __global__ void finish_divergences_f64(
    const float *max,         // [n, SIDES]
    const double *sum,        // [n, SIDES]
    const double *difference, // [n, SIDES]
    const u32 *hidden_rows,   // [n]
    const u32 *first_rows,    // [n]
    const u32 *end_rows,      // [n]
    double *lse,              // [n_hidden, SIDES]
    double *logps,            // [n_rows], the targets' logits so far
    double *forward_kl,       // [n_rows]
    double *reverse_kl,       // [n_rows]
    u32 n
) {
    u32 g = blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= n) return;
    u32 policy = g * SIDES, other = policy + 1;
    double lse_policy = (double)max[policy] + log(sum[policy]);
    double lse_other = (double)max[other] + log(sum[other]);
    lse[(u64)hidden_rows[g] * SIDES] = lse_policy;
    lse[(u64)hidden_rows[g] * SIDES + 1] = lse_other;
    for (u32 r = first_rows[g]; r < end_rows[g]; r++) {
        logps[r] -= lse_policy;
        forward_kl[r] = difference[other] / sum[other] - lse_other + lse_policy;
        reverse_kl[r] = difference[policy] / sum[policy] - lse_policy + lse_other;
    }
}

// The gradient of a tile. grid: (pieces of the tile over threads, n); block: a multiple of 32.
template <class T>
__device__ void gradient(
    const float *a,           // [n, stride]
    const float *b,           // [n, stride]
    const u32 *hidden_rows,   // [n]
    const u32 *first_rows,    // [n]
    const u32 *end_rows,      // [n]
    const u32 *targets,       // [n_rows]
    const double *lse,        // [n_hidden, SIDES]
    const double *reverse_kl, // [n_rows]
    const double *dlogps,     // [n_rows]
    const double *dforward,   // [n_rows]
    const double *dreverse,   // [n_rows]
    T *dlogits,               // [n, stride]; for floats, may be a
    u32 width,
    u32 stride,
    u32 first_token
) {
    const u32 W = Width<T>::value;
    u32 g = blockIdx.y, c = (blockIdx.x * blockDim.x + threadIdx.x) * W;
    if (c >= width) return;
    u32 first = first_rows[g], end = end_rows[g];
    double of_logps = 0.0, of_forward = 0.0, of_reverse = 0.0;
    for (u32 r = first; r < end; r++) {
        of_logps += dlogps[r];
        of_forward += dforward[r];
        of_reverse += dreverse[r];
    }
    double lse_policy = lse[(u64)hidden_rows[g] * SIDES], lse_other = lse[(u64)hidden_rows[g] * SIDES + 1];
    // The shifts are floats; what rounding took from the log-sum-exp goes into the factors.
    float shift = (float)lse_policy, shift_other = (float)lse_other;
    double rest = exp((double)shift - lse_policy), rest_other = exp((double)shift_other - lse_other);
    float constant = (float)((of_forward - of_logps) * rest), slope = (float)(of_reverse * rest);
    float factor_other = (float)(of_forward * rest_other);
    // log p - log q - reverse_kl = a - b - center; nobody asks for it where it may be infinite.
    float center = of_reverse == 0.0 ? 0.0f : (float)(lse_policy - lse_other + reverse_kl[first]);

    const float *row_a = a + (u64)g * stride + c, *row_b = b + (u64)g * stride + c;
    float v[W];
    for (u32 i = 0; i < W; i++) {
        v[i] = 0.0f;
        if (c + i >= width) continue;
        float p = expf(row_a[i] - shift), q = expf(row_b[i] - shift_other);
        float factor = p == 0.0f ? 0.0f : slope * (row_a[i] - row_b[i] - center) + constant;
        v[i] = p * factor - factor_other * q;
    }
    for (u32 r = first; r < end; r++) {
        u32 at = targets[r] - first_token - c; // wraps where the target is before this piece
#pragma unroll // v stays in registers
        for (u32 i = 0; i < W; i++) {
            if (at == i) v[i] += (float)dlogps[r];
        }
    }
    store(dlogits + (u64)g * stride + c, width - c, v);
}

extern "C" __global__ void divergence_gradient_f32(
    const float *a, const float *b, const u32 *hidden_rows, const u32 *first_rows, const u32 *end_rows,
    const u32 *targets, const double *lse, const double *reverse_kl, const double *dlogps, const double *dforward,
    const double *dreverse, float *dlogits, u32 width, u32 stride, u32 first_token
) {
    gradient(a, b, hidden_rows, first_rows, end_rows, targets, lse, reverse_kl, dlogps, dforward, dreverse, dlogits,
             width, stride, first_token);
}

extern "C" __global__ void divergence_gradient_bf16(
    const float *a, const float *b, const u32 *hidden_rows, const u32 *first_rows, const u32 *end_rows,
    const u32 *targets, const double *lse, const double *reverse_kl, const double *dlogps, const double *dforward,
    const double *dreverse, bf16 *dlogits, u32 width, u32 stride, u32 first_token
) {
    gradient(a, b, hidden_rows, first_rows, end_rows, targets, lse, reverse_kl, dlogps, dforward, dreverse, dlogits,
             width, stride, first_token);
}
