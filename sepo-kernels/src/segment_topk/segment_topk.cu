// The highest or lowest scores of every segment, exactly, with the tie rule: of equal scores the lower position first
//
//     selected[out_starts[s]..out_starts[s + 1]] = flat indices, ascending, of the first
//     out_starts[s + 1] - out_starts[s] scores of segment s in the order (score, position)
//
// Radix selection: scores become integers whose order is the order of selection; four rounds of 8 bits find the integer
// of the last score that is selected and how many of its equals are; then one pass in the order of positions writes.
//
// grid: one block a segment; block: 128 threads; shared: MOST_CACHED integers, so that short segments are read once.
// Bound by memory: 4 bytes a score (20 where a segment is longer than MOST_CACHED, most of it from L2), 4 a selected one.
// The caller has checked that starts ascend and that no segment is asked for more than it has.

const u32 BINS = 256;
const u32 MOST_CACHED = 4096;
const u32 MOST_WARPS = 4;

// An integer for a score; the lowest is selected first. `flip` is all ones where high scores are.
__device__ inline u32 order_of(float score, u32 flip) {
    u32 bits = __float_as_uint(score + 0.0f); // -0 + 0 is 0: zeros of either sign are equal
    u32 ascending = (bits >> 31) ? ~bits : bits | 0x80000000u;
    return ascending ^ flip;
}

extern "C" __global__ void segment_topk_f32(
    const float *scores,   // [n]
    const u32 *starts,     // [n_segments + 1]
    const u32 *out_starts, // [n_segments + 1]
    u32 *selected,         // [out_starts[n_segments]]
    u32 *first_nan,        // [1], at first 2^32 - 1: becomes the lowest index of a score that is not a number
    u32 flip               // 0: the lowest scores, 2^32 - 1: the highest
) {
    __shared__ u32 histogram[BINS];
    __shared__ u32 found[2];               // digit of this round, and how many are wanted among those that have it
    __shared__ u32 of_warp[MOST_WARPS][2]; // below and equal in each warp's scores of a pass
    u32 *cache = (u32 *)dynamic_shared();

    u32 start = starts[blockIdx.x], n = starts[blockIdx.x + 1] - start;
    u32 out = out_starts[blockIdx.x], count = out_starts[blockIdx.x + 1] - out;
    bool cached = n <= MOST_CACHED;
    u32 lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, n_warps = blockDim.x / WARP;

    for (u32 i = threadIdx.x; i < n; i += blockDim.x) {
        float score = scores[start + i];
        if (score != score) atomicMin(first_nan, start + i);
        if (cached) cache[i] = order_of(score, flip);
    }
    if (count == 0) return; // the whole block: count is the segment's

    u32 threshold = 0, wanted = count;
    for (u32 shift = 32; shift > 0;) {
        shift -= 8;
        __syncthreads(); // the cache is written; the histogram and what was found are read no more
        for (u32 i = threadIdx.x; i < BINS; i += blockDim.x) histogram[i] = 0;
        __syncthreads(); // zeros before anybody counts
        for (u32 i = threadIdx.x; i < n; i += blockDim.x) {
            u32 order = cached ? cache[i] : order_of(scores[start + i], flip);
            // Only those that agree in all higher digits; in the first round there are none.
            bool here = shift == 24 || (order >> (shift + 8)) == (threshold >> (shift + 8));
            if (here) atomicAdd(&histogram[(order >> shift) % BINS], 1u);
        }
        __syncthreads(); // all are counted
        if (warp == 0) {
            // Each lane has 8 bins; the first bin up to which there are as many as wanted is the digit.
            const u32 EACH = BINS / WARP;
            u32 own = 0;
            for (u32 i = 0; i < EACH; i++) own += histogram[lane * EACH + i];
            u32 up_to = own;
            for (u32 lanes = 1; lanes < WARP; lanes *= 2) {
                u32 other = __shfl_up_sync(ALL_LANES, up_to, lanes);
                if (lane >= lanes) up_to += other;
            }
            u32 before = up_to - own;
            if (before < wanted && wanted <= up_to) { // one lane
                u32 bin = lane * EACH;
                while (before + histogram[bin] < wanted) before += histogram[bin++];
                found[0] = bin;
                found[1] = wanted - before;
            }
        }
        __syncthreads(); // found before it is read
        threshold |= found[0] << shift;
        wanted = found[1];
    }

    // Below the threshold: all of them; equal to it: the first `wanted`.
    u32 n_below = 0, n_equal = 0; // in the scores before this pass
    for (u32 first = 0; first < n; first += blockDim.x) {
        u32 i = first + threadIdx.x;
        u32 order = i >= n ? ~0u : cached ? cache[i] : order_of(scores[start + i], flip);
        bool below = i < n && order < threshold, equal = i < n && order == threshold;
        u32 lanes_below = __ballot_sync(ALL_LANES, below), lanes_equal = __ballot_sync(ALL_LANES, equal);
        __syncthreads(); // the counts of the pass before are read
        if (lane == 0) {
            of_warp[warp][0] = __popc(lanes_below);
            of_warp[warp][1] = __popc(lanes_equal);
        }
        __syncthreads(); // the counts of this pass are written
        u32 before_me = (1u << lane) - 1;
        u32 below_before = n_below + __popc(lanes_below & before_me);
        u32 equal_before = n_equal + __popc(lanes_equal & before_me);
        for (u32 w = 0; w < n_warps; w++) {
            if (w < warp) {
                below_before += of_warp[w][0];
                equal_before += of_warp[w][1];
            }
            n_below += of_warp[w][0];
            n_equal += of_warp[w][1];
        }
        if (below || (equal && equal_before < wanted)) {
            selected[out + below_before + (equal_before < wanted ? equal_before : wanted)] = start + i;
        }
    }
}
