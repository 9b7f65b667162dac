//! Pairs to text: which part is the prompt, which the response.

use super::{PairPart, PairTokenizer, SkipReason, TextHandling};
use crate::{ChatTemplate, GenerationPrompt, Message, PairContent, PreferencePair};

/// A pair as text. Spans of a response's tokens count bytes of these strings; `prompt` + `chosen` is what the model
/// reads for the chosen side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairTexts {
    /// What both responses answer, the assistant's header included.
    pub prompt: String,
    /// The preferred response, with what the template puts after it.
    pub chosen: String,
    /// The dispreferred response, with what the template puts after it.
    pub rejected: String,
}

impl PairTokenizer {
    /// The texts of a pair, `None` where it holds ids only.
    ///
    /// A conversation is rendered as a whole, never in parts, so a template that adds a system prompt adds it once:
    /// the prompt is its turns rendered with the generation prompt, and a response is what the whole conversation has
    /// after it. Where a template's generation prompt is not what it writes in front of an answer (an empty block
    /// of thoughts, or no generation prompt at all), the prompt is its turns rendered without one, plus as much of the
    /// assistant's header as both sides share.
    ///
    /// # Errors
    ///
    /// [`SkipReason::Template`], [`SkipReason::TemplateDiverges`], [`SkipReason::NoTemplate`],
    /// [`SkipReason::EmptySide`].
    pub fn texts(&self, pair: &PreferencePair) -> Result<Option<PairTexts>, SkipReason> {
        match &pair.content {
            PairContent::Tokens { .. } => Ok(None),
            PairContent::Text { prompt, chosen, rejected } => match self.config.text {
                TextHandling::Plain => Ok(Some(PairTexts {
                    prompt: prompt.clone(),
                    chosen: chosen.clone(),
                    rejected: rejected.clone(),
                })),
                TextHandling::AsChat => {
                    let turn = |role: &str, content: &String| {
                        vec![Message { role: role.to_owned(), content: content.clone() }]
                    };
                    let chat = Chat {
                        prompt: &turn("user", prompt),
                        chosen: &turn("assistant", chosen),
                        rejected: &turn("assistant", rejected),
                    };
                    chat.texts(self.template()).map(Some)
                }
            },
            PairContent::Chat { prompt, chosen, rejected } => {
                Chat { prompt, chosen, rejected }.texts(self.template()).map(Some)
            }
        }
    }
}

struct Chat<'a> {
    prompt: &'a [Message],
    chosen: &'a [Message],
    rejected: &'a [Message],
}

impl Chat<'_> {
    fn texts(&self, template: Option<&ChatTemplate>) -> Result<PairTexts, SkipReason> {
        let template = template.ok_or(SkipReason::NoTemplate)?;
        for (part, side) in [(PairPart::Chosen, self.chosen), (PairPart::Rejected, self.rejected)] {
            if side.iter().all(|message| message.content.is_empty()) {
                return Err(SkipReason::EmptySide { part });
            }
        }
        let render = |part, messages: &[Message], generation_prompt| {
            template
                .render(messages, generation_prompt)
                .map_err(|source| SkipReason::Template { part, source })
        };
        let prompt = render(PairPart::Prompt, self.prompt, GenerationPrompt::Add)?;
        let chosen = render(PairPart::Chosen, &[self.prompt, self.chosen].concat(), GenerationPrompt::Omit)?;
        let rejected =
            render(PairPart::Rejected, &[self.prompt, self.rejected].concat(), GenerationPrompt::Omit)?;
        let bare = render(PairPart::Prompt, self.prompt, GenerationPrompt::Omit);
        // A template that refuses to end there has a generation prompt, or it would have refused before.
        let has_header = bare.as_ref().map_or(true, |bare| prompt.len() > bare.len());
        if has_header && chosen.starts_with(&prompt) && rejected.starts_with(&prompt) {
            return Ok(split_at(prompt.len(), &chosen, &rejected));
        }
        let bare = bare?;
        if !(chosen.starts_with(&bare) && rejected.starts_with(&bare)) {
            let (part, full) = if chosen.starts_with(&bare) {
                (PairPart::Rejected, &rejected)
            } else {
                (PairPart::Chosen, &chosen)
            };
            return Err(divergence(part, &bare, full));
        }
        let answers = [&chosen[bare.len()..], &rejected[bare.len()..]];
        let shared = common_prefix(answers[0], answers[1]);
        let header = match prompt.strip_prefix(&bare) {
            Some(header) if has_header => common_prefix(&answers[0][..shared], header),
            // No generation prompt: the header is what stands before the words of the first answer.
            _ => {
                let before = |answer: &str, side: &[Message]| header_length(answer, side).unwrap_or(0);
                shared.min(before(answers[0], self.chosen)).min(before(answers[1], self.rejected))
            }
        };
        Ok(split_at(bare.len() + header, &chosen, &rejected))
    }
}

/// Bytes before the words of the first message, where they are found.
fn header_length(answer: &str, side: &[Message]) -> Option<usize> {
    let content = side.first()?.content.trim();
    if content.is_empty() { None } else { answer.find(content) }
}

fn split_at(at: usize, chosen: &str, rejected: &str) -> PairTexts {
    PairTexts {
        prompt: chosen[..at].to_owned(),
        chosen: chosen[at..].to_owned(),
        rejected: rejected[at..].to_owned(),
    }
}

/// Bytes that both texts begin with, in whole characters.
fn common_prefix(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(x, y)| x == y).map(|(x, _)| x.len_utf8()).sum()
}

fn divergence(part: PairPart, expected: &str, found: &str) -> SkipReason {
    let at_byte = common_prefix(expected, found);
    let excerpt = |text: &str| text[at_byte..].chars().take(40).collect();
    SkipReason::TemplateDiverges { part, at_byte, expected: excerpt(expected), found: excerpt(found) }
}
