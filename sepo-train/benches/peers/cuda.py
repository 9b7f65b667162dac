#!/usr/bin/env python3
"""The steps of benches/cuda.rs by TRL: the same shapes, lengths and number of pairs, random weights and tokens, in bf16.

    pip install torch transformers trl                          # and flash-attn, where it can be had
    python3 sepo-train/benches/peers/cuda.py                    # on a GPU
    python3 sepo-train/benches/peers/cuda.py --shape llama-1b   # one shape
    python3 sepo-train/benches/peers/cuda.py --test             # a small shape on the CPU: that it runs

One JSON object a line: median seconds of nine steps after three, pairs a second, and the largest memory. `dpo` runs its reference in
each step; `dpo, reference before` has log-probabilities made before the first one, as benches/cuda.rs has, and `simpo` needs none. Attention is
flash attention where the package is there, PyTorch's own otherwise.
"""
import argparse
import importlib.util
import json
import random
import statistics
import tempfile
import time

import torch
from datasets import Dataset
from datasets.table import InMemoryTable
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (AutoModelForCausalLM, GPTNeoXConfig, LlamaConfig, PreTrainedTokenizerFast, TrainerCallback)
from trl import DPOConfig, DPOTrainer
from trl.experimental.cpo import CPOConfig, CPOTrainer

WARM_UP, STEPS = 3, 12
# Configuration, tokens of a prompt and of a response, pairs in a step.
REAL = {
    "pythia-410m": (GPTNeoXConfig(vocab_size=50304, hidden_size=1024, intermediate_size=4096, num_hidden_layers=24,
                                  num_attention_heads=16, max_position_embeddings=2048), 256, 384, 8),
    "llama-1b": (LlamaConfig(vocab_size=32000, hidden_size=2048, intermediate_size=8192, num_hidden_layers=16,
                             num_attention_heads=32, num_key_value_heads=8, max_position_embeddings=4096), 256, 384, 8),
}
SMALL = {"small": (LlamaConfig(vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
                               num_attention_heads=2, num_key_value_heads=1), 5, 7, 2)}

parser = argparse.ArgumentParser()
parser.add_argument("--shape", choices=REAL)
parser.add_argument("--test", action="store_true", help="a small shape on the CPU")
ARGS = parser.parse_args()
ON_GPU = not ARGS.test
ATTENTION = "flash_attention_2" if ON_GPU and importlib.util.find_spec("flash_attn") else "sdpa"


def words_for_ids(vocab):
    """A tokenizer whose token i is the word `i`; the last one ends a sequence."""
    model = models.WordLevel({str(i): i for i in range(vocab)}, unk_token="0")
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    last = str(vocab - 1)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=last, pad_token=last)


def pairs(n, vocab, prompt, response):
    """Texts of so many tokens each; that which ends a response is one of its own."""
    random.seed(7)
    words = lambda length: " ".join(str(random.randrange(vocab - 1)) for _ in range(length))
    side = lambda: " " + words(response - 1) + " "
    rows = [dict(prompt=words(prompt), chosen=side(), rejected=side()) for _ in range(n)]
    # By a name of their own: to make one, some versions of datasets pickle what cannot be pickled.
    return Dataset(InMemoryTable.from_pylist(rows), fingerprint=f"pairs-{vocab}-{prompt}-{response}-{n}")


class Clock(TrainerCallback):
    """Seconds of each step."""

    def __init__(self):
        self.seconds = []

    def on_step_begin(self, args, state, control, **_):
        self.synchronize()
        self.start = time.perf_counter()

    def on_step_end(self, args, state, control, **_):
        self.synchronize()
        self.seconds.append(time.perf_counter() - self.start)

    def synchronize(self):
        if ON_GPU:
            torch.cuda.synchronize()


def measure(shape, objective, folder):
    config, prompt, response, n_pairs = {**REAL, **SMALL}[shape]
    tokenizer = words_for_ids(config.vocab_size)
    torch.manual_seed(1)
    make = lambda: AutoModelForCausalLM.from_config(config, attn_implementation=ATTENTION, dtype=torch.float32)
    clock = Clock()
    common = dict(output_dir=folder, per_device_train_batch_size=n_pairs, max_steps=STEPS, max_length=prompt + response, bf16=True,
                  gradient_checkpointing=False, report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True, use_cpu=not ON_GPU)
    given = dict(train_dataset=pairs(STEPS * n_pairs, config.vocab_size, prompt, response), processing_class=tokenizer, callbacks=[clock])
    if objective == "simpo":
        args = CPOConfig(loss_type="simpo", cpo_alpha=0.0, beta=2.0, simpo_gamma=0.5, **common)
        trainer = CPOTrainer(model=make(), args=args, **given)
    else:
        args = DPOConfig(beta=0.1, precompute_ref_log_probs=objective != "dpo", **common)
        trainer = DPOTrainer(model=make(), ref_model=make(), args=args, **given)
    if ON_GPU:
        torch.cuda.reset_peak_memory_stats()
    trainer.train()
    seconds = statistics.median(clock.seconds[WARM_UP:])
    batch = next(iter(trainer.get_train_dataloader()))
    longest = max(value.shape[-1] for key, value in batch.items() if key.endswith("input_ids"))
    assert longest == prompt + response, f"sequences of {longest} tokens, not of {prompt} + {response}"
    print(json.dumps(dict(
        name=f"{shape} {objective}", seconds=seconds, pairs_per_s=n_pairs / seconds, attention=ATTENTION,
        peak_bytes=torch.cuda.max_memory_allocated() if ON_GPU else None, torch=torch.__version__)), flush=True)


for shape in SMALL if ARGS.test else [ARGS.shape] if ARGS.shape else REAL:
    for objective in ["dpo", "dpo, reference before", "simpo"]:
        with tempfile.TemporaryDirectory() as folder:
            measure(shape, objective, folder)
