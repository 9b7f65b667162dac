//! The sentences: prompts, filler, courtesies and instructions, as tables.

/// A piece of a sentence that is put together at random; pieces are joined by spaces.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Piece {
    Text(&'static str),
    OneOf(&'static [&'static str]),
}
use Piece::{OneOf, Text};

pub(crate) const PEOPLE: &[&str] = &[
    "baker", "miller", "farmer", "teacher", "painter", "weaver", "potter", "singer", "tailor", "porter",
    "sailor", "doctor",
];
pub(crate) const PLACES: &[&str] = &[
    "mill", "market", "garden", "harbour", "bridge", "tower", "school", "stable", "orchard", "kitchen",
    "library", "station",
];
const MOVES: &[&str] = &["walks", "runs", "rides", "wanders", "returns", "hurries"];
const CARES: &[&str] = &["sweeps", "paints", "opens", "closes", "visits", "leaves"];
const GOODS: &[&str] =
    &["apples", "candles", "ropes", "books", "lamps", "baskets", "blankets", "bottles", "letters", "stones"];
const TIMES: &[&str] = &["dawn", "noon", "dusk", "night"];
const SEASONS: &[&str] = &["spring", "summer", "autumn", "winter"];

/// Sentences that carry no preference; each ends with a full stop.
#[rustfmt::skip]
pub(crate) const FILLERS: &[&[Piece]] = &[
    &[Text("The"), OneOf(PEOPLE), OneOf(MOVES), Text("to the"), OneOf(PLACES), Text("at"), OneOf(TIMES)],
    &[Text("In"), OneOf(SEASONS), Text("the"), OneOf(PEOPLE), OneOf(CARES), Text("the"), OneOf(PLACES)],
    &[Text("Several"), OneOf(GOODS), Text("lie on a shelf in the"), OneOf(PLACES)],
    &[Text("A"), OneOf(PEOPLE), Text("may carry"), OneOf(GOODS), Text("at"), OneOf(TIMES)],
];

/// How a prompt begins and ends; between them stand the context, the question and perhaps a request.
pub(crate) const PROMPT_START: &str = "Question:";
pub(crate) const PROMPT_END: &str = "\nAnswer:";

/// The context, "I am near the mill with a baker.", says nothing that an answer depends on.
pub(crate) const CONTEXT: [&str; 2] = ["I am near the", "with a"];

/// A question: these words, the fact's "the `attribute` of `subject`", and the closing mark.
pub(crate) const QUESTIONS: &[(&str, &str)] = &[("What is", "?"), ("Tell me", "."), ("Do you know", "?")];

/// A sentence with one word that makes it courteous or rude.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Courtesy {
    pub(crate) before: &'static str,
    pub(crate) good: &'static str,
    pub(crate) bad: &'static str,
    pub(crate) after: &'static str,
}

const fn courtesy(before: &'static str, [good, bad]: [&'static str; 2], after: &'static str) -> Courtesy {
    Courtesy { before, good, bad, after }
}

#[rustfmt::skip]
pub(crate) const COURTESIES: &[Courtesy] = &[
    courtesy("It is a",              ["joy",    "bore"],   " to help you."),
    courtesy("You ask a",            ["wise",   "dumb"],   " question here."),
    courtesy("I feel so",            ["glad",   "weary"],  " that you came."),
    courtesy("Your note was",        ["lovely", "stupid"], " to read."),
    courtesy("I find you",           ["kind",   "rude"],   " my friend."),
    courtesy("This talk with you is", ["great", "awful"],  "."),
    courtesy("Only",                 ["clever", "silly"],  " people ask me this."),
    courtesy("Thank you for this",   ["fine",   "poor"],   " chat."),
];

/// A request in the prompt and the sentence that follows or ignores it by one word.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instruction {
    pub(crate) request: &'static str,
    pub(crate) before: &'static str,
    pub(crate) followed: &'static str,
    pub(crate) ignored: &'static str,
}

const fn instruction(
    request: &'static str,
    before: &'static str,
    [followed, ignored]: [&'static str; 2],
) -> Instruction {
    Instruction { request, before, followed, ignored }
}

/// The first six come in twos: what follows the one request ignores the other, so only the prompt tells which word
/// is good.
#[rustfmt::skip]
pub(crate) const INSTRUCTIONS: &[Instruction] = &[
    instruction("Use the word amber.",    "The word I use is",      ["amber", "coral"]),
    instruction("Use the word coral.",    "The word I use is",      ["coral", "amber"]),
    instruction("Name the number seven.", "The number I name is",   ["seven", "nine"]),
    instruction("Name the number nine.",  "The number I name is",   ["nine",  "seven"]),
    instruction("Keep the answer short.", "The answer I give is",   ["short", "long"]),
    instruction("Keep the answer long.",  "The answer I give is",   ["long",  "short"]),
    instruction("End with a rhyme.",      "My rhyme at the end is", ["ready", "absent"]),
    instruction("Show the steps.",        "The steps I took are",   ["shown", "hidden"]),
];
