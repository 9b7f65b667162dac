//! A job from an empty folder to its end, killed on the way.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::job::{Job, MADE};
use crate::support::World;
use crate::tree::Tree;

/// After so many kills a job is left in peace until its end, and begins anew.
const KILLS_A_LIFE: usize = 12;

/// What became of a job.
pub(crate) struct Tally {
    /// How long it takes undisturbed.
    pub(crate) whole: Duration,
    pub(crate) n_lives: usize,
    pub(crate) n_kills: usize,
    /// Kills by the time since the start of the process, against that of a whole run.
    pub(crate) quarters: [usize; 4],
}

/// Draws moments.
pub(crate) struct Killer {
    rng: ChaCha8Rng,
}

/// When a process is killed.
enum Moment {
    After(Duration),
    /// So long after the names in the folder have changed so many times.
    Change(usize, Duration),
    Never,
}

impl Killer {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Kills `job` `n_kills` times at least, and compares the end of every life with that of an undisturbed run.
    pub(crate) fn torment(&mut self, world: &World, job: &Job, n_kills: usize) -> Tally {
        let (whole, expected) = job.run_undisturbed(world);
        let mut tally = Tally { whole, n_lives: 0, n_kills: 0, quarters: [0; 4] };
        while tally.n_kills < n_kills {
            job.begin(world);
            let mut n_left = KILLS_A_LIFE;
            loop {
                let moment = if n_left == 0 { Moment::Never } else { self.moment(whole) };
                let Some(lived) = live(world, job, &moment) else { break };
                n_left -= 1;
                tally.n_kills += 1;
                let quarter = 4.0 * lived.as_secs_f64() / whole.as_secs_f64();
                tally.quarters[[0.0, 1.0, 2.0, 3.0].iter().rposition(|from| quarter >= *from).unwrap()] += 1;
            }
            tally.n_lives += 1;
            Tree::read(world).assert_same(&expected, &format!("{} after {} kills", job.name, tally.n_kills));
        }
        tally
    }

    /// Anywhere in the run, and often where files come, change their names or go.
    fn moment(&mut self, whole: Duration) -> Moment {
        if self.rng.random_range(0..2) == 0 {
            Moment::After(whole.mul_f64(self.rng.random_range(0.0..1.0)))
        } else {
            let pause = Duration::from_micros(self.rng.random_range(0..1500));
            Moment::Change(self.rng.random_range(1..12), pause)
        }
    }
}

/// How long the process lived, where it was killed; `None` where it came to its end first.
fn live(world: &World, job: &Job, moment: &Moment) -> Option<Duration> {
    let start = Instant::now();
    let mut child = world.command(job.line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    match moment {
        Moment::After(pause) => std::thread::sleep(*pause),
        Moment::Change(n, pause) => {
            wait_for_changes(world, &mut child, *n);
            std::thread::sleep(*pause);
        }
        Moment::Never => {}
    }
    if !matches!(moment, Moment::Never) {
        // SIGKILL. A process that has ended stays a zombie until it is waited for, so no other is hit.
        child.kill().unwrap();
    }
    let lived = start.elapsed();
    let output = child.wait_with_output().unwrap();
    match output.status.code() {
        None => Some(lived),
        Some(0) => None,
        Some(code) => panic!("{} ended with {code}: {}", job.name, String::from_utf8_lossy(&output.stderr)),
    }
}

/// Waits until names in the folder have changed `n` times, or the process has ended.
fn wait_for_changes(world: &World, child: &mut Child, n: usize) {
    let made = world.path(MADE);
    let mut before = names(Path::new(&made));
    let mut n_changes = 0;
    while n_changes < n && child.try_wait().unwrap().is_none() {
        let now = names(Path::new(&made));
        n_changes += usize::from(now != before);
        before = now;
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Names at any depth; a folder that goes while it is read has none.
fn names(dir: &Path) -> BTreeSet<std::path::PathBuf> {
    let mut names = BTreeSet::new();
    let Ok(entries) = std::fs::read_dir(dir) else { return names };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            names.extend(self::names(&path));
        }
        names.insert(path);
    }
    names
}
