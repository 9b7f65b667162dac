// Rows of a table picked by token id, and the gradient of the table
//
//     out[t]  = table[ids[t]]
//     dtable[id] += sum of dout[t] over the tokens t with that id, in the order of the tokens
//
// Bound by memory: forward reads and writes a row (4 bytes a bf16 value); backward reads dout once (2 bytes a value) and
// reads and writes the rows of dtable that occur (8 bytes a value of a distinct id). No atomics: the same bits every time.
// The caller has checked that ids are rows of the table.

// grid: one block a token; block: a multiple of 32 threads.
template <class T>
__device__ void forward(
    const T *table, // [vocab, d]
    const u32 *ids, // [n_tokens]
    T *out,         // [n_tokens, d]
    u32 d
) {
    const u32 W = Width<T>::value;
    const T *from = table + (u64)ids[blockIdx.x] * d; // 64-bit: the product of id and width overflows 32
    T *to = out + (u64)blockIdx.x * d;
    for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
        float v[W];
        load(from + c, d - c, v);
        store(to + c, d - c, v);
    }
}

// grid: one block a distinct id; a thread owns its columns and walks over the id's tokens in their order.
template <class T>
__device__ void backward(
    const u32 *ids,    // [n_distinct], each once
    const u32 *starts, // [n_distinct + 1]: the tokens of ids[i] are tokens[starts[i]..starts[i + 1]]
    const u32 *tokens, // [n_tokens]
    const T *dout,     // [n_tokens, d]
    float *dtable,     // [vocab, d]
    u32 d
) {
    const u32 W = Width<T>::value;
    float *row = dtable + (u64)ids[blockIdx.x] * d;
    u32 first = starts[blockIdx.x], end = starts[blockIdx.x + 1];
    for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
        float sum[W], v[W];
        load_each<W>(row + c, d - c, sum);
        for (u32 i = first; i < end; i++) {
            load(dout + (u64)tokens[i] * d + c, d - c, v);
            for (u32 j = 0; j < W; j++) sum[j] += v[j];
        }
        for (u32 j = 0; j < W && c + j < d; j++) row[c + j] = sum[j];
    }
}

// grid: one block a row; rows have different positions. Reads and writes a row of x and reads one of rows.
template <class T>
__device__ void add(
    const T *rows,        // [n_rows, d]
    const u32 *positions, // [n_rows], each once
    T *x,                 // [n, d]
    u32 d
) {
    const u32 W = Width<T>::value;
    const T *from = rows + (u64)blockIdx.x * d;
    T *to = x + (u64)positions[blockIdx.x] * d;
    for (u32 c = threadIdx.x * W; c < d; c += blockDim.x * W) {
        float sum[W], v[W];
        load(to + c, d - c, sum);
        load(from + c, d - c, v);
        for (u32 i = 0; i < W; i++) sum[i] += v[i];
        store(to + c, d - c, sum);
    }
}

extern "C" __global__ void embedding_f32(
    const float *table, const u32 *ids, float *out, u32 d
) { forward(table, ids, out, d); }

extern "C" __global__ void embedding_bf16(
    const bf16 *table, const u32 *ids, bf16 *out, u32 d
) { forward(table, ids, out, d); }

extern "C" __global__ void embedding_backward_f32(
    const u32 *ids, const u32 *starts, const u32 *tokens, const float *dout, float *dtable, u32 d
) { backward(ids, starts, tokens, dout, dtable, d); }

extern "C" __global__ void embedding_backward_bf16(
    const u32 *ids, const u32 *starts, const u32 *tokens, const bf16 *dout, float *dtable, u32 d
) { backward(ids, starts, tokens, dout, dtable, d); }

extern "C" __global__ void add_rows_f32(
    const float *rows, const u32 *positions, float *x, u32 d
) { add(rows, positions, x, d); }

extern "C" __global__ void add_rows_bf16(
    const bf16 *rows, const u32 *positions, bf16 *x, u32 d
) { add(rows, positions, x, d); }
