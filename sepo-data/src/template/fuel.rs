//! How much work a rendering may be.

use std::sync::OnceLock;

use chrono::NaiveDateTime;
use minijinja::Environment;
use serde_json::Value;

use super::environment::set_clock;
use crate::Message;

/// Steps that a rendering of the shortest conversation may take; making or writing 64 bytes counts as one, so this is also
/// the bound of its memory, 32 MiB. Templates take some thousand.
const LEAST: u64 = 500_000;
/// Steps more for each message. A turn takes a few hundred.
const PER_MESSAGE: u64 = 2_000;
/// Bytes of the conversation that allow for a step more: each may be copied eight times.
const BYTES_PER_STEP: u64 = 8;
/// How many allowances there are, each four times the one before.
const N_LEVELS: usize = 4;

/// A template's environments, one an allowance.
#[derive(Debug, Clone)]
pub(super) struct Fueled {
    /// With the least.
    first: Environment<'static>,
    /// With more, made when a conversation needs them: the engine takes the allowance from the environment.
    larger: [OnceLock<Environment<'static>>; N_LEVELS - 1],
}

impl Fueled {
    pub(super) fn new(mut environment: Environment<'static>) -> Self {
        environment.set_fuel(Some(LEAST));
        Self { first: environment, larger: Default::default() }
    }

    /// Makes `strftime_now` tell `now` in all of them.
    pub(super) fn set_clock(&mut self, now: NaiveDateTime) {
        set_clock(&mut self.first, Some(now));
        self.larger = Default::default();
    }

    /// The environment for a conversation of this size, and its allowance.
    pub(super) fn for_size(&self, size: Size) -> (&Environment<'static>, u64) {
        let wanted = size.fuel();
        let level = (0..N_LEVELS).find(|&level| fuel_of(level) >= wanted).unwrap_or(N_LEVELS - 1);
        let environment = match level.checked_sub(1) {
            None => &self.first,
            Some(above) => self.larger[above].get_or_init(|| {
                let mut environment = self.first.clone();
                environment.set_fuel(Some(fuel_of(level)));
                environment
            }),
        };
        (environment, fuel_of(level))
    }
}

fn fuel_of(level: usize) -> u64 {
    LEAST << (2 * level)
}

/// How large a conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    n_messages: usize,
    n_bytes: usize,
}

impl Size {
    pub(super) fn of(messages: &[Message]) -> Self {
        let n_bytes = messages.iter().map(|message| message.role.len() + message.content.len()).sum();
        Self { n_messages: messages.len(), n_bytes }
    }

    pub(super) fn of_json(messages: &[Value]) -> Self {
        Self { n_messages: messages.len(), n_bytes: messages.iter().map(n_bytes).sum() }
    }

    fn fuel(self) -> u64 {
        let (messages, bytes) = (self.n_messages as u64, self.n_bytes as u64);
        LEAST.saturating_add(messages.saturating_mul(PER_MESSAGE)).saturating_add(bytes / BYTES_PER_STEP)
    }
}

/// Bytes of text in a value; whatever is no text counts as a short one.
fn n_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(n_bytes).sum(),
        Value::Object(fields) => fields.iter().map(|(key, value)| key.len() + n_bytes(value)).sum(),
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_conversation_is_allowed_more_work() {
        let fueled = Fueled::new(Environment::new());
        let fuel = |n_messages, n_bytes| fueled.for_size(Size { n_messages, n_bytes }).1;
        assert_eq!(fuel(0, 0), 500_000);
        assert_eq!(fuel(10, 1000), 2_000_000);
        assert_eq!(fuel(10_000, 0), 32_000_000);
        assert_eq!(fuel(usize::MAX, usize::MAX), 32_000_000);
    }
}
