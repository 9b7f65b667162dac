//! Recipes and overrides.

use super::case::{Case, as_it_is, check};
use super::support::{DATA, USAGE, World};
use super::world::{RECIPE, replace};

const RUN: &str = "run recipe.toml";

/// A case in which a part of the recipe is another.
const fn written(what: &'static str, before: fn(&World), exit: i32) -> Case {
    Case { what, before, typed: RUN, exit }
}

/// A case in which the override is at fault.
const fn set(what: &'static str, typed: &'static str) -> Case {
    Case { what, before: as_it_is, typed, exit: USAGE }
}

fn recipe(world: &World, from: &str, to: &str) {
    replace(world, "recipe.toml", from, to);
}

const TEXTS: &[Case] = &[
    Case { what: "a recipe that is not there", before: as_it_is, typed: "run absent.toml", exit: USAGE },
    Case { what: "a folder for a recipe", before: as_it_is, typed: "run model", exit: USAGE },
    written(
        "a recipe that is no UTF-8",
        |world| drop(world.write("recipe.toml", b"[run]\nout = \"\xff\"\n")),
        USAGE,
    ),
    written(
        "a recipe without an end",
        |world| drop(world.write("recipe.toml", "#".repeat((1 << 20) + 1))),
        USAGE,
    ),
    written("nothing in a recipe", |world| drop(world.write("recipe.toml", "")), USAGE),
    written("a line that is no TOML", |world| recipe(world, "batch_size = 4", "batch_size = = 4"), USAGE),
    written("a string that does not end", |world| recipe(world, "\"model\"", "\"model"), USAGE),
    written("a key twice", |world| recipe(world, "fraction = 0.5", "fraction = 0.5\nfraction = 0.6"), USAGE),
    written("a section twice", |world| drop(world.write("recipe.toml", format!("{RECIPE}\n[run]\n"))), USAGE),
    written("a key with a slip", |world| recipe(world, "keep_chosen", "keep_choosen"), USAGE),
    written("a section with a slip", |world| recipe(world, "[select]", "[selct]"), USAGE),
    written("a key of another section", |world| recipe(world, "keep_chosen", "fraction"), USAGE),
    written("a key that is far from any", |world| recipe(world, "keep_chosen", "colour"), USAGE),
    written("a key outside of a section", |world| recipe(world, "[run]", "seed = 1\n[run]"), USAGE),
    written("a value for a section", |world| recipe(world, "[run]", "tokens = 3\n[run]"), USAGE),
    written("a list of sections", |world| recipe(world, "[select]", "[[select]]"), USAGE),
    written("a flag for a key", |world| recipe(world, "keep_chosen", "keep-chosen"), USAGE),
    written("no folder for results", |world| recipe(world, "out = \"runs\"", ""), USAGE),
    written("no pairs", |world| recipe(world, "inputs = [\"pairs.jsonl\"]", ""), USAGE),
    written(
        "no section of models",
        |world| {
            recipe(world, "[models]\nbase = \"model\"\npolicy = \"model\"\n", "");
        },
        USAGE,
    ),
    written("no policy", |world| recipe(world, "policy = \"model\"", ""), USAGE),
];

const VALUES: &[Case] = &[
    written("a word for a number", |world| recipe(world, "max_steps = 3", "max_steps = \"three\""), USAGE),
    written("a fraction for a count", |world| recipe(world, "max_steps = 3", "max_steps = 1.5"), USAGE),
    written("a negative count", |world| recipe(world, "max_steps = 3", "max_steps = -3"), USAGE),
    written(
        "a path for a list of them",
        |world| recipe(world, "[\"pairs.jsonl\"]", "\"pairs.jsonl\""),
        USAGE,
    ),
    written("a number for a path", |world| recipe(world, "base = \"model\"", "base = 7"), USAGE),
    written("a number for yes or no", |world| recipe(world, "eval =", "strict = 1\neval ="), USAGE),
    written(
        "an objective that is not known",
        |world| {
            recipe(world, "max_steps = 3", "objective = \"orpi\"");
        },
        USAGE,
    ),
    written("a rule that is not known", |world| recipe(world, "keep_chosen = 0.3", "rule = \"best\""), USAGE),
    written(
        "a rule without its threshold",
        |world| {
            recipe(world, "keep_chosen = 0.3", "rule = \"threshold\"");
        },
        USAGE,
    ),
    written(
        "a rule with an unknown setting",
        |world| {
            recipe(world, "keep_chosen = 0.3", "rule = { threshold = { from = 0.5 } }");
        },
        USAGE,
    ),
    written("a share beyond all", |world| recipe(world, "keep_chosen = 0.3", "keep_chosen = 30"), USAGE),
    written("a size that is none", |world| recipe(world, "[data]", "memory_limit = \"lots\"\n[data]"), USAGE),
    written("pairs beyond all", |world| recipe(world, "fraction = 0.5", "fraction = 1.5"), USAGE),
    written("no step", |world| recipe(world, "max_steps = 3", "max_steps = 0"), USAGE),
    written(
        "no tokens in a pass",
        |world| {
            recipe(world, "[select]", "[score]\ntokens_per_batch = 0\n[select]");
        },
        USAGE,
    ),
    written("a setting of another objective", |world| recipe(world, "max_steps = 3", "beta = 0.1"), USAGE),
    written(
        "a share for all tokens",
        |world| {
            recipe(world, "keep_chosen = 0.3", "keep_chosen = 0.3\nrule = \"all\"");
        },
        USAGE,
    ),
    written(
        "evaluations without pairs",
        |world| {
            recipe(world, "eval = [\"pairs.jsonl\"]", "");
            recipe(world, "max_steps = 3", "eval_every = 3");
        },
        USAGE,
    ),
    written(
        "a reference that is made and given",
        |world| {
            recipe(world, "policy =", "reference = \"model\"\npolicy =");
            recipe(world, "fraction = 0.5", "reference_epochs = 2.0");
        },
        USAGE,
    ),
    written(
        "a model that is not there",
        |world| recipe(world, "base = \"model\"", "base = \"modle\""),
        USAGE,
    ),
    written(
        "pairs that are not there",
        |world| recipe(world, "[\"pairs.jsonl\"]", "[\"pears.jsonl\"]"),
        DATA,
    ),
    written(
        "a template that is not there",
        |world| {
            recipe(world, "[models]", "[tokens]\ntemplate = \"chat.jinja\"\n[models]");
        },
        USAGE,
    ),
    written(
        "more length than positions",
        |world| {
            recipe(world, "[models]", "[tokens]\nmax_length = 5000\n[models]");
        },
        USAGE,
    ),
    written(
        "a prompt as long as all",
        |world| {
            recipe(world, "[models]", "[tokens]\nmax_length = 64\nmax_prompt_length = 64\n[models]");
        },
        USAGE,
    ),
    written("a split of a file", |world| recipe(world, "eval =", "split = \"test\"\neval ="), DATA),
    written(
        "pairs out of the run's own folder",
        |world| {
            recipe(world, "policy = \"model\"", "policy = \"runs/train\"");
        },
        USAGE,
    ),
    written(
        "a folder that no run made",
        |world| {
            std::fs::create_dir_all(world.path("runs/oracle")).unwrap();
            world.write("runs/oracle/thesis.txt", "years of work");
        },
        USAGE,
    ),
    written("a file for the folder of results", |world| drop(world.write("runs", "")), DATA),
];

/// A case in which this section is added to the recipe, in place of the objective in `[train]`.
macro_rules! objective {
    ($what:literal, $text:literal) => {
        written(
            $what,
            |world| recipe(world, "[train]", concat!("[objective]\n", $text, "\n\n[train]")),
            USAGE,
        )
    };
}

const OBJECTIVES: &[Case] = &[
    objective!("a method that is not known", "name = \"orpi\""),
    objective!("a choice with a slip", "lnik = \"hinge\""),
    objective!("a link with a slip", "link = \"hinje\""),
    objective!("a number of a link with a slip", "link = { logistic = { label_smoothin = 0.1 } }"),
    objective!("a word for a margin", "margin = { constant = \"wide\" }"),
    objective!("a number for a reduction", "reduction = 3"),
    objective!("a regularizer that is half there", "regularizers = { nll = { coefficient = 1.0 } }"),
    objective!("a number out of its range", "link = { exo = { label_smoothing = 0.7 } }"),
    objective!(
        "a divergence that is no number",
        "statistic = { divergence = { forward = { alpha = nan, detach = \"both\" } } }"
    ),
    objective!("a setting that the method has not", "name = \"simpo\"\nlambda = 1.0"),
    objective!("parts that exclude each other", "pairing = \"by-weight\""),
    objective!("a comparison and none", "side_link = \"nca\"\nlink = \"hinge\""),
    objective!("log-odds of a log-ratio", "transform = \"log-odds\""),
    objective!("a part of what compares nothing", "name = \"sft\"\nlink = \"hinge\""),
    objective!("weights from nowhere", "weights = \"attention\""),
    objective!("a gap without a reference", "name = \"simpo\"\nweights = { gap = { quantile = 0.5 } }"),
    objective!("a quantile beyond all", "weights = { gap = { quantile = 1.5 } }"),
    objective!("rewards that are weights too", "name = \"t-reg\"\nweights = \"selection\""),
    objective!("a teacher that no recipe makes", "name = \"aligndistil\""),
    written(
        "an objective twice",
        |world| {
            recipe(world, "[train]", "[objective]\nname = \"simpo\"\n\n[train]\nobjective = \"dpo\"");
        },
        USAGE,
    ),
    written(
        "a nominal count of a rule without a share",
        |world| {
            recipe(world, "keep_chosen = 0.3", "rule = \"mean\"");
            recipe(world, "[train]", "[objective]\nreduction = \"nominal\"\n\n[train]");
        },
        USAGE,
    ),
];

const OVERRIDES: &[Case] = &[
    set("an override of a choice", "run recipe.toml --set objective.link=hinje"),
    set("an override without a value", "run recipe.toml --set select.keep_chosen"),
    set("an override of a section", "run recipe.toml --set select=3"),
    set("an override with a slip", "run recipe.toml --set select.keep_rejectd=0.5"),
    set("an override out of range", "run recipe.toml --set select.keep_rejected=1.5"),
    set("an override of another kind", "run recipe.toml --set train.epochs=many"),
    set("an override that is no TOML", "run recipe.toml --set select.rule=[1,"),
    set("an override below a value", "run recipe.toml --set run.out.here=1"),
    set("an override with an empty key", "run recipe.toml --set .out=x"),
    set(
        "overrides that mean nothing together",
        "run recipe.toml --set select.rule=all --set train.normalizer=nominal --set select.keep_chosen=0.5",
    ),
];

#[test]
fn recipes_that_cannot_be_read_are_refused_at_their_line() {
    check("recipe_texts", TEXTS);
}

#[test]
fn values_that_cannot_be_used_are_refused_at_their_line() {
    check("recipe_values", VALUES);
}

#[test]
fn losses_that_make_no_sense_are_refused_at_their_line() {
    check("recipe_objectives", OBJECTIVES);
}

#[test]
fn overrides_are_refused_as_typed() {
    check("recipe_overrides", OVERRIDES);
}
