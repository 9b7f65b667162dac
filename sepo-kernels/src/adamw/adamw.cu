// One AdamW step over a flat buffer: master weights in float, and the bf16 copies that the next step computes with
//
//     g = grads[i] * *factor
//     m = beta1 m + (1 - beta1) g          v = beta2 v + (1 - beta2) g^2
//     p = p * keep - step_size * m / (sqrt(v) * inv_root_correction2 + eps)          copy = p, rounded
//
// `factor` stands in device memory, since it follows from the norm of this step's gradient: nobody waits for it. Where it is
// not a number, as that of a gradient that is not finite, nothing is changed.
// grid: one thread for 8 values, the 16 bytes of their copies; block: any multiple of 32.
// Bound by memory: 30 bytes a value (p, m, v read and written, g read, the copy written).

const u32 EACH = 8;

// Up to 8 floats from p on, as two loads of 16 bytes, and back.
__device__ inline void load_8(const float *p, u64 n, float (&values)[EACH]) {
    float half[4];
    for (u32 h = 0; h < 2; h++) {
        load(p + 4 * h, n > 4 * h ? n - 4 * h : 0, half);
        for (u32 i = 0; i < 4; i++) values[4 * h + i] = half[i];
    }
}

__device__ inline void store_8(float *p, u64 n, const float (&values)[EACH]) {
    float half[4];
    for (u32 h = 0; h < 2; h++) {
        for (u32 i = 0; i < 4; i++) half[i] = values[4 * h + i];
        store(p + 4 * h, n > 4 * h ? n - 4 * h : 0, half);
    }
}

extern "C" __global__ void adamw_f32(
    float *params,       // [n]
    bf16 *copies,        // [n] or null
    const float *grads,  // [n]
    float *m,            // [n]
    float *v,            // [n]
    const float *factor, // [1]
    u64 n,
    float keep,
    float beta1,
    float beta2,
    float step_size,
    float inv_root_correction2,
    float eps
) {
    u64 i = ((u64)blockIdx.x * blockDim.x + threadIdx.x) * EACH;
    float scale = *factor;
    if (i >= n || scale != scale) return;
    float p[EACH], g[EACH], first[EACH], second[EACH];
    load_8(params + i, n - i, p);
    load_8(grads + i, n - i, g);
    load_8(m + i, n - i, first);
    load_8(v + i, n - i, second);
    for (u32 j = 0; j < EACH; j++) {
        float gradient = g[j] * scale;
        first[j] = beta1 * first[j] + (1.0f - beta1) * gradient;
        second[j] = beta2 * second[j] + (1.0f - beta2) * gradient * gradient;
        p[j] = p[j] * keep - step_size * first[j] / (sqrtf(second[j]) * inv_root_correction2 + eps);
    }
    store_8(params + i, n - i, p);
    store_8(m + i, n - i, first);
    store_8(v + i, n - i, second);
    if (copies) store(copies + i, n - i, p);
}

// The bf16 copies of weights that were just read. Grid as above; 6 bytes a value.
extern "C" __global__ void round_to_bf16(
    const float *params, // [n]
    bf16 *copies,        // [n]
    u64 n
) {
    u64 i = ((u64)blockIdx.x * blockDim.x + threadIdx.x) * EACH;
    if (i >= n) return;
    float p[EACH];
    load_8(params + i, n - i, p);
    store(copies + i, n - i, p);
}
