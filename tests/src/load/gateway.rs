//! The gateway under test: its release build with a configuration made for the bench, and its calls: a caller who
//! registers as a browser (SIP over WebSocket) or as a phone (UDP), and a phone behind a trunk that answers at once.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tempfile::TempDir;

use super::peers::{DOMAIN, PASSWORD};
use super::process::Daemon;
use super::sdp::Remote;
use super::sip::{Link, Message, authorization};
use super::websocket::WebSocket;
use super::{Outcome, System};

/// Numbers of the calls: this and those after it go to the trunk.
const FIRST_NUMBER: usize = 5_550_000;
/// Under those that the kernel hands out by itself.
const PHONE_PORTS: &str = "30000-32767";
const PATIENCE: Duration = Duration::from_secs(5);

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) daemon: Daemon,
    /// HTTP and SIP over WebSocket (at `/ws`).
    pub(crate) http: SocketAddr,
    /// SIP over UDP.
    pub(crate) sip: SocketAddr,
    /// Goes after the gateway.
    _state: TempDir,
}

impl Gateway {
    /// Starts one whose calls to numbers go to the trunk at `trunk`, and that knows `users`.
    pub(crate) fn start(
        program: &Path,
        scratch: &Path,
        trunk: SocketAddr,
        users: &[String],
    ) -> Outcome<Gateway> {
        let http = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let sip = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
        let media = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
        let file = scratch.join("gateway.toml");
        std::fs::write(&file, configuration(http, sip, media, trunk, users))?;
        let state = tempfile::tempdir_in(scratch)?;
        let mut command = Command::new(program);
        command
            .arg("serve")
            .arg("--config")
            .arg(&file)
            .env("CORDBOARD_LOG", "warn")
            .env("CORDBOARD_STATE", state.path());
        let log = scratch.join("gateway.log");
        let mut daemon = Daemon::spawn(&mut command, &log)?;
        daemon
            .wait_for_tcp(http)
            .map_err(|error| format!("the gateway ({}): {error}", log.display()))?;
        Ok(Gateway {
            daemon,
            http,
            sip,
            _state: state,
        })
    }
}

fn configuration(
    http: SocketAddr,
    sip: SocketAddr,
    media: SocketAddr,
    trunk: SocketAddr,
    users: &[String],
) -> String {
    let mut text = format!(
        "[http]\nlisten = \"{http}\"\n\n[sip]\nudp = \"{sip}\"\ntcp = false\n\n\
         [media]\nbrowser_addresses = \"127.0.0.1\"\nbrowser_port = {}\nphone_address = \"127.0.0.1\"\n\
         phone_ports = \"{PHONE_PORTS}\"\n\n\
         [[trunks]]\nname = \"phone\"\naddress = \"{trunk}\"\nsources = []\ncodecs = \"pcmu\"\n\n\
         [[trunks]]\nname = \"callers\"\naddress = \"127.0.0.1\"\n\n\
         [[dial]]\nmatch = \"XXX!\"\ntrunk = \"phone\"\n\n\
         [[dial]]\nfrom = \"callers\"\nmatch = \"XXX!\"\ntrunk = \"phone\"\n",
        media.port()
    );
    for user in users {
        text += &format!("\n[[users]]\nname = \"{user}\"\npassword = \"{PASSWORD}\"\n");
    }
    text
}

/// The gateway with its caller and its phone.
pub(crate) struct Calls {
    /// Held: dropping it ends it.
    _gateway: Gateway,
    pids: Vec<u32>,
    caller: Link,
    /// The phone's SIP socket, and its answer to each number.
    phone: UdpSocket,
    answers: BTreeMap<usize, String>,
    /// The SDP that came to the phone.
    offers: BTreeMap<usize, String>,
    /// Data of each call that BYE needs.
    established: Vec<Established>,
    ended_by_gateway: usize,
}

struct Established {
    number: usize,
    target: String,
    routes: String,
    to: String,
}

impl Calls {
    /// Starts a gateway and registers the caller: over WebSocket if `is_browser`.
    pub(crate) fn start(program: &Path, scratch: &Path, is_browser: bool) -> Outcome<Calls> {
        let phone = UdpSocket::bind("127.0.0.1:0")?;
        phone.set_nonblocking(true)?;
        let gateway = Gateway::start(program, scratch, phone.local_addr()?, &["load".to_string()])?;
        let caller = if is_browser {
            Link::WebSocket(WebSocket::connect(gateway.http, "/ws")?)
        } else {
            Link::udp(gateway.sip)?
        };
        let mut calls = Calls {
            pids: vec![gateway.daemon.pid()],
            _gateway: gateway,
            caller,
            phone,
            answers: BTreeMap::new(),
            offers: BTreeMap::new(),
            established: Vec::new(),
            ended_by_gateway: 0,
        };
        let uri = format!("sip:{DOMAIN}");
        calls.transact(
            "REGISTER",
            &uri,
            "register",
            &format!("sip:load@{DOMAIN}"),
            "Expires: 600\r\n",
            "",
        )?;
        Ok(calls)
    }

    /// A request outside a dialog, answering one challenge. The 2xx.
    fn transact(
        &mut self,
        method: &str,
        uri: &str,
        id: &str,
        to: &str,
        headers: &str,
        body: &str,
    ) -> Outcome<Message> {
        let mut credentials = String::new();
        for sequence in 1..=2 {
            let to = format!("<{to}>");
            self.request(
                method,
                uri,
                id,
                sequence,
                &to,
                &format!("{headers}{credentials}"),
                body,
            )?;
            let response = self.response(id, sequence)?;
            let status = response.status().unwrap_or(0);
            if method == "INVITE" && status >= 300 {
                // The ACK belongs to the transaction of its INVITE (RFC 3261 §17.1.1.3).
                let branch = format!("{id}{sequence}INVITE");
                self.send("ACK", uri, id, sequence, &branch, response.header("To"), "", "")?;
            }
            match status {
                200..=299 => return Ok(response),
                401 | 407 if sequence == 1 => {
                    credentials = authorization(&response, method, uri, "load", PASSWORD)?;
                }
                _ => return Err(format!("{method} {uri}: {}", response.start).into()),
            }
        }
        Err("no answer".into())
    }

    /// A request with a transaction of its own.
    #[expect(clippy::too_many_arguments, reason = "the parts of one message")]
    fn request(
        &mut self,
        method: &str,
        uri: &str,
        id: &str,
        sequence: u32,
        to: &str,
        headers: &str,
        body: &str,
    ) -> Outcome<()> {
        self.send(
            method,
            uri,
            id,
            sequence,
            &format!("{id}{sequence}{method}"),
            to,
            headers,
            body,
        )
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one message")]
    fn send(
        &mut self,
        method: &str,
        uri: &str,
        id: &str,
        sequence: u32,
        branch: &str,
        to: &str,
        headers: &str,
        body: &str,
    ) -> Outcome<()> {
        let (transport, contact) = self.caller.names()?;
        let host = contact.split(';').next().unwrap_or_default();
        let kind = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        self.caller.send(&format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} {host};branch=z9hG4bK{branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:load@{DOMAIN}>;tag=f{id}\r\nTo: {to}\r\nCall-ID: {id}@load\r\n\
             CSeq: {sequence} {method}\r\nContact: <sip:load@{contact}>\r\n\
             Allow: INVITE,ACK,CANCEL,BYE,OPTIONS,INFO,UPDATE\r\n{headers}{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// Waits for the final response.
    fn response(&mut self, id: &str, sequence: u32) -> Outcome<Message> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some(message) = self.caller.receive()? {
                match message.status() {
                    None => self.answer_caller(&message)?,
                    Some(status) => {
                        let ours = message.header("Call-ID").strip_suffix("@load") == Some(id);
                        if ours && message.sequence() == sequence && status >= 200 {
                            return Ok(message);
                        }
                    }
                }
            }
            self.attend_phone()?;
            if Instant::now() > deadline {
                return Err(format!("no answer to {id} within {PATIENCE:?}").into());
            }
            let mut descriptors = [
                PollFd::new(self.caller.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.phone.as_fd(), PollFlags::POLLIN),
            ];
            poll(&mut descriptors, PollTimeout::from(100_u8))?;
        }
    }

    /// A request of the gateway to the caller.
    fn answer_caller(&mut self, request: &Message) -> Outcome<()> {
        self.ended_by_gateway += usize::from(request.start.starts_with("BYE "));
        if request.start.starts_with("ACK ") {
            return Ok(());
        }
        self.caller.send(&request.respond("200 OK", "caller", "", ""))
    }

    fn attend_phone(&mut self) -> Outcome<()> {
        let mut buffer = [0; 65_535];
        loop {
            let (length, from) = match self.phone.recv_from(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let Some(message) = std::str::from_utf8(&buffer[..length])
                .ok()
                .and_then(Message::parse)
            else {
                continue;
            };
            if message.status().is_some() || message.start.starts_with("ACK ") {
                continue;
            }
            let called = message
                .start
                .split("sip:")
                .nth(1)
                .and_then(|uri| uri.split(['@', ' ']).next());
            let number = called.and_then(|number| number.parse::<usize>().ok());
            let answer = number.and_then(|number| self.answers.get(&number));
            let reply = match (message.start.starts_with("INVITE "), answer, number) {
                (true, Some(answer), Some(number)) => {
                    self.offers.insert(number, message.body.clone());
                    let contact = format!(
                        "Contact: <sip:{number}@{}>\r\nContent-Type: application/sdp\r\n",
                        self.phone.local_addr()?
                    );
                    message.respond("200 OK", &format!("phone{number}"), &contact, answer)
                }
                (true, ..) => message.respond("404 Not Found", "phone", "", ""),
                _ => message.respond("200 OK", "phone", "", ""),
            };
            self.phone.send_to(reply.as_bytes(), from)?;
        }
    }
}

impl System for Calls {
    fn pids(&self) -> &[u32] {
        &self.pids
    }

    fn call(&mut self, number: usize, offer: &str, answer: &str) -> Outcome<(Remote, Remote)> {
        let number = FIRST_NUMBER + number;
        self.answers.insert(number, answer.to_string());
        let (uri, id) = (format!("sip:{number}@{DOMAIN}"), format!("call{number}"));
        let response = self.transact("INVITE", &uri, &id, &uri, "", offer)?;
        let (target, routes) = (response.contact().to_string(), response.routes());
        let to = response.header("To").to_string();
        self.request("ACK", &target, &id, response.sequence(), &to, &routes, "")?;
        self.established.push(Established {
            number,
            target,
            routes,
            to,
        });
        let offered = self.offers.get(&number).ok_or("the phone was not called")?;
        Ok((Remote::parse(&response.body)?, Remote::parse(offered)?))
    }

    fn attend(&mut self) -> Outcome<()> {
        while let Some(message) = self.caller.receive()? {
            if message.status().is_none() {
                self.answer_caller(&message)?;
            }
        }
        self.attend_phone()?;
        match self.ended_by_gateway {
            0 => Ok(()),
            ended => Err(format!("the gateway ended {ended} calls").into()),
        }
    }

    fn hang_up(&mut self) -> Outcome<()> {
        for call in std::mem::take(&mut self.established) {
            let id = format!("call{}", call.number);
            self.request("BYE", &call.target, &id, 9, &call.to, &call.routes, "")?;
            self.response(&id, 9)?;
        }
        Ok(())
    }
}
