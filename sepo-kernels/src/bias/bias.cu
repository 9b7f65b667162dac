// A bias added to every row, and its gradient
//
//     y[r, c] += bias[c]                dbias[c] += sum_r dy[r, c]
//
// Bound by memory: forward reads and writes y (4 bytes a bf16 value), backward reads dy (2 bytes).

// grid: one thread for 16 bytes of y, threads numbered over (row, piece of d); block: any multiple of 32.
template <class T>
__device__ void add(
    T *y,          // [n_rows, d]
    const T *bias, // [d]
    u32 n_rows,
    u32 d
) {
    const u32 W = Width<T>::value;
    u64 thread = (u64)blockIdx.x * blockDim.x + threadIdx.x; // 64-bit: rows times pieces overflow 32
    u32 n_pieces = (d + W - 1) / W;
    u64 row = thread / n_pieces;
    u32 c = (u32)(thread % n_pieces) * W;
    if (row >= n_rows) return;
    float v[W], b[W];
    load(y + row * d + c, d - c, v);
    load(bias + c, d - c, b);
    for (u32 i = 0; i < W; i++) v[i] += b[i];
    store(y + row * d + c, d - c, v);
}

// grid: (pieces of d over threads, n_parts); block (., p) sums rows p, p + n_parts, ...; one thread a piece of columns,
// so that there is nothing to share.
template <class T>
__device__ void columns(
    const T *dy,     // [n_rows, d]
    float *partials, // [n_parts, d]
    u32 n_rows,
    u32 d
) {
    const u32 W = Width<T>::value;
    u32 c = (blockIdx.x * blockDim.x + threadIdx.x) * W;
    if (c >= d) return;
    float sum[W], v[W];
    for (u32 i = 0; i < W; i++) sum[i] = 0.0f;
    for (u32 r = blockIdx.y; r < n_rows; r += gridDim.y) {
        load(dy + (u64)r * d + c, d - c, v);
        for (u32 i = 0; i < W; i++) sum[i] += v[i];
    }
    for (u32 i = 0; i < W && c + i < d; i++) partials[(u64)blockIdx.y * d + c + i] = sum[i];
}

extern "C" __global__ void add_bias_f32(float *y, const float *bias, u32 n_rows, u32 d) { add(y, bias, n_rows, d); }
extern "C" __global__ void add_bias_bf16(bf16 *y, const bf16 *bias, u32 n_rows, u32 d) { add(y, bias, n_rows, d); }

extern "C" __global__ void bias_backward_f32(
    const float *dy, float *partials, u32 n_rows, u32 d
) { columns(dy, partials, n_rows, d); }

extern "C" __global__ void bias_backward_bf16(
    const bf16 *dy, float *partials, u32 n_rows, u32 d
) { columns(dy, partials, n_rows, d); }
