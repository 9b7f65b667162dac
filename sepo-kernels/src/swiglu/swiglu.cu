// The gated activation, forward and backward, value by value
//
//     out = silu(gate) * up          silu(x) = x sigma(x)        silu'(x) = sigma(x) (1 + x (1 - sigma(x)))
//     dgate = dout * up * silu'(gate)        dup = dout * silu(gate)
//
// gate and up stand side by side in a row of 2 d values, as one product makes both.
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
    const T *gate_up, // [n_rows, 2 d]
    T *out,           // [n_rows, d]
    u32 n_rows,
    u32 d
) {
    const u32 W = Width<T>::value;
    Piece at = piece<T>(d);
    if (at.row >= n_rows) return;
    const T *gate = gate_up + 2 * at.row * d + at.c;
    float g[W], u[W];
    load(gate, d - at.c, g);
    load(gate + d, d - at.c, u);
    for (u32 i = 0; i < W; i++) g[i] = g[i] * sigmoid(g[i]) * u[i];
    store(out + at.row * d + at.c, d - at.c, g);
}

template <class T>
__device__ void backward(
    const T *gate_up, // [n_rows, 2 d]
    const T *dout,    // [n_rows, d]
    T *dgate_up,      // [n_rows, 2 d]
    u32 n_rows,
    u32 d
) {
    const u32 W = Width<T>::value;
    Piece at = piece<T>(d);
    if (at.row >= n_rows) return;
    u64 gate = 2 * at.row * d + at.c;
    float g[W], u[W], o[W];
    load(gate_up + gate, d - at.c, g);
    load(gate_up + gate + d, d - at.c, u);
    load(dout + at.row * d + at.c, d - at.c, o);
    for (u32 i = 0; i < W; i++) {
        float sigma = sigmoid(g[i]), silu = g[i] * sigma;
        g[i] = o[i] * u[i] * sigma * (1.0f + g[i] * (1.0f - sigma));
        u[i] = o[i] * silu;
    }
    store(dgate_up + gate, d - at.c, g);
    store(dgate_up + gate + d, d - at.c, u);
}

extern "C" __global__ void swiglu_f32(const float *gate_up, float *out, u32 n_rows, u32 d) {
    forward(gate_up, out, n_rows, d);
}

extern "C" __global__ void swiglu_bf16(const bf16 *gate_up, bf16 *out, u32 n_rows, u32 d) {
    forward(gate_up, out, n_rows, d);
}

extern "C" __global__ void swiglu_backward_f32(
    const float *gate_up, const float *dout, float *dgate_up, u32 n_rows, u32 d
) { backward(gate_up, dout, dgate_up, n_rows, d); }

extern "C" __global__ void swiglu_backward_bf16(
    const bf16 *gate_up, const bf16 *dout, bf16 *dgate_up, u32 n_rows, u32 d
) { backward(gate_up, dout, dgate_up, n_rows, d); }
