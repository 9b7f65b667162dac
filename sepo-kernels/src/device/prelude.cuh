// What every kernel of this crate may use. Put in front of each `.cu` file, since none of them includes anything: NVRTC
// then needs no include path, and a C++ compiler can build the same text for a CPU (tests/cuda_on_cpu).

typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

// ---- bf16: the upper half of a float -------------------------------------------------------------------------------

struct bf16 {
    u16 bits;
};

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(bf16 x) { return __uint_as_float((u32)x.bits << 16); }

template <class T> __device__ inline T from_float(float x);
template <> __device__ inline float from_float<float>(float x) { return x; }
// To the nearest, of two the one with an even mantissa. A not-a-number stays one: rounding could carry it to infinity.
template <> __device__ inline bf16 from_float<bf16>(float x) {
    u32 bits = __float_as_uint(x);
    u32 rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
    return bf16{(u16)(nan ? (bits >> 16) | 0x40u : rounded)};
}

// ---- 16 bytes at a time ----------------------------------------------------------------------------------------------

// Values of T in 16 bytes, the widest load there is: 4 floats or 8 bf16.
template <class T> struct Width {
    static const u32 value = 16 / sizeof(T);
};

template <class T> struct alignas(16) Pack {
    T values[Width<T>::value];
};

template <class T> __device__ inline bool is_pack(const T *p, u64 n) {
    return n >= Width<T>::value && ((u64)p & 15u) == 0;
}

// The first min(n, Width) values at p, as floats; what is missing is 0. One load where they are whole and aligned.
template <class T> __device__ inline void load(const T *p, u64 n, float (&values)[Width<T>::value]) {
    if (is_pack(p, n)) {
        Pack<T> pack = *(const Pack<T> *)p;
        for (u32 i = 0; i < Width<T>::value; i++) values[i] = to_float(pack.values[i]);
    } else {
        for (u32 i = 0; i < Width<T>::value; i++) values[i] = i < n ? to_float(p[i]) : 0.0f;
    }
}

// Width<V> values from an array of another type: weights and gradients that are float beside bf16 activations.
template <u32 W, class T> __device__ inline void load_each(const T *p, u64 n, float (&values)[W]) {
    for (u32 i = 0; i < W; i++) values[i] = i < n ? to_float(p[i]) : 0.0f;
}

// The first min(n, Width) values to p, rounded to T.
template <class T> __device__ inline void store(T *p, u64 n, const float (&values)[Width<T>::value]) {
    if (is_pack(p, n)) {
        Pack<T> pack;
        for (u32 i = 0; i < Width<T>::value; i++) pack.values[i] = from_float<T>(values[i]);
        *(Pack<T> *)p = pack;
    } else {
        for (u32 i = 0; i < Width<T>::value; i++) {
            if (i < n) p[i] = from_float<T>(values[i]);
        }
    }
}

// ---- sums over a warp and over a block, in one order -------------------------------------------------------------------

const u32 WARP = 32;
const u32 ALL_LANES = 0xffffffffu;

__device__ inline float warp_sum(float x) {
    for (u32 lanes = WARP / 2; lanes > 0; lanes /= 2) x += __shfl_xor_sync(ALL_LANES, x, lanes);
    return x;
}

__device__ inline double warp_sum(double x) {
    for (u32 lanes = WARP / 2; lanes > 0; lanes /= 2) x += __shfl_xor_sync(ALL_LANES, x, lanes);
    return x;
}

__device__ inline float warp_max(float x) {
    for (u32 lanes = WARP / 2; lanes > 0; lanes /= 2) x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, lanes));
    return x;
}

// The sum of x over all threads of the block, for each of them. `scratch` is shared, one value a warp.
template <class F> __device__ inline F block_sum(F x, F *scratch) {
    u32 warp = threadIdx.x / WARP, n_warps = blockDim.x / WARP;
    x = warp_sum(x);
    __syncthreads(); // the scratch may still be read from the sum before
    if (threadIdx.x % WARP == 0) scratch[warp] = x;
    __syncthreads(); // all warps have written
    F total = 0;
    for (u32 i = 0; i < n_warps; i++) total += scratch[i];
    return total;
}

// The maximum, likewise.
__device__ inline float block_max(float x, float *scratch) {
    u32 warp = threadIdx.x / WARP, n_warps = blockDim.x / WARP;
    x = warp_max(x);
    __syncthreads(); // the scratch may still be read from the maximum before
    if (threadIdx.x % WARP == 0) scratch[warp] = x;
    __syncthreads(); // all warps have written
    float max = scratch[0];
    for (u32 i = 1; i < n_warps; i++) max = fmaxf(max, scratch[i]);
    return max;
}

// ---- functions -------------------------------------------------------------------------------------------------------

__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
