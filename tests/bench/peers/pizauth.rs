//! pizauth, where `BROKERD_BENCH_PIZAUTH` names one: it has the authorization code flow only, which our authorization server
//! does not, so it gets its token from a stand-in of a few lines.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use super::{Peer, Raw};

/// Starts one and signs in.
pub(super) fn start() -> anyhow::Result<Peer> {
    let program = std::env::var_os("BROKERD_BENCH_PIZAUTH").map(PathBuf::from);
    let program =
        program.context("it is in no registry; BROKERD_BENCH_PIZAUTH names none that was built from its sources")?;
    let directory = tempfile::Builder::new().prefix("piz-").tempdir()?;
    let home = directory.path();
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    // Ends with the benchmark.
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(answer(stream))));
    let config = home.join("pizauth.conf");
    std::fs::write(
        &config,
        format!(
            "account \"bench\" {{ auth_uri = \"http://{address}/authorize\"; token_uri = \"http://{address}/token\"; \
             client_id = \"cli\"; scopes = [\"openid\", \"offline_access\"]; }}\n"
        ),
    )?;
    let environment =
        vec![("HOME", home.into()), ("XDG_RUNTIME_DIR", home.into()), ("PATH", "/usr/local/bin:/usr/bin:/bin".into())];
    let mut server = Command::new(&program);
    server.args(["server", "-d", "-c"]).arg(&config).env_clear().envs(environment.clone());
    server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let socket = home.join("pizauth/pizauth.sock");
    let peer = Peer {
        name: "pizauth",
        every: 1,
        is_broker: true,
        fetch: vec![program.into(), "show".into(), "bench".into()],
        environment,
        raw: Some(Raw { socket: socket.clone(), request: b"showtoken:withurl bench".to_vec(), half_close: true }),
        processes: vec![server.spawn().context("pizauth")?],
        _directory: directory,
    };
    for _ in 0..200 {
        if socket.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let asked = peer.fetch().output()?;
    let said = String::from_utf8_lossy(&asked.stderr).into_owned() + &String::from_utf8_lossy(&asked.stdout);
    let url = said.split_whitespace().find(|word| word.starts_with("http")).context("pizauth shows no URL")?;
    // The browser's part: there, and back with the code.
    get(&get(url)?)?;
    for _ in 0..200 {
        if peer.fetch().output()?.status.success() {
            return Ok(peer);
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    bail!("pizauth has no token")
}

/// Follows a URL; returns where it leads next, if anywhere.
fn get(url: &str) -> anyhow::Result<String> {
    let url = url::Url::parse(url)?;
    let mut stream = TcpStream::connect((url.host_str().context("a host")?, url.port().unwrap_or(80)))?;
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    // pizauth looks at the host, and at its port.
    let (path, host) = (url.path(), url.authority());
    write!(stream, "GET {path}{query} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(["HTTP/1.1 200", "HTTP/1.1 302"].iter().any(|good| answer.starts_with(good)), "{answer}");
    Ok(answer.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap_or_default().to_owned())
}

/// Sends the browser back with a code, and gives a token for it.
fn answer(mut stream: TcpStream) -> anyhow::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).context("a path")?.to_owned();
    while line != "\r\n" && !line.is_empty() {
        line.clear();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    let url = url::Url::parse("http://localhost")?.join(&path)?;
    let parameter =
        |name: &str| url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    if let (Some(back), Some(state)) = (parameter("redirect_uri"), parameter("state")) {
        write!(stream, "HTTP/1.1 302 Found\r\nLocation: {back}?code=c&state={state}\r\nContent-Length: 0\r\n\r\n")?;
        return Ok(());
    }
    let body = format!(
        "{{\"access_token\":\"{}\",\"token_type\":\"Bearer\",\"expires_in\":86400,\"refresh_token\":\"r\"}}",
        "t".repeat(1200)
    );
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length:";
    write!(stream, "{head} {}\r\n\r\n{body}", body.len())?;
    Ok(())
}
