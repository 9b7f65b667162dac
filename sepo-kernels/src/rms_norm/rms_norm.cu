// Root-mean-square normalisation, forward and backward
//
//     inv_rms[r] = 1 / sqrt(mean_c x[r, c]^2 + eps)
//     y[r, c]    = weight[c] * (x[r, c] * inv_rms[r])
//
// backward, with g = dy * weight and n = x * inv_rms:
//
//     dx[r, c]  (+)= inv_rms[r] * (g[r, c] - n[r, c] * mean_c(g n))
//     dweight[c] += sum_r dy[r, c] * n[r, c]
//
// Bound by memory: forward reads a row once from DRAM and writes it once (4 bytes a bf16 value);
// backward reads x and dy and writes dx (6 bytes, 8 where it adds). The second sweep over a row reads it from L1 or L2.
// The caller has checked shapes, and that shared memory holds d floats.

// grid: one block a row; block: a multiple of 32 threads; shared: none dynamic.
template <class T>
__device__ void forward(
    const T *x,      // [n_rows, d]
    const T *weight, // [d]
    T *y,            // [n_rows, d]
    float *inv_rms,  // [n_rows]
    u32 d,
    float eps
) {
    __shared__ float scratch[WARP];
    const u32 W = Width<T>::value;
    u64 row = (u64)blockIdx.x * d; // 64-bit: the product of rows and width overflows 32

    float squares = 0.0f;
    for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
        float v[W];
        load(x + row + c, d - c, v);
        for (u32 i = 0; i < W; i++) squares += v[i] * v[i];
    }
    float inv = 1.0f / sqrtf(block_sum(squares, scratch) / (float)d + eps);
    if (threadIdx.x == 0) inv_rms[blockIdx.x] = inv;

    for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
        float v[W], w[W];
        load(x + row + c, d - c, v);
        load(weight + c, d - c, w);
        for (u32 i = 0; i < W; i++) v[i] = w[i] * (v[i] * inv);
        store(y + row + c, d - c, v);
    }
}

// grid: n_parts blocks, block b takes rows b, b + n_parts, ...; shared: d floats, the block's share of dweight.
// A thread owns the same columns in every row, so its share needs no barrier and the order of its sum is fixed.
template <class T>
__device__ void backward(
    const T *x,           // [n_rows, d]
    const T *weight,      // [d]
    const float *inv_rms, // [n_rows]
    const T *dy,          // [n_rows, d]
    T *dx,                // [n_rows, d]
    float *partials,      // [n_parts, d]
    u32 n_rows,
    u32 d,
    u32 add // 1: dx is added to
) {
    __shared__ float scratch[WARP];
    float *share = (float *)dynamic_shared();
    const u32 W = Width<T>::value;
    for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
        for (u32 i = 0; i < W && c + i < d; i++) share[c + i] = 0.0f;
    }
    for (u32 r = blockIdx.x; r < n_rows; r += gridDim.x) {
        u64 row = (u64)r * d;
        float inv = inv_rms[r];
        float product = 0.0f;
        for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
            float v[W], w[W], g[W];
            load(x + row + c, d - c, v);
            load(weight + c, d - c, w);
            load(dy + row + c, d - c, g);
            for (u32 i = 0; i < W; i++) product += g[i] * w[i] * v[i];
            for (u32 i = 0; i < W && c + i < d; i++) share[c + i] += g[i] * (v[i] * inv);
        }
        float mean = block_sum(product, scratch) * inv / (float)d;
        for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
            float v[W], w[W], g[W], old[W];
            load(x + row + c, d - c, v);
            load(weight + c, d - c, w);
            load(dy + row + c, d - c, g);
            for (u32 i = 0; i < W; i++) v[i] = inv * (g[i] * w[i] - v[i] * inv * mean);
            if (add) {
                load(dx + row + c, d - c, old);
                for (u32 i = 0; i < W; i++) v[i] += old[i];
            }
            store(dx + row + c, d - c, v);
        }
    }
    for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
        for (u32 i = 0; i < W && c + i < d; i++) partials[(u64)blockIdx.x * d + c + i] = share[c + i];
    }
}

extern "C" __global__ void rms_norm_f32(
    const float *x, const float *weight, float *y, float *inv_rms, u32 d, float eps
) { forward(x, weight, y, inv_rms, d, eps); }

extern "C" __global__ void rms_norm_bf16(
    const bf16 *x, const bf16 *weight, bf16 *y, float *inv_rms, u32 d, float eps
) { forward(x, weight, y, inv_rms, d, eps); }

extern "C" __global__ void rms_norm_backward_f32(
    const float *x, const float *weight, const float *inv_rms, const float *dy, float *dx, float *partials,
    u32 n_rows, u32 d, u32 add
) { backward(x, weight, inv_rms, dy, dx, partials, n_rows, d, add); }

extern "C" __global__ void rms_norm_backward_bf16(
    const bf16 *x, const bf16 *weight, const float *inv_rms, const bf16 *dy, bf16 *dx, float *partials,
    u32 n_rows, u32 d, u32 add
) { backward(x, weight, inv_rms, dy, dx, partials, n_rows, d, add); }
