// CUDA on a CPU, for tests: enough of the language to run this crate's kernels without a GPU
//
// A thread of a block is a fiber, or, with CUDA_ON_CPU_THREADS, a thread of the operating system, for ThreadSanitizer.
// Barriers and shuffles are real in both: who arrives waits for the others. Blocks run one after another, so what is
// __shared__ can be static. Fibers run in an order drawn from a seed: a result that depends on the order of threads
// between two barriers shows as a difference between seeds.
//
// Stricter than a GPU: a thread that leaves while others wait at a barrier, a shuffle without all 32 lanes, and threads
// that wait at different places end the program with a message.

#pragma once
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(...)

[[noreturn]] static void fail(const char *what) {
    fprintf(stderr, "cuda_on_cpu: %s\n", what);
    fflush(stderr);
    _exit(3);
}

struct Dim {
    unsigned x, y, z;
};
struct uint4 {
    unsigned x, y, z, w;
};
struct uint2 {
    unsigned x, y;
};

// ---- who runs ----------------------------------------------------------------------------------------------------------

static const unsigned MAX_THREADS = 1024;
static Dim gridDim, blockDim;

struct Place {
    Dim thread, block;
};

#ifdef CUDA_ON_CPU_THREADS
static thread_local Place current_place;
#else
static Place places[MAX_THREADS];
static unsigned running;
#define current_place places[running]
#endif
#define threadIdx (current_place.thread)
#define blockIdx (current_place.block)

// ---- barriers --------------------------------------------------------------------------------------------------------

#ifdef CUDA_ON_CPU_THREADS

struct Barrier {
    pthread_barrier_t barrier;
    void reset(unsigned n) { pthread_barrier_init(&barrier, nullptr, n); }
    void wait() { pthread_barrier_wait(&barrier); }
};

#else

static void yield();
static bool progress;
// What each fiber waits for: the generation of a barrier to become another one than it was.
static const unsigned *waits_for[MAX_THREADS];
static unsigned waits_while[MAX_THREADS];

struct Barrier {
    unsigned n, arrived, generation;
    void reset(unsigned size) {
        n = size;
        arrived = generation = 0;
    }
    void wait() {
        if (++arrived == n) {
            arrived = 0;
            generation++;
            progress = true;
            return;
        }
        waits_for[running] = &generation;
        waits_while[running] = generation;
        yield();
        waits_for[running] = nullptr;
    }
};

#endif

static Barrier block_barrier, warp_barriers[MAX_THREADS / 32];

inline void __syncthreads() { block_barrier.wait(); }
inline Barrier &warp_barrier() { return warp_barriers[threadIdx.x / 32]; }

inline void __syncwarp(unsigned mask = 0xffffffffu) {
    if (mask != 0xffffffffu) fail("a barrier of a part of a warp");
    warp_barrier().wait();
}

// ---- what lanes of a warp hand to one another --------------------------------------------------------------------------

template <class T> struct Exchange {
    static T slots[MAX_THREADS];
};
template <class T> T Exchange<T>::slots[MAX_THREADS];

// The value that lane `from(lane)` of this warp gave. Two barriers: all have written, all have read.
template <class T> inline T from_lane(unsigned mask, T x, unsigned from) {
    if (mask != 0xffffffffu) fail("a shuffle with a part of a warp");
    unsigned first = threadIdx.x / 32 * 32;
    Exchange<T>::slots[threadIdx.x] = x;
    warp_barrier().wait();
    T y = Exchange<T>::slots[first + from];
    warp_barrier().wait();
    return y;
}

template <class T> inline T __shfl_sync(unsigned mask, T x, unsigned lane) { return from_lane(mask, x, lane % 32); }
template <class T> inline T __shfl_xor_sync(unsigned mask, T x, unsigned lanes) {
    return from_lane(mask, x, (threadIdx.x % 32) ^ lanes);
}
template <class T> inline T __shfl_up_sync(unsigned mask, T x, unsigned lanes) {
    unsigned lane = threadIdx.x % 32;
    return from_lane(mask, x, lane >= lanes ? lane - lanes : lane);
}
template <class T> inline T __shfl_down_sync(unsigned mask, T x, unsigned lanes) {
    unsigned lane = threadIdx.x % 32;
    return from_lane(mask, x, lane + lanes < 32 ? lane + lanes : lane);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
    unsigned bits = 0, own = predicate ? 1u : 0u;
    for (unsigned lane = 0; lane < 32; lane++) bits |= __shfl_sync(mask, own, lane) << lane;
    return bits;
}

// ---- functions -------------------------------------------------------------------------------------------------------

inline float __uint_as_float(unsigned x) { float y; memcpy(&y, &x, 4); return y; }
inline unsigned __float_as_uint(float x) { unsigned y; memcpy(&y, &x, 4); return y; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline unsigned atomicAdd(unsigned *p, unsigned x) { return __atomic_fetch_add(p, x, __ATOMIC_RELAXED); }
inline unsigned atomicMin(unsigned *p, unsigned x) {
    unsigned old = __atomic_load_n(p, __ATOMIC_RELAXED);
    while (x < old && !__atomic_compare_exchange_n(p, &old, x, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    return old;
}
inline float __expf(float x) { return expf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }

alignas(16) static unsigned char dynamic_shared_memory[227 * 1024];
static size_t dynamic_shared_bytes;
inline unsigned char *dynamic_shared() { return dynamic_shared_memory; }

// ---- tensor cores: what gpu.cuh says of a warp, done by its lanes for one another ----------------------------------------

struct Registers {
    unsigned r[6];
};

static float bf16_at(unsigned word, unsigned half) { return __uint_as_float((half ? word >> 16 : word & 0xffff) << 16); }

inline unsigned short matrix_value(const void *row, unsigned column) {
    if ((uintptr_t)row % 16) fail("a row of a matrix that is not aligned");
    return ((const unsigned short *)row)[column];
}

// Rows of four 8 x 8 matrices are where lanes say; each lane reads the values that it is to get.
inline void load_matrices(unsigned (&r)[4], const void *row) {
    unsigned lane = threadIdx.x % 32, g = lane / 4, t = 2 * (lane % 4);
    for (unsigned i = 0; i < 4; i++) {
        const void *own = __shfl_sync(~0u, row, 8 * i + g);
        r[i] = matrix_value(own, t) | (unsigned)matrix_value(own, t + 1) << 16;
    }
}
inline void load_matrices_transposed(unsigned (&r)[4], const void *row) {
    unsigned lane = threadIdx.x % 32, g = lane / 4, t = 2 * (lane % 4);
    for (unsigned i = 0; i < 4; i++) {
        const void *upper = __shfl_sync(~0u, row, 8 * i + t), *lower = __shfl_sync(~0u, row, 8 * i + t + 1);
        r[i] = matrix_value(upper, g) | (unsigned)matrix_value(lower, g) << 16;
    }
}

inline void multiply_add(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    unsigned lane = threadIdx.x % 32, first = threadIdx.x / 32 * 32, g = lane / 4, t = 2 * (lane % 4);
    Exchange<Registers>::slots[threadIdx.x] = Registers{{a[0], a[1], a[2], a[3], b0, b1}};
    warp_barrier().wait();
    auto a_at = [&](unsigned row, unsigned k) {
        const Registers &owner = Exchange<Registers>::slots[first + row % 8 * 4 + k % 8 / 2];
        return bf16_at(owner.r[row / 8 + 2 * (k / 8)], k % 2);
    };
    auto b_at = [&](unsigned k, unsigned column) {
        const Registers &owner = Exchange<Registers>::slots[first + column * 4 + k % 8 / 2];
        return bf16_at(owner.r[4 + k / 8], k % 2);
    };
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned k = 0; k < 16; k++) d[i] += a_at(g + 8 * (i / 2), k) * b_at(k, t + i % 2);
    }
    warp_barrier().wait();
}

inline unsigned round_two(float low, float high) {
    auto round = [](float x) {
        unsigned bits = __float_as_uint(x);
        return x != x ? 0x7fffu : (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
    };
    return round(low) | round(high) << 16;
}

// At once: later than the call, and before `await_copies`, is all that a kernel may rely on.
inline void copy_16(void *to, const void *from, bool there) {
    if ((uintptr_t)to % 16 || (uintptr_t)from % 16) fail("a copy of 16 bytes that is not aligned");
    if (there) memcpy(to, from, 16);
    else memset(to, 0, 16);
}
inline void end_copies() {}
template <int after> inline void await_copies() {}

// ---- a launch --------------------------------------------------------------------------------------------------------

typedef void (*Body)(void *);

static Dim block_at(unsigned long long i) {
    return Dim{(unsigned)(i % gridDim.x), (unsigned)(i / gridDim.x % gridDim.y),
               (unsigned)(i / gridDim.x / gridDim.y)};
}

static void begin_block() {
    block_barrier.reset(blockDim.x);
    for (unsigned warp = 0; warp < (blockDim.x + 31) / 32; warp++) warp_barriers[warp].reset(32);
    // What shared memory holds at first is nobody's business: not-a-numbers.
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(dynamic_shared_memory, sizeof dynamic_shared_memory);
#endif
    memset(dynamic_shared_memory, 0xff, dynamic_shared_bytes);
#ifdef __SANITIZE_ADDRESS__
    // What the launch did not ask for is out of bounds.
    size_t rest = sizeof dynamic_shared_memory - dynamic_shared_bytes;
    __asan_poison_memory_region(dynamic_shared_memory + dynamic_shared_bytes, rest);
#endif
}

#ifdef CUDA_ON_CPU_THREADS

struct Job {
    Body body;
    void *args;
    unsigned thread;
    unsigned long long n_blocks;
    pthread_barrier_t *between;
};

static void *job_main(void *argument) {
    Job *job = (Job *)argument;
    for (unsigned long long i = 0; i < job->n_blocks; i++) {
        if (pthread_barrier_wait(job->between) == PTHREAD_BARRIER_SERIAL_THREAD) begin_block();
        pthread_barrier_wait(job->between);
        current_place = Place{{job->thread, 0, 0}, block_at(i)};
        job->body(job->args);
    }
    return nullptr;
}

static void run_grid(Body body, void *args, unsigned) {
    static Job jobs[MAX_THREADS];
    static pthread_t threads[MAX_THREADS];
    pthread_barrier_t between;
    pthread_barrier_init(&between, nullptr, blockDim.x);
    unsigned long long n_blocks = (unsigned long long)gridDim.x * gridDim.y * gridDim.z;
    for (unsigned t = 0; t < blockDim.x; t++) {
        jobs[t] = Job{body, args, t, n_blocks, &between};
        if (pthread_create(&threads[t], nullptr, job_main, &jobs[t])) fail("no thread");
    }
    for (unsigned t = 0; t < blockDim.x; t++) pthread_join(threads[t], nullptr);
}

#else

static const size_t STACK_BYTES = 128 * 1024;
static char *stacks[MAX_THREADS];
static bool done[MAX_THREADS];
static Body fiber_body;
static void *fiber_args;
static void fiber_main();

#ifdef __x86_64__

// A switch is a call: what a callee must keep goes on the stack, and the other stack is taken. A hundredth of what
// `swapcontext` takes, which asks the kernel for the signal mask.
extern "C" void switch_stack(void **save, void *load);
asm(R"(
    .text
    .globl switch_stack
switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");

static void *scheduler, *fibers[MAX_THREADS];

static void yield() { switch_stack(&fibers[running], scheduler); }
static void resume() { switch_stack(&scheduler, fibers[running]); }

static void make_fiber(unsigned t) {
    if (!stacks[t]) stacks[t] = (char *)aligned_alloc(64, STACK_BYTES);
    void **top = (void **)(stacks[t] + STACK_BYTES);
    // Below the top: a place for a return address that nobody uses, which also aligns the stack as a call would; then
    // where to go, and six registers.
    top[-2] = (void *)fiber_main;
    for (int i = 3; i <= 8; i++) top[-i] = nullptr;
    fibers[t] = top - 8;
    done[t] = false;
}

#else

static ucontext_t scheduler, fibers[MAX_THREADS];

static void yield() { swapcontext(&fibers[running], &scheduler); }
static void resume() { swapcontext(&scheduler, &fibers[running]); }

static void make_fiber(unsigned t) {
    if (!stacks[t]) stacks[t] = (char *)malloc(STACK_BYTES);
    getcontext(&fibers[t]);
    fibers[t].uc_stack.ss_sp = stacks[t];
    fibers[t].uc_stack.ss_size = STACK_BYTES;
    fibers[t].uc_link = nullptr;
    makecontext(&fibers[t], fiber_main, 0);
    done[t] = false;
}

#endif

static void fiber_main() {
    fiber_body(fiber_args);
    done[running] = true;
    progress = true;
    yield();
    abort(); // nobody resumes who is done
}

static void run_grid(Body body, void *args, unsigned seed) {
    static unsigned order[MAX_THREADS];
    unsigned n = blockDim.x;
    fiber_body = body;
    fiber_args = args;
    unsigned long long n_blocks = (unsigned long long)gridDim.x * gridDim.y * gridDim.z;
    for (unsigned long long i = 0; i < n_blocks; i++) {
        begin_block();
        for (unsigned t = 0; t < n; t++) {
            order[t] = t;
            seed = seed * 1664525u + 1013904223u;
            unsigned other = (seed >> 8) % (t + 1);
            order[t] = order[other];
            order[other] = t;
            places[t] = Place{{t, 0, 0}, block_at(i)};
            make_fiber(t);
        }
        for (unsigned left = n; left > 0;) {
            progress = false;
            left = 0;
            for (unsigned k = 0; k < n; k++) {
                running = order[k];
                if (done[running]) continue;
                if (!waits_for[running] || *waits_for[running] != waits_while[running]) {
                    progress = true;
                    resume();
                }
                if (!done[running]) left++;
            }
            if (left > 0 && !progress) fail("threads wait at different barriers, or for a thread that has left");
        }
    }
}

#endif
