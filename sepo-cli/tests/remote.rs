//! Inputs by URL: from servers of this machine that stand for those of others, and from a Hub's cache that was put there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::{USAGE, World};

#[test]
fn a_url_that_nobody_answers_for_is_refused_before_anything_is_done() {
    let world = World::new(3);
    let refuse = |url: &str, names: &[&str]| {
        world.sepo(&format!("data check {url}")).fails(USAGE, names);
        world.sepo(&format!("sft --model {url} --data pairs.jsonl --out out")).fails(USAGE, names);
    };
    refuse("ftp://host/pairs.jsonl", &["cannot fetch `ftp://host/pairs.jsonl`", "`ftp` is no scheme"]);
    if !cfg!(feature = "cloud") {
        refuse("s3://bucket/pairs.jsonl", &["without the feature `cloud`", "--features cloud"]);
        refuse("https://me:secret@host/a.jsonl?k=v", &["cannot fetch `https://host/a.jsonl`", "`cloud`"]);
    }
    if !cfg!(feature = "hub") {
        refuse("hf://models/org/name", &["without the feature `hub`", "--features hub"]);
    }
    assert!(!std::path::Path::new(&world.path("out")).exists());
}

/// A server of files.
#[cfg(any(feature = "cloud", feature = "hub"))]
mod server {
    use std::collections::BTreeMap;
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    use super::support::Ran;

    /// What is answered to a path with its query: status, further headers, body.
    pub(crate) type Pages = BTreeMap<String, (u16, Vec<(&'static str, String)>, Vec<u8>)>;

    /// The first line of a request, and its headers.
    pub(crate) type Request = (String, BTreeMap<String, String>);

    pub(crate) struct Server {
        pub(crate) port: u16,
        pub(crate) requests: Arc<Mutex<Vec<Request>>>,
        /// Bytes of a body that are sent before the line goes dead.
        pub(crate) most_bytes: Arc<AtomicUsize>,
    }

    impl Server {
        pub(crate) fn of(pages: Pages) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let requests = Arc::<Mutex<Vec<_>>>::default();
            let most_bytes = Arc::new(AtomicUsize::new(usize::MAX));
            let (seen, most) = (Arc::clone(&requests), Arc::clone(&most_bytes));
            let pages = Arc::new(pages);
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let (pages, seen, most) = (Arc::clone(&pages), Arc::clone(&seen), Arc::clone(&most));
                    std::thread::spawn(move || {
                        // The other side may have gone.
                        let _ = answer(&stream, &pages, &seen, most.load(Ordering::Relaxed));
                    });
                }
            });
            Self { port, requests, most_bytes }
        }

        pub(crate) fn url(&self, path: &str) -> String {
            format!("http://127.0.0.1:{}{path}", self.port)
        }

        /// The requests since the last call, each as its first line and its range.
        pub(crate) fn taken(&self) -> Vec<String> {
            let requests = std::mem::take(&mut *self.requests.lock().unwrap());
            let line = |(line, headers): Request| {
                let range = headers.get("range").cloned().unwrap_or_default();
                format!("{} {range}", line.trim_end_matches(" HTTP/1.1")).trim().to_owned()
            };
            requests.into_iter().map(line).collect()
        }
    }

    /// Runs `command` until a file that `is_begun` says to be on its way is there, and sends it the signal of Ctrl-C.
    pub(crate) fn interrupted_while(
        command: &mut Command,
        cache: &str,
        is_begun: impl Fn(&Path) -> bool,
    ) -> Ran {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let start = Instant::now();
        while !files_below(Path::new(cache)).iter().any(|file| is_begun(file)) {
            assert!(start.elapsed() < Duration::from_secs(30), "nothing is fetched");
            std::thread::sleep(Duration::from_millis(5));
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        super::support::ended(child.wait_with_output().unwrap())
    }

    /// Every file below a folder, by name.
    pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                found.extend(files_below(&entry.path()))
            } else {
                found.push(entry.path())
            }
        }
        found.sort();
        found
    }

    fn answer(
        stream: &TcpStream,
        pages: &Pages,
        seen: &Mutex<Vec<Request>>,
        most_bytes: usize,
    ) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        let mut headers = BTreeMap::new();
        for line in lines {
            let line = line?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        seen.lock().unwrap().push((first.clone(), headers.clone()));
        let absent = (404, Vec::new(), b"nothing here".to_vec());
        let (mut status, more, body) = pages.get(&path).unwrap_or(&absent).clone();
        let range = headers.get("range").and_then(|range| {
            let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
            let to = to.parse().map_or(body.len(), |to: usize| body.len().min(to + 1));
            Some(from.parse::<usize>().ok()?.min(to)..to)
        });
        let mut head = String::new();
        let part = match range.filter(|_| status == 200) {
            Some(range) => {
                status = 206;
                head += &format!(
                    "content-range: bytes {}-{}/{}\r\n",
                    range.start,
                    range.end.max(1) - 1,
                    body.len()
                );
                body[range].to_vec()
            }
            None => body,
        };
        for (name, value) in more {
            head += &format!("{name}: {value}\r\n");
        }
        let mut stream = stream;
        let length = part.len();
        write!(stream, "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {length}\r\n{head}\r\n")?;
        if !first.starts_with("HEAD") {
            stream.write_all(&part[..part.len().min(most_bytes)])?;
        }
        stream.flush()?;
        if part.len() > most_bytes {
            std::thread::sleep(Duration::from_secs(60));
        }
        Ok(())
    }
}

#[cfg(feature = "cloud")]
mod cloud {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use serde_json::json;

    use super::server::{Pages, Server, files_below};
    use super::support::{DATA, Ran, USAGE, World, finish};

    fn page(body: &str, tag: &str) -> (u16, Vec<(&'static str, String)>, Vec<u8>) {
        (200, vec![("etag", format!("\"{tag}\""))], body.as_bytes().to_vec())
    }

    fn run(world: &World, line: &str, server: &Server) -> Ran {
        finish(&mut command(world, line, server))
    }

    fn command(world: &World, line: &str, server: &Server) -> Command {
        let mut command = world.command(line);
        command
            .env("SEPO_CACHE", world.path("cache"))
            .env("AWS_ENDPOINT", server.url(""))
            .env("AWS_ALLOW_HTTP", "true");
        command
            .env("AWS_ACCESS_KEY_ID", "AKIATESTTEST")
            .env("AWS_SECRET_ACCESS_KEY", "topsecret")
            .env("AWS_REGION", "here");
        command
    }

    /// Files of data in the cache.
    fn cached(world: &World) -> Vec<PathBuf> {
        files_below(Path::new(&world.path("cache")))
    }

    #[test]
    fn a_file_of_a_server_is_fetched_once_and_read_like_one_of_here() {
        let world = World::new(12);
        let pairs = world.read_text("pairs.jsonl");
        let path = "/set/pairs.jsonl?sig=abcdsecret";
        let server = Server::of(Pages::from([(path.to_owned(), page(&pairs, "v1"))]));
        let url = server.url(path);
        let here = world.sepo("data check pairs.jsonl --json").json();
        let check = format!("data check {url} --json");
        assert_eq!(run(&world, &check, &server).json()["lengths"], here["lengths"]);
        assert_eq!(server.taken(), [format!("GET {path}")]);
        let files = cached(&world);
        assert_eq!(files.len(), 1, "{files:?}");
        assert_eq!(std::fs::read_to_string(&files[0]).unwrap(), pairs);

        // Where a part of it is here, the rest is fetched.
        let part = files[0].with_file_name(".pairs.jsonl.part");
        std::fs::remove_file(&files[0]).unwrap();
        std::fs::write(&part, &pairs[..100]).unwrap();
        assert_eq!(run(&world, &check, &server).json()["lengths"], here["lengths"]);
        assert_eq!(server.taken().last().unwrap(), &format!("GET {path} bytes=100-"));
        assert_eq!(cached(&world), files);

        // A model is trained on it, and nothing that is written or said holds the signature.
        let ran =
            run(&world, &format!("sft --model model --data {url} --out out --max-steps 1"), &server).done();
        let record = world.read_text("out/sepo.json");
        assert!(record.contains("/set/pairs.jsonl"), "{record}");
        for text in [record, ran.stderr, world.read_text("out/README.md")] {
            assert!(!text.contains("abcdsecret"), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_transfer_is_given_up_on_request_and_no_half_file_is_left_under_its_name() {
        use std::sync::atomic::Ordering;

        use super::server::interrupted_while;
        use super::support::INTERRUPTED;

        let world = World::new(12);
        let pairs = world.read_text("pairs.jsonl");
        let untagged = (200, Vec::new(), pairs.as_bytes().to_vec());
        let server = Server::of(Pages::from([
            ("/tagged.jsonl".to_owned(), page(&pairs, "v1")),
            ("/untagged.jsonl".to_owned(), untagged),
        ]));
        world.write(
            "recipe.toml",
            format!(
                "[run]\nout = \"made\"\n[data]\ninputs = [\"{}\"]\n[models]\nbase = \"model\"\npolicy = \"model\"\n",
                server.url("/tagged.jsonl")
            ),
        );
        // Each begins with nothing: what is begun is then of this very run, which takes signals by now.
        let from_nothing = || drop(std::fs::remove_dir_all(world.path("cache")));
        let stop = |line: &str, name: &str| {
            server.most_bytes.store(100, Ordering::Relaxed);
            let part = format!(".{name}.part");
            let is_begun =
                |file: &Path| file.ends_with(&part) && std::fs::metadata(file).unwrap().len() == 100;
            let mut command = command(&world, line, &server);
            let ran = interrupted_while(&mut command, &world.path("cache"), is_begun);
            ran.fails(
                INTERRUPTED,
                &["cannot fetch", name, "given up on request", "run the same command again"],
            );
            server.most_bytes.store(usize::MAX, Ordering::Relaxed);
            assert!(cached(&world).iter().all(|file| !file.ends_with(name)));
        };
        // Commands that look at the signal while they work, and such that do not.
        let [tagged, untagged] = ["tagged", "untagged"].map(|name| server.url(&format!("/{name}.jsonl")));
        stop("run recipe.toml", "tagged.jsonl");
        from_nothing();
        stop(&format!("sft --model model --data {tagged} --out out --max-steps 1"), "tagged.jsonl");
        assert!(!Path::new(&world.path("out")).exists() && !Path::new(&world.path("made")).exists());
        from_nothing();
        stop(&format!("data check {tagged}"), "tagged.jsonl");
        assert_eq!(cached(&world).len(), 1, "what came of a version that is known stays");
        server.taken();
        assert_eq!(run(&world, &format!("data check {tagged} --json"), &server).json()["rows"], 12);
        assert_eq!(server.taken().last().unwrap(), "GET /tagged.jsonl bytes=100-");
        stop(&format!("data check {untagged}"), "untagged.jsonl");
        assert_eq!(cached(&world).len(), 1, "nothing can follow what came of the other");
        assert_eq!(run(&world, &format!("data check {untagged} --json"), &server).json()["rows"], 12);
    }

    #[test]
    fn another_version_is_fetched_and_what_is_not_there_is_told_without_credentials() {
        let world = World::new(4);
        let pairs = world.read_text("pairs.jsonl");
        let check = |server: &Server, path: &str| {
            run(&world, &format!("data check {} --json", server.url(path)), server)
        };
        let old = Server::of(Pages::from([("/a.jsonl".to_owned(), page(&pairs, "v1"))]));
        assert_eq!(check(&old, "/a.jsonl").json()["rows"], 4);
        // On another port it is another URL; the same URL with another tag is another version.
        let half = pairs.lines().take(2).collect::<Vec<_>>().join("\n");
        let new = Server::of(Pages::from([("/a.jsonl".to_owned(), page(&half, "v2"))]));
        assert_eq!(check(&new, "/a.jsonl").json()["rows"], 2);
        let absent = check(&new, "/absent.jsonl?token=verysecret");
        absent.fails(DATA, &["cannot fetch", "/absent.jsonl", "nothing is there"]);
        assert!(!absent.stderr.contains("verysecret"), "{}", absent.stderr);
        let denied = Server::of(Pages::from([(
            "/a.jsonl?k=verysecret".to_owned(),
            (403, Vec::new(), b"no".to_vec()),
        )]));
        let denied = check(&denied, "/a.jsonl?k=verysecret");
        denied.fails(DATA, &["cannot fetch", "403"]);
        assert!(!denied.stderr.contains("verysecret"), "{}", denied.stderr);
        for (url, name) in [
            ("http://example.invalid/a.jsonl", "use `https`"),
            ("https://host/folder/", "name one file"),
            ("https://host/*.jsonl", "name one file"),
            ("s3://bucket/a?b.jsonl", "have no meaning in a key"),
        ] {
            run(&world, &format!("data check {url}"), &new).fails(USAGE, &[name]);
        }
    }

    #[test]
    fn keys_of_a_bucket_are_found_by_pattern_and_by_folder() {
        let world = World::new(6);
        let pairs = world.read_text("pairs.jsonl");
        let list = |names: &[&str]| {
            let of = |name: &&str| {
                format!(
                    "<Contents><Key>{name}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>\"{}\"</ETag><Size>{}</Size></Contents>",
                    name.len(),
                    pairs.len()
                )
            };
            let contents: String = names.iter().map(of).collect();
            format!(
                "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
            )
        };
        let all = list(&["data/test-0.jsonl", "data/train-0.jsonl", "data/train-1.jsonl", "data/notes.md"]);
        let mut pages = Pages::from([("/bucket?list-type=2&prefix=data%2F".to_owned(), page(&all, "l"))]);
        for name in ["test-0", "train-0", "train-1"] {
            pages.insert(format!("/bucket/data/{name}.jsonl"), page(&pairs, "17"));
        }
        let server = Server::of(pages);
        let rows =
            |url: &str| run(&world, &format!("data check {url} --json"), &server).json()["rows"].clone();
        assert_eq!(rows("s3://bucket/data/train-*.jsonl"), json!(12));
        assert_eq!(rows("s3://bucket/data/train-1.jsonl"), json!(6));
        assert_eq!(rows("s3://bucket/data/ --split test"), json!(6));
        assert_eq!(
            rows("s3://bucket/data/train-0.jsonl s3://bucket/data/test-0.jsonl --mix 1,1 --mix-end all"),
            json!(12)
        );
        run(&world, "data check s3://bucket/data/x*.jsonl", &server).fails(DATA, &["nothing is there"]);
        let signed =
            server.requests.lock().unwrap().iter().all(|(_, headers)| headers.contains_key("authorization"));
        assert!(signed, "{:?}", server.requests.lock().unwrap());
        // A key that leads out of the folder is no key.
        let up = page(&list(&["data/../up.jsonl"]), "l");
        let hostile = Server::of(Pages::from([("/bucket?list-type=2&prefix=data%2F".to_owned(), up)]));
        run(&world, "data check s3://bucket/data/", &hostile).fails(DATA, &["up.jsonl", "illegal"]);
        assert!(cached(&world).iter().all(|file| !file.ends_with("up.jsonl")));
    }

    #[test]
    fn a_recipe_reads_urls_and_names_the_key_of_one_that_is_not_there() {
        let world = World::new(8);
        let server =
            Server::of(Pages::from([("/p.jsonl".to_owned(), page(&world.read_text("pairs.jsonl"), "v1"))]));
        let recipe = format!(
            "[run]\nout = \"out\"\n[data]\ninputs = [\"{}\"]\n[models]\nbase = \"model\"\npolicy = \"model\"\n[train]\nmax_steps = 1\n",
            server.url("/p.jsonl")
        );
        world.write("recipe.toml", &recipe);
        run(&world, "run recipe.toml --dry-run", &server).done();
        world.write("recipe.toml", recipe.replace("p.jsonl", "q.jsonl"));
        run(&world, "run recipe.toml --dry-run", &server)
            .fails(DATA, &["`data.inputs` cannot be used", "/q.jsonl", "recipe.toml:4:10"]);
    }
}

#[cfg(all(feature = "hub", unix))]
mod hub {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use serde_json::json;

    use super::server::{Pages, Server};
    use super::support::{DATA, Ran, USAGE, World, finish};

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    /// Puts files into the world's Hub cache as the Hub's programs do: blobs, and links to them.
    fn put(world: &World, repo: &str, files: &[(&str, Vec<u8>)]) {
        let folder = Path::new(&world.path("hf/hub")).join(repo);
        fs::create_dir_all(folder.join("refs")).unwrap();
        fs::create_dir_all(folder.join("blobs")).unwrap();
        fs::write(folder.join("refs/main"), COMMIT).unwrap();
        for (i, (name, bytes)) in files.iter().enumerate() {
            let blob = folder.join(format!("blobs/{i}"));
            fs::write(&blob, bytes).unwrap();
            let link = folder.join("snapshots").join(COMMIT).join(name);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(&blob, link).unwrap();
        }
    }

    fn run(world: &World, line: &str, variables: &[(&str, &str)]) -> Ran {
        finish(&mut command(world, line, variables))
    }

    fn command(world: &World, line: &str, variables: &[(&str, &str)]) -> Command {
        let mut command = world.command(line);
        command.env("HF_HOME", world.path("hf")).env_remove("HF_HUB_CACHE").env_remove("HF_TOKEN");
        // Nobody answers there.
        command
            .env("HF_ENDPOINT", "http://127.0.0.1:9")
            .env_remove("HF_HUB_OFFLINE")
            .envs(variables.iter().copied());
        command
    }

    const OFFLINE: &[(&str, &str)] = &[("HF_HUB_OFFLINE", "1")];

    #[test]
    fn what_the_cache_has_is_used_without_a_network() {
        let world = World::new(10);
        let pairs = world.read("pairs.jsonl");
        let files = [
            ("README.md", b"# a set".to_vec()),
            ("data/train.jsonl", pairs.clone()),
            ("data/test.jsonl", pairs),
        ];
        put(&world, "datasets--org--set", &files);
        let model = fs::read_dir(world.path("model")).unwrap().map(|entry| entry.unwrap());
        let model: Vec<(String, Vec<u8>)> = model
            .filter(|e| e.path().is_file())
            .map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap()))
            .collect();
        let model: Vec<(&str, Vec<u8>)> =
            model.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        put(&world, "models--org--small", &model);

        let rows =
            |url: &str| run(&world, &format!("data check {url} --json"), OFFLINE).json()["rows"].clone();
        assert_eq!(rows("hf://datasets/org/set --split train"), json!(10));
        assert_eq!(rows("hf://datasets/org/set/data/*.jsonl"), json!(20));
        assert_eq!(rows(&format!("hf://datasets/org/set@{COMMIT}/data/test.jsonl")), json!(10));
        let line = "sft --model hf://models/org/small --data hf://datasets/org/set --split train --out out --max-steps 1";
        run(&world, line, OFFLINE).done();
        let card = world.read_text("out/README.md");
        assert!(card.contains("org/small") && card.contains("org/set"), "{card}");

        let absent = "data check hf://datasets/org/other";
        run(&world, absent, OFFLINE).fails(DATA, &["not in the cache", "HF_HUB_OFFLINE", "hf/hub"]);
        run(&world, "data check hf://datasets/org/set@v2", OFFLINE).fails(DATA, &["not in the cache"]);
        run(&world, "data check hf://datasets/org", OFFLINE).fails(USAGE, &["hf://datasets/OWNER/NAME"]);
        // With a network that fails, the cache is used, and that is said.
        let ran = run(&world, "data check hf://datasets/org/set/data/test.jsonl", &[]).done();
        assert!(ran.stderr.contains("what the Hub's cache has is used"), "{}", ran.stderr);
        run(&world, absent, &[("HF_TOKEN", "hf_verysecret")])
            .fails(DATA, &["cannot fetch `hf://datasets/org/other`"]);
    }

    #[test]
    fn a_transfer_from_the_hub_is_given_up_on_request() {
        use std::sync::atomic::Ordering;

        use super::server::interrupted_while;
        use super::support::INTERRUPTED;

        let world = World::new(30);
        let file = world.read("pairs.jsonl");
        let headers = vec![("etag", "\"tag\"".to_owned()), ("x-repo-commit", COMMIT.to_owned())];
        let info =
            json!({ "sha": COMMIT, "siblings": [{"rfilename": "train.jsonl"}] }).to_string().into_bytes();
        let server = Server::of(Pages::from([
            (
                "/api/datasets/org/set/revision/main".to_owned(),
                (200, vec![("content-type", "application/json".to_owned())], info),
            ),
            (format!("/datasets/org/set/resolve/{COMMIT}/train.jsonl"), (200, headers, file)),
        ]));
        let endpoint = server.url("");
        let line = "data check hf://datasets/org/set --json";
        server.most_bytes.store(1000, Ordering::Relaxed);
        let is_begun = |file: &Path| file.to_str().unwrap().contains("/blobs/tag.");
        let mut command = command(&world, line, &[("HF_ENDPOINT", &endpoint)]);
        let ran = interrupted_while(&mut command, &world.path("hf"), is_begun);
        ran.fails(INTERRUPTED, &["cannot fetch `hf://datasets/org/set`", "given up on request"]);
        assert!(!Path::new(&world.path("hf/hub/datasets--org--set/blobs/tag")).exists());
        server.most_bytes.store(usize::MAX, Ordering::Relaxed);
        assert_eq!(run(&world, line, &[("HF_ENDPOINT", &endpoint)]).json()["rows"], 30);
    }

    #[test]
    fn what_the_hub_has_is_fetched_with_the_token_of_the_environment_which_is_told_nowhere() {
        let world = World::new(10);
        let file = |bytes: Vec<u8>| {
            (200, vec![("etag", format!("\"{}\"", bytes.len())), ("x-repo-commit", COMMIT.to_owned())], bytes)
        };
        let info = json!({ "sha": COMMIT, "siblings": [{"rfilename": "data/train.jsonl"}, {"rfilename": "../../up.jsonl"}] });
        let server = Server::of(Pages::from([
            (
                "/api/datasets/org/set/revision/main".to_owned(),
                (200, vec![("content-type", "application/json".to_owned())], info.to_string().into_bytes()),
            ),
            (format!("/datasets/org/set/resolve/{COMMIT}/data/train.jsonl"), file(world.read("pairs.jsonl"))),
        ]));
        let endpoint = server.url("");
        let variables = [("HF_ENDPOINT", endpoint.as_str()), ("HF_TOKEN", "hf_verysecret")];
        // A token that lies in a file is not looked at.
        fs::create_dir_all(world.path("hf")).unwrap();
        world.write("hf/token", "hf_fromafile");
        let ran = run(&world, "data check hf://datasets/org/set --json", &variables);
        assert_eq!(ran.json()["rows"], 10);
        let requests = server.requests.lock().unwrap().clone();
        assert!(
            requests.iter().all(|(_, headers)| headers["authorization"] == "Bearer hf_verysecret"),
            "{requests:?}"
        );
        assert_eq!(run(&world, "data check hf://datasets/org/set --json", OFFLINE).json()["rows"], 10);
        let absent = run(&world, "data check hf://datasets/org/closed", &variables);
        absent.fails(DATA, &["cannot fetch `hf://datasets/org/closed`", "404"]);
        assert!(!absent.stderr.contains("verysecret"), "{}", absent.stderr);
        server.taken();
        run(&world, "data check hf://datasets/org/set", &[("HF_ENDPOINT", &endpoint)]).done();
        let requests = server.requests.lock().unwrap().clone();
        assert!(requests.iter().all(|(_, headers)| !headers.contains_key("authorization")), "{requests:?}");
    }
}
