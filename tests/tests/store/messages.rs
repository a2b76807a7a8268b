//! Messages for absent users: whatever their senders were promised is there after the gateway was killed.

use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use cordboard::messages;
use sans_io::Rng;
use sip_core::auth::{Answered, Answerer};
use sip_core::endpoint::Credentials;
use sip_core::message::{HeaderName, Message, Method, StatusCode};

use crate::Backend;

/// Time that anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway in a process of its own, which ends with this.
struct Gateway {
    child: Child,
    /// Output, to which it must be able to write.
    _out: BufReader<ChildStdout>,
}

impl Gateway {
    fn start(file: &Path) -> Gateway {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gateway"))
            .arg(file)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("a gateway");
        let mut out = BufReader::new(child.stdout.take().expect("its output"));
        let is_ready = out
            .by_ref()
            .lines()
            .any(|line| line.is_ok_and(|line| line.contains("is ready")));
        assert!(is_ready, "it ended instead");
        Gateway { child, _out: out }
    }

    /// Ends it by SIGTERM.
    fn stop(mut self) {
        let ended = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(ended.expect("kill").success());
        self.child.wait().expect("gone");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A phone that writes, registers, and reads.
struct Phone {
    socket: UdpSocket,
    user: &'static str,
    sent: u32,
}

impl Phone {
    fn new(user: &'static str, port: u16) -> Phone {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.connect(("127.0.0.1", port)).expect("connected");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        Phone {
            socket,
            user,
            sent: 0,
        }
    }

    fn receive(&self) -> Message {
        let mut data = vec![0; 65_536];
        let length = self.socket.recv(&mut data).expect("a message in time");
        data.truncate(length);
        Message::parse(data.into()).expect("a message")
    }

    /// The final response to a request.
    fn ask(&mut self, method: &str, uri: &str, lines: &str, body: &str) -> Message {
        self.sent += 1;
        let (user, n) = (self.user, self.sent);
        let at = self.socket.local_addr().expect("an address");
        let to = match method {
            "REGISTER" => format!("sip:{user}@127.0.0.1"),
            _ => uri.to_owned(),
        };
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{user}{n};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@127.0.0.1>;tag={user}\r\nTo: <{to}>\r\nCall-ID: {user}-{n}-{at}\r\nCSeq: {n} {method}\r\n{lines}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.socket.send(text.as_bytes()).expect("sent");
        loop {
            let message = self.receive();
            if message.status().is_some_and(|code| code.get() >= 200) {
                return message;
            }
        }
    }

    /// The same after the challenge.
    fn authenticated(&mut self, method: &str, uri: &str, lines: &str, body: &str) -> StatusCode {
        let challenge = self.ask(method, uri, lines, body);
        let mut answerer = Answerer::new(Credentials {
            username: self.user.into(),
            password: "secret".into(),
        });
        let mut answered = Answered::default();
        assert!(
            answerer.challenged(&challenge, &mut answered, &mut Rng::seeded(2)),
            "{challenge:?}"
        );
        let headers = answerer.headers(&mut answered, method, uri, body.as_bytes());
        let credentials = headers
            .iter()
            .map(|(name, value)| format!("{}: {value}\r\n", name.as_str()));
        let lines = lines.to_owned() + &credentials.collect::<String>();
        self.ask(method, uri, &lines, body).status().expect("a response")
    }

    /// The next MESSAGE, which is taken.
    fn reads(&self) -> String {
        let message = loop {
            let message = self.receive();
            if message.is(&Method::Message) {
                break message;
            }
        };
        let of = |name: HeaderName| message.header(name).unwrap_or_default();
        let answer = format!(
            "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=r\r\nCall-ID: {}\r\nCSeq: {}\r\nContent-Length: 0\r\n\r\n",
            of(HeaderName::Via),
            of(HeaderName::From),
            of(HeaderName::To),
            of(HeaderName::CallId),
            of(HeaderName::CSeq),
        );
        self.socket.send(answer.as_bytes()).expect("sent");
        String::from_utf8_lossy(message.body()).into_owned()
    }
}

fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.local_addr().expect("an address").port()
}

pub(crate) async fn a_kill_loses_no_message_that_was_promised(backend: Backend) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cordboard.toml");
    let (sip, browsers) = (free_port(), free_port());
    let text = format!(
        "store = \"{}\"\n[http]\nlisten = \"127.0.0.1:0\"\n[sip]\nudp = \"127.0.0.1:{sip}\"\ntcp = \"127.0.0.1:{sip}\"\n\
         [media]\nbrowser_port = {browsers}\nbrowser_addresses = \"127.0.0.1\"\n\
         [[users]]\nname = \"1001\"\npassword = \"secret\"\n[[users]]\nname = \"1002\"\npassword = \"secret\"\n",
        backend.url()
    );
    std::fs::write(&file, text).expect("written");
    let to = format!("sip:1001@127.0.0.1:{sip}");
    let texts = ["Grüße \u{1f600}", "two", "three"];
    let mut sender = Phone::new("1002", sip);
    // Each is promised by another life of the gateway, which ends at once.
    for text in texts {
        let gateway = Gateway::start(&file);
        let told = sender.authenticated("MESSAGE", &to, "Content-Type: text/plain;charset=utf-8\r\n", text);
        drop(gateway);
        assert_eq!(told, StatusCode::ACCEPTED, "{text}");
    }
    let gateway = Gateway::start(&file);
    let mut reader = Phone::new("1001", sip);
    let contact = format!(
        "Contact: <sip:1001@{}>\r\nExpires: 300\r\n",
        reader.socket.local_addr().expect("an address")
    );
    let told = reader.authenticated("REGISTER", &format!("sip:127.0.0.1:{sip}"), &contact, "");
    assert_eq!(told, StatusCode::OK);
    for text in texts {
        assert_eq!(reader.reads(), text);
    }
    // Answered after the 200 to the last message was taken, since datagrams of one socket come in order here.
    reader.ask("OPTIONS", &format!("sip:127.0.0.1:{sip}"), "", "");
    gateway.stop();
    let store = backend.open().await;
    assert_eq!(messages::read(&store).await, Ok(Vec::new()), "none comes twice");
}
