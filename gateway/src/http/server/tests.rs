//! The server over real sockets on loopback, with short deadlines.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::Request;
use axum::routing::{get, post};
use hyper::upgrade::OnUpgrade;
use rcgen::CertifiedKey;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use sip_stack::transport::Seats;
use sip_stack::transport::tls::server_config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

struct Server {
    address: SocketAddr,
    crowd: Arc<Crowd>,
    release: Arc<Notify>,
    slow: Arc<AtomicUsize>,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<()>,
}

fn short() -> Deadlines {
    Deadlines {
        hello: Duration::from_millis(200),
        handshake: Duration::from_millis(500),
        head: Duration::from_millis(200),
        body: Duration::from_millis(200),
        idle: Duration::from_millis(300),
        write: Duration::from_millis(300),
    }
}

/// Deadlines long enough for everything that a test does.
fn long() -> Deadlines {
    Deadlines::default()
}

async fn echo(mut request: Request) -> Response<Body> {
    let upgrade = request
        .extensions_mut()
        .remove::<OnUpgrade>()
        .expect("upgradable");
    tokio::spawn(async move {
        let mut stream = TokioIo::new(upgrade.await.expect("upgraded"));
        let mut octet = [0];
        while stream.read_exact(&mut octet).await.is_ok() {
            stream.write_all(&octet).await.expect("written");
        }
    });
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "upgrade")
        .header("upgrade", "echo");
    response.body(Body::empty()).expect("a response")
}

async fn start(deadlines: Deadlines, seats: Seats, tls: Option<Arc<ServerConfig>>) -> Server {
    let release = Arc::new(Notify::new());
    let slow = Arc::new(AtomicUsize::new(0));
    let (wait, begun) = (Arc::clone(&release), Arc::clone(&slow));
    let app = Router::new()
        .route("/", get(|| async { "here" }))
        .route(
            "/body",
            post(|body: String| async move { body.len().to_string() }),
        )
        .route("/big", get(|| async { vec![b'x'; 32 << 20] }))
        .route("/echo", get(echo))
        .route(
            "/slow",
            get(move || async move {
                begun.fetch_add(1, Ordering::SeqCst);
                wait.notified().await;
                "late"
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let crowd = Crowd::new(seats);
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = stopped.await;
    };
    let ended = tokio::spawn(run(
        listener,
        tls,
        app,
        Arc::clone(&crowd),
        Sentry::default(),
        deadlines,
        shutdown,
    ));
    Server {
        address,
        crowd,
        release,
        slow,
        stop,
        ended,
    }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connect")
    }

    /// Connects and sends `text`.
    async fn send(&self, text: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.expect("written");
        stream
    }
}

/// Everything that comes until the peer closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    // A reset is also a way of closing.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut read))
        .await
        .expect("closed in time");
    String::from_utf8_lossy(&read).into_owned()
}

/// Reads one answer of the root page.
async fn here(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut read = Vec::new();
    let whole = async {
        while !read.ends_with(b"here") {
            if stream.read_buf(&mut read).await.expect("read") == 0 {
                break;
            }
        }
    };
    timeout(PATIENCE, whole).await.expect("in time");
    String::from_utf8(read).expect("text")
}

#[tokio::test]
async fn no_message_waits_for_the_one_before_it_to_be_acknowledged() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (client, served) = tokio::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
    client?;
    let (served, _) = served?;
    send_at_once(&served);
    assert!(served.nodelay()?);
    Ok(())
}

#[tokio::test]
async fn whoever_stops_half_way_is_cut_off() {
    let server = start(short(), Seats::new(100), None).await;
    for begun in [
        "",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
        "GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\n",
    ] {
        let mut stream = server.send(begun).await;
        let answer = rest(&mut stream).await;
        assert!(!answer.contains("200"), "{begun:?} {answer}");
    }
    let mut idle = server.send(GET).await;
    assert!(
        rest(&mut idle).await.ends_with("here"),
        "answered, and closed when idle"
    );
    for _ in 0..100 {
        if server.crowd.taken() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("places are not given back");
}

#[tokio::test]
async fn a_trickle_does_not_put_the_end_off() {
    let server = start(short(), Seats::new(100), None).await;
    let body = format!(
        "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 400\r\n\r\n{}",
        "x".repeat(400)
    );
    for text in [
        GET.replace("Host: a", &format!("Host: {}", "a".repeat(400))),
        body,
    ] {
        let (mut read, mut write) = server.connect().await.into_split();
        let trickle = async {
            for octet in text.as_bytes().chunks(1) {
                tokio::time::sleep(Duration::from_millis(5)).await;
                if write.write_all(octet).await.is_err() {
                    return;
                }
            }
            std::future::pending().await
        };
        let closed = async {
            let mut answer = Vec::new();
            let _ = read.read_to_end(&mut answer).await;
            answer
        };
        let answer = timeout(PATIENCE, async {
            tokio::select! {
                () = trickle => Vec::new(),
                answer = closed => answer,
            }
        });
        assert!(answer.await.expect("cut off").is_empty());
    }
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let server = start(long(), Seats::new(100), None).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(GET.as_bytes()).await.expect("written");
        let answer = here(&mut stream).await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && !answer.contains("strict-transport"),
            "{answer}"
        );
    }
    let text = "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
    stream.write_all(text.as_bytes()).await.expect("written");
    assert!(rest(&mut stream).await.ends_with("\r\n\r\n3"));
}

#[tokio::test]
async fn heads_with_bare_line_feeds_or_of_great_length_are_refused() {
    let server = start(long(), Seats::new(100), None).await;
    for text in [
        GET.replace("\r\n", "\n"),
        GET.replacen("\r\n", "\n", 1),
        GET.replace("a\r\n\r\n", "a\n\r\n"),
    ] {
        let answer = rest(&mut server.send(&text).await).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let long = GET.replace("Host: a", &format!("Host: a\r\nX-Long: {}", "x".repeat(40_000)));
    let answer = rest(&mut server.send(&long).await).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn silent_connections_make_room_and_busy_ones_stay() {
    let seats = Seats {
        per_source: 3,
        ..Seats::new(3)
    };
    let server = start(long(), seats, None).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(server.connect().await);
    }
    let mut honest = server.send(GET).await;
    assert!(here(&mut honest).await.starts_with("HTTP/1.1 200"));
    let mut busy = Vec::new();
    for _ in 0..3 {
        busy.push(server.send(&GET.replace("GET /", "GET /slow")).await);
    }
    while server.slow.load(Ordering::SeqCst) < 3 {
        tokio::task::yield_now().await;
    }
    let refused = server.crowd.refused();
    assert_eq!(rest(&mut server.send(GET).await).await, "");
    assert_eq!(server.crowd.refused(), refused + 1);
    server.release.notify_waiters();
    for mut stream in busy {
        let mut answer = vec![0; 12];
        timeout(PATIENCE, stream.read_exact(&mut answer))
            .await
            .expect("in time")
            .expect("answered");
        assert_eq!(answer, b"HTTP/1.1 200");
    }
}

#[tokio::test]
async fn an_upgraded_connection_has_deadlines_of_its_own() {
    let seats = Seats {
        per_source: 2,
        ..Seats::new(2)
    };
    let server = start(short(), seats, None).await;
    let upgrade = "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    let mut stream = server.send(upgrade).await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert!(stream.read_buf(&mut head).await.expect("read") > 0);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    // Every deadline passes for others meanwhile, twice.
    for _ in 0..2 {
        let mut idle = server.send(GET).await;
        assert!(
            rest(&mut idle).await.starts_with("HTTP/1.1 200"),
            "answered, and closed when idle"
        );
    }
    stream.write_all(b"x").await.expect("open");
    let mut octet = [0];
    timeout(PATIENCE, stream.read_exact(&mut octet))
        .await
        .expect("in time")
        .expect("open");
    drop(stream);
    while server.crowd.taken() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn who_does_not_read_the_answer_is_cut_off() {
    let server = start(short(), Seats::new(10), None).await;
    let _stream = server.send(&GET.replace("GET /", "GET /big")).await;
    while server.crowd.taken() == 0 {
        tokio::task::yield_now().await;
    }
    let gone = async {
        while server.crowd.taken() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("in time");
}

#[tokio::test]
async fn silent_tls_connections_hold_nobody_up() {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("certificate");
    let tls = server_config(
        cert.pem().as_bytes(),
        signing_key.serialize_pem().as_bytes(),
        &["http/1.1"],
    )
    .expect("TLS");
    let server = start(long(), Seats::new(100), Some(tls)).await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(server.connect().await);
    }
    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let honest = connector.connect(name, server.connect().await);
    let mut honest = timeout(Duration::from_secs(2), honest)
        .await
        .expect("at once")
        .expect("TLS");
    honest.write_all(GET.as_bytes()).await.expect("written");
    let answer = here(&mut honest).await;
    assert!(answer.contains("strict-transport-security: max-age="), "{answer}");
    let oldest = timeout(Duration::from_secs(6), rest(&mut silent[0])).await;
    assert_eq!(oldest.expect("no ClientHello in time"), "");
}

#[tokio::test]
async fn what_is_being_answered_is_answered_before_the_end() {
    let server = start(long(), Seats::new(10), None).await;
    let mut slow = server.send(&GET.replace("GET /", "GET /slow")).await;
    let mut idle = server.send(GET).await;
    here(&mut idle).await;
    while server.slow.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let _ = server.stop.send(());
    assert_eq!(rest(&mut idle).await, "");
    server.release.notify_waiters();
    assert!(rest(&mut slow).await.ends_with("late"));
    timeout(PATIENCE, server.ended)
        .await
        .expect("in time")
        .expect("ended");
}
