// Attention over segments with parents on tensor cores: bf16 in and out, float sums (arXiv 2307.08691)
//
// What is computed is written in attention.cu, which is this file's plain twin; here is how. HD, the size of a head, is a
// constant in front of this text; 32 to 128, a multiple of 16.
//
// A block of four warps keeps 64 rows in shared memory (queries, or keys in the pass for their gradients), 16 a warp, and
// lets tiles of the other side go by, two in flight: while one is used the next is copied. A warp multiplies its 16 rows
// with the tile: `scores` gives sums [16, N] in registers, weights are made there in place and rounded to bf16, and
// `accumulate` multiplies them with the tile's rows. In the pass for keys the scores stand transposed, [keys, queries], so
// that there, too, weights are rows of the kept side; no sum crosses a warp, there are no atomics, and results have the same
// bits every time. The price is that scores are computed in both halves of the backward pass: 7 products instead of 5.
//
// A lane has of each 16 x 8 sums the columns 2 (lane % 4) and the next, in rows lane / 4 and lane / 4 + 8; so a row is
// spread over 4 lanes (`quad_sum`, `quad_max`).
//
// Bound by the tensor cores: forward 4 HD multiplications and additions a (query, key, head), backward 14 HD. From device
// memory a block reads its rows once and each tile once; tiles come from L2, since blocks of one head run side by side.
//
// grid: (tiles, heads); block: 128 threads; shared: bytes of the rows below. Rows are HD + 8 values apart, so that the 8
// rows of a matrix lie in different banks.

const u32 ROWS = 64;             // rows that a block keeps
const u32 WARP_ROWS = 16;        // of which a warp has
const u32 N_KEYS = 64;           // in a passing tile of keys
const u32 N_QUERIES = 32;        // in a passing tile of queries
const u32 STRIDE = HD + 8;
const u32 TILE_WORDS = 4;        // of a tile of queries: first row, rows, first and end of its entries
const u32 ENTRY_WORDS = 3;       // of an entry: first token, tokens (at most 64), position of the first
const u32 KEY_TILE_WORDS = 5;    // of a tile of keys: the same three, first and end of its tiles of queries
const float LOG2_E = 1.442695041f;
const float LN_2 = 0.693147181f;

__device__ inline bool sees(u32 query_position, u32 key_position, u32 window) {
    return key_position <= query_position && (window == 0 || query_position - key_position < window);
}

__device__ inline float quad_sum(float x) {
    x += __shfl_xor_sync(ALL_LANES, x, 1);
    return x + __shfl_xor_sync(ALL_LANES, x, 2);
}

__device__ inline float quad_max(float x) {
    x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 1));
    return fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 2));
}

// Starts to copy head `head` of n rows from `first` on; rows up to `most` become zeros.
__device__ inline void fetch(const bf16 *x, bf16 *to, u32 first, u32 n, u32 most, u32 head, u32 n_heads) {
    const u32 PIECES = HD / 8;
    for (u32 i = threadIdx.x; i < most * PIECES; i += blockDim.x) {
        u32 row = i / PIECES, d = i % PIECES * 8;
        bool there = row < n;
        copy_16(to + row * STRIDE + d, x + ((u64)(first + (there ? row : 0)) * n_heads + head) * HD + d, there);
    }
}

// s = a bᵀ: 16 rows of a warp by N rows that go by.
template <u32 N> __device__ inline void scores(const bf16 *a, const bf16 *b, float (&s)[N / 8][4]) {
    u32 lane = threadIdx.x % WARP;
#pragma unroll
    for (u32 j = 0; j < N / 8; j++) s[j][0] = s[j][1] = s[j][2] = s[j][3] = 0.0f;
#pragma unroll
    for (u32 d = 0; d < HD; d += 16) {
        u32 left[4];
        load_matrices(left, a + lane % 16 * STRIDE + d + lane / 16 * 8);
#pragma unroll
        for (u32 j = 0; j < N / 16; j++) {
            // Two neighbouring 8 columns of s: rows of b are the columns, so nothing is transposed.
            u32 right[4];
            load_matrices(right, b + (16 * j + lane / 16 * 8 + lane % 8) * STRIDE + d + lane / 8 % 2 * 8);
            multiply_add(s[2 * j], left, right[0], right[1]);
            multiply_add(s[2 * j + 1], left, right[2], right[3]);
        }
    }
}

// o += w b: a warp's weights [16, N], rounded, by N rows that go by.
template <u32 N> __device__ inline void accumulate(const float (&w)[N / 8][4], const bf16 *b, float (&o)[HD / 8][4]) {
    u32 lane = threadIdx.x % WARP;
#pragma unroll
    for (u32 j = 0; j < N / 16; j++) {
        // Where sums of a product stand is where the next product wants its left side.
        u32 left[4] = {round_two(w[2 * j][0], w[2 * j][1]), round_two(w[2 * j][2], w[2 * j][3]),
                       round_two(w[2 * j + 1][0], w[2 * j + 1][1]), round_two(w[2 * j + 1][2], w[2 * j + 1][3])};
#pragma unroll
        for (u32 d = 0; d < HD / 16; d++) {
            u32 right[4];
            load_matrices_transposed(right, b + (16 * j + lane % 16) * STRIDE + 16 * d + lane / 16 * 8);
            multiply_add(o[2 * d], left, right[0], right[1]);
            multiply_add(o[2 * d + 1], left, right[2], right[3]);
        }
    }
}

__device__ inline void clear(float (&o)[HD / 8][4]) {
#pragma unroll
    for (u32 d = 0; d < HD / 8; d++) o[d][0] = o[d][1] = o[d][2] = o[d][3] = 0.0f;
}

// A warp's 16 rows to head `head` of the rows from `first` on that are below `end`, each times its factor.
__device__ inline void put(
    bf16 *x, u32 first, u32 end, u32 head, u32 n_heads, const float (&o)[HD / 8][4], const float (&factor)[2]
) {
    u32 lane = threadIdx.x % WARP;
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        u32 row = first + lane / 4 + 8 * half;
        if (row >= end) continue;
        u32 *to = (u32 *)(x + ((u64)row * n_heads + head) * HD) + lane % 4;
#pragma unroll
        for (u32 d = 0; d < HD / 8; d++) {
            to[4 * d] = round_two(factor[half] * o[d][2 * half], factor[half] * o[d][2 * half + 1]);
        }
    }
}

extern "C" __global__ void __launch_bounds__(128) attention(
    const bf16 *q,         // [n_queries, n_heads, HD]
    const bf16 *k,         // [n_tokens, n_kv_heads, HD]
    const bf16 *v,         // [n_tokens, n_kv_heads, HD]
    const u32 *tiles,      // [n_tiles, TILE_WORDS]
    const u32 *entries,    // [n_entries, ENTRY_WORDS]
    const u32 *positions,  // [n_queries]
    bf16 *out,             // [n_queries, n_heads, HD]
    float *lse,            // [n_queries, n_heads]
    u32 n_heads,
    u32 n_kv_heads,
    u32 window,            // 0: none
    float scale
) {
    bf16 *queries = (bf16 *)dynamic_shared();                 // [ROWS, STRIDE]
    bf16 *passing = queries + ROWS * STRIDE;                  // twice: keys and values, [N_KEYS, STRIDE] each
    const u32 *tile = tiles + (u64)blockIdx.x * TILE_WORDS;
    u32 first_row = tile[0], n_rows = tile[1], entry = tile[2], end = tile[3];
    u32 head = blockIdx.y, kv_head = head / (n_heads / n_kv_heads);
    u32 lane = threadIdx.x % WARP, first = threadIdx.x / WARP * WARP_ROWS;
    const float NONE = -__uint_as_float(0x7f800000u); // -infinity
    float log2_scale = scale * LOG2_E;                // weights are powers of 2: one instruction each

    auto fetch_entry = [&](u32 e, u32 stage) {
        const u32 *words = entries + (u64)e * ENTRY_WORDS;
        bf16 *keys = passing + stage * 2 * N_KEYS * STRIDE;
        fetch(k, keys, words[0], words[1], N_KEYS, kv_head, n_kv_heads);
        fetch(v, keys + N_KEYS * STRIDE, words[0], words[1], N_KEYS, kv_head, n_kv_heads);
    };
    fetch(q, queries, first_row, n_rows, ROWS, head, n_heads);
    fetch_entry(entry, 0); // every query sees at least itself
    end_copies();

    u32 position[2];
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        u32 row = first + lane / 4 + 8 * half;
        position[half] = positions[first_row + (row < n_rows ? row : 0)];
    }
    float max[2] = {NONE, NONE}, sum[2] = {0.0f, 0.0f}, o[HD / 8][4];
    clear(o);
    for (u32 stage = 0; entry < end; entry++, stage ^= 1) {
        if (entry + 1 < end) fetch_entry(entry + 1, stage ^ 1);
        end_copies(); // a group in every round, so that there is always one that may be under way
        await_copies<1>();
        __syncthreads(); // what all threads have copied is there
        const u32 *words = entries + (u64)entry * ENTRY_WORDS;
        u32 n_keys = words[1], key_position = words[2];
        const bf16 *keys = passing + stage * 2 * N_KEYS * STRIDE;

        float s[N_KEYS / 8][4];
        scores<N_KEYS>(queries + first * STRIDE, keys, s);
#pragma unroll
        for (u32 half = 0; half < 2; half++) {
            float now = max[half];
#pragma unroll
            for (u32 j = 0; j < N_KEYS / 8; j++) {
#pragma unroll
                for (u32 i = 0; i < 2; i++) {
                    u32 key = 8 * j + lane % 4 * 2 + i;
                    float &score = s[j][2 * half + i];
                    bool seen = key < n_keys && sees(position[half], key_position + key, window);
                    score = seen ? score * log2_scale : NONE;
                    now = fmaxf(now, score);
                }
            }
            now = quad_max(now);
            float shift = now == NONE ? 0.0f : now; // none of these keys is seen, nor any before: all weights are 0
            float keep = exp2f(max[half] - shift);
            max[half] = now;
            sum[half] *= keep;
#pragma unroll
            for (u32 j = 0; j < N_KEYS / 8; j++) {
#pragma unroll
                for (u32 i = 0; i < 2; i++) {
                    float weight = exp2f(s[j][2 * half + i] - shift);
                    sum[half] += weight;
                    s[j][2 * half + i] = weight;
                }
            }
#pragma unroll
            for (u32 d = 0; d < HD / 8; d++) {
                o[d][2 * half] *= keep;
                o[d][2 * half + 1] *= keep;
            }
        }
        accumulate<N_KEYS>(s, keys + N_KEYS * STRIDE, o);
        __syncthreads(); // used: the next round copies over it
    }
    float factor[2];
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        u32 row = first + lane / 4 + 8 * half;
        sum[half] = quad_sum(sum[half]);
        factor[half] = 1.0f / sum[half];
        if (row < n_rows && lane % 4 == 0) {
            lse[(u64)(first_row + row) * n_heads + head] = (max[half] + __log2f(sum[half])) * LN_2;
        }
    }
    put(out, first_row + first, first_row + n_rows, head, n_heads, o, factor);
}

// Gradients of the queries: the walk of the forward pass.
extern "C" __global__ void __launch_bounds__(128) attention_backward_queries(
    const bf16 *q, const bf16 *k, const bf16 *v, const bf16 *dout, // as in the forward pass; dout as q
    const float *lse,                                              // [n_queries, n_heads]
    const float *delta,                                            // [n_queries, n_heads]
    const u32 *tiles, const u32 *entries, const u32 *positions,
    bf16 *dq,                                                      // [n_queries, n_heads, HD]
    u32 n_heads, u32 n_kv_heads, u32 window, float scale
) {
    bf16 *queries = (bf16 *)dynamic_shared(), *douts = queries + ROWS * STRIDE; // [ROWS, STRIDE] each
    bf16 *passing = douts + ROWS * STRIDE; // twice: keys and values, [N_QUERIES, STRIDE] each; half an entry at a time
    const u32 *tile = tiles + (u64)blockIdx.x * TILE_WORDS;
    u32 first_row = tile[0], n_rows = tile[1], head = blockIdx.y, kv_head = head / (n_heads / n_kv_heads);
    u32 lane = threadIdx.x % WARP, first = threadIdx.x / WARP * WARP_ROWS;
    u32 step = 2 * tile[2], end = 2 * tile[3]; // halves of entries
    const u32 N = N_KEYS / 2;

    auto fetch_half = [&](u32 half_entry, u32 stage) {
        const u32 *words = entries + (u64)(half_entry / 2) * ENTRY_WORDS;
        u32 skip = half_entry % 2 * N, n = words[1] > skip ? words[1] - skip : 0;
        u32 token = n > 0 ? words[0] + skip : words[0]; // never beyond the tokens, not even for zeros
        bf16 *keys = passing + stage * 2 * N * STRIDE;
        fetch(k, keys, token, n, N, kv_head, n_kv_heads);
        fetch(v, keys + N * STRIDE, token, n, N, kv_head, n_kv_heads);
    };
    fetch(q, queries, first_row, n_rows, ROWS, head, n_heads);
    fetch(dout, douts, first_row, n_rows, ROWS, head, n_heads);
    fetch_half(step, 0);
    end_copies();

    u32 position[2];
    float log2_lse[2], own_delta[2], log2_scale = scale * LOG2_E;
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        u32 row = first + lane / 4 + 8 * half;
        u64 at = (u64)(first_row + (row < n_rows ? row : 0)) * n_heads + head;
        position[half] = positions[first_row + (row < n_rows ? row : 0)];
        log2_lse[half] = lse[at] * LOG2_E;
        own_delta[half] = delta[at];
    }
    float o[HD / 8][4];
    clear(o);
    for (u32 stage = 0; step < end; step++, stage ^= 1) {
        if (step + 1 < end) fetch_half(step + 1, stage ^ 1);
        end_copies(); // a group in every round, so that there is always one that may be under way
        await_copies<1>();
        __syncthreads(); // what all threads have copied is there
        const u32 *words = entries + (u64)(step / 2) * ENTRY_WORDS;
        u32 skip = step % 2 * N;
        const bf16 *keys = passing + stage * 2 * N * STRIDE;

        float s[N / 8][4], ds[N / 8][4];
        scores<N>(queries + first * STRIDE, keys, s);
        scores<N>(douts + first * STRIDE, keys + N * STRIDE, ds);
#pragma unroll
        for (u32 j = 0; j < N / 8; j++) {
#pragma unroll
            for (u32 i = 0; i < 4; i++) {
                u32 half = i / 2, key = skip + 8 * j + lane % 4 * 2 + i % 2;
                bool seen = key < words[1] && sees(position[half], words[2] + key, window);
                float weight = seen ? exp2f(s[j][i] * log2_scale - log2_lse[half]) : 0.0f;
                ds[j][i] = weight * (ds[j][i] - own_delta[half]);
            }
        }
        accumulate<N>(ds, keys, o);
        __syncthreads(); // used: the next round copies over it
    }
    float factor[2] = {scale, scale};
    put(dq, first_row + first, first_row + n_rows, head, n_heads, o, factor);
}

// Gradients of keys and values: a block keeps keys, and all queries that see some of them go by, for each head of the group.
extern "C" __global__ void __launch_bounds__(128) attention_backward_keys(
    const bf16 *q, const bf16 *k, const bf16 *v, const bf16 *dout, const float *lse, const float *delta, // as above
    const u32 *tiles,
    const u32 *key_tiles,   // [n_key_tiles, KEY_TILE_WORDS]
    const u32 *query_tiles, // for each tile of keys, the tiles of queries that see some of it
    const u32 *positions,
    bf16 *dk,               // [n_tokens, n_kv_heads, HD]
    bf16 *dv,               // [n_tokens, n_kv_heads, HD]
    u32 n_heads, u32 n_kv_heads, u32 window, float scale
) {
    const u32 N = N_QUERIES;
    bf16 *keys = (bf16 *)dynamic_shared(), *values = keys + ROWS * STRIDE; // [ROWS, STRIDE] each
    bf16 *passing = values + ROWS * STRIDE; // twice: queries and dout, [N, STRIDE] each; half a tile at a time
    __shared__ float of_query[2][2][N];     // of both stages: log2 of exp(lse), and delta
    __shared__ u32 query_position[2][N];
    const u32 *key_tile = key_tiles + (u64)blockIdx.x * KEY_TILE_WORDS;
    u32 first_token = key_tile[0], n_keys = key_tile[1], kv_head = blockIdx.y, group = n_heads / n_kv_heads;
    u32 lane = threadIdx.x % WARP, first = threadIdx.x / WARP * WARP_ROWS;
    u32 n_met = key_tile[4] - key_tile[3], n_steps = 2 * n_met * group; // halves of tiles, head after head

    // Head, first row and rows of a step.
    auto place = [&](u32 step, u32 &head, u32 &row, u32 &n) {
        const u32 *tile = tiles + (u64)query_tiles[key_tile[3] + step / 2 % n_met] * TILE_WORDS;
        u32 skip = step % 2 * N;
        head = kv_head * group + step / 2 / n_met;
        n = tile[1] > skip ? tile[1] - skip : 0;
        n = n < N ? n : N;
        row = n > 0 ? tile[0] + skip : tile[0]; // never beyond the queries, not even for zeros
    };
    auto fetch_step = [&](u32 step, u32 stage) {
        u32 head, row, n;
        place(step, head, row, n);
        bf16 *queries = passing + stage * 2 * N * STRIDE;
        fetch(q, queries, row, n, N, head, n_heads);
        fetch(dout, queries + N * STRIDE, row, n, N, head, n_heads);
        if (threadIdx.x < N) {
            u32 own = row + (threadIdx.x < n ? threadIdx.x : 0);
            of_query[stage][0][threadIdx.x] = lse[(u64)own * n_heads + head] * LOG2_E;
            of_query[stage][1][threadIdx.x] = delta[(u64)own * n_heads + head];
            query_position[stage][threadIdx.x] = positions[own];
        }
    };
    fetch(k, keys, first_token, n_keys, ROWS, kv_head, n_kv_heads);
    fetch(v, values, first_token, n_keys, ROWS, kv_head, n_kv_heads);
    if (n_steps > 0) fetch_step(0, 0);
    end_copies();

    float log2_scale = scale * LOG2_E, sum_k[HD / 8][4], sum_v[HD / 8][4];
    clear(sum_k);
    clear(sum_v);
    for (u32 step = 0, stage = 0; step < n_steps; step++, stage ^= 1) {
        if (step + 1 < n_steps) fetch_step(step + 1, stage ^ 1);
        end_copies(); // a group in every round, so that there is always one that may be under way
        await_copies<1>();
        __syncthreads(); // what all threads have copied is there
        u32 head, row, n;
        place(step, head, row, n);
        const bf16 *queries = passing + stage * 2 * N * STRIDE, *douts = queries + N * STRIDE;

        float s[N / 8][4], ds[N / 8][4]; // [keys, queries]
        scores<N>(keys + first * STRIDE, queries, s);
        scores<N>(values + first * STRIDE, douts, ds);
#pragma unroll
        for (u32 j = 0; j < N / 8; j++) {
#pragma unroll
            for (u32 i = 0; i < 4; i++) {
                u32 key = first + lane / 4 + 8 * (i / 2), query = 8 * j + lane % 4 * 2 + i % 2;
                bool seen = query < n && key < n_keys && sees(query_position[stage][query], key_tile[2] + key, window);
                float weight = seen ? exp2f(s[j][i] * log2_scale - of_query[stage][0][query]) : 0.0f;
                s[j][i] = weight;
                ds[j][i] = weight * (ds[j][i] - of_query[stage][1][query]);
            }
        }
        accumulate<N>(s, douts, sum_v);
        accumulate<N>(ds, queries, sum_k);
        __syncthreads(); // used: the next round copies over it
    }
    await_copies<0>(); // keys and values, where nothing has gone by: no copy may outlive the block
    float factor[2] = {scale, scale}, one[2] = {1.0f, 1.0f};
    put(dk, first_token + first, first_token + n_keys, kv_head, n_kv_heads, sum_k, factor);
    put(dv, first_token + first, first_token + n_keys, kv_head, n_kv_heads, sum_v, one);
}
