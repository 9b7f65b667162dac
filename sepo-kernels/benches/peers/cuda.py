#!/usr/bin/env python3
"""The shapes of benches/cuda.rs in PyTorch, under the same names, on the same GPU.

    python3 sepo-kernels/benches/peers/cuda.py            # sizes of real models, on a GPU
    python3 sepo-kernels/benches/peers/cuda.py --test     # small ones, on the CPU: that it runs

One JSON object a line: name, median seconds of ten runs after three, and the largest memory beyond what was there before.
Where benches/cuda.rs times the ways there and back by themselves, this has the first and both.
"""
import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--test", action="store_true", help="small shapes on the CPU")
TEST = parser.parse_args().test
DEVICE = "cpu" if TEST else "cuda"
DTYPE = torch.bfloat16

PRODUCT = 64 if TEST else 8192
HEAD = (13, 16, 100) if TEST else (16_384, 2048, 128_256)
# Query heads, key heads, size of a head.
HEADS = [(4, 2, 64), (2, 1, 128)] if TEST else [(32, 8, 64), (32, 8, 128)]
SEQUENCES = (2, 20) if TEST else (8, 2048)
PAIRS = (2, 9, 5) if TEST else (8, 1024, 512)
RESPONSES = (40, 60) if TEST else (100_000, 4096)
WEIGHTS = 1000 if TEST else 1 << 28


def synchronize():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def measure(name, run):
    for _ in range(3):
        run()
    synchronize()
    before = 0
    if DEVICE == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    seconds = []
    for _ in range(10):
        synchronize()
        start = time.perf_counter()
        run()
        synchronize()
        seconds.append(time.perf_counter() - start)
    peak = torch.cuda.max_memory_allocated() - before if DEVICE == "cuda" else None
    print(json.dumps({"name": name, "seconds": statistics.median(seconds), "peak_bytes": peak}), flush=True)


def uniform(*shape, size=1.0):
    return (size * (2 * torch.rand(*shape, device=DEVICE) - 1)).to(DTYPE)


def product():
    x, w = uniform(PRODUCT, PRODUCT), uniform(PRODUCT, PRODUCT)
    measure(f"product/bf16/{PRODUCT}", lambda: F.linear(x, w))


def head():
    n, d, vocab = HEAD
    hidden, lm_head = uniform(n, d).requires_grad_(), uniform(vocab, d, size=0.05).requires_grad_()
    targets = torch.arange(n, device=DEVICE) * 7919 % vocab

    def forward():
        logits = F.linear(hidden, lm_head)
        return torch.log_softmax(logits.float(), -1).gather(-1, targets[:, None]).squeeze(-1)

    def forward_only():
        with torch.no_grad():
            forward()

    def both():
        hidden.grad = lm_head.grad = None
        forward().backward(torch.full((n,), 1e-3, device=DEVICE))

    measure("head/forward", forward_only)
    measure("head/forward+backward", both)


def attention():
    n_pairs, prompt, response = PAIRS
    # Without shared prompts, each of a pair's two responses stands behind a prompt of its own.
    for name, batch, length in [("sequences", *SEQUENCES), ("pairs", 2 * n_pairs, prompt + response)]:
        for n_heads, n_kv_heads, head_dim in HEADS:
            q = uniform(batch, n_heads, length, head_dim).requires_grad_()
            k, v = (uniform(batch, n_kv_heads, length, head_dim).requires_grad_() for _ in range(2))
            dout = uniform(batch, n_heads, length, head_dim)
            backends = torch.nn.attention.SDPBackend
            allowed = backends.MATH if TEST else backends.FLASH_ATTENTION

            def forward():
                return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)

            def forward_only():
                with torch.no_grad():
                    forward()

            def both():
                q.grad = k.grad = v.grad = None
                forward().backward(dout)

            with torch.nn.attention.sdpa_kernel(allowed):
                measure(f"attention/{name}/{head_dim}/forward", forward_only)
                measure(f"attention/{name}/{head_dim}/forward+backward", both)


def topk():
    n, longest = RESPONSES
    lengths = torch.randint(1, longest + 1, (n,), generator=torch.Generator().manual_seed(1))
    # As good as padding gets: batches of 1024 responses of about one length.
    batches = []
    for part in lengths.sort().values.split(1024):
        scores = torch.rand(len(part), int(part.max()), device=DEVICE) - 0.5
        padding = torch.arange(scores.shape[1], device=DEVICE) >= part.to(DEVICE)[:, None]
        batches.append((scores.masked_fill(padding, -torch.inf), int(-(-3 * part.max() // 10))))

    def run():
        for scores, k in batches:
            torch.topk(scores, k, dim=-1)

    measure(f"topk/{n}", run)


def adamw():
    weights = torch.full((WEIGHTS,), 0.5, device=DEVICE, requires_grad=True)
    weights.grad = torch.full_like(weights, 0.5)
    optimizer = torch.optim.AdamW([weights], lr=1e-6, weight_decay=0.0, fused=DEVICE == "cuda")

    def run():
        optimizer.step()
        weights.detach().to(DTYPE)

    measure(f"adamw/{WEIGHTS}", run)


torch.manual_seed(1)
for part in [product, head, attention, topk, adamw]:
    part()
