// How far two distributions over the vocabulary are from each other, from tiles of their logits a and b
//
//     distances[h] = sum_v |exp(a[v] - lse_a) - exp(b[v] - lse_b)|
//
// The caller has made the log-sum-exps of all tiles before, as maximum and sum (see log_collisions); logits are made twice.
//
// Bound by memory, from L2 where the tiles fit there: 8 bytes a token and row.

// A log-sum-exp as a float, and what rounding took from it as a factor.
struct Shift {
    float shift, factor;
};

__device__ inline Shift shift_of(float max, double sum) {
    double lse = (double)max + log(sum);
    float shift = (float)lse;
    return Shift{shift, (float)exp((double)shift - lse)};
}

// Adds a tile. grid: one block a row; block: a multiple of 32.
extern "C" __global__ void distances_f32(
    const float *a,      // [n, stride], the first `width` of each row
    const float *b,      // the same
    const float *max_a,  // [n]
    const double *sum_a, // [n]
    const float *max_b,  // [n]
    const double *sum_b, // [n]
    double *distances,   // [n]
    u32 width,
    u32 stride,
    u32 begin // 1: the first tile, there is nothing to add to
) {
    __shared__ double scratch[WARP];
    u32 h = blockIdx.x;
    const float *row_a = a + (u64)h * stride, *row_b = b + (u64)h * stride;
    Shift at_a = shift_of(max_a[h], sum_a[h]), at_b = shift_of(max_b[h], sum_b[h]);
    double total = 0.0;
    for (u32 c = threadIdx.x; c < width; c += blockDim.x) {
        float p = at_a.factor * expf(row_a[c] - at_a.shift), q = at_b.factor * expf(row_b[c] - at_b.shift);
        total += (double)fabsf(p - q);
    }
    total = block_sum(total, scratch);
    if (threadIdx.x == 0) distances[h] = begin ? total : distances[h] + total;
}
