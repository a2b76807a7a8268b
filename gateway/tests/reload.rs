//! Changes of the configuration under calls: the binary itself, phones on loopback, fifty calls.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use sip_core::flow::Transport;
use sip_core::message::StatusCode;
use sip_stack::client::{Call, Client, ClientError, Sound, State};
use sip_stack::transport::tls::ClientTls;

/// Calls to an application, and as many to a trunk.
const CALLS: usize = 25;
/// Packets that show that audio goes on: 400 ms of it, more than was under way.
const PACKETS: u64 = 20;
/// Time for anything to happen on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway that ends with the test.
struct Gateway {
    child: Child,
    folder: tempfile::TempDir,
    ports: Ports,
}

#[derive(Clone, Copy)]
struct Ports {
    http: u16,
    sip: u16,
    tls: u16,
    browser: u16,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_tcp() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("address").port()
}

fn free_udp() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("address").port()
}

impl Ports {
    fn free() -> Ports {
        Ports {
            http: free_tcp(),
            sip: free_udp(),
            tls: free_tcp(),
            browser: free_udp(),
        }
    }

    /// The settings that are fixed at the start, followed by the rest of a file.
    fn file(self, rest: &str) -> String {
        let Ports {
            http,
            sip,
            tls,
            browser,
        } = self;
        format!(
            "[http]\nlisten = \"127.0.0.1:{http}\"\n\n[sip]\nudp = \"127.0.0.1:{sip}\"\ntcp = false\ntls = \"127.0.0.1:{tls}\"\n\
             certificate = \"cert.pem\"\nkey = \"key.pem\"\n\n[media]\nbrowser_port = {browser}\n\
             browser_addresses = \"127.0.0.1\"\nphone_ports = \"23000-23999\"\n\n{rest}"
        )
    }
}

impl Gateway {
    async fn start(rest: &str) -> Gateway {
        let folder = tempfile::tempdir().expect("a folder");
        let ports = Ports::free();
        write_certificate(folder.path());
        fs::write(folder.path().join("cordboard.toml"), ports.file(rest)).expect("written");
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let child = command(folder.path(), &[])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let gateway = Gateway { child, folder, ports };
        let http = ("127.0.0.1", ports.http);
        let began = Instant::now();
        while tokio::net::TcpStream::connect(http).await.is_err() {
            assert!(began.elapsed() < PATIENCE, "{}", gateway.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        gateway
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("cordboard.toml")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn write(&self, rest: &str) {
        fs::write(self.file(), self.ports.file(rest)).expect("written");
    }

    /// Runs `cordboard reload`.
    fn reload(&self) -> Output {
        command(self.folder.path(), &["reload"])
            .output()
            .expect("it runs")
    }

    async fn logged(&self, what: &str) {
        let began = Instant::now();
        while !self.log().contains(what) {
            assert!(began.elapsed() < PATIENCE, "no {what:?}: {}", self.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cordboard"));
    command
        .args(args)
        .env("CORDBOARD_CONFIG", folder.join("cordboard.toml"))
        .env("CORDBOARD_STATE", folder.join("state"));
    command
}

/// Writes a new certificate for 127.0.0.1, and returns what to trust to accept it.
fn write_certificate(folder: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("certificate");
    fs::write(folder.join("cert.pem"), made.cert.pem()).expect("written");
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("written");
    made.cert.pem()
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("in time")
}

async fn phone(rtp: std::ops::RangeInclusive<u16>) -> Client {
    Client::builder().rtp_ports(rtp).start().await.expect("a phone")
}

/// Answers every call, and plays its audio back.
fn carrier(mut client: Client) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Some(mut call) = client.next_call().await {
            if call.answer(Sound::echo()).await.is_ok() {
                held.push(call);
            }
        }
    })
}

async fn received(calls: &[Call]) -> Vec<u64> {
    let mut all = Vec::new();
    for call in calls {
        let report = soon(call.report()).await.expect("a report");
        all.push(report.packets_received);
    }
    all
}

/// Checks that every call is up and audio goes on.
async fn undisturbed(calls: &[Call]) {
    let before = received(calls).await;
    let began = Instant::now();
    loop {
        let now = received(calls).await;
        if before
            .iter()
            .zip(&now)
            .all(|(before, now)| *now >= before + PACKETS)
        {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "silent: {before:?} {now:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for call in calls {
        assert!(matches!(call.state(), State::Answered), "{:?}", call.state());
    }
}

fn users(names: &[(&str, &str)]) -> String {
    let user = |(name, password): &(&str, &str)| {
        format!("[[users]]\nname = \"{name}\"\npassword = \"{password}\"\n\n")
    };
    names.iter().map(user).collect()
}

fn trunk(name: &str, port: u16) -> String {
    format!(
        "[[trunks]]\nname = \"{name}\"\naddress = \"127.0.0.1:{port}\"\nsources = []\n\n[[dial]]\nmatch = \"0.\"\ntrunk = \"{name}\"\n\n"
    )
}

fn rule(number: &str, what: &str) -> String {
    format!("[[dial]]\nmatch = \"{number}\"\n{what}\n\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trunk_a_rule_a_user_and_a_certificate_change_under_fifty_calls() {
    let (old, new) = (phone(24_000..=24_199).await, phone(24_200..=24_399).await);
    let port = |client: &Client| client.listeners()[0].addr.port();
    let (old_port, new_port) = (port(&old), port(&new));
    let _carriers = [carrier(old), carrier(new)];
    let first = users(&[("alice", "a long secret"), ("bob", "another secret")])
        + &rule("9196", "application = \"echo\"")
        + &trunk("old", old_port);
    let gateway = Gateway::start(&first).await;
    let believed = fs::read_to_string(gateway.folder.path().join("cert.pem")).expect("a certificate");
    let registrar = format!("sip:127.0.0.1:{}", gateway.ports.sip);
    let phones = phone(24_400..=24_999).await;
    let account = |name: &str, password: &str| {
        let account = phones.account(&format!("sip:{name}@127.0.0.1"), name, password);
        account
            .and_then(|account| account.through(&registrar))
            .expect("an account")
    };
    let alice = account("alice", "a long secret");
    soon(alice.register()).await.expect("registered");
    let mut calls = Vec::new();
    for n in 0..CALLS {
        for number in ["9196".to_owned(), format!("0{n}")] {
            let mut call = alice.dial(&number, Sound::tone(700, -10)).await.expect("dialled");
            soon(call.answered()).await.expect("answered");
            calls.push(call);
        }
    }
    undisturbed(&calls).await;

    // Another trunk in the place of the old one, other rules, another password, a user added, a user removed,
    // another certificate.
    let second = users(&[("alice", "a changed secret"), ("cara", "a third secret")])
        + &rule("9196", "reject = 403")
        + &rule("9664", "application = \"echo\"")
        + &trunk("new", new_port);
    gateway.write(&second);
    let believed_now = write_certificate(gateway.folder.path());
    let done = gateway.reload();
    assert!(done.status.success(), "{done:?} {}", gateway.log());
    undisturbed(&calls).await;
    let cara = account("cara", "a third secret");
    soon(cara.register()).await.expect("registered");
    let mut call = cara.dial("9196", Sound::silence()).await.expect("dialled");
    assert_eq!(
        soon(call.answered()).await,
        Err(ClientError::Refused(StatusCode::FORBIDDEN))
    );
    let mut echo = cara.dial("9664", Sound::silence()).await.expect("dialled");
    soon(echo.answered()).await.expect("answered");
    let mut out = cara.dial("01", Sound::silence()).await.expect("dialled");
    soon(out.answered()).await.expect("answered by the new trunk");
    assert!(soon(account("bob", "another secret").register()).await.is_err());
    assert!(soon(account("alice", "a long secret").register()).await.is_err());
    soon(account("alice", "a changed secret").register())
        .await
        .expect("registered");
    for (authority, is_believed) in [(&believed, false), (&believed_now, true)] {
        let tls = ClientTls::authorities(authority.as_bytes()).expect("TLS");
        let client = Client::builder()
            .transport(Transport::Tls)
            .tls(tls)
            .rtp_ports(25_000..=25_009)
            .start()
            .await
            .expect("a phone");
        let aor = format!("sip:cara@127.0.0.1:{}", gateway.ports.tls);
        let account = client
            .account(&aor, "cara", "a third secret")
            .expect("an account");
        assert_eq!(soon(account.register()).await.is_ok(), is_believed);
        client.stop().await;
    }

    // A wrong file changes nothing and is explained.
    gateway.write("[[dial]]\nmatch = \"0(\"\nuser = \"nobody\"\n");
    let wrong = gateway.reload();
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert_eq!(wrong.status.code(), Some(1), "{said}");
    assert!(said.contains("cordboard.toml:17:9: dial.match:"), "{said}");
    undisturbed(&calls).await;
    let mut still = cara.dial("9664", Sound::silence()).await.expect("dialled");
    soon(still.answered()).await.expect("answered");

    // A changed file is applied without a command, and settings that need a restart are named.
    let third = users(&[("alice", "a changed secret"), ("cara", "a third secret")])
        + &rule("9197", "application = \"tone\"")
        + &trunk("new", new_port);
    fs::write(
        gateway.file(),
        format!("realm = \"other\"\n{}", gateway.ports.file(&third)),
    )
    .expect("written");
    gateway
        .logged("need a restart (`cordboard restart`): realm")
        .await;
    gateway
        .logged("configuration reloaded asked_by=\"changed file\"")
        .await;
    let mut tone = cara.dial("9197", Sound::silence()).await.expect("dialled");
    soon(tone.answered()).await.expect("answered");
    undisturbed(&calls).await;
    for call in &mut calls {
        call.hang_up().await.expect("hung up");
    }
    for call in &mut calls {
        let record = soon(call.ended()).await.expect("a record");
        assert_eq!(
            (record.code, record.cause),
            (StatusCode::OK, session_core::Cause::Local)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_in_place_keeps_the_process_and_takes_the_new_file() {
    let mut gateway =
        Gateway::start(&(users(&[("alice", "a long secret")]) + &rule("9196", "application = \"echo\"")))
            .await;
    let pid = gateway.child.id();
    let phones = phone(25_100..=25_199).await;
    let registrar = format!("sip:127.0.0.1:{}", gateway.ports.sip);
    let account = |password: &str| {
        let account = phones.account("sip:alice@127.0.0.1", "alice", password);
        account
            .and_then(|account| account.through(&registrar))
            .expect("an account")
    };
    soon(account("a long secret").register())
        .await
        .expect("registered");
    gateway.write(&users(&[("alice", "another secret")]));
    let done = command(gateway.folder.path(), &["restart"])
        .output()
        .expect("it runs");
    assert!(done.status.success(), "{done:?}");
    let began = Instant::now();
    while gateway.log().matches(" listening ").count() < 6 {
        assert!(began.elapsed() < PATIENCE, "{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(gateway.child.id(), pid);
    assert!(
        gateway.child.try_wait().expect("its state").is_none(),
        "{}",
        gateway.log()
    );
    soon(account("another secret").register())
        .await
        .expect("registered with the new file");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trunk_is_known_by_what_its_name_leads_to_and_one_without_an_address_is_told() {
    let trunk =
        |name: &str, address: &str| format!("[[trunks]]\nname = \"{name}\"\naddress = \"{address}\"\n\n");
    let file = users(&[("alice", "a long secret")])
        + &trunk("near", "localhost:5999")
        + &trunk("lost", "carrier.invalid")
        + "[[dial]]\nmatch = \"9196\"\nfrom = \"near\"\napplication = \"echo\"\n";
    let gateway = Gateway::start(&file).await;
    gateway.logged("the trunk has no address").await;
    assert!(gateway.log().contains("trunk=\"lost\""), "{}", gateway.log());
    gateway.logged("the trunk's name resolves").await;
    let phones = phone(25_200..=25_299).await;
    let to = format!("sip:9196@127.0.0.1:{}", gateway.ports.sip);
    let mut call = phones.dial(&to, Sound::silence()).await.expect("dialled");
    soon(call.answered())
        .await
        .expect("answered: it comes from the trunk's address");
    call.hang_up().await.expect("hung up");
    soon(call.ended()).await.expect("a record");
    for line in [
        "direction=\"inbound\" from=\"trunk near\" to=\"application\"",
        "reason=\"the caller hung up\"",
    ] {
        gateway.logged(line).await;
    }
}
