//! What a command may hold, and a refusal of what it could not.

use std::path::Path;

use sepo_train::{Footprint, Spill};

use super::available::available_bytes;
use super::byte_size::ByteSize;
use crate::exit::CliError;

/// The program, its tokenizer and its buffers.
const OF_THE_PROGRAM: u64 = 96 << 20;

/// How much memory a command may take.
///
/// The limit decides where examples lie and whether a command begins, never what it computes: a smaller batch would be
/// other sums.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    limit: Option<ByteSize>,
}

impl Memory {
    pub(crate) fn limited_to(limit: Option<ByteSize>) -> Self {
        Self { limit }
    }

    /// This limit, or the other where there is none.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { limit: self.limit.or(other.limit) }
    }

    /// How many examples may lie in memory, those of one collection; the others lie in `dir`.
    pub(crate) fn spill(self, dir: &Path) -> Spill {
        Spill { bytes_in_memory: self.bytes_of_examples(), dir: dir.to_owned() }
    }

    fn bytes_of_examples(self) -> u64 {
        // A command holds up to three collections at a time: pairs, the same with a reference, and pairs to measure on.
        self.limit.map_or_else(|| available_bytes() / 4, |limit| limit.0 / 8)
    }

    /// Nothing, where `what` fits beside the examples.
    pub(crate) fn check(self, what: &str, needs: &[Footprint]) -> Result<(), CliError> {
        let gpu_bytes = crate::machine::free_gpu_bytes();
        if let Some(device_bytes) = gpu_bytes {
            check_device(what, needs, device_bytes)?;
        }
        let Some(limit) = self.limit else { return Ok(()) };
        // On a GPU the host has the weights, and with a checkpoint the moments.
        let on_host = |need: &Footprint| Footprint { gradient: 0, activations: 0, ..*need };
        let needs: Vec<Footprint> =
            needs.iter().map(|need| if gpu_bytes.is_some() { on_host(need) } else { *need }).collect();
        let sum = |part: fn(&Footprint) -> u64| needs.iter().map(part).fold(0, u64::saturating_add);
        let beside = OF_THE_PROGRAM.saturating_add(self.bytes_of_examples());
        let fixed = sum(|need| need.fixed()).saturating_add(beside);
        let activations = sum(|need| need.activations);
        let total = fixed.saturating_add(activations);
        if total <= limit.0 {
            return Ok(());
        }
        let size = |bytes: u64| ByteSize(bytes).to_string();
        let message = format!(
            "`--memory-limit {limit}` is too little for {what}, which needs about {}: {} for weights, {} for gradient and \
             moments, {} for the tokens of a forward pass, {} for the program and its data",
            size(total),
            size(sum(|need| need.weights)),
            size(sum(|need| need.gradient.saturating_add(need.moments))),
            size(activations),
            size(beside),
        );
        let help = if fixed > limit.0 {
            "raise `--memory-limit`, or use a smaller model"
        } else {
            "use fewer `--tokens-per-batch`, `--recompute` where the command has it, a smaller `--max-length`, or raise \
             `--memory-limit`"
        };
        Err(CliError::usage(message, help))
    }
}

/// Nothing, where `what` fits into a GPU's memory: activations take half where they are bf16, so half is what is counted.
fn check_device(what: &str, needs: &[Footprint], device_bytes: u64) -> Result<(), CliError> {
    let least = |need: &Footprint| need.fixed().saturating_add(need.activations / 2);
    let total = needs.iter().map(least).fold(0, u64::saturating_add);
    if total <= device_bytes {
        return Ok(());
    }
    Err(CliError::usage(
        format!(
            "{what} needs about {} of the GPU's memory, of which {} are free",
            ByteSize(total),
            ByteSize(device_bytes)
        ),
        "use fewer `--tokens-per-batch`, `--recompute` where the command has it, a smaller `--max-length` or model",
    ))
}
