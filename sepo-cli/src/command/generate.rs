//! `sepo-cli generate`

use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use sepo_data::{AtomicFile, Eos, Message, PairTokenizer, TokenizeConfig};
use sepo_model::{Dtype, GenerateConfig, Model, ModelError, generate_on};
use sepo_train::{Repetition, TrainBackend};
use serde::Serialize;
use serde_json::Value;

use crate::args::GenerateArgs;
use crate::console::{grouped, percent, result, warn};
use crate::exit::{CliError, Exit, io_error};
use crate::machine::{OnDevice, on_device};
use crate::model_dir::{load_model, load_tokenizer};

#[derive(Debug, Serialize)]
struct Sample {
    prompt: Value,
    response: String,
    n_tokens: usize,
    /// Whether it ended by itself.
    finished: bool,
}

#[derive(Debug, Serialize)]
struct GenerateResult {
    prompts: usize,
    tokens: u64,
    finished: usize,
    /// Mean share of runs of four tokens that stood in the same response before.
    repetition: Option<f64>,
}

/// What is to be continued, and how.
struct Prompts<'a> {
    model: &'a Model,
    ids: &'a [Vec<u32>],
    config: &'a GenerateConfig,
}

impl OnDevice for Prompts<'_> {
    type Output = Result<Vec<Vec<u32>>, ModelError>;

    fn run<B: TrainBackend + 'static>(self, on: &B) -> Self::Output {
        generate_on(on, self.model, self.ids, self.config)
    }
}

pub(crate) fn run(args: &GenerateArgs) -> Result<Exit, CliError> {
    let of_draws = [("--top-p", args.top_p.is_some()), ("--seed", args.seed.is_some())];
    if let Some((flag, _)) = of_draws.into_iter().find(|(_, is_typed)| *is_typed && args.temperature == 0.0) {
        return Err(CliError::usage(
            format!("`{flag}` has no meaning for `--temperature 0`, which draws nothing"),
            format!("leave `{flag}` out, or choose a temperature above 0"),
        ));
    }
    crate::machine::prepare(&args.machine)?;
    let _lock = crate::claim::file(&args.out)?;
    let model = load_model("model", &args.model)?;
    let config = TokenizeConfig { template: args.template.choice(), ..TokenizeConfig::default() };
    let tokenizer = load_tokenizer(&args.model, &config)?;
    let prompts = read_prompts(&args.prompts)?;
    let ids = prompts
        .iter()
        .enumerate()
        .map(|(line, prompt)| {
            prompt_ids(&tokenizer, prompt)
                .map_err(|e| e.during(format!("{}, line {}", args.prompts.display(), line + 1)))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let max_new_tokens = args.max_new_tokens.get();
    let eos_token_ids = tokenizer.special_tokens().closing_ids.clone();
    let config = GenerateConfig {
        max_new_tokens,
        temperature: args.temperature,
        top_p: args.top_p.unwrap_or(1.0),
        seed: args.seed.unwrap_or(0),
        eos_token_ids: eos_token_ids.clone(),
    };
    let longest = ids.iter().map(Vec::len).max().unwrap_or(0);
    if longest.saturating_add(max_new_tokens) > model.config.max_position {
        warn(format!(
            "a prompt of {longest} tokens and {max_new_tokens} new ones may go beyond the model's {} positions",
            model.config.max_position
        ));
    }
    // Before the work, so that a folder that cannot be written to does not waste it.
    let mut file = AtomicFile::create(&args.out).map_err(|source| io_error(&args.out, source))?;
    let continuations = on_device(Dtype::F32, Prompts { model: &model, ids: &ids, config: &config })?;
    let mut summary = GenerateResult { prompts: prompts.len(), tokens: 0, finished: 0, repetition: None };
    let mut repetition = Repetition::default();
    for (prompt, mut continuation) in prompts.into_iter().zip(continuations) {
        let n_tokens = continuation.len();
        let finished = continuation.pop_if(|last| eos_token_ids.contains(last)).is_some();
        repetition.push(&continuation);
        summary.tokens += n_tokens as u64;
        summary.finished += usize::from(finished);
        let response = tokenizer.decode(&continuation)?;
        let sample = Sample { prompt, response, n_tokens, finished };
        let line = serde_json::to_string(&sample).map_err(|error| CliError::of(Exit::Bug, error))?;
        writeln!(file, "{line}").map_err(|source| io_error(&args.out, source))?;
    }
    file.commit().map_err(|source| io_error(&args.out, source))?;
    summary.repetition = repetition.share();
    if repetition.is_high() {
        warn(format!(
            "{} of the runs of four tokens are repeated within their response: the model repeats itself",
            percent(summary.repetition)
        ));
    }
    result(args.machine.form(), &summary, |summary| {
        format!(
            "{} responses of {} tokens, {} ended by themselves; in `{}`",
            grouped(summary.prompts as u64),
            grouped(summary.tokens),
            grouped(summary.finished as u64),
            args.out.display()
        )
    })?;
    Ok(Exit::Done)
}

/// One prompt a line: a JSON object with `prompt`, or the line itself.
fn read_prompts(path: &Path) -> Result<Vec<Value>, CliError> {
    let file = std::fs::File::open(path).map_err(|source| io_error(path, source))?;
    let is_json = path.extension().is_some_and(|extension| extension == "jsonl");
    let mut prompts = Vec::new();
    for (number, line) in BufReader::new(file).split(b'\n').enumerate() {
        let line = line.map_err(|source| io_error(path, source))?;
        let wrong = |what: String, help: &str| {
            let message = format!("{}, line {}: {what}", path.display(), number + 1);
            CliError::new(Exit::Data, message, help)
        };
        let line = String::from_utf8(line).map_err(|error| {
            let byte = error.utf8_error().valid_up_to();
            wrong(format!("not UTF-8 at byte {byte} of the line"), "save the file as UTF-8")
        })?;
        if !is_json {
            prompts.push(Value::String(line.strip_suffix('\r').map(str::to_owned).unwrap_or(line)));
            continue;
        }
        let object = "each line is an object such as {\"prompt\": \"Hello\"}";
        let mut row: Value = serde_json::from_str(&line)
            .map_err(|error| wrong(format!("not JSON at column {}", error.column()), object))?;
        let prompt = row.get_mut("prompt").map(Value::take);
        prompts.push(prompt.ok_or_else(|| wrong("`prompt` is missing".to_owned(), object))?);
    }
    if prompts.is_empty() {
        return Err(CliError::new(
            Exit::Data,
            format!("`{}` holds no prompt", path.display()),
            "write one a line",
        ));
    }
    Ok(prompts)
}

fn prompt_ids(tokenizer: &PairTokenizer, prompt: &Value) -> Result<Vec<u32>, CliError> {
    match prompt {
        Value::String(text) => Ok(tokenizer.encode_text(text, Eos::Never)?),
        messages => {
            let messages: Vec<Message> = serde_json::from_value(messages.clone()).map_err(|_| {
                let message = "`prompt` is neither a string nor a list of messages";
                let help = "write \"prompt\": \"Hello\", or \"prompt\": [{\"role\": \"user\", \"content\": \"Hello\"}]";
                CliError::new(Exit::Data, message, help)
            })?;
            Ok(tokenizer.encode_chat(&messages)?)
        }
    }
}
