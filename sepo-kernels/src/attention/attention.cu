// Attention over segments with parents, the plain form: any head size up to 128, float sums of float products
//
//     score[i, j] = scale * q[i] . k[j]   for the keys j that query i sees      lse[i] = log sum_j exp(score[i, j])
//     p[i, j] = exp(score[i, j] - lse[i])                                       out[i] = sum_j p[i, j] v[j]
//
// backward, with delta[i] = dout[i] . out[i] and ds[i, j] = p[i, j] (dout[i] . v[j] - delta[i]):
//
//     dq[i] = scale * sum_j ds[i, j] k[j]      dk[j] = scale * sum_i ds[i, j] q[i]      dv[j] = sum_i p[i, j] dout[i]
//
// The plan (plan.rs) says which tiles of queries and keys meet: tiles of one segment, keys of the query's segment or
// of its ancestors. Among them a key is seen exactly where its position is not above the query's, and less than `window`
// below it. All heads of a group read one key head.
//
// A block keeps 64 rows (of queries, or of keys in the pass for their gradients) and lets rows of the other side go by, 32
// at a time, one a lane. A warp has 8 of the block's rows; a lane has one of the passing rows while weights are made, and
// values lane, lane + 32, ... of the head while they are used. Nothing is shared between warps but what goes by, so every
// sum has one order.
//
// Bound by arithmetic, at two loads from shared memory for a multiplication: this form is the truth for the tensor-core one
// (attention_mma.cu) and serves float activations and other head sizes.
//
// grid: (tiles, heads); block: 256 threads; shared: floats for 64 or 128 rows of the head and 64 rows of one more value.

const u32 ROWS = 64;                   // rows that a block keeps
const u32 N_WARPS = 8;
const u32 EACH = ROWS / N_WARPS;       // rows of a warp
const u32 PARTS = 4;                   // values of a head that a lane has, 32 apart
const u32 TILE_WORDS = 4;              // of a tile of queries: first row, rows, first and end of its entries
const u32 ENTRY_WORDS = 3;             // of an entry: first token, tokens, position of the first
const u32 KEY_TILE_WORDS = 5;          // of a tile of keys: the same three, first and end of its tiles of queries

__device__ inline bool sees(u32 query_position, u32 key_position, u32 window) {
    return key_position <= query_position && (window == 0 || query_position - key_position < window);
}

// Head `head` of n rows from `first` on, as floats; zeros up to `most` rows. `pad` keeps 32 rows in 32 banks.
template <class T>
__device__ void fetch(
    const T *x, // [rows, n_heads, head_dim]
    float *to,  // [most, head_dim + pad]
    u32 first, u32 n, u32 most, u32 head, u32 n_heads, u32 head_dim, u32 pad
) {
    for (u32 i = threadIdx.x; i < most * head_dim; i += blockDim.x) {
        u32 row = i / head_dim, d = i % head_dim;
        u64 from = ((u64)(first + row) * n_heads + head) * head_dim + d;
        to[row * (head_dim + pad) + d] = row < n ? to_float(x[from]) : 0.0f;
    }
}

__device__ inline float dot(const float *a, const float *b, u32 n) {
    float sum = 0.0f;
#pragma unroll 4
    for (u32 i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

// sums[i] += sum over lanes j of weight(j) * rows[j][lane + 32 i]
__device__ inline void gather_rows(float weight, const float *rows, u32 stride, u32 head_dim, float (&sums)[PARTS]) {
    __shared__ float weights[N_WARPS][WARP];
    u32 lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    __syncwarp(); // the weights before are used
    weights[warp][lane] = weight;
    __syncwarp(); // these are there
#pragma unroll 4
    for (u32 j = 0; j < WARP; j++) {
        float other = weights[warp][j];
#pragma unroll // sums stay in registers
        for (u32 i = 0; i < PARTS; i++) {
            if (lane + WARP * i < head_dim) sums[i] += other * rows[j * stride + lane + WARP * i];
        }
    }
}

// Values lane, lane + 32, ... of a head to their places.
template <class T>
__device__ inline void put_row(T *x, u64 row, u32 head, u32 n_heads, u32 head_dim, float factor, const float (&v)[PARTS]) {
    u32 lane = threadIdx.x % WARP;
    T *to = x + (row * n_heads + head) * head_dim;
#pragma unroll // v stays in registers
    for (u32 i = 0; i < PARTS; i++) {
        if (lane + WARP * i < head_dim) to[lane + WARP * i] = from_float<T>(factor * v[i]);
    }
}

template <class T>
__device__ void forward(
    const T *q,            // [n_queries, n_heads, head_dim]
    const T *k,            // [n_tokens, n_kv_heads, head_dim]
    const T *v,            // [n_tokens, n_kv_heads, head_dim]
    const u32 *tiles,      // [n_tiles, TILE_WORDS]
    const u32 *entries,    // [n_entries, ENTRY_WORDS]
    const u32 *positions,  // [n_queries]
    T *out,                // [n_queries, n_heads, head_dim]
    float *lse,            // [n_queries, n_heads]
    u32 n_heads,
    u32 n_kv_heads,
    u32 window,            // 0: none
    float scale,
    u32 head_dim           // last: the tensor-core form has it as a constant
) {
    u32 stride = head_dim + 1;
    float *queries = (float *)dynamic_shared(), *keys = queries + ROWS * head_dim, *values = keys + WARP * stride;
    const u32 *tile = tiles + (u64)blockIdx.x * TILE_WORDS;
    u32 first_row = tile[0], n_rows = tile[1], head = blockIdx.y, kv_head = head / (n_heads / n_kv_heads);
    u32 lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const float NONE = -__uint_as_float(0x7f800000u); // -infinity

    fetch(q, queries, first_row, n_rows, ROWS, head, n_heads, head_dim, 0);
    float max[EACH], sum[EACH], sums[EACH][PARTS];
#pragma unroll
    for (u32 e = 0; e < EACH; e++) {
        max[e] = NONE;
        sum[e] = 0.0f;
        for (u32 i = 0; i < PARTS; i++) sums[e][i] = 0.0f;
    }
    for (u32 entry = tile[2]; entry < tile[3]; entry++) {
        const u32 *words = entries + (u64)entry * ENTRY_WORDS;
        for (u32 first = 0; first < words[1]; first += WARP) {
            u32 n = words[1] - first < WARP ? words[1] - first : WARP;
            __syncthreads(); // the keys before are used
            fetch(k, keys, words[0] + first, n, WARP, kv_head, n_kv_heads, head_dim, 1);
            fetch(v, values, words[0] + first, n, WARP, kv_head, n_kv_heads, head_dim, 1);
            __syncthreads(); // these are there
            u32 key_position = words[2] + first + lane;
#pragma unroll // max, sum and sums stay in registers
            for (u32 e = 0; e < EACH; e++) {
                u32 row = warp * EACH + e;
                if (row >= n_rows) continue; // the whole warp
                bool seen = lane < n && sees(positions[first_row + row], key_position, window);
                float score = seen ? scale * dot(queries + row * head_dim, keys + lane * stride, head_dim) : NONE;
                float now = fmaxf(max[e], warp_max(score));
                if (now == NONE) continue; // the whole warp: none of these keys is seen, nor any before
                float weight = seen ? expf(score - now) : 0.0f;
                float keep = expf(max[e] - now);
                sum[e] = sum[e] * keep + warp_sum(weight);
                for (u32 i = 0; i < PARTS; i++) sums[e][i] *= keep;
                gather_rows(weight, values, stride, head_dim, sums[e]);
                max[e] = now;
            }
        }
    }
#pragma unroll
    for (u32 e = 0; e < EACH; e++) {
        u32 row = warp * EACH + e;
        if (row >= n_rows) continue;
        put_row(out, first_row + row, head, n_heads, head_dim, 1.0f / sum[e], sums[e]);
        if (lane == 0) lse[(u64)(first_row + row) * n_heads + head] = max[e] + logf(sum[e]);
    }
}

// delta[i] = dout[i] . out[i]. grid: one warp a (query, head); block: a multiple of 32.
template <class T>
__device__ void deltas(
    const T *out,  // [n, head_dim], n = queries times heads
    const T *dout, // [n, head_dim]
    float *delta,  // [n]
    u32 n,
    u32 head_dim
) {
    u32 i = (blockIdx.x * blockDim.x + threadIdx.x) / WARP, lane = threadIdx.x % WARP;
    if (i >= n) return; // the whole warp
    float sum = 0.0f;
    for (u32 d = lane; d < head_dim; d += WARP) {
        sum += to_float(out[(u64)i * head_dim + d]) * to_float(dout[(u64)i * head_dim + d]);
    }
    sum = warp_sum(sum);
    if (lane == 0) delta[i] = sum;
}

// Gradients of the queries: the walk of the forward pass.
template <class T>
__device__ void backward_queries(
    const T *q, const T *k, const T *v, const T *dout, // as in the forward pass; dout as q
    const float *lse,                                  // [n_queries, n_heads]
    const float *delta,                                // [n_queries, n_heads]
    const u32 *tiles, const u32 *entries, const u32 *positions,
    T *dq,                                             // [n_queries, n_heads, head_dim]
    u32 n_heads, u32 n_kv_heads, u32 window, float scale, u32 head_dim
) {
    u32 stride = head_dim + 1;
    float *queries = (float *)dynamic_shared(), *douts = queries + ROWS * head_dim;
    float *keys = douts + ROWS * head_dim, *values = keys + WARP * stride;
    const u32 *tile = tiles + (u64)blockIdx.x * TILE_WORDS;
    u32 first_row = tile[0], n_rows = tile[1], head = blockIdx.y, kv_head = head / (n_heads / n_kv_heads);
    u32 lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;

    fetch(q, queries, first_row, n_rows, ROWS, head, n_heads, head_dim, 0);
    fetch(dout, douts, first_row, n_rows, ROWS, head, n_heads, head_dim, 0);
    float sums[EACH][PARTS];
#pragma unroll
    for (u32 e = 0; e < EACH; e++) {
        for (u32 i = 0; i < PARTS; i++) sums[e][i] = 0.0f;
    }
    for (u32 entry = tile[2]; entry < tile[3]; entry++) {
        const u32 *words = entries + (u64)entry * ENTRY_WORDS;
        for (u32 first = 0; first < words[1]; first += WARP) {
            u32 n = words[1] - first < WARP ? words[1] - first : WARP;
            __syncthreads(); // the keys before are used
            fetch(k, keys, words[0] + first, n, WARP, kv_head, n_kv_heads, head_dim, 1);
            fetch(v, values, words[0] + first, n, WARP, kv_head, n_kv_heads, head_dim, 1);
            __syncthreads(); // these are there
            u32 key_position = words[2] + first + lane;
#pragma unroll // sums stay in registers
            for (u32 e = 0; e < EACH; e++) {
                u32 row = warp * EACH + e;
                if (row >= n_rows) continue; // the whole warp
                u64 at = (u64)(first_row + row) * n_heads + head;
                float ds = 0.0f;
                if (lane < n && sees(positions[first_row + row], key_position, window)) {
                    float score = scale * dot(queries + row * head_dim, keys + lane * stride, head_dim);
                    float dweight = dot(douts + row * head_dim, values + lane * stride, head_dim);
                    ds = expf(score - lse[at]) * (dweight - delta[at]);
                }
                gather_rows(ds, keys, stride, head_dim, sums[e]);
            }
        }
    }
#pragma unroll
    for (u32 e = 0; e < EACH; e++) {
        u32 row = warp * EACH + e;
        if (row < n_rows) put_row(dq, first_row + row, head, n_heads, head_dim, scale, sums[e]);
    }
}

// Gradients of keys and values: a block keeps keys, and all queries that see some of them go by, for each head of the group.
template <class T>
__device__ void backward_keys(
    const T *q, const T *k, const T *v, const T *dout, const float *lse, const float *delta, // as above
    const u32 *tiles,
    const u32 *key_tiles,   // [n_key_tiles, KEY_TILE_WORDS]
    const u32 *query_tiles, // for each tile of keys, the tiles of queries that see some of it
    const u32 *positions,
    T *dk,                  // [n_tokens, n_kv_heads, head_dim]
    T *dv,                  // [n_tokens, n_kv_heads, head_dim]
    u32 n_heads, u32 n_kv_heads, u32 window, float scale, u32 head_dim
) {
    u32 stride = head_dim + 1;
    float *keys = (float *)dynamic_shared(), *values = keys + ROWS * head_dim;
    float *queries = values + ROWS * head_dim, *douts = queries + WARP * stride;
    const u32 *key_tile = key_tiles + (u64)blockIdx.x * KEY_TILE_WORDS;
    u32 first_token = key_tile[0], n_keys = key_tile[1], kv_head = blockIdx.y, group = n_heads / n_kv_heads;
    u32 lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;

    fetch(k, keys, first_token, n_keys, ROWS, kv_head, n_kv_heads, head_dim, 0);
    fetch(v, values, first_token, n_keys, ROWS, kv_head, n_kv_heads, head_dim, 0);
    float sums_k[EACH][PARTS], sums_v[EACH][PARTS];
#pragma unroll
    for (u32 e = 0; e < EACH; e++) {
        for (u32 i = 0; i < PARTS; i++) sums_k[e][i] = sums_v[e][i] = 0.0f;
    }
    for (u32 head = kv_head * group; head < (kv_head + 1) * group; head++) {
        for (u32 entry = key_tile[3]; entry < key_tile[4]; entry++) {
            const u32 *tile = tiles + (u64)query_tiles[entry] * TILE_WORDS;
            for (u32 first = 0; first < tile[1]; first += WARP) {
                u32 n = tile[1] - first < WARP ? tile[1] - first : WARP, first_row = tile[0] + first;
                __syncthreads(); // the queries before are used
                fetch(q, queries, first_row, n, WARP, head, n_heads, head_dim, 1);
                fetch(dout, douts, first_row, n, WARP, head, n_heads, head_dim, 1);
                __syncthreads(); // these are there
                u64 at = (u64)(first_row + (lane < n ? lane : 0)) * n_heads + head;
                u32 position = positions[first_row + (lane < n ? lane : 0)];
                float own_lse = lse[at], own_delta = delta[at];
#pragma unroll // sums stay in registers
                for (u32 e = 0; e < EACH; e++) {
                    u32 row = warp * EACH + e;
                    if (row >= n_keys) continue; // the whole warp
                    float weight = 0.0f, ds = 0.0f;
                    if (lane < n && sees(position, key_tile[2] + row, window)) {
                        float score = scale * dot(keys + row * head_dim, queries + lane * stride, head_dim);
                        float dweight = dot(values + row * head_dim, douts + lane * stride, head_dim);
                        weight = expf(score - own_lse);
                        ds = weight * (dweight - own_delta);
                    }
                    gather_rows(weight, douts, stride, head_dim, sums_v[e]);
                    gather_rows(ds, queries, stride, head_dim, sums_k[e]);
                }
            }
        }
    }
#pragma unroll
    for (u32 e = 0; e < EACH; e++) {
        u32 row = warp * EACH + e;
        if (row >= n_keys) continue;
        put_row(dk, first_token + row, kv_head, n_kv_heads, head_dim, scale, sums_k[e]);
        put_row(dv, first_token + row, kv_head, n_kv_heads, head_dim, 1.0f, sums_v[e]);
    }
}

extern "C" __global__ void __launch_bounds__(256) attention_f32(
    const float *q, const float *k, const float *v, const u32 *tiles, const u32 *entries, const u32 *positions,
    float *out, float *lse, u32 n_heads, u32 n_kv_heads, u32 window, float scale, u32 head_dim
) { forward(q, k, v, tiles, entries, positions, out, lse, n_heads, n_kv_heads, window, scale, head_dim); }

extern "C" __global__ void __launch_bounds__(256) attention_bf16(
    const bf16 *q, const bf16 *k, const bf16 *v, const u32 *tiles, const u32 *entries, const u32 *positions,
    bf16 *out, float *lse, u32 n_heads, u32 n_kv_heads, u32 window, float scale, u32 head_dim
) { forward(q, k, v, tiles, entries, positions, out, lse, n_heads, n_kv_heads, window, scale, head_dim); }

extern "C" __global__ void attention_delta_f32(
    const float *out, const float *dout, float *delta, u32 n, u32 head_dim
) { deltas(out, dout, delta, n, head_dim); }

extern "C" __global__ void attention_delta_bf16(
    const bf16 *out, const bf16 *dout, float *delta, u32 n, u32 head_dim
) { deltas(out, dout, delta, n, head_dim); }

extern "C" __global__ void __launch_bounds__(256) attention_backward_queries_f32(
    const float *q, const float *k, const float *v, const float *dout, const float *lse, const float *delta,
    const u32 *tiles, const u32 *entries, const u32 *positions, float *dq,
    u32 n_heads, u32 n_kv_heads, u32 window, float scale, u32 head_dim
) {
    backward_queries(q, k, v, dout, lse, delta, tiles, entries, positions, dq, n_heads, n_kv_heads, window, scale,
                     head_dim);
}

extern "C" __global__ void __launch_bounds__(256) attention_backward_queries_bf16(
    const bf16 *q, const bf16 *k, const bf16 *v, const bf16 *dout, const float *lse, const float *delta,
    const u32 *tiles, const u32 *entries, const u32 *positions, bf16 *dq,
    u32 n_heads, u32 n_kv_heads, u32 window, float scale, u32 head_dim
) {
    backward_queries(q, k, v, dout, lse, delta, tiles, entries, positions, dq, n_heads, n_kv_heads, window, scale,
                     head_dim);
}

extern "C" __global__ void __launch_bounds__(256) attention_backward_keys_f32(
    const float *q, const float *k, const float *v, const float *dout, const float *lse, const float *delta,
    const u32 *tiles, const u32 *key_tiles, const u32 *query_tiles, const u32 *positions, float *dk, float *dv,
    u32 n_heads, u32 n_kv_heads, u32 window, float scale, u32 head_dim
) {
    backward_keys(q, k, v, dout, lse, delta, tiles, key_tiles, query_tiles, positions, dk, dv, n_heads, n_kv_heads,
                  window, scale, head_dim);
}

extern "C" __global__ void __launch_bounds__(256) attention_backward_keys_bf16(
    const bf16 *q, const bf16 *k, const bf16 *v, const bf16 *dout, const float *lse, const float *delta,
    const u32 *tiles, const u32 *key_tiles, const u32 *query_tiles, const u32 *positions, bf16 *dk, bf16 *dv,
    u32 n_heads, u32 n_kv_heads, u32 window, float scale, u32 head_dim
) {
    backward_keys(q, k, v, dout, lse, delta, tiles, key_tiles, query_tiles, positions, dk, dv, n_heads, n_kv_heads,
                  window, scale, head_dim);
}
