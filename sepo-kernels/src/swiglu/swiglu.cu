// The gated activation, forward and backward, value by value
//
//     out = silu(gate) * up          silu(x) = x sigma(x)        silu'(x) = sigma(x) (1 + x (1 - sigma(x)))
//     dgate = dout * up * silu'(gate)        dup = dout * silu(gate)
//
// gate and up may stand side by side, as one product makes both: `stride` is from a row of `d` values to the next.
// grid: one thread for 16 bytes of the result, threads numbered over (row, piece of d); block: any multiple of 32.
// Bound by memory: forward 6 bytes a bf16 value, backward 10.

// Where a thread's values lie: the row, and the first of its columns.
struct Piece {
    u64 row;
    u32 c;
};

template <class T> __device__ Piece piece(u32 d) {
    u64 thread = (u64)blockIdx.x * blockDim.x + threadIdx.x; // 64-bit: rows times pieces overflow 32
    u32 n_pieces = (d + Width<T>::value - 1) / Width<T>::value;
    return Piece{thread / n_pieces, (u32)(thread % n_pieces) * Width<T>::value};
}

template <class T>
__device__ void forward(
    const T *gate, // n_rows rows of d values, `stride` apart
    const T *up,   // the same
    T *out,        // [n_rows, d]
    u32 n_rows,
    u32 d,
    u32 stride
) {
    const u32 W = Width<T>::value;
    Piece at = piece<T>(d);
    if (at.row >= n_rows) return;
    float g[W], u[W];
    load(gate + at.row * stride + at.c, d - at.c, g);
    load(up + at.row * stride + at.c, d - at.c, u);
    for (u32 i = 0; i < W; i++) g[i] = g[i] * sigmoid(g[i]) * u[i];
    store(out + at.row * d + at.c, d - at.c, g);
}

template <class T>
__device__ void backward(
    const T *gate, // n_rows rows of d values, `stride` apart
    const T *up,   // the same
    const T *dout, // [n_rows, d]
    T *dgate,      // as gate; may be the same memory
    T *dup,        // as up; may be the same memory
    u32 n_rows,
    u32 d,
    u32 stride
) {
    const u32 W = Width<T>::value;
    Piece at = piece<T>(d);
    if (at.row >= n_rows) return;
    float g[W], u[W], o[W];
    load(gate + at.row * stride + at.c, d - at.c, g);
    load(up + at.row * stride + at.c, d - at.c, u);
    load(dout + at.row * d + at.c, d - at.c, o);
    for (u32 i = 0; i < W; i++) {
        float sigma = sigmoid(g[i]), silu = g[i] * sigma;
        g[i] = o[i] * u[i] * sigma * (1.0f + g[i] * (1.0f - sigma));
        u[i] = o[i] * silu;
    }
    store(dgate + at.row * stride + at.c, d - at.c, g);
    store(dup + at.row * stride + at.c, d - at.c, u);
}

extern "C" __global__ void swiglu_f32(
    const float *gate, const float *up, float *out, u32 n_rows, u32 d, u32 stride
) { forward(gate, up, out, n_rows, d, stride); }

extern "C" __global__ void swiglu_bf16(
    const bf16 *gate, const bf16 *up, bf16 *out, u32 n_rows, u32 d, u32 stride
) { forward(gate, up, out, n_rows, d, stride); }

extern "C" __global__ void swiglu_backward_f32(
    const float *gate, const float *up, const float *dout, float *dgate, float *dup, u32 n_rows, u32 d, u32 stride
) { backward(gate, up, dout, dgate, dup, n_rows, d, stride); }

extern "C" __global__ void swiglu_backward_bf16(
    const bf16 *gate, const bf16 *up, const bf16 *dout, bf16 *dgate, bf16 *dup, u32 n_rows, u32 d, u32 stride
) { backward(gate, up, dout, dgate, dup, n_rows, d, stride); }
