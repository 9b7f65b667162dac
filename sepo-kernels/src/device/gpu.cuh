// What only a GPU knows: memory that a launch sizes. tests/cuda_on_cpu has the same functions for a CPU.

// Shared memory of as many bytes as the launch asked for, aligned for 16-byte loads.
__device__ inline unsigned char *dynamic_shared() {
    extern __shared__ uint4 dynamic_shared_memory[];
    return (unsigned char *)dynamic_shared_memory;
}

// The matrices of 8 x 8 bf16 values whose rows lanes 0-7, 8-15, 16-23, 24-31 point to in shared memory: of matrix i a lane
// gets the values (lane / 4, 2 (lane % 4)) and its right neighbour in r[i].
__device__ inline void load_matrices(unsigned (&r)[4], const void *row) {
    unsigned address = (unsigned)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

// The same of the transposed matrices: the values (2 (lane % 4), lane / 4) and its neighbour below.
__device__ inline void load_matrices_transposed(unsigned (&r)[4], const void *row) {
    unsigned address = (unsigned)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

// d += a b on tensor cores, a warp's [16, 16] [16, 8]. With g = lane / 4 and t = 2 (lane % 4), and two values a register:
// a: (g, t) (g + 8, t) (g, t + 8) (g + 8, t + 8); b: (t, g) (t + 8, g), one below the other; d: (g, t) (g, t + 1) (g + 8, t)
// (g + 8, t + 1).
__device__ inline void multiply_add(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Two floats rounded to bf16 in one register, the first in its low half.
__device__ inline unsigned round_two(float low, float high) {
    unsigned two;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(two) : "f"(high), "f"(low));
    return two;
}

// 16 bytes from device memory to shared memory, or zeros, some time before `await_copies`.
__device__ inline void copy_16(void *to, const void *from, bool there) {
    unsigned address = (unsigned)__cvta_generic_to_shared(to);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(there ? 16 : 0)
                 : "memory");
}

// Ends a group of copies.
__device__ inline void end_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most `after` groups of copies, the last ones, are under way.
template <int after> __device__ inline void await_copies() { asm volatile("cp.async.wait_group %0;" ::"n"(after) : "memory"); }
