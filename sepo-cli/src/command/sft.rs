//! `sepo-cli sft`

use std::sync::Arc;

use sepo_data::Part;
use sepo_loss::Objective;
use sepo_train::{Footprint, HeldExamples, TrainData};

use super::stage::{self, Trained};
use crate::args::SftArgs;
use crate::claim;
use crate::console::{number, result};
use crate::examples;
use crate::exit::{CliError, Exit};
use crate::length::max_length;
use crate::model_dir::{check_fit, load_model, load_tokenizer, read_config};
use crate::pairs::PairStream;

/// Learning rate of supervised fine-tuning where none is typed.
const LEARNING_RATE: f64 = 1e-5;

pub(crate) fn run(args: &SftArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    crate::interrupt::save_by(args.train.watch.save_by);
    let lock = claim::existing(&args.out)?;
    let tokens = &args.pairs.tokens;
    let length = max_length(tokens.max_length, &[&args.model])?;
    let config = args.train.config(LEARNING_RATE);
    config.check()?;
    let memory = args.memory.memory();
    let needs = Footprint::training(&read_config(&args.model)?, &config, length);
    memory.check("fine-tuning", &[needs])?;
    let mut model = load_model("model", &args.model)?;
    let tokenizer = Arc::new(load_tokenizer(&args.model, &tokens.config(length))?);
    check_fit(&model, &tokenizer)?;
    claim::check_model(&args.out, &model.config)?;
    let spill = memory.spill(&args.out);
    let read = |part: Part| -> Result<HeldExamples, CliError> {
        let read = args.pairs.read.part(args.held_out, part);
        let pairs = PairStream::open(&args.pairs.data, &read, &tokenizer, &spill)?;
        examples::of_pairs(pairs, spill.clone(), |pair| Ok(stage::chosen_only(pair)))
    };
    let held = read(Part::Train)?;
    let eval = match args.held_out.eval_fraction {
        Some(_) => read(Part::Eval)?,
        None => HeldExamples::default(),
    };
    let data = TrainData::new(held.examples()).with_eval(eval.examples());
    let _lock = claim::folder(&args.out, lock)?;
    let outcome = stage::run("sft", &mut model, data, (&Objective::Sft, &config), &args.out)?;
    if let Some(exit) = stage::stopped(&outcome, &args.out) {
        return Ok(exit);
    }
    model.save(&args.out, Some(&args.model))?;
    let trained = Trained { max_length: Some(length), outcome };
    result(args.machine.form(), &trained, |Trained { outcome, .. }| {
        let loss = outcome.last_step.as_ref().and_then(|step| step.loss);
        let mut text = format!(
            "{} steps, last loss {}; model in `{}`",
            outcome.total_steps,
            number(loss),
            args.out.display()
        );
        if let Some(eval) = &outcome.eval {
            text += &format!("\nevaluation: loss {} on {} held-out pairs", number(eval.loss), eval.n);
        }
        text
    })?;
    Ok(Exit::Done)
}
