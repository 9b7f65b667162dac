//! Pairs to ids: tokens a second of the stream on one thread and on all, against the plain loop and against the
//! `tokenizers` library with its places of every byte; and a file to ids, reading included.
//!
//! The tokenizer is a byte-level BPE of 4000 tokens trained on the bench's own text, so that the bench needs no file;
//! the prompts are about 120 tokens and the responses 60 to 180, as in HH-RLHF.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sepo_data::format::write_pairs;
use sepo_data::{
    EncodedRow, PairContent, PairTokenizer, PreferencePair, ReadConfig, TokenizeConfig, open_pairs,
};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

const N_PAIRS: u64 = 1024;

/// Words of a made-up language with the lengths of English ones, the first ones the most frequent.
fn words(rng: &mut ChaCha8Rng) -> Vec<String> {
    let syllables = ["ka", "to", "ri", "men", "sol", "ve", "tra", "in", "est", "o", "lu", "pha", "é", "日"];
    (0..3000)
        .map(|_| {
            (0..rng.random_range(1..5)).map(|_| syllables[rng.random_range(0..syllables.len())]).collect()
        })
        .collect()
}

fn sentence(words: &[String], n_words: usize, rng: &mut ChaCha8Rng) -> String {
    let mut text = String::new();
    for i in 0..n_words {
        let rank: f64 = rng.random::<f64>().powi(3);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank below the number of words"
        )]
        let word = &words[(rank * words.len() as f64) as usize];
        text.push_str(word);
        text.push_str(if i % 12 == 11 { ".\n" } else { " " });
    }
    text
}

fn pairs(words: &[String], rng: &mut ChaCha8Rng) -> Vec<PreferencePair> {
    (0..N_PAIRS)
        .map(|row| {
            let mut response = || format!(" {}", sentence(words, rng.random_range(40..120), rng));
            let (chosen, rejected) = (response(), response());
            let prompt = format!("\n\nHuman: {}\n\nAssistant:", sentence(words, 80, rng));
            let content = PairContent::Text { prompt, chosen, rejected };
            PreferencePair { row, file: std::sync::Arc::default(), file_row: row, content }
        })
        .collect()
}

fn train(dir: &Path, text: &[String]) -> PairTokenizer {
    let byte_level = ByteLevel::new(false, true, true);
    let mut tokenizer = Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(byte_level)).with_decoder(Some(byte_level));
    let mut trainer: TrainerWrapper = BpeTrainerBuilder::new()
        .vocab_size(4000)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![AddedToken::from("</s>", true)])
        .build()
        .into();
    tokenizer.train(&mut trainer, text.iter()).expect("training on valid text");
    tokenizer.save(dir.join("tokenizer.json"), false).expect("a writable folder");
    std::fs::write(dir.join("config.json"), r#"{"eos_token_id": 0}"#).expect("a writable folder");
    PairTokenizer::from_model_dir(dir, &TokenizeConfig::default()).expect("the tokenizer just written")
}

fn encode(c: &mut Criterion) {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let words = words(&mut rng);
    let text: Vec<String> = (0..200).map(|_| sentence(&words, 200, &mut rng)).collect();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let tokenizer = train(dir.path(), &text);
    let pairs = pairs(&words, &mut rng);

    let mut stream = tokenizer.encode_stream(pairs.clone());
    let streamed: Vec<_> = stream.by_ref().map(|pair| pair.expect("a usable pair")).collect();
    let n_tokens = stream.report().n_tokens();
    let looped: Vec<_> =
        pairs.iter().map(|pair| tokenizer.encode(pair).expect("a usable pair").pair).collect();
    assert_eq!(streamed, looped);

    let mut group = c.benchmark_group("encode/hh-like");
    group.throughput(Throughput::Elements(n_tokens)).sample_size(10);
    group.bench_function(format!("loop/{N_PAIRS}"), |b| {
        b.iter(|| pairs.iter().filter(|pair| tokenizer.encode(black_box(pair)).is_ok()).count());
    });
    for n_threads in [1, rayon::current_num_threads()] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().expect("a thread pool");
        group.bench_function(format!("stream-{n_threads}-threads/{N_PAIRS}"), |b| {
            b.iter_batched(
                || pairs.clone(),
                |pairs| {
                    pool.install(|| tokenizer.encode_stream(black_box(pairs)).filter(Result::is_ok).count())
                },
                criterion::BatchSize::LargeInput,
            );
        });
    }
    let library =
        Tokenizer::from_file(dir.path().join("tokenizer.json")).expect("the tokenizer just written");
    group.bench_function(format!("library/{N_PAIRS}"), |b| {
        b.iter(|| pairs.iter().map(|pair| library_tokens(&library, pair)).sum::<usize>());
    });
    group.finish();

    let path = dir.path().join("pairs.jsonl");
    write_pairs(&path, pairs.iter().map(|pair| &pair.content)).expect("a writable folder");
    let tokenizer = Arc::new(tokenizer);
    let read = |n_threads| {
        let rows =
            open_pairs(&[path.display().to_string()], &ReadConfig::default()).expect("the file just written");
        tokenizer.encode_rows(rows, n_threads).filter(|row| matches!(row, Ok(EncodedRow::Pair(_)))).count()
            as u64
    };
    assert_eq!(read(2), N_PAIRS);
    let n_bytes = std::fs::metadata(&path).expect("the file just written").len();
    let mut group = c.benchmark_group("read-and-encode/hh-like");
    group.throughput(Throughput::Bytes(n_bytes)).sample_size(10);
    for n_threads in [1, 2] {
        group.bench_function(format!("rows-{n_threads}-threads/{N_PAIRS}"), |b| {
            b.iter(|| read(black_box(n_threads)))
        });
    }
    group.finish();
}

/// The three texts that a pair needs, as the library encodes them.
fn library_tokens(library: &Tokenizer, pair: &PreferencePair) -> usize {
    let PairContent::Text { prompt, chosen, rejected } = &pair.content else { return 0 };
    [prompt.clone(), [prompt.as_str(), chosen].concat(), [prompt.as_str(), rejected].concat()]
        .into_iter()
        .map(|text| library.encode(text, false).map_or(0, |encoding| encoding.len()))
        .sum()
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    targets = encode
}
criterion_main!(benches);
