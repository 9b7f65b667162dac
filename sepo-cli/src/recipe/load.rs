//! From a file and overrides to a checked recipe.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use sepo_data::{TemplateChoice, is_url};
use sepo_select::SelectConfig;
use sepo_train::TrainConfig;
use toml::de::DeTable;

use super::checked::Recipe;
use super::mistake::{Located, Mistake};
use super::place::Places;
use super::section::{
    DataSection, EvalSection, HashesSection, ModelsSection, OracleSection, RunSection, ScoreSection,
    TokensSection, TrainSection,
};
use super::sections::{OBJECTIVE, SECTIONS, names_of};
use super::source::Sources;
use super::tables::{Tables, text_of};
use super::{check, keys, length, objective, paths};
use crate::args::{ObjectiveArgs, ObjectiveChoice};
use crate::command::{oracle, train};
use crate::exit::{CliError, io_error};
use crate::memory::Memory;
use crate::provenance::OnChange;

/// The recipe at `file` with overrides such as `select.keep_chosen=0.5`, its settings checked and its inputs there.
pub(crate) fn load(file: &Path, overrides: &[String]) -> Result<Recipe, CliError> {
    let text = text_of(file)
        .map_err(|source| CliError { exit: crate::exit::Exit::Usage, ..io_error(file, source) })?;
    let mut recipe = read(file, &text, overrides)?;
    paths::fetch(&mut recipe)?;
    paths::check_models(&recipe, &recipe.places)?;
    length::fit(&mut recipe)?;
    paths::check_data(&recipe, &recipe.places)?;
    Ok(recipe)
}

/// The recipe of this text, its settings checked as far as that needs no other file.
pub(crate) fn read(file: &Path, text: &str, overrides: &[String]) -> Result<Recipe, CliError> {
    let sources = Rc::new(Sources::new(("recipe", file), text, overrides)?);
    let root = sources.parse()?;
    keys::check(&root, &sources, &SECTIONS)?;
    let places = Places::of(&root, Rc::clone(&sources));
    let recipe = Written::read(root, &places)?.resolve(file, places)?;
    check::settings(&recipe, &recipe.places)?;
    Ok(recipe)
}

/// The sections as they are written, defaults filled in.
struct Written {
    run: RunSection,
    data: DataSection,
    tokens: TokensSection,
    models: ModelsSection,
    oracle: OracleSection,
    oracle_train: TrainConfig,
    score: ScoreSection,
    select: SelectConfig,
    objective: ObjectiveChoice,
    /// Where the objective stands.
    objective_section: &'static str,
    train: TrainConfig,
    eval: EvalSection,
    hashes: HashesSection,
}

impl Written {
    fn read(mut root: DeTable<'_>, places: &Places) -> Result<Self, Located> {
        let mut tables = Tables { root: &mut root, places };
        let run: RunSection = tables.whole("run")?;
        let mut oracle_train: TrainConfig = tables.part("oracle", &names_of::<TrainConfig>())?;
        let mut train: TrainConfig = tables.part("train", &names_of::<TrainConfig>())?;
        for (name, config, learning_rate) in [
            ("oracle", &mut oracle_train, oracle::LEARNING_RATE),
            ("train", &mut train, train::LEARNING_RATE),
        ] {
            if !places.has(&format!("{name}.learning_rate")) {
                config.learning_rate = learning_rate;
            }
            if !places.has(&format!("{name}.seed")) {
                config.seed = run.seed;
            }
            // TOML has no null: 0 says that nothing is clipped, as on the command line.
            config.max_grad_norm = config.max_grad_norm.filter(|norm| *norm != 0.0);
        }
        let settings: ObjectiveArgs = tables.part("train", &names_of::<ObjectiveArgs>())?;
        let TrainSection { objective: name } = tables.whole("train")?;
        let (objective, objective_section) = match objective::take(&mut tables)? {
            Some(composed) => (composed, OBJECTIVE.name),
            None => (ObjectiveChoice::named(name, settings), "train"),
        };
        Ok(Self {
            run,
            oracle_train,
            train,
            objective,
            objective_section,
            oracle: tables.whole("oracle")?,
            data: tables.whole("data")?,
            tokens: tables.whole("tokens")?,
            models: tables.whole("models")?,
            score: tables.whole("score")?,
            select: tables.whole("select")?,
            eval: tables.whole("eval")?,
            hashes: tables.whole("hashes")?,
        })
    }

    fn resolve(self, file: &Path, places: Places) -> Result<Recipe, Located> {
        let dir = file.parent().unwrap_or(Path::new(""));
        let beside = |path: PathBuf| if path.to_str().is_some_and(is_url) { path } else { dir.join(path) };
        let all_beside = |inputs: Vec<String>| {
            inputs.into_iter().map(|input| beside(PathBuf::from(input)).display().to_string())
        };
        let missing = |key: &'static str, help: &str| {
            let section = key.split('.').next().unwrap_or(key);
            let located = places.at_key(section, Mistake::Missing { key }, "belongs into this section");
            located.with_help(help)
        };
        let mut data = self.data;
        data.inputs = all_beside(data.inputs).collect();
        data.eval = all_beside(data.eval).collect();
        check::data(&data, &places)?;
        if data.eval_fraction.is_some() {
            data.eval.clone_from(&data.inputs);
        }
        if data.inputs.is_empty() {
            return Err(missing("data.inputs", "name files, folders or globs: `inputs = [\"pairs.jsonl\"]`"));
        }
        let objective = check::objective(&self.objective, self.objective_section, &places)?;
        let mut tokens = self.tokens.config();
        if let TemplateChoice::File(path) = &mut tokens.template {
            *path = dir.join(&*path);
        }
        let ModelsSection { base, reference, policy } = self.models;
        let base = base.or_else(|| reference.clone());
        Ok(Recipe {
            file: file.to_owned(),
            out: beside(self.run.out.ok_or_else(|| missing("run.out", "name the folder for all results"))?),
            threads: self.run.threads,
            memory: Memory::limited_to(self.run.memory_limit),
            on_change: OnChange::default(),
            base: beside(base.ok_or_else(|| {
                missing("models.base", "name the model folder that the oracle is made from")
            })?),
            reference: reference.map(beside),
            policy: beside(
                policy
                    .ok_or_else(|| missing("models.policy", "name the model folder that is to be aligned"))?,
            ),
            data,
            tokens,
            oracle: self.oracle,
            oracle_train: self.oracle_train,
            score: self.score,
            select: self.select,
            objective,
            objective_choice: self.objective,
            train: self.train,
            eval: self.eval,
            hashes: self.hashes,
            places,
        })
    }
}
