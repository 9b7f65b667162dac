// Rotary position embedding, in place, and with direction -1 its gradient
//
//     (a, b) = (x[t, h, i], x[t, h, i + half]) becomes
//     (a cos - b sin, b cos + a sin)       with cos, sin of (positions[t], i), for i < half; values from 2 half on stay
//
// grid: one thread for 16 bytes of a's, threads numbered over (token, head, piece of half); block: any multiple of 32.
// Bound by memory: reads and writes the turned values once (4 bytes a bf16 value). The table is small and stays in L2.
// The caller has checked that positions lie in the table and that 2 half <= head_dim.
template <class T>
__device__ void rotate(
    T *x,                 // [n_tokens, n_heads, head_dim]
    const u32 *positions, // [n_tokens]
    const float *cos,     // [n_positions, half]
    const float *sin,     // [n_positions, half]
    u32 n_tokens,
    u32 n_heads,
    u32 head_dim,
    u32 half,
    float direction // 1 or -1
) {
    const u32 W = Width<T>::value;
    u32 n_pieces = (half + W - 1) / W;
    u64 thread = (u64)blockIdx.x * blockDim.x + threadIdx.x; // 64-bit: tokens times heads times pieces overflow 32
    u64 head = thread / n_pieces;
    if (head >= (u64)n_tokens * n_heads) return;
    u32 i = (u32)(thread % n_pieces) * W;
    u64 entry = (u64)positions[head / n_heads] * half + i;
    T *first = x + head * head_dim + i;

    float a[W], b[W], c[W], s[W];
    load(first, half - i, a);
    load(first + half, half - i, b);
    load_each<W>(cos + entry, half - i, c);
    load_each<W>(sin + entry, half - i, s);
    for (u32 j = 0; j < W; j++) {
        float before = a[j], turn = direction * s[j];
        a[j] = before * c[j] - b[j] * turn;
        b[j] = b[j] * c[j] + before * turn;
    }
    store(first, half - i, a);
    store(first + half, half - i, b);
}

extern "C" __global__ void rotary_f32(
    float *x, const u32 *positions, const float *cos, const float *sin, u32 n_tokens, u32 n_heads, u32 head_dim,
    u32 half, float direction
) { rotate(x, positions, cos, sin, n_tokens, n_heads, head_dim, half, direction); }

extern "C" __global__ void rotary_bf16(
    bf16 *x, const u32 *positions, const float *cos, const float *sin, u32 n_tokens, u32 n_heads, u32 head_dim,
    u32 half, float direction
) { rotate(x, positions, cos, sin, n_tokens, n_heads, head_dim, half, direction); }
