// Layer normalisation, forward and backward
//
//     mean[r]    = mean_c x[r, c]
//     inv_std[r] = 1 / sqrt(mean_c (x[r, c] - mean[r])^2 + eps)
//     y[r, c]    = weight[c] * ((x[r, c] - mean[r]) * inv_std[r]) + bias[c]
//
// backward, with g = dy * weight and n = (x - mean) * inv_std:
//
//     dx[r, c]  (+)= inv_std[r] * (g[r, c] - mean_c(g) - n[r, c] * mean_c(g n))
//     dweight[c] += sum_r dy[r, c] * n[r, c]          dbias[c] += sum_r dy[r, c]
//
// Bound by memory: forward reads a row once from DRAM and writes it once (4 bytes a bf16 value);
// backward reads x and dy and writes dx (6 bytes, 8 where it adds). Further sweeps over a row read it from L1 or L2.
// The caller has checked shapes, and that shared memory holds 2 d floats in the backward pass.

// grid: one block a row; block: a multiple of 32 threads.
template <class T>
__device__ void forward(
    const T *x,      // [n_rows, d]
    const T *weight, // [d]
    const T *bias,   // [d]
    T *y,            // [n_rows, d]
    float *mean,     // [n_rows]
    float *inv_std,  // [n_rows]
    u32 d,
    float eps
) {
    __shared__ float scratch[WARP];
    const u32 W = Width<T>::value;
    u64 row = (u64)blockIdx.x * d; // 64-bit: the product of rows and width overflows 32

    float total = 0.0f;
    for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
        float v[W];
        load(x + row + c, d - c, v);
        for (u32 i = 0; i < W; i++) total += v[i];
    }
    float center = block_sum(total, scratch) / (float)d;

    // Two passes: the variance from sums of squares cancels where the mean is large.
    float squares = 0.0f;
    for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
        float v[W];
        load(x + row + c, d - c, v);
        for (u32 i = 0; i < W && c + i < d; i++) squares += (v[i] - center) * (v[i] - center);
    }
    float inv = 1.0f / sqrtf(block_sum(squares, scratch) / (float)d + eps);
    if (threadIdx.x == 0) {
        mean[blockIdx.x] = center;
        inv_std[blockIdx.x] = inv;
    }
    for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
        float v[W], w[W], b[W];
        load(x + row + c, d - c, v);
        load(weight + c, d - c, w);
        load(bias + c, d - c, b);
        for (u32 i = 0; i < W; i++) v[i] = w[i] * ((v[i] - center) * inv) + b[i];
        store(y + row + c, d - c, v);
    }
}

// grid: n_parts blocks, block b takes rows b, b + n_parts, ...; shared: 2 d floats, the block's shares of dweight, dbias.
// A thread owns the same columns in every row, so its shares need no barrier and the order of their sums is fixed.
template <class T>
__device__ void backward(
    const T *x,           // [n_rows, d]
    const T *weight,      // [d]
    const float *mean,    // [n_rows]
    const float *inv_std, // [n_rows]
    const T *dy,          // [n_rows, d]
    T *dx,                // [n_rows, d]
    float *dweights,      // [n_parts, d]
    float *dbiases,       // [n_parts, d]
    u32 n_rows,
    u32 d,
    u32 add // 1: dx is added to
) {
    __shared__ float scratch[WARP];
    float *dweight = (float *)dynamic_shared(), *dbias = dweight + d;
    const u32 W = Width<T>::value;
    for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
        for (u32 i = 0; i < W && c + i < d; i++) dweight[c + i] = dbias[c + i] = 0.0f;
    }
    for (u32 r = blockIdx.x; r < n_rows; r += gridDim.x) {
        u64 row = (u64)r * d;
        float center = mean[r], inv = inv_std[r];
        float sum_g = 0.0f, sum_gn = 0.0f;
        for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
            float v[W], w[W], g[W];
            load(x + row + c, d - c, v);
            load(weight + c, d - c, w);
            load(dy + row + c, d - c, g);
            for (u32 i = 0; i < W && c + i < d; i++) {
                float n = (v[i] - center) * inv;
                dweight[c + i] += g[i] * n;
                dbias[c + i] += g[i];
                sum_g += g[i] * w[i];
                sum_gn += g[i] * w[i] * n;
            }
        }
        float mean_g = block_sum(sum_g, scratch) / (float)d;
        float mean_gn = block_sum(sum_gn, scratch) / (float)d;
        for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
            float v[W], w[W], g[W], old[W];
            load(x + row + c, d - c, v);
            load(weight + c, d - c, w);
            load(dy + row + c, d - c, g);
            for (u32 i = 0; i < W; i++) v[i] = inv * (g[i] * w[i] - mean_g - (v[i] - center) * inv * mean_gn);
            if (add) {
                load(dx + row + c, d - c, old);
                for (u32 i = 0; i < W; i++) v[i] += old[i];
            }
            store(dx + row + c, d - c, v);
        }
    }
    for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
        for (u32 i = 0; i < W && c + i < d; i++) {
            dweights[(u64)blockIdx.x * d + c + i] = dweight[c + i];
            dbiases[(u64)blockIdx.x * d + c + i] = dbias[c + i];
        }
    }
}

extern "C" __global__ void layer_norm_f32(
    const float *x, const float *weight, const float *bias, float *y, float *mean, float *inv_std, u32 d,
    float eps
) { forward(x, weight, bias, y, mean, inv_std, d, eps); }

extern "C" __global__ void layer_norm_bf16(
    const bf16 *x, const bf16 *weight, const bf16 *bias, bf16 *y, float *mean, float *inv_std, u32 d,
    float eps
) { forward(x, weight, bias, y, mean, inv_std, d, eps); }

extern "C" __global__ void layer_norm_backward_f32(
    const float *x, const float *weight, const float *mean, const float *inv_std, const float *dy, float *dx,
    float *dweights, float *dbiases, u32 n_rows, u32 d, u32 add
) { backward(x, weight, mean, inv_std, dy, dx, dweights, dbiases, n_rows, d, add); }

extern "C" __global__ void layer_norm_backward_bf16(
    const bf16 *x, const bf16 *weight, const float *mean, const float *inv_std, const bf16 *dy, bf16 *dx,
    float *dweights, float *dbiases, u32 n_rows, u32 d, u32 add
) { backward(x, weight, mean, inv_std, dy, dx, dweights, dbiases, n_rows, d, add); }
