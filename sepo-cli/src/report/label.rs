//! Short names for runs that are drawn together.

use std::path::{Path, PathBuf};

/// A name for each run in the legends, no two the same.
///
/// Of the run's path below `root`, first what tells nothing at its end is left out (`dpo/learning-rate-1` is `dpo`, where
/// `dpo` holds no other run), then as many folders in front as all runs of that depth can spare: `oracle/reference` is
/// `reference`, where no other run ends so. The run in `root` itself is `root/`.
pub(crate) fn labels(root: &Path, runs: &[PathBuf]) -> Vec<String> {
    let whole: Vec<Vec<String>> = runs.iter().map(|run| names(root, run)).collect();
    let paths: Vec<&[String]> = whole.iter().map(|path| without_lonely_end(path, &whole)).collect();
    let is_own = |path: &[String], n: usize| {
        paths.iter().filter(|other| other.ends_with(&path[path.len() - n..])).count() == 1
    };
    let label = |path: &&[String]| {
        let suffices =
            |n: &usize| paths.iter().filter(|other| other.len() == path.len()).all(|other| is_own(other, *n));
        // A whole path that is the end of a deeper one is the shorter of the two.
        let n = (1..path.len()).find(suffices).unwrap_or(path.len());
        path[path.len() - n..].join("/")
    };
    paths.iter().map(label).collect()
}

/// The path up to the folder in which the run is alone.
fn without_lonely_end<'a>(path: &'a [String], all: &[Vec<String>]) -> &'a [String] {
    let is_alone_in = |n: &usize| all.iter().filter(|other| other.starts_with(&path[..*n])).count() == 1;
    let n = (1..path.len()).find(is_alone_in).unwrap_or(path.len());
    &path[..n]
}

fn names(root: &Path, run: &Path) -> Vec<String> {
    let below = run.strip_prefix(root).unwrap_or(run);
    let names: Vec<String> =
        below.components().map(|name| name.as_os_str().to_string_lossy().into_owned()).collect();
    if names.is_empty() {
        // The slash: a folder below may have the same name.
        let name = root.file_name().map(|name| name.to_string_lossy());
        return vec![format!("{}/", name.unwrap_or(".".into()))];
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(root: &str, runs: &[&str]) -> Vec<String> {
        let runs: Vec<PathBuf> = runs.iter().map(|run| Path::new(root).join(run)).collect();
        labels(Path::new(root), &runs)
    }

    #[test]
    fn a_run_has_its_folders_name_where_no_other_has_it() {
        assert_eq!(
            of("out", &["oracle/oracle", "oracle/reference", "train"]),
            ["oracle", "reference", "train"]
        );
    }

    #[test]
    fn runs_in_folders_of_one_name_are_told_apart_by_the_folder_above() {
        let runs = ["a/sepo/lr-4", "a/sepo/lr-5", "a/dpo/lr-4", "a/dpo/lr-6"];
        assert_eq!(of("out", &runs), ["sepo/lr-4", "sepo/lr-5", "dpo/lr-4", "dpo/lr-6"]);
        assert_eq!(of("out", &["x", "x/x", "x/y"]), ["x", "x/x", "x/y"]);
    }

    #[test]
    fn folders_below_the_one_that_tells_the_run_are_left_out() {
        assert_eq!(
            of("out", &["oracle", "policies/sepo/lr-4", "policies/dpo/lr-5"]),
            ["oracle", "sepo", "dpo"]
        );
        assert_eq!(of("out", &["first/train", "second/train"]), ["first", "second"]);
    }

    #[test]
    fn a_run_in_the_root_has_the_roots_name() {
        assert_eq!(of("runs/first", &["", "oracle"]), ["first/", "oracle"]);
        assert_eq!(of("runs/first", &["", "first"]), ["first/", "first"]);
    }
}
