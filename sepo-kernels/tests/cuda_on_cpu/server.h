// A device made of a CPU, which a test talks to over pipes: memory to allocate, read and write, kernels to launch
//
// Requests are a letter and little-endian numbers; see `serve`. Who asks names each argument's type, and a launch whose
// list does not match the kernel's parameters ends the program with a message.

#pragma once
#include "cuda_on_cpu.h"
#include <string>
#include <tuple>
#include <utility>
#include <vector>

// ---- parameters --------------------------------------------------------------------------------------------------------

// What a request says of an argument, one letter each; pointers have a star, a '!' where they are written through.
template <class T> struct Letter;
template <> struct Letter<float> { static const char value = 'f'; };
template <> struct Letter<double> { static const char value = 'd'; };
template <> struct Letter<u32> { static const char value = 'u'; };
template <> struct Letter<u64> { static const char value = 'U'; };
template <> struct Letter<bf16> { static const char value = 'b'; };

template <class T> struct Parameter {
    static std::string type() { return {Letter<T>::value}; }
    static T decode(u64 word) { T value; memcpy(&value, &word, sizeof value); return value; }
};
template <class T> struct Parameter<const T *> {
    static std::string type() { return {Letter<T>::value, '*'}; }
    static const T *decode(u64 word) { return (const T *)word; }
};
template <class T> struct Parameter<T *> {
    static std::string type() { return {Letter<T>::value, '*', '!'}; }
    static T *decode(u64 word) { return (T *)word; }
};

struct KernelEntry {
    const char *name;
    std::vector<std::string> types;
    void *function;
    void (*call)(void *function, const u64 *words);
};

template <class... P, size_t... I>
static void call_with(void (*f)(P...), const u64 *words, std::index_sequence<I...>) {
    f(Parameter<P>::decode(words[I])...);
}

template <class... P> static KernelEntry entry(const char *name, void (*f)(P...)) {
    return KernelEntry{name, {Parameter<P>::type()...}, (void *)f, [](void *function, const u64 *words) {
        call_with((void (*)(P...))function, words, std::index_sequence_for<P...>());
    }};
}

struct Call {
    const KernelEntry *kernel;
    std::vector<u64> words;
};

static void run_call(void *argument) {
    Call *call = (Call *)argument;
    call->kernel->call(call->kernel->function, call->words.data());
}

// ---- requests --------------------------------------------------------------------------------------------------------

static void take(void *p, size_t n) {
    if (n > 0 && fread(p, 1, n, stdin) != n) _exit(0); // who asked is gone
}
template <class T> static T take() { T x; take(&x, sizeof x); return x; }
static void give(const void *p, size_t n) {
    fwrite(p, 1, n, stdout);
    fflush(stdout);
}

static std::string take_text() {
    std::string text(take<u32>(), ' ');
    take(&text[0], text.size());
    return text;
}

static void launch(const std::vector<KernelEntry> &kernels) {
    std::string name = take_text();
    gridDim = take<Dim>();
    blockDim = Dim{take<u32>(), 1, 1};
    dynamic_shared_bytes = take<u32>();
    unsigned seed = take<u32>();
    u32 n_args = take<u32>();
    Call call = {nullptr, {}};
    std::vector<std::string> types;
    for (u32 i = 0; i < n_args; i++) {
        types.push_back(take_text());
        call.words.push_back(take<u64>());
    }
    for (const KernelEntry &kernel : kernels) {
        if (name == kernel.name) call.kernel = &kernel;
    }
    if (!call.kernel) fail(("no kernel " + name).c_str());
    std::string given, wanted;
    for (auto &type : types) given += type + " ";
    for (auto &type : call.kernel->types) wanted += type + " ";
    if (given != wanted) fail((name + " takes " + wanted + "and was given " + given).c_str());
    if (blockDim.x % 32 || blockDim.x == 0 || blockDim.x > MAX_THREADS) fail("a block that is no whole warps");
    if (gridDim.y > 65535 || gridDim.z > 65535 || gridDim.x > 2147483647u) fail("a grid that no GPU takes");
    if (dynamic_shared_bytes > sizeof dynamic_shared_memory) fail("more shared memory than there is");
    run_grid(run_call, &call, seed);
}

// out = (onto +) scale a b in the plain way, in place of cuBLASLt: strides say which side is transposed.
struct Matrix {
    u64 address, row_stride, column_stride;
    u32 is_bf16, padding;
    float at(u64 row, u64 column) const {
        u64 i = row * row_stride + column * column_stride;
        return is_bf16 ? to_float(((const bf16 *)address)[i]) : ((const float *)address)[i];
    }
};

static void matmul() {
    Matrix a = take<Matrix>(), b = take<Matrix>(), out = take<Matrix>(), onto = take<Matrix>();
    u64 m = take<u64>(), n = take<u64>(), k = take<u64>();
    float scale = take<float>();
    u32 add = take<u32>();
    for (u64 row = 0; row < m; row++) {
        for (u64 column = 0; column < n; column++) {
            float sum = 0.0f;
            for (u64 i = 0; i < k; i++) sum += a.at(row, i) * b.at(i, column);
            u64 i = row * out.row_stride + column * out.column_stride;
            float value = scale * sum + (add ? onto.at(row, column) : 0.0f);
            if (out.is_bf16) ((bf16 *)out.address)[i] = from_float<bf16>(value);
            else ((float *)out.address)[i] = value;
        }
    }
}

static int serve(const std::vector<KernelEntry> &kernels) {
    for (;;) {
        char what = take<char>();
        char fine = 1;
        if (what == 'A') { // bytes -> address; exactly as many, so that a sanitizer sees what goes beyond
            u64 n = take<u64>();
            void *p = malloc(n);
            memset(p, 0xff, n); // not-a-numbers: who reads what nobody wrote shows it
            u64 address = (u64)p;
            give(&address, 8);
        } else if (what == 'F') {
            free((void *)take<u64>());
        } else if (what == 'W') {
            u64 address = take<u64>(), n = take<u64>();
            take((void *)address, n);
        } else if (what == 'R') {
            u64 address = take<u64>(), n = take<u64>();
            give((void *)address, n);
        } else if (what == 'L') {
            launch(kernels);
            give(&fine, 1);
        } else if (what == 'M') {
            matmul();
            give(&fine, 1);
        } else {
            fail("a request that is none");
        }
    }
}
