//! Do many callers cost one refresh, and do callers who misbehave cost nobody else anything?

use std::io;
use std::path::Path;
use std::time::Duration;

use support::fake_as::Options;
use support::processes::Daemon;
use tokio::io::AsyncReadExt as _;
#[cfg(target_os = "linux")]
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::time;

use crate::stage::{PATIENCE, Stage, options};

#[tokio::test]
async fn fifty_callers_with_an_expired_token_cost_one_refresh() {
    const CALLERS: usize = 50;
    let stage = Stage::with(Options { access_token_lifetime: Duration::from_secs(1), ..options() }).await;
    let _daemon = stage.daemon().await;
    let expired = stage.sign_in("alice").await;
    stage.server.reconfigure(|options| options.access_token_lifetime = Duration::from_secs(3600));
    stage.until_expired(&expired).await;

    let gate = stage.server.hold(support::fake_as::Grant::RefreshToken);
    let callers: Vec<_> = (0..CALLERS).map(|_| stage.spawn("get-token --no-prompt")).collect();
    time::timeout(PATIENCE, gate.arrived()).await.expect("a refresh");
    gate.open();
    let mut tokens = Vec::new();
    for caller in callers {
        let output = caller.finish().await;
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
        tokens.push(output.stdout);
    }
    assert_eq!(tokens.len(), CALLERS);
    tokens.dedup();
    assert_eq!(tokens.len(), 1, "everybody has the same token");
    assert_ne!(tokens[0].trim_end(), expired);
    assert_eq!((stage.refreshes(), stage.server.reuse_detected()), (1, 0));
}

/// Sends these bytes, and more and more of `filler` if there is any, and returns what came back before the end.
#[cfg(target_os = "linux")]
async fn misbehave(daemon: &Daemon, bytes: &[u8], filler: usize) -> io::Result<String> {
    let stream = UnixStream::connect(daemon.socket()).await?;
    let (mut from, mut to) = stream.into_split();
    let sending = async {
        let piece = vec![b'x'; 64 * 1024];
        let mut sent = 0;
        to.write_all(bytes).await?;
        while sent < filler {
            to.write_all(&piece).await?;
            sent += piece.len();
        }
        // Half a request stays half: nothing more comes, and nothing is closed.
        std::future::pending::<io::Result<()>>().await
    };
    let mut answer = Vec::new();
    let reading = async {
        let mut piece = [0; 4096];
        loop {
            match from.read(&mut piece).await {
                Ok(0) | Err(_) => return,
                Ok(count) => answer.extend_from_slice(&piece[..count]),
            }
        }
    };
    let exchange = async {
        tokio::pin!(sending, reading);
        tokio::select! {
            () = &mut reading => {}
            // It would not take the rest; what it said is still to be read.
            Err(_) = &mut sending => reading.await,
        }
    };
    time::timeout(PATIENCE, exchange).await.map_err(io::Error::other)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(target_os = "linux")]
fn peak_memory_kib(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid().expect("it runs"))).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn misbehaviour_costs_nobody_else_anything() {
    const POST: &str = "POST /v1/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    const HUGE: usize = 100 * 1024 * 1024;
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    let token = stage.sign_in("alice").await;
    let before = peak_memory_kib(&daemon);

    let announced = format!("{POST}Content-Length: {HUGE}\r\n\r\n");
    let chunked = format!("{POST}Transfer-Encoding: chunked\r\n\r\n{HUGE:x}\r\n");
    let half = format!("{POST}Content-Length: 20\r\n\r\n{{\"profile\"");
    let head = format!("GET /v1/status HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "x".repeat(20_000));
    let served = async {
        // While all of that goes on, and for as long.
        for _ in 0..20 {
            assert_eq!(stage.ok("get-token").await.trim_end(), token);
        }
    };
    let (announced, chunked, half, head, garbage, tls, ()) = tokio::join!(
        misbehave(&daemon, announced.as_bytes(), HUGE),
        misbehave(&daemon, chunked.as_bytes(), HUGE),
        misbehave(&daemon, half.as_bytes(), 0),
        misbehave(&daemon, head.as_bytes(), 0),
        misbehave(&daemon, &[0, 255, 13, 10, 13, 10, 7], 0),
        misbehave(&daemon, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 0),
        served,
    );
    assert!(announced.unwrap().starts_with("HTTP/1.1 413 "));
    assert!(chunked.unwrap().starts_with("HTTP/1.1 413 "));
    assert_eq!(half.unwrap(), "", "half a request has five seconds and no answer");
    assert!(head.unwrap().starts_with("HTTP/1.1 413 "));
    for answer in [garbage.unwrap(), tls.unwrap()] {
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    let grown = peak_memory_kib(&daemon) - before;
    assert!(grown < 8 * 1024, "200 MB that nobody asked for took {grown} KiB");
}

/// As many as this user may have: 1024 is what a shell starts with, and this test alone has a thousand.
pub(crate) fn more_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).expect("up to its own limit");
}

#[tokio::test]
async fn a_thousand_idle_connections_hold_up_nobody() {
    more_descriptors();
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    let token = stage.sign_in("alice").await;
    let mut idle = Vec::new();
    for _ in 0..1000 {
        idle.push(connect(daemon.socket()).await);
    }
    assert_eq!(stage.ok("get-token").await.trim_end(), token);
    let forced = stage.ok("get-token --force-refresh").await;
    assert_ne!(forced.trim_end(), token);
    // They were there all along, and none of them was dropped for it.
    for stream in &idle {
        assert!(is_kept(stream));
    }
}

/// Starts a daemon with room for 36 clients.
async fn with_few_descriptors(stage: &Stage) -> Daemon {
    let few = ["sh", "-c", r#"ulimit -n 100 && exec "$@""#, "sh"];
    Daemon::launch(&stage.home).config(&stage.config()).under(few).start().await
}

async fn connect(socket: &Path) -> UnixStream {
    time::timeout(PATIENCE, UnixStream::connect(socket)).await.expect("in time").expect("room")
}

/// Whether the daemon keeps a connection on which it has nothing to say.
fn is_kept(stream: &UnixStream) -> bool {
    stream.try_read(&mut [0; 1]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

#[tokio::test]
async fn a_daemon_short_of_descriptors_keeps_some_for_its_work() {
    let stage = Stage::new().await;
    let daemon = with_few_descriptors(&stage).await;
    let token = stage.sign_in("alice").await;
    stage.server.drop_connections();

    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(connect(daemon.socket()).await);
    }
    // Room for a client, for the provider and for the sealed file.
    let forced = stage.ok("get-token --force-refresh").await;
    assert_ne!(forced.trim_end(), token);
    // The longest idle had to go for it, the latest did not.
    let mut nothing = [0; 1];
    assert!(matches!(time::timeout(PATIENCE, idle[0].read(&mut nothing)).await, Ok(Ok(0) | Err(_))));
    assert!(is_kept(idle.last().expect("300 of them")));
    assert!(!daemon.log().contains("could not be accepted"), "it knew its limit before it met it");
}

/// Begins to read the daemon's events; what it said first.
#[cfg(target_os = "linux")]
async fn read_events(socket: &Path) -> (UnixStream, String) {
    let mut stream = connect(socket).await;
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nhost: brokerd\r\n\r\n").await.expect("it reads");
    let mut head = Vec::new();
    let reading = async {
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { break };
            head.push(byte);
        }
    };
    time::timeout(PATIENCE, reading).await.expect("an answer");
    let head = String::from_utf8_lossy(&head).into_owned();
    (stream, head)
}

/// A stream of events has no end: waiting for one of them to leave would be waiting for ever.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_process_that_holds_every_connection_keeps_no_other_out() {
    let stage = Stage::new().await;
    let daemon = with_few_descriptors(&stage).await;
    let token = stage.sign_in("alice").await;
    let mut held = Vec::new();
    loop {
        let (stream, answer) = read_events(daemon.socket()).await;
        if answer.starts_with("HTTP/1.1 429 ") {
            break;
        }
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        held.push(stream);
        assert!(held.len() <= 36, "there is an end");
    }
    for _ in 0..3 {
        assert_eq!(stage.ok("get-token").await.trim_end(), token);
    }
    // Its newest had to go for that, and the others not.
    let mut newest = held.pop().expect("36 of them");
    assert!(matches!(time::timeout(PATIENCE, newest.read(&mut [0; 1])).await, Ok(Ok(0) | Err(_))));
    assert!(held.len() > 30 && held.iter().all(is_kept));
    let log = daemon.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("the process that holds the most")).collect();
    assert!((1..=2).contains(&told.len()), "{told:?}");
    assert!(told[0].contains(&format!("pid={}", std::process::id())), "{told:?}");
}

/// Gives the daemon so many descriptors while it runs.
#[cfg(target_os = "linux")]
fn limit_descriptors(daemon: &Daemon, current: Option<u64>) {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
    let pid = daemon.pid().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    // As it has it from here.
    let maximum = getrlimit(Resource::Nofile).maximum;
    prlimit(Some(pid.expect("it runs")), Resource::Nofile, Rlimit { current, maximum }).expect("a limit");
}

/// As many as it may have.
#[cfg(target_os = "linux")]
fn unlimit_descriptors(daemon: &Daemon) {
    limit_descriptors(daemon, rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum);
}

/// How often the daemon had no descriptor for a client.
#[cfg(target_os = "linux")]
fn not_accepted(log: &str) -> usize {
    log.matches("could not be accepted").count()
}

/// A client that comes when no descriptor is left, and none can be made free, is served once there is one.
#[cfg(target_os = "linux")]
async fn waits_without_descriptors(stage: &Stage, daemon: &Daemon, socket: &Path, token: &str) {
    let start = time::Instant::now();
    limit_descriptors(daemon, Some(3));
    let waiting = stage.ctl().at(socket).spawn(["get-token", "--no-prompt"]);
    let log = daemon.log_until(|log| not_accepted(log) >= 3).await;
    // It rests a tenth of a second each time.
    let most = start.elapsed().as_millis() / 100 + 1;
    assert!(not_accepted(&log) as u128 <= most, "{} times, {most} would be right", not_accepted(&log));
    unlimit_descriptors(daemon);
    let output = waiting.finish().await;
    assert_eq!((output.code, output.stdout.trim_end()), (Some(0), token), "{output:?}");
}

/// A client that comes when idle ones have the last descriptors is served in the place of the longest idle.
#[cfg(target_os = "linux")]
async fn makes_room_without_descriptors(stage: &Stage, daemon: &Daemon, socket: &Path, token: &str) {
    /// Some may find a descriptor that was free between those of the others.
    const MORE: usize = 5;
    let get = || async { stage.ctl().at(socket).run(["get-token", "--no-prompt"]).await };
    stage.server.drop_connections();
    let mut idle = Vec::new();
    for _ in 0..30 {
        idle.push(connect(socket).await);
    }
    // The last of them is there once this is answered.
    assert_eq!(get().await.stdout.trim_end(), token);
    let before = not_accepted(&daemon.log());
    // More than it has without them, and less than with them.
    limit_descriptors(daemon, Some(32));
    for _ in 0..MORE {
        idle.push(connect(socket).await);
    }
    let output = get().await;
    assert_eq!((output.code, output.stdout.trim_end()), (Some(0), token), "{output:?}");
    let times = not_accepted(&daemon.log()) - before;
    assert!((1..=3 * MORE).contains(&times), "{times}");
    assert!(!is_kept(&idle[0]) && idle[3 * MORE..].iter().all(is_kept), "the longest idle went, and no more than must");

    unlimit_descriptors(daemon);
    for _ in 0..30 {
        idle.push(connect(socket).await);
    }
    assert_eq!(get().await.stdout.trim_end(), token);
    assert!(idle[3 * MORE..].iter().all(is_kept));
    assert_eq!(not_accepted(&daemon.log()) - before, times);
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_daemon_without_descriptors_makes_room_and_does_not_spin() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    let token = stage.sign_in("alice").await;
    waits_without_descriptors(&stage, &daemon, daemon.socket(), &token).await;
    makes_room_without_descriptors(&stage, &daemon, daemon.socket(), &token).await;
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn neither_does_a_restricted_socket() {
    let restricted = crate::sockets::Restricted::new("").await;
    let token = restricted.sign_in().await;
    let (stage, daemon) = (&restricted.stage, &restricted.daemon);
    waits_without_descriptors(stage, daemon, &restricted.socket, &token).await;
    makes_room_without_descriptors(stage, daemon, &restricted.socket, &token).await;
}
