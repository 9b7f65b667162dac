// Rows multiplied by a factor each
//
//     x[r, c] *= factors[r]
//
// Bound by memory: reads and writes x (4 bytes a bf16 value).

// grid: one block a row; block: a multiple of 32.
template <class T>
__device__ void scale(
    T *x,                 // [n_rows, d]
    const float *factors, // [n_rows]
    u32 d
) {
    const u32 W = Width<T>::value;
    T *row = x + (u64)blockIdx.x * d; // 64-bit: the product of row and d overflows 32
    float factor = factors[blockIdx.x];
    for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
        float v[W];
        load(row + c, d - c, v);
        for (u32 i = 0; i < W; i++) v[i] *= factor;
        store(row + c, d - c, v);
    }
}

extern "C" __global__ void scale_rows_f32(float *x, const float *factors, u32 d) { scale(x, factors, d); }
extern "C" __global__ void scale_rows_bf16(bf16 *x, const float *factors, u32 d) { scale(x, factors, d); }
