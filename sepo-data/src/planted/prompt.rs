//! Prompts: a context that does not matter, a question about one fact, and perhaps a request.

use std::collections::HashSet;

use super::draw::{Draws, Stream};
use super::grammar::{CONTEXT, INSTRUCTIONS, PEOPLE, PLACES, PROMPT_END, PROMPT_START, QUESTIONS};
use super::world::FACTS;

/// Share of prompts that make a request.
const INSTRUCTION_SHARE: f64 = 0.8;

/// One prompt in this many is kept for evaluation.
const EVAL_ONE_IN: usize = 8;

/// Which part of all possible prompts a prompt belongs to; the parts share facts and requests but no prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Split {
    Train,
    Eval,
}

/// A prompt as the table rows that it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Prompt {
    place: usize,
    person: usize,
    question: usize,
    pub(crate) fact: usize,
    pub(crate) instruction: Option<usize>,
}

impl Prompt {
    /// A random prompt of one part.
    pub(crate) fn draw(draws: &mut Draws, split: Split) -> Self {
        loop {
            let prompt = Self {
                place: draws.below(PLACES.len()),
                person: draws.below(PEOPLE.len()),
                question: draws.below(QUESTIONS.len()),
                fact: draws.below(FACTS.len()),
                instruction: draws.happens(INSTRUCTION_SHARE).then(|| draws.below(INSTRUCTIONS.len())),
            };
            if prompt.split() == split {
                return prompt;
            }
        }
    }

    /// The part a prompt belongs to. The sum keeps every pair of table rows (this fact with that request, say) in both
    /// parts; only whole combinations are held out.
    fn split(&self) -> Split {
        let request = self.instruction.unwrap_or(INSTRUCTIONS.len());
        let sum = self.place + self.person * 5 + self.question + self.fact + request;
        if sum.is_multiple_of(EVAL_ONE_IN) { Split::Eval } else { Split::Train }
    }

    pub(crate) fn text(&self) -> String {
        let fact = &FACTS[self.fact];
        let (ask, mark) = QUESTIONS[self.question];
        let [at, with] = CONTEXT;
        let mut text = format!(
            "{PROMPT_START} {at} {} {with} {}. {ask} the {} of {}{mark}",
            PLACES[self.place], PEOPLE[self.person], fact.attribute, fact.subject
        );
        if let Some(instruction) = self.instruction {
            text.push(' ');
            text.push_str(INSTRUCTIONS[instruction].request);
        }
        text.push_str(PROMPT_END);
        text
    }

    /// How many prompts the evaluation part holds.
    fn n_eval() -> usize {
        let all = PLACES.len() * PEOPLE.len() * QUESTIONS.len() * FACTS.len() * (INSTRUCTIONS.len() + 1);
        // Exact, because one of the summed tables has a multiple of `EVAL_ONE_IN` rows.
        all / EVAL_ONE_IN
    }
}

/// `n` prompts that no training pair and no base text begins with.
///
/// They ask for the same facts and make the same requests as the training prompts, in combinations with contexts
/// that are kept apart by construction, whatever the seeds. A prompt comes twice only after all 15552 have come once.
///
/// # Examples
///
/// ```
/// use sepo_data::planted::eval_prompts;
///
/// let prompts = eval_prompts(3, 0);
/// assert_eq!(prompts, eval_prompts(3, 0));
/// assert!(prompts.iter().all(|prompt| prompt.starts_with("Question:") && prompt.ends_with("\nAnswer:")));
/// ```
#[must_use]
pub fn eval_prompts(n: usize, seed: u64) -> Vec<String> {
    let mut draws = Draws::new(seed, Stream::Eval);
    let mut seen = HashSet::new();
    let mut prompts = Vec::with_capacity(n);
    while prompts.len() < n {
        if seen.len() == Prompt::n_eval() {
            seen.clear();
        }
        let prompt = Prompt::draw(&mut draws, Split::Eval);
        if seen.insert(prompt) {
            prompts.push(prompt.text());
        }
    }
    prompts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_evaluation_part() {
        let requests = (0..INSTRUCTIONS.len()).map(Some).chain([None]);
        let mut n_eval = 0;
        for instruction in requests {
            for fact in 0..FACTS.len() {
                for place in 0..PLACES.len() {
                    for person in 0..PEOPLE.len() {
                        for question in 0..QUESTIONS.len() {
                            let prompt = Prompt { place, person, question, fact, instruction };
                            n_eval += usize::from(prompt.split() == Split::Eval);
                        }
                    }
                }
            }
        }
        assert_eq!(n_eval, Prompt::n_eval());
        assert_eq!(n_eval, 15_552);
    }
}
