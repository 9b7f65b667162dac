//! The folder for what is fetched from object stores and servers.

use std::path::PathBuf;

use super::RemoteError;

/// `SEPO_CACHE`, or `sepo` in `XDG_CACHE_HOME`, in `.cache` of `HOME`, or in `LOCALAPPDATA`.
pub(super) fn folder() -> Result<PathBuf, RemoteError> {
    folder_of(|name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
}

fn folder_of(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf, RemoteError> {
    variable("SEPO_CACHE")
        .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("sepo")))
        .or_else(|| Some(variable("HOME")?.join(".cache/sepo")))
        .or_else(|| Some(variable("LOCALAPPDATA")?.join("sepo")))
        .ok_or(RemoteError::NoCache { variables: "SEPO_CACHE, XDG_CACHE_HOME, HOME and LOCALAPPDATA" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_the_first_that_a_variable_names() {
        let of = |set: &[&str]| {
            let found = folder_of(|name| set.contains(&name).then(|| PathBuf::from(format!("/{name}"))));
            found.map(|path| path.display().to_string())
        };
        assert_eq!(of(&["HOME", "SEPO_CACHE"]).unwrap(), "/SEPO_CACHE");
        assert_eq!(of(&["HOME", "XDG_CACHE_HOME"]).unwrap(), "/XDG_CACHE_HOME/sepo");
        assert_eq!(of(&["HOME"]).unwrap(), "/HOME/.cache/sepo");
        assert!(of(&[]).unwrap_err().to_string().contains("SEPO_CACHE"));
    }
}
