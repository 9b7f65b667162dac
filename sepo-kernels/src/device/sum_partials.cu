// The column sums of what blocks left, added to a gradient
//
//     total[c] += sum_p partials[p, c]         in the order of p: the same bits every time
//
// grid: ceil(d / blockDim.x) blocks, one thread a column; shared: none.
// Bound by memory: 4 bytes a partial value; neighbouring threads read neighbouring columns.

extern "C" __global__ void sum_partials_f32(
    const float *partials, // [n_parts, d]
    float *total,          // [d]
    u32 n_parts,
    u32 d
) {
    u32 c = blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= d) return;
    float sum = 0.0f;
    for (u32 p = 0; p < n_parts; p++) sum += partials[(u64)p * d + c];
    total[c] += sum;
}
