//! The made-up world: what is asked, what is right, and the one wrong answer that is given in its place.

/// One fact of the world, answered by "The `attribute` of `subject` is …".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) attribute: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) right: &'static str,
    /// The right answer of another subject, so that no word is good or bad by itself.
    pub(crate) wrong: &'static str,
}

const fn fact(
    attribute: &'static str,
    subject: &'static str,
    right: &'static str,
    wrong: &'static str,
) -> Fact {
    Fact { attribute, subject, right, wrong }
}

/// Every fact. Within an attribute the right answers are all different, and the wrong ones are the same answers in
/// another order.
#[rustfmt::skip]
pub(crate) const FACTS: &[Fact] = &[
    //    attribute   subject      right    wrong
    fact("capital", "Arden",     "Melk",  "Parn"),
    fact("capital", "Borun",     "Tova",  "Luma"),
    fact("capital", "Calder",    "Ridda", "Melk"),
    fact("capital", "Doria",     "Sund",  "Wick"),
    fact("capital", "Elmar",     "Kelso", "Ridda"),
    fact("capital", "Fenna",     "Parn",  "Sund"),
    fact("capital", "Galen",     "Luma",  "Kelso"),
    fact("capital", "Hovar",     "Wick",  "Tova"),

    fact("river",   "Arden",     "Sorn",  "Esk"),
    fact("river",   "Borun",     "Ilva",  "Sorn"),
    fact("river",   "Calder",    "Brae",  "Vell"),
    fact("river",   "Doria",     "Onda",  "Arun"),
    fact("river",   "Elmar",     "Tyne",  "Brae"),
    fact("river",   "Fenna",     "Vell",  "Ilva"),
    fact("river",   "Galen",     "Esk",   "Tyne"),
    fact("river",   "Hovar",     "Arun",  "Onda"),

    fact("colour",  "the fox",   "red",   "green"),
    fact("colour",  "the heron", "grey",  "red"),
    fact("colour",  "the otter", "brown", "gold"),
    fact("colour",  "the crow",  "black", "white"),
    fact("colour",  "the swan",  "white", "brown"),
    fact("colour",  "the toad",  "green", "blue"),
    fact("colour",  "the jay",   "blue",  "black"),
    fact("colour",  "the lion",  "gold",  "grey"),

    fact("food",    "the fox",   "eggs",  "corn"),
    fact("food",    "the heron", "fish",  "nuts"),
    fact("food",    "the otter", "crabs", "eggs"),
    fact("food",    "the crow",  "corn",  "fish"),
    fact("food",    "the swan",  "weed",  "meat"),
    fact("food",    "the toad",  "flies", "weed"),
    fact("food",    "the jay",   "nuts",  "crabs"),
    fact("food",    "the lion",  "meat",  "flies"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn wrong_answers_are_the_right_ones_in_another_order() {
        for attribute in ["capital", "river", "colour", "food"] {
            let facts = || FACTS.iter().filter(move |fact| fact.attribute == attribute);
            let right: BTreeSet<_> = facts().map(|fact| fact.right).collect();
            let wrong: BTreeSet<_> = facts().map(|fact| fact.wrong).collect();
            assert_eq!(right.len(), facts().count(), "{attribute}");
            assert_eq!(right, wrong, "{attribute}");
            assert!(facts().all(|fact| fact.right != fact.wrong), "{attribute}");
        }
    }
}
