// What only a GPU knows: memory that a launch sizes. tests/cuda_on_cpu has the same functions for a CPU.

// Shared memory of as many bytes as the launch asked for, aligned for 16-byte loads.
__device__ inline unsigned char *dynamic_shared() {
    extern __shared__ uint4 dynamic_shared_memory[];
    return (unsigned char *)dynamic_shared_memory;
}
