//! Rows a second out of JSON lines, a JSON array and Parquet, against the same lines as trees of JSON values, one after the other.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sepo_data::format::write_pairs;
use sepo_data::{Message, PairContent, PairRow, ReadConfig, open_pairs};

/// Pairs of a file; a response has the length of UltraFeedback's, about 1500 bytes.
const N_PAIRS: usize = 2_000;
const RESPONSE_BYTES: usize = 1_500;

fn words(rng: &mut ChaCha8Rng, n_bytes: usize) -> String {
    let mut text = String::with_capacity(n_bytes + 16);
    while text.len() < n_bytes {
        let n_letters = rng.random_range(1..9);
        text.extend((0..n_letters).map(|_| char::from(rng.random_range(b'a'..=b'z'))));
        text.push(if rng.random_bool(0.05) { '\n' } else { ' ' });
    }
    text
}

fn pairs(group: &str) -> Vec<PairContent> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let turn = |role: &str, content| vec![Message { role: role.to_owned(), content }];
    let ids =
        |rng: &mut ChaCha8Rng, n: usize| (0..n).map(|_| rng.random_range(0..32_000)).collect::<Vec<u32>>();
    let mut pair = |_| match group {
        "explicit" => PairContent::Text {
            prompt: words(&mut rng, 300),
            chosen: words(&mut rng, RESPONSE_BYTES),
            rejected: words(&mut rng, RESPONSE_BYTES),
        },
        "conversational" => PairContent::Chat {
            prompt: turn("user", words(&mut rng, 300)),
            chosen: turn("assistant", words(&mut rng, RESPONSE_BYTES)),
            rejected: turn("assistant", words(&mut rng, RESPONSE_BYTES)),
        },
        _ => PairContent::Tokens {
            prompt_ids: ids(&mut rng, 75),
            chosen_ids: ids(&mut rng, RESPONSE_BYTES / 4),
            rejected_ids: ids(&mut rng, RESPONSE_BYTES / 4),
        },
    };
    (0..N_PAIRS).map(&mut pair).collect()
}

fn n_pairs(path: &Path) -> usize {
    let reader =
        open_pairs(&[path.display().to_string()], &ReadConfig::default()).expect("the file was just written");
    reader.filter(|row| matches!(black_box(row), Ok(PairRow::Pair(_)))).count()
}

/// What a script does: the file at once, a tree for each line, its columns by name.
fn n_lines(path: &Path) -> usize {
    let text = std::fs::read_to_string(path).expect("the file was just written");
    let rows = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an object"));
    rows.filter(|row| row.get("chosen").or(row.get("chosen_ids")).is_some()).count()
}

fn as_array(lines: &Path) -> PathBuf {
    let text = std::fs::read_to_string(lines).expect("the file was just written");
    let path = lines.with_extension("json");
    std::fs::write(&path, format!("[{}]", text.trim_end().replace('\n', ",\n")))
        .expect("the folder is writable");
    path
}

fn read(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    for shape in ["explicit", "conversational", "tokenized"] {
        let mut group = criterion.benchmark_group(format!("read/{shape}"));
        group.throughput(Throughput::Elements(N_PAIRS as u64)).sample_size(10);
        let pairs = pairs(shape);
        let lines = dir.path().join("a.jsonl");
        let parquet = dir.path().join("a.parquet");
        for path in [&lines, &parquet] {
            write_pairs(path, &pairs).expect("the folder is writable");
        }
        for (name, path) in [("jsonl", lines.clone()), ("json", as_array(&lines)), ("parquet", parquet)] {
            assert_eq!(n_pairs(&path), N_PAIRS);
            group.bench_with_input(BenchmarkId::new(name, N_PAIRS), &path, |bencher, path| {
                bencher.iter(|| n_pairs(path));
            });
        }
        assert_eq!(n_lines(&lines), N_PAIRS);
        group.bench_function(BenchmarkId::new("json-values", N_PAIRS), |bencher| {
            bencher.iter(|| n_lines(black_box(&lines)));
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    targets = read
}
criterion_main!(benches);
