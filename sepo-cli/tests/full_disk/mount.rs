//! A small file system, and what lies there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file system in memory that is unmounted at the end.
pub(super) struct Mount(PathBuf);

impl Mount {
    /// With options such as `size=16k`, at `dir`; `None`, said on stdout, where this user may not mount.
    #[expect(clippy::print_stdout, reason = "a test says what it skips")]
    pub(super) fn new(dir: &str, options: &str) -> Option<Self> {
        std::fs::create_dir_all(dir).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs", dir]).stderr(Stdio::null());
        let is_mounted = mount.status().is_ok_and(|status| status.success());
        if !is_mounted {
            println!("skipped: `mount -t tmpfs` is not permitted here");
        }
        is_mounted.then(|| Self(PathBuf::from(dir)))
    }

    /// The same file system with other options.
    pub(super) fn again_with(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// Names below a folder that are not whole: temporary ones.
pub(super) fn unfinished(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('.') {
            found.push(path.clone());
        }
        if path.is_dir() {
            found.extend(unfinished(&path));
        }
    }
    found
}
