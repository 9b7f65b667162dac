// The squared norm of a long array, and what a step multiplies its gradient by
//
//     total = sum_i x[i]^2        in double, in an order that the length alone decides
//
// Bound by memory: 4 bytes a value.

// grid: n_parts blocks, block b takes every n_parts-th piece of blockDim.x * 4 values.
extern "C" __global__ void sum_of_squares_f32(
    const float *x,   // [n]
    double *partials, // [n_parts]
    u64 n
) {
    __shared__ double scratch[WARP];
    const u32 W = Width<float>::value;
    double sum = 0.0;
    for (u64 i = ((u64)blockIdx.x * blockDim.x + threadIdx.x) * W; i < n; i += (u64)gridDim.x * blockDim.x * W) {
        float v[W];
        load(x + i, n - i, v);
        for (u32 j = 0; j < W; j++) sum += (double)v[j] * v[j];
    }
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

// The mean over `n_units` and the clip to `max_norm` as one factor, as PyTorch's `clip_grad_norm_`:
//
//     norm = sqrt(total) / n_units        factor = min(1, max_norm / (norm + 1e-6)) / n_units
//
// grid: 1 block of one warp; a thread adds every 32nd share, then the warp.
extern "C" __global__ void clip_factor_f64(
    const double *partials, // [n_parts]
    double *norm,           // [1]
    float *factor,          // [1]
    u32 n_parts,
    double n_units,
    double max_norm // infinite: no clip
) {
    double total = 0.0;
    for (u32 i = threadIdx.x; i < n_parts; i += WARP) total += partials[i];
    total = warp_sum(total);
    if (threadIdx.x > 0) return;
    double mean = sqrt(total) / n_units;
    double clip = max_norm / (mean + 1e-6);
    // Not `fmin`, which takes the number where the other is none: a norm that is none must show in the factor, and so must an
    // infinite one, whose clip would be 0.
    clip = clip > 1.0 ? 1.0 : clip;
    *norm = mean;
    *factor = (float)((mean - mean + clip) / n_units);
}
