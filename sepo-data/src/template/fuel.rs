//! How much work a rendering may be.

use std::sync::OnceLock;

use chrono::NaiveDateTime;
use minijinja::Environment;
use serde_json::Value;

use super::bound::add_filters;
use super::environment::set_clock;
use crate::Message;

/// Steps that renderings may take, from the shortest conversations to the longest; making or writing 64 bytes counts as one,
/// so this bounds the memory, too: 6 MiB to 256 MiB.
const LEVELS: [u64; 4] = [100_000, 400_000, 1_600_000, 4_000_000];
/// Steps for no conversation at all. Templates take some thousand.
const LEAST: u64 = LEVELS[0];
/// Steps more for each message. A turn takes a few hundred.
const PER_MESSAGE: u64 = 2_000;
/// Bytes of the conversation that allow for a step more: each may be copied eight times.
const BYTES_PER_STEP: u64 = 8;

/// A template's environments, one an allowance.
#[derive(Debug, Clone)]
pub(super) struct Fueled {
    /// With the least.
    first: Environment<'static>,
    /// With more, made when a conversation needs them: the engine takes the allowance from the environment.
    larger: [OnceLock<Environment<'static>>; LEVELS.len() - 1],
}

impl Fueled {
    pub(super) fn new(mut environment: Environment<'static>) -> Self {
        set_fuel(&mut environment, LEAST);
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
        let level = LEVELS.iter().position(|&fuel| fuel >= wanted).unwrap_or(LEVELS.len() - 1);
        let fuel = LEVELS[level];
        let environment = match level.checked_sub(1) {
            None => &self.first,
            Some(above) => self.larger[above].get_or_init(|| {
                let mut environment = self.first.clone();
                set_fuel(&mut environment, fuel);
                environment
            }),
        };
        (environment, fuel)
    }
}

fn set_fuel(environment: &mut Environment<'static>, fuel: u64) {
    environment.set_fuel(Some(fuel));
    add_filters(environment, fuel);
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
        assert_eq!(fuel(0, 0), 100_000);
        assert_eq!(fuel(10, 1000), 400_000);
        assert_eq!(fuel(500, 0), 1_600_000);
        assert_eq!(fuel(usize::MAX, usize::MAX), 4_000_000);
    }
}
