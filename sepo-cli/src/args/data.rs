//! Which data, and how it becomes token ids.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sepo_data::{
    Bos, Boundary, DataError, Dedup, Eos, EvalFraction, LongPrompt, Mix, MixEnd, PairFormat, Part,
    ReadConfig, SourceConfig, TemplateChoice, TextHandling, TokenizeConfig, TruncationConfig,
};
use sepo_train::Spill;
use serde::{Deserialize, Serialize};

/// What the `data` commands read. After a command's own flags: clap puts what follows below the last heading.
#[derive(Debug, Clone, Args)]
pub(crate) struct InputArgs {
    /// Files, folders, globs or URLs
    #[arg(required = true, value_name = "DATA")]
    pub(crate) inputs: Vec<String>,
    #[command(flatten)]
    pub(crate) read: DataArgs,
}

/// Pairs as a model sees them. After a command's own flags, as [`InputArgs`].
#[derive(Debug, Clone, Args)]
pub(crate) struct PairArgs {
    /// Pairs
    #[arg(long, value_name = "DATA", required = true, num_args = 1..)]
    pub(crate) data: Vec<String>,
    #[command(flatten)]
    pub(crate) read: DataArgs,
    #[command(flatten)]
    pub(crate) tokens: TokenArgs,
}

/// How commands that only run a model forward group pairs.
#[derive(Debug, Clone, Args)]
pub(crate) struct ForwardArgs {
    /// Tokens of a forward pass; a longer pair runs alone
    #[arg(long, value_name = "N", default_value = "8192")]
    pub(crate) tokens_per_batch: NonZeroUsize,
}

/// Flags of every command that reads pairs.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Data")]
pub(crate) struct DataArgs {
    /// Format, where it is not to be detected: explicit, conversational, hh-rlhf, sharegpt, tokenized or text
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<PairFormat>,
    /// Split of a folder in the Hub's layout
    #[arg(long, value_name = "NAME")]
    pub(crate) split: Option<String>,
    /// Column that holds the prompt
    #[arg(long, value_name = "NAME")]
    pub(crate) prompt_column: Option<String>,
    /// Column that holds the preferred response
    #[arg(long, value_name = "NAME")]
    pub(crate) chosen_column: Option<String>,
    /// Column that holds the dispreferred response
    #[arg(long, value_name = "NAME")]
    pub(crate) rejected_column: Option<String>,
    /// Stop at the first row that cannot be used
    #[arg(long)]
    pub(crate) strict: bool,
    /// Stop after more unusable rows than this
    #[arg(long, value_name = "N")]
    pub(crate) max_bad_rows: Option<u64>,
    /// Use the first N rows only
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Mix the inputs in these shares, one for each in order, such as `0.7,0.3`; no pair comes twice
    #[arg(long, value_name = "WEIGHTS", value_delimiter = ',')]
    pub(crate) mix: Vec<f64>,
    /// Seed of the mix
    #[arg(long, value_name = "N", default_value_t = 0, requires = "mix")]
    pub(crate) mix_seed: u64,
    /// When the mix ends: with the first input that has no more pairs, or with all
    #[arg(long, value_enum, default_value_t = MixEndArg::First, requires = "mix")]
    pub(crate) mix_end: MixEndArg,
    /// Leave out pairs that were there before: the same prompt, chosen and rejected response
    #[arg(long)]
    pub(crate) dedup: bool,
    /// The one part of a split, where pairs are held out.
    #[arg(skip)]
    pub(crate) part: Option<(EvalFraction, Part)>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MixEndArg {
    #[default]
    First,
    All,
}

impl From<MixEnd> for MixEndArg {
    fn from(end: MixEnd) -> Self {
        match end {
            MixEnd::First => Self::First,
            MixEnd::All => Self::All,
        }
    }
}

impl From<MixEndArg> for MixEnd {
    fn from(end: MixEndArg) -> Self {
        match end {
            MixEndArg::First => Self::First,
            MixEndArg::All => Self::All,
        }
    }
}

/// The flag of commands that tell pairs to train on from pairs to measure on.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct HeldOutArgs {
    /// Share of the pairs that is held out, by a hash of their content: trained on are the others, measured on only these
    #[arg(long, value_name = "SHARE")]
    pub(crate) eval_fraction: Option<EvalFraction>,
}

impl DataArgs {
    /// The same pairs, but of them the one part only; all where no share is held out.
    pub(crate) fn part(&self, held_out: HeldOutArgs, part: Part) -> Self {
        Self { part: held_out.eval_fraction.map(|fraction| (fraction, part)), ..self.clone() }
    }

    /// What is held out of these, where they are the pairs to train on.
    pub(crate) fn held_out(&self) -> Option<Self> {
        let part = self.part.filter(|(_, part)| *part == Part::Train);
        part.map(|(fraction, _)| Self { part: Some((fraction, Part::Eval)), ..self.clone() })
    }

    pub(crate) fn mix(&self) -> Option<Mix> {
        let is_mixed = !self.mix.is_empty();
        is_mixed.then(|| Mix { weights: self.mix.clone(), seed: self.mix_seed, end: self.mix_end.into() })
    }

    /// Which pairs come out in what order; `spill` is of one collection of examples.
    pub(crate) fn source_config(&self, spill: &Spill) -> SourceConfig {
        // Pairs, pairs to measure on and the hashes of either: half as much for these.
        let dedup = Dedup { bytes_in_memory: spill.bytes_in_memory / 2, dir: spill.dir.clone() };
        SourceConfig {
            read: self.read_config(),
            mix: self.mix(),
            dedup: self.dedup.then_some(dedup),
            limit: self.limit,
            part: self.part,
        }
    }

    /// The same for `inputs` that are read beside others with the same flags: a split that only the others can have, as
    /// folders do, is not asked of these.
    pub(crate) fn beside(&self, inputs: &[String], others: &[String]) -> Self {
        let has_folder = |inputs: &[String]| inputs.iter().any(|input| std::path::Path::new(input).is_dir());
        let split = self.split.clone().filter(|_| has_folder(inputs) || !has_folder(others));
        Self { split, ..self.clone() }
    }

    /// The files of each input of a mix, or of all inputs together.
    pub(crate) fn files(&self, inputs: &[String]) -> Result<Vec<Vec<PathBuf>>, DataError> {
        // Where the hashes of duplicates would lie has no say.
        self.source_config(&Spill { bytes_in_memory: 0, dir: PathBuf::new() }).files(inputs)
    }

    pub(crate) fn read_config(&self) -> ReadConfig {
        ReadConfig {
            format: self.format,
            split: self.split.clone(),
            prompt_column: self.prompt_column.clone(),
            chosen_column: self.chosen_column.clone(),
            rejected_column: self.rejected_column.clone(),
            ..ReadConfig::default()
        }
    }
}

/// Flags of every command that makes token ids.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Tokens")]
pub(crate) struct TokenArgs {
    /// Tokens of prompt and response together [default: 1024, or the model's positions where it has fewer]
    #[arg(long, value_name = "N")]
    pub(crate) max_length: Option<usize>,
    /// Tokens of the prompt [default: what the longer response leaves, at least half]
    #[arg(long, value_name = "N")]
    pub(crate) max_prompt_length: Option<usize>,
    /// What happens to a longer prompt
    #[arg(long, value_enum, default_value_t = LongPromptArg::Truncate)]
    pub(crate) long_prompt: LongPromptArg,
    #[command(flatten)]
    pub(crate) template: TemplateArgs,
    /// Render plain strings through the chat template too
    #[arg(long)]
    pub(crate) text_as_chat: bool,
    /// Beginning-of-sequence token: as the tokenizer would, always, or never
    #[arg(long, value_enum, default_value_t = BosArg::Auto)]
    pub(crate) bos: BosArg,
    /// Leave out the closing end-of-sequence token
    #[arg(long)]
    pub(crate) no_eos: bool,
    /// Where a token would straddle prompt and response: tokenize the response alone, or skip the pair
    #[arg(long, value_enum, default_value_t = BoundaryArg::Resplit)]
    pub(crate) boundary: BoundaryArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LongPromptArg {
    Truncate,
    Skip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BosArg {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BoundaryArg {
    Resplit,
    Strict,
}

/// How a conversation becomes text.
#[derive(Debug, Clone, Args)]
pub(crate) struct TemplateArgs {
    /// `model`, `chatml`, `plain`, or a file with a Jinja template
    #[arg(long, value_name = "TEMPLATE", default_value = "model")]
    pub(crate) chat_template: String,
}

impl TemplateArgs {
    pub(crate) fn choice(&self) -> TemplateChoice {
        template_choice(&self.chat_template)
    }
}

/// `model`, a built-in template's name, or a file.
pub(crate) fn template_choice(typed: &str) -> TemplateChoice {
    match typed {
        "model" => TemplateChoice::Model,
        name if sepo_data::BUILTIN_NAMES.contains(&name) => TemplateChoice::Builtin(name.to_owned()),
        path => TemplateChoice::File(path.into()),
    }
}

impl TokenArgs {
    /// The first of them that differs from its default, or is a length.
    pub(crate) fn typed(&self) -> Option<&'static str> {
        let typed = [
            ("--max-length", self.max_length.is_some()),
            ("--max-prompt-length", self.max_prompt_length.is_some()),
            ("--long-prompt", self.long_prompt != LongPromptArg::Truncate),
            ("--chat-template", self.template.choice() != TemplateChoice::Model),
            ("--text-as-chat", self.text_as_chat),
            ("--bos", self.bos != BosArg::Auto),
            ("--no-eos", self.no_eos),
            ("--boundary", self.boundary != BoundaryArg::Resplit),
        ];
        typed.into_iter().find(|(_, is_typed)| *is_typed).map(|(flag, _)| flag)
    }

    /// The configuration; `max_length` is what became of the flag beside the models' positions.
    pub(crate) fn config(&self, max_length: usize) -> TokenizeConfig {
        TokenizeConfig {
            boundary: match self.boundary {
                BoundaryArg::Resplit => Boundary::Resplit,
                BoundaryArg::Strict => Boundary::Strict,
            },
            bos: match self.bos {
                BosArg::Auto => Bos::Auto,
                BosArg::Always => Bos::Always,
                BosArg::Never => Bos::Never,
            },
            eos: if self.no_eos { Eos::Never } else { Eos::Append },
            text: if self.text_as_chat { TextHandling::AsChat } else { TextHandling::Plain },
            template: self.template.choice(),
            truncation: TruncationConfig {
                max_length,
                max_prompt_length: self.max_prompt_length,
                long_prompt: match self.long_prompt {
                    LongPromptArg::Truncate => LongPrompt::Truncate,
                    LongPromptArg::Skip => LongPrompt::Skip,
                },
            },
            ..TokenizeConfig::default()
        }
    }
}
