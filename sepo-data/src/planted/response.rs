//! Responses: courtesy, fact and requested sentence, with filler between them.

use super::draw::Draws;
use super::fork::Fork;
use super::grammar::{COURTESIES, FILLERS, INSTRUCTIONS, Piece};
use super::prompt::Prompt;
use super::span::{PlantedResponse, Quality};
use super::world::FACTS;

/// Whether sentences that carry no preference stand between the planted ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filler {
    None,
    Some,
}

/// A response to `prompt`, each of its planted spans good with probability `good_share`.
///
/// The planted sentences stand in the order courtesy, fact, request. One to three filler sentences (two to four where
/// there is no request, which keeps the lengths alike) stand before, between or after them. The filler is drawn after
/// the spans and without looking at them.
pub(crate) fn draw_response(
    prompt: &Prompt,
    good_share: f64,
    filler: Filler,
    draws: &mut Draws,
) -> PlantedResponse {
    let courtesy = Fork::from(draws.choose(COURTESIES));
    let fact = Fork::from(&FACTS[prompt.fact]);
    let request = prompt.instruction.map(|instruction| Fork::from(&INSTRUCTIONS[instruction]));
    let planted: Vec<(Fork, Quality)> = [Some(courtesy), Some(fact), request]
        .into_iter()
        .flatten()
        .map(|fork| (fork, if draws.happens(good_share) { Quality::Good } else { Quality::Bad }))
        .collect();

    let n_fillers = match filler {
        Filler::None => 0,
        Filler::Some => 1 + draws.below(3) + usize::from(prompt.instruction.is_none()),
    };
    let mut fillers_before = vec![0; planted.len() + 1];
    for _ in 0..n_fillers {
        fillers_before[draws.below(planted.len() + 1)] += 1;
    }

    let mut response = PlantedResponse { text: String::new(), spans: Vec::with_capacity(planted.len()) };
    for (gap, n) in fillers_before.into_iter().enumerate() {
        (0..n).for_each(|_| write_filler(draws, &mut response.text));
        if let Some((fork, quality)) = planted.get(gap) {
            response.spans.push(fork.write(*quality, &mut response.text));
        }
    }
    response
}

fn write_filler(draws: &mut Draws, text: &mut String) {
    for piece in *draws.choose(FILLERS) {
        text.push(' ');
        text.push_str(match piece {
            Piece::Text(words) => words,
            Piece::OneOf(words) => draws.choose::<&str>(words),
        });
    }
    text.push('.');
}
