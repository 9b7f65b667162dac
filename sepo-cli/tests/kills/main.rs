//! `kill -9` at random moments: the same command, told again, ends with what it makes undisturbed, byte for byte.
//!
//! `cargo test` kills a few times. Many times, with a table of what happened:
//!
//! ```sh
//! SEPO_KILLS=200 cargo test --release -p sepo-cli --test kills -- --nocapture
//! ```
//!
//! `SEPO_KILL_SEED` draws other moments.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod job;
mod life;
#[path = "../support/mod.rs"]
mod support;
mod tree;

use comfy_table::Table;
use job::{jobs, world};
use life::{Killer, Tally};

/// Kills where nobody asks for a number.
const FEW: usize = 20;

fn number(variable: &str) -> Option<usize> {
    std::env::var(variable)
        .ok()
        .map(|value| value.parse().unwrap_or_else(|error| panic!("{variable}: {error}")))
}

#[test]
fn whatever_is_killed_ends_with_the_same_bytes() {
    let n_kills = number("SEPO_KILLS").unwrap_or(FEW);
    let world = world(if n_kills > FEW { 300 } else { 40 });
    let jobs = jobs();
    let mut killer = Killer::new(number("SEPO_KILL_SEED").unwrap_or(0) as u64);
    let mut table = Table::new();
    table.set_header(["command", "seconds", "lives", "kills", "in the first, second, third, last quarter"]);
    let mut total = 0;
    for job in &jobs {
        // Rounded up, so that all together are no fewer than asked for.
        let share = n_kills.div_ceil(jobs.len());
        let tally = killer.torment(&world, job, share);
        let Tally { whole, n_lives, n_kills, quarters } = &tally;
        total += n_kills;
        table.add_row([
            job.name.to_owned(),
            format!("{:.2}", whole.as_secs_f64()),
            n_lives.to_string(),
            n_kills.to_string(),
            quarters.map(|n| n.to_string()).join(", "),
        ]);
        assert!(*n_kills > 0, "`{}` was never killed", job.name);
    }
    println!("{table}\n{total} kills; every life ended with the bytes of an undisturbed run");
    assert!(total >= n_kills, "{total} kills, {n_kills} were asked for");
}

/// Files whose bytes depend on the clock are compared without those parts; two undisturbed runs show that there are no
/// others.
#[test]
fn undisturbed_runs_make_the_same_bytes() {
    let world = world(12);
    for job in jobs() {
        let [one, other] = [(), ()].map(|()| job.run_undisturbed(&world).1);
        one.assert_same(&other, job.name);
        assert!(!one.is_empty(), "`{}` makes nothing", job.name);
    }
}
