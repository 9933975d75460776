//! `cargo xtask bench serve`: a server that is asked for twice of what it can do, and killed meanwhile.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use drawn_shop::{Format, Options, Shop};

use crate::{
    bench_scrape::memory,
    http::Connection,
    model,
    process::{cargo, root},
    program::released,
};

/// Different pictures that are sent; every fourth question is a text.
const PICTURES: usize = 24;
/// Seconds to find what the machine can do.
const CAPACITY: u64 = 8;
/// Memory may be so much more at the end of the load than when it began, in MB.
const GROWTH: u64 = 64;

/// How hard the server is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Load {
    /// Seconds of load on the server.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Clients that ask it.
    #[arg(long, default_value_t = 64)]
    clients: usize,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Accepted,
    Full,
    /// While the server was killed.
    Killed,
}

struct Server {
    child: Child,
    address: String,
}

pub(crate) fn run(load: &Load) -> Result<()> {
    cargo().args("build --release --quiet -p scraper").run()?;
    let dir = root().join("target/bench-scrape");
    fs::create_dir_all(&dir)?;
    let folder = dir.join("model");
    model::write(&folder).context("could not write the synthetic ViT-B/32")?;
    let questions = questions()?;
    // As many at once as makes some wait: a batch in the engine, the next one decoded.
    let queue = (load.clients / 4).max(1);
    let start = |address: &str| -> Result<Server> { serve(&folder, &dir, address, queue) };

    let mut server = start("127.0.0.1:0")?;
    let address = server.address.clone();
    let expected = alone(&address, &questions)?;
    let asked = Asked { address: &address, questions: &questions, expected: &expected };
    let closed =
        asked.for_a_while(queue, Duration::from_secs(CAPACITY), None, &AtomicBool::new(false))?;
    let accepted = |all: &[Sample]| all.iter().filter(|s| s.outcome == Outcome::Accepted).count();
    let capacity = accepted(&closed) as f64 / CAPACITY as f64;
    println!(
        "capacity: {capacity:.1} requests/s with {queue} clients, one of four a text, the others JPEGs of 800x1000"
    );

    // Half of the load before the kill, half after it.
    let rate = 2.0 * capacity / load.clients.max(1) as f64;
    let pause = Duration::from_secs_f64(1.0 / rate.max(1e-3));
    let killed = AtomicBool::new(false);
    let time = Duration::from_secs(load.seconds);
    let (samples, memories, down) = thread::scope(|scope| {
        let clients = scope.spawn(|| asked.for_a_while(load.clients, time, Some(pause), &killed));
        let mut memories = vec![watch(&server, time / 2)];
        killed.store(true, Ordering::SeqCst);
        let began = Instant::now();
        server.child.kill()?;
        server.child.wait()?;
        server = start(&address)?;
        let down = began.elapsed();
        // What was under way then has got its error by now.
        thread::sleep(Duration::from_millis(500));
        killed.store(false, Ordering::SeqCst);
        memories.push(watch(&server, (time / 2).saturating_sub(down)));
        let samples = clients.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
        anyhow::Ok((samples, memories, down))
    })?;
    let _ = server.child.kill();
    server.child.wait()?;

    let count = |outcome| samples.iter().filter(|s| s.outcome == outcome).count();
    let mut times: Vec<Duration> =
        samples.iter().filter(|s| s.outcome == Outcome::Accepted).map(|s| s.time).collect();
    times.sort();
    let percentile = |p: usize| {
        let place = (times.len() * p / 100).min(times.len().saturating_sub(1));
        times.get(place).copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    println!(
        "\n{} clients for {} s at twice the capacity, queue of {queue}",
        load.clients, load.seconds
    );
    println!("| requests | accepted | 503 | lost by kill -9 | per second | p50, ms | p99, ms |");
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    println!(
        "| {} | {} | {} | {} | {:.1} | {:.0} | {:.0} |",
        samples.len(),
        count(Outcome::Accepted),
        count(Outcome::Full),
        count(Outcome::Killed),
        times.len() as f64 / load.seconds as f64,
        percentile(50),
        percentile(99),
    );
    println!(
        "killed and answering again within {:.1} s; every vector has the bits of a request alone",
        down.as_secs_f64()
    );
    for (when, memory) in ["before", "after"].iter().zip(&memories) {
        if let [first, .., last] = memory[..] {
            let most = memory.iter().max().copied().unwrap_or(last);
            println!(
                "memory {when} the kill, MB: {first} at the start of the load, {most} at most, {last} at its end"
            );
            ensure!(last <= first + GROWTH, "memory grew by {} MB", last - first);
        }
    }
    if count(Outcome::Accepted) == 0 {
        bail!("nothing was answered");
    }
    Ok(())
}

/// Pictures and texts, as bodies of requests.
fn questions() -> Result<Vec<Vec<u8>>> {
    let options = Options { size: Some((800, 1000)), format: Some(Format::JPEG), images: Some(1) };
    let shop = Shop::with(1, PICTURES, options);
    let mut all = Vec::new();
    for (place, product) in shop.products().iter().enumerate() {
        if place % 4 == 3 {
            all.push(serde_json::json!({ "inputs": product.title }).to_string().into_bytes());
        }
        all.push(product.images.first().context("no picture")?.file()?);
    }
    Ok(all)
}

fn serve(model: &Path, dir: &Path, address: &str, queue: usize) -> Result<Server> {
    let mut command = Command::new(released("scraper")?);
    command
        .args(["serve", "--listen", address, "--queue", &queue.to_string(), "--model"])
        .arg(model);
    let log = File::create(dir.join("serve.log"))?;
    command.current_dir(dir).stdout(Stdio::piped()).stderr(log);
    let mut child = command.spawn().context("could not start the server")?;
    let mut line = String::new();
    let output = child.stdout.take().context("no output")?;
    BufReader::new(output).read_line(&mut line)?;
    let Some((_, address)) = line.trim_end().split_once("http://") else {
        let _ = child.kill();
        bail!("it does not serve: {line}; target/bench-scrape/serve.log says why");
    };
    Ok(Server { child, address: address.to_owned() })
}

/// What each question gets when nothing else is asked.
fn alone(address: &str, questions: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
    let mut connection = Connection::new(address);
    let mut answers = Vec::new();
    for question in questions {
        let (status, answer) = connection.ask("POST", "/", question)?;
        ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(&answer));
        answers.push(answer);
    }
    Ok(answers)
}

struct Sample {
    outcome: Outcome,
    time: Duration,
}

#[derive(Clone, Copy)]
struct Asked<'a> {
    address: &'a str,
    questions: &'a [Vec<u8>],
    expected: &'a [Vec<u8>],
}

impl Asked<'_> {
    /// `clients` ask for so long, each at most once per `pause`. Anything else than a right answer or a
    /// 503 is an error, unless the server is `killed`.
    fn for_a_while(
        self,
        clients: usize,
        time: Duration,
        pause: Option<Duration>,
        killed: &AtomicBool,
    ) -> Result<Vec<Sample>> {
        let all = Mutex::new(Vec::new());
        let end = Instant::now() + time;
        thread::scope(|scope| {
            let tasks: Vec<_> = (0..clients)
                .map(|client| {
                    let all = &all;
                    scope.spawn(move || {
                        let samples = self.one(client, clients, end, pause, killed)?;
                        all.lock().unwrap_or_else(PoisonError::into_inner).extend(samples);
                        anyhow::Ok(())
                    })
                })
                .collect();
            for task in tasks {
                task.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
            }
            anyhow::Ok(())
        })?;
        Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn one(
        self,
        client: usize,
        clients: usize,
        end: Instant,
        pause: Option<Duration>,
        killed: &AtomicBool,
    ) -> Result<Vec<Sample>> {
        let mut connection = Connection::new(self.address);
        let mut samples = Vec::new();
        // Spread over the first pause.
        let mut next =
            Instant::now() + pause.unwrap_or_default().mul_f64(client as f64 / clients as f64);
        let mut place = client;
        while next.max(Instant::now()) < end {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            let which = place % self.questions.len();
            place += 1;
            let (Some(question), Some(expected)) =
                (self.questions.get(which), self.expected.get(which))
            else {
                break;
            };
            let was_killed = killed.load(Ordering::SeqCst);
            let began = Instant::now();
            let asked = connection.ask("POST", "/", question);
            let outcome = match asked {
                Ok((200, answer)) => {
                    ensure!(answer == *expected, "question {which} got other bits under load");
                    Outcome::Accepted
                }
                Ok((503, _)) => Outcome::Full,
                Ok((status, answer)) => bail!("{status}: {}", String::from_utf8_lossy(&answer)),
                Err(_) if was_killed || killed.load(Ordering::SeqCst) => {
                    connection = Connection::new(self.address);
                    thread::sleep(Duration::from_millis(50));
                    Outcome::Killed
                }
                Err(e) => return Err(e.context("a request got no answer")),
            };
            samples.push(Sample { outcome, time: began.elapsed() });
            next = (next + pause.unwrap_or_default()).max(Instant::now());
        }
        Ok(samples)
    }
}

/// Resident memory in MB, some times a second; the first seconds, in which buffers are made, are left
/// out.
fn watch(server: &Server, time: Duration) -> Vec<u64> {
    let began = Instant::now();
    let mut seen = Vec::new();
    while began.elapsed() < time {
        thread::sleep(Duration::from_millis(250));
        if let (true, Some((now, _))) = (began.elapsed() > time / 4, memory(server.child.id())) {
            seen.push(now);
        }
    }
    seen
}
