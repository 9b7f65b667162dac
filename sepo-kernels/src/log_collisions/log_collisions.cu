// How likely two draws from softmax(a[h]) are the same token
//
//     collisions[h] = log sum_v p[v]^2 = log sum_v exp(2 (a[v] - max)) - 2 log sum_v exp(a[v] - max)
//
// The caller walks over chunks of hidden rows and, within, over tiles of the vocabulary, as for gather_logps.
//
// Bound by memory, from L2 where the tile fits there: 4 bytes a logit, read twice (the second time from L1 or L2).

// Takes a tile into the running maximum and sums of every row. grid: one block a row; block: a multiple of 32.
extern "C" __global__ void row_sums_f32(
    const float *logits, // [n, stride], the first `width` of each row
    float *max,          // [n]
    double *sum,         // [n], of exp(logit - max)
    double *squares,     // [n], of exp(logit - max)^2; or null
    u32 width,
    u32 stride,
    u32 begin // 1: the first tile, there is nothing to go on from
) {
    __shared__ float max_scratch[WARP];
    __shared__ double sum_scratch[WARP];
    const float *row = logits + (u64)blockIdx.x * stride;
    const float NONE = -__uint_as_float(0x7f800000u); // -infinity

    float before = begin ? NONE : max[blockIdx.x];
    float own = NONE;
    for (u32 c = threadIdx.x; c < width; c += blockDim.x) own = fmaxf(own, row[c]);
    float all = fmaxf(block_max(own, max_scratch), before);
    float shift = all == NONE ? 0.0f : all; // see gather_logps
    double first = 0.0, second = 0.0;
    for (u32 c = threadIdx.x; c < width; c += blockDim.x) {
        double power = (double)expf(row[c] - shift);
        first += power;
        second += power * power;
    }
    first = block_sum(first, sum_scratch);
    second = block_sum(second, sum_scratch);
    if (threadIdx.x > 0) return;
    double keep = exp((double)before - (double)shift);
    max[blockIdx.x] = all;
    sum[blockIdx.x] = begin ? first : sum[blockIdx.x] * keep + first;
    if (squares) squares[blockIdx.x] = begin ? second : squares[blockIdx.x] * keep * keep + second;
}

// What the sums come to; the maximum cancels. grid: one thread a row; block: any multiple of 32.
extern "C" __global__ void finish_collisions_f64(
    const double *sum,     // [n]
    const double *squares, // [n]
    double *collisions,    // [n]
    u32 n
) {
    u32 h = blockIdx.x * blockDim.x + threadIdx.x;
    if (h < n) collisions[h] = log(squares[h]) - 2.0 * log(sum[h]);
}
