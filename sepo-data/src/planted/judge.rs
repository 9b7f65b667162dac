//! The true utility of any response, planted or sampled.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::fork::Fork;
use super::grammar::{COURTESIES, INSTRUCTIONS};
use super::span::{PlantedSpan, Quality, SpanKind};
use super::world::FACTS;

/// What is true of a response's sentences of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// There is a good one and no bad one.
    Good,
    /// There is a bad one, whatever else there is.
    Bad,
    /// There is none.
    Absent,
}

/// A response as the judge sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The summed utility: of each kind, its first good span, and every bad one.
    pub utility: f64,
    /// All planted sentences that were found, repetitions included, in the order of the text.
    pub spans: Vec<PlantedSpan>,
    /// How many words the response has. Length itself costs nothing.
    pub n_words: usize,
}

impl Judged {
    /// What is true of the sentences of `kind`.
    #[must_use]
    pub fn verdict(&self, kind: SpanKind) -> Verdict {
        let has = |quality| self.spans.iter().any(|span| span.kind == kind && span.quality == quality);
        match (has(Quality::Good), has(Quality::Bad)) {
            (_, true) => Verdict::Bad,
            (true, false) => Verdict::Good,
            (false, false) => Verdict::Absent,
        }
    }
}

/// The utility of `response` as an answer to `prompt`, and what it comes from.
///
/// The response may be anything: a text of the grammar, one that breaks off, or nonsense. For a generated pair the
/// result equals the planted utility and spans.
///
/// * A **fact** counts if the prompt asks for it: "The capital of Arden is" + the right word is good, + any other word
///   is bad. Statements about other subjects count nothing.
/// * A **request** counts if the prompt makes it; its sentence with the wanted word is good, with any other word bad.
/// * A **courtesy** counts everywhere, if it has one of its two words; with another word it is nonsense and counts
///   nothing.
/// * What breaks off before the deciding word counts nothing; what breaks off after it counts in full.
/// * Saying a good thing twice earns nothing more; each bad one costs again. So repetition and rambling cannot pay,
///   and there is no separate penalty for length.
///
/// # Examples
///
/// ```
/// use sepo_data::planted::{SpanKind, Verdict, judge};
///
/// let prompt = "Question: I am near the mill with a baker. What is the capital of Arden?\nAnswer:";
/// let judged = judge(prompt, " It is a joy to help you. The capital of Arden is Parn.");
/// assert_eq!(judged.verdict(SpanKind::Courtesy), Verdict::Good);
/// assert_eq!(judged.verdict(SpanKind::Fact), Verdict::Bad);
/// assert_eq!(judged.verdict(SpanKind::Instruction), Verdict::Absent);
/// assert!((judged.utility - (0.6 - 1.0)).abs() < 1e-12);
/// ```
#[must_use]
pub fn judge(prompt: &str, response: &str) -> Judged {
    let words = words(response);
    let mut spans: Vec<PlantedSpan> =
        relevant_forks(prompt).iter().flat_map(|fork| occurrences(fork, response, &words)).collect();
    spans.sort_by_key(|span| span.bytes.start);
    let is_word = |range: &Range<usize>| response[range.clone()].starts_with(char::is_alphanumeric);
    let n_words = words.iter().filter(|range| is_word(range)).count();
    Judged { utility: utility(&spans), n_words, spans }
}

/// Sums in the order of the text, so that a planted response gets exactly its planted utility.
fn utility(spans: &[PlantedSpan]) -> f64 {
    let counts = |(i, span): &(usize, &PlantedSpan)| {
        let same = |earlier: &PlantedSpan| earlier.kind == span.kind && earlier.quality == Quality::Good;
        span.quality == Quality::Bad || !spans[..*i].iter().any(same)
    };
    spans.iter().enumerate().filter(counts).map(|(_, span)| span.utility).sum()
}

/// What a response to `prompt` can gain or lose by.
fn relevant_forks(prompt: &str) -> Vec<Fork> {
    let prompt_words = words(prompt);
    let has = |phrase: &str| {
        let phrase_len = words(phrase).len();
        (0..=prompt_words.len().saturating_sub(phrase_len))
            .any(|at| follows(prompt, &prompt_words[at..], phrase) == Some(phrase_len))
    };
    let asked = FACTS.iter().filter(|fact| has(&format!("the {} of {}", fact.attribute, fact.subject)));
    let requested = INSTRUCTIONS.iter().filter(|instruction| has(instruction.request));
    asked.map(Fork::from).chain(requested.map(Fork::from)).chain(COURTESIES.iter().map(Fork::from)).collect()
}

/// The places of `text` where the fork's sentence stands at least up to its deciding word.
fn occurrences(fork: &Fork, text: &str, words: &[Range<usize>]) -> Vec<PlantedSpan> {
    let mut found = Vec::new();
    for at in 0..words.len() {
        let Some(n_before) = follows(text, &words[at..], &fork.before) else { continue };
        let Some(decisive) = words.get(at + n_before) else { continue };
        let Some(quality) = quality(fork, &text[decisive.clone()]) else { continue };
        let after = &words[at + n_before + 1..];
        let n_after = follows(text, after, fork.after).unwrap_or(0);
        let end = n_after.checked_sub(1).map_or(decisive.end, |last| after[last].end);
        found.push(PlantedSpan::new(fork.kind, quality, words[at].start..end, decisive.clone()));
    }
    found
}

fn quality(fork: &Fork, word: &str) -> Option<Quality> {
    if word == fork.good {
        Some(Quality::Good)
    } else if word == fork.bad {
        Some(Quality::Bad)
    } else {
        let claims = fork.kind != SpanKind::Courtesy && word.starts_with(char::is_alphanumeric);
        claims.then_some(Quality::Bad)
    }
}

/// The number of words of `phrase`, if `words` of `text` begin with exactly these.
fn follows(text: &str, words: &[Range<usize>], phrase: &str) -> Option<usize> {
    let phrase_words = self::words(phrase);
    let same =
        |(word, expected): (&Range<usize>, &Range<usize>)| text[word.clone()] == phrase[expected.clone()];
    (words.len() >= phrase_words.len() && words.iter().zip(&phrase_words).all(same))
        .then_some(phrase_words.len())
}

/// The words of a text: runs of letters and digits, and every other character but white space by itself.
fn words(text: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut in_word = false;
    for (start, character) in text.char_indices() {
        let end = start + character.len_utf8();
        let continues = in_word && character.is_alphanumeric();
        match words.last_mut() {
            Some(last) if continues => last.end = end,
            _ if !character.is_whitespace() => words.push(start..end),
            _ => {}
        }
        in_word = character.is_alphanumeric();
    }
    words
}
