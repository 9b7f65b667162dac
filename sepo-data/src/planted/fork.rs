//! A sentence with two endings to choose from: the one place where a response gains or loses utility.

use super::grammar::{Courtesy, Instruction};
use super::span::{PlantedSpan, Quality, SpanKind};
use super::world::Fact;

/// The sentence `before` + space + (`good` or `bad`) + `after`; both words are single words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fork {
    pub(crate) kind: SpanKind,
    pub(crate) before: String,
    pub(crate) good: &'static str,
    pub(crate) bad: &'static str,
    pub(crate) after: &'static str,
}

impl Fork {
    /// Appends a space and the sentence to `text`, and says where its parts lie.
    pub(crate) fn write(&self, quality: Quality, text: &mut String) -> PlantedSpan {
        text.push(' ');
        let start = text.len();
        text.push_str(&self.before);
        text.push(' ');
        let word = text.len();
        text.push_str(match quality {
            Quality::Good => self.good,
            Quality::Bad => self.bad,
        });
        let word_end = text.len();
        text.push_str(self.after);
        PlantedSpan::new(self.kind, quality, start..text.len(), word..word_end)
    }
}

impl From<&Fact> for Fork {
    fn from(fact: &Fact) -> Self {
        let Fact { attribute, subject, right, wrong } = *fact;
        let before = format!("The {attribute} of {subject} is");
        Self { kind: SpanKind::Fact, before, good: right, bad: wrong, after: "." }
    }
}

impl From<&Courtesy> for Fork {
    fn from(courtesy: &Courtesy) -> Self {
        let Courtesy { before, good, bad, after } = *courtesy;
        Self { kind: SpanKind::Courtesy, before: before.to_owned(), good, bad, after }
    }
}

impl From<&Instruction> for Fork {
    fn from(instruction: &Instruction) -> Self {
        let Instruction { before, followed, ignored, .. } = *instruction;
        let before = before.to_owned();
        Self { kind: SpanKind::Instruction, before, good: followed, bad: ignored, after: "." }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted::grammar::{COURTESIES, INSTRUCTIONS};
    use crate::planted::world::FACTS;

    /// Every fork of the grammar.
    fn forks() -> impl Iterator<Item = Fork> {
        let facts = FACTS.iter().map(Fork::from);
        facts.chain(COURTESIES.iter().map(Fork::from)).chain(INSTRUCTIONS.iter().map(Fork::from))
    }

    fn written(fork: &Fork, quality: Quality) -> (String, PlantedSpan) {
        let mut text = String::from(" Before it.");
        let span = fork.write(quality, &mut text);
        (text, span)
    }

    #[test]
    fn alternatives_differ_in_the_decisive_word_only() {
        for fork in forks() {
            let (good, good_span) = written(&fork, Quality::Good);
            let (bad, bad_span) = written(&fork, Quality::Bad);
            assert_eq!(good[..good_span.decisive.start], bad[..bad_span.decisive.start]);
            assert_ne!(good[good_span.decisive.clone()], bad[bad_span.decisive.clone()]);
            assert_eq!(good[good_span.decisive.end..], bad[bad_span.decisive.end..]);
            assert_eq!(good_span.utility, -bad_span.utility);
            assert!(good_span.utility > 0.0);
            assert!(good.ends_with('.') && good_span.bytes.end == good.len());
        }
    }

    #[test]
    fn length_is_no_cue() {
        for fork in forks() {
            assert!(fork.good.len().abs_diff(fork.bad.len()) <= 2, "{fork:?}");
            for word in [fork.good, fork.bad] {
                assert!(word.chars().all(char::is_alphabetic), "one word each: {fork:?}");
            }
        }
        let letters = |word: fn(&Fork) -> usize| forks().map(|fork| word(&fork)).sum::<usize>();
        assert!(letters(|fork| fork.good.len()).abs_diff(letters(|fork| fork.bad.len())) <= 5);
    }
}
