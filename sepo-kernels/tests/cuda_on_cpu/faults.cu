// Kernels with a mistake each, to see that running on the CPU shows it. grid: one block; block: 64 threads.

extern "C" __global__ void reads_beyond(const float *x, float *y, u32 n) {
    if (threadIdx.x < n) y[threadIdx.x] = x[threadIdx.x + 1];
}

extern "C" __global__ void shares_beyond(float *y) {
    float *shared = (float *)dynamic_shared();
    shared[threadIdx.x] = 1.0f;
    y[threadIdx.x] = shared[threadIdx.x];
}

extern "C" __global__ void leaves_early(float *y) {
    if (threadIdx.x == 3) return;
    __syncthreads();
    y[threadIdx.x] = 1.0f;
}

extern "C" __global__ void lacks_a_barrier(float *y) {
    __shared__ float shared[64];
    shared[threadIdx.x] = (float)threadIdx.x;
    y[threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}

extern "C" __global__ void shuffles_alone(float *y) {
    if (threadIdx.x < 7) y[threadIdx.x] = __shfl_sync(ALL_LANES, 1.0f, 0);
}
