//! A gateway as a file with a trunk of a profile makes it; a carrier and two phones whose messages are written by hand. Media opens at
//! once. Time is virtual.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use cordboard::config::{Config, Numbers, Overrides, Profile};
use cordboard::routing::Routing;
use cordboard::switch::Switch;
use media_core::control::{Command, Event as MediaEvent, Report, StreamIndex};
use media_core::negotiated::{Fingerprint, Hash};
use sans_io::{Rng, Time};
use session_core::{Access, Coordinator, Input, Located, Output, SrtpPolicy};
use sip_core::auth::{Algorithm, Answered, Answerer};
use sip_core::endpoint::{self, Advertised, Credentials};
use sip_core::flow::{Destination, Flow, FlowId, Transport};
use sip_core::message::{HeaderName, Message, Method};
use sip_stack::Application as _;

const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 20));
const PASSWORD: &str = "a long secret";
/// The number of the user who is called, which is also that which calls out show.
pub(super) const OURS: &str = "+493055501";
/// The number of the user whose phone forwards to [`OUTSIDE`].
pub(super) const FORWARDED: &str = "+493055502";
/// A number that nobody has.
pub(super) const NOBODY: &str = "+493055503";
/// The carrier's caller.
pub(super) const CALLER: &str = "+4917012345";
/// The number that is called at the carrier.
pub(super) const OUTSIDE: &str = "+4930123456";

/// A peer of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Carrier,
    /// Phone of the user `anna`, who is called and calls.
    Anna,
    /// Phone of the user `ben`, which forwards.
    Ben,
}

/// The gateway and its peers.
pub struct Bench {
    gateway: Coordinator,
    switch: Switch,
    now: Time,
    sent: Vec<(SocketAddr, Message)>,
    transport: Transport,
    numbers: Numbers,
    registers: bool,
    encrypts: bool,
    ids: u32,
}

impl Bench {
    /// A gateway with a trunk `carrier` of this profile, given what the profile needs. `folder` has `certificate.pem` and `key.pem`, for
    /// profiles that need them.
    ///
    /// # Errors
    /// The configuration is wrong, each mistake in a line of its own.
    pub fn new(profile: &Profile, folder: &Path) -> Result<Bench, String> {
        let text = file(profile, folder);
        let config =
            Config::parse(Path::new("carrier.toml"), &text, &Overrides::default()).map_err(|errors| {
                errors
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("\n")
            })?;
        let trunk = &config.trunks["carrier"];
        let mut bench = Bench {
            transport: trunk.transport,
            registers: trunk.register.is_some(),
            encrypts: trunk.srtp == SrtpPolicy::Required,
            numbers: profile.out,
            switch: Switch::new(
                Routing::new(config.plan(), BTreeMap::new()),
                config.ring_timeout,
                None,
            ),
            gateway: Coordinator::new(sessions(&config), Rng::seeded(1)),
            now: Time::from_secs(1_000),
            sent: Vec::new(),
            ids: 0,
        };
        bench.drain();
        // What the trunk does by itself comes a moment later.
        bench.wait(1);
        Ok(bench)
    }

    /// The trunk registers.
    pub(super) fn registers(&self) -> bool {
        self.registers
    }

    /// The trunk's media are encrypted.
    pub(super) fn encrypts(&self) -> bool {
        self.encrypts
    }

    /// The number outside as users of this trunk dial it.
    pub(super) fn outside(&self) -> &'static str {
        match self.numbers {
            Numbers::E164 | Numbers::AsDialled => OUTSIDE,
            Numbers::National => "030123456",
        }
    }

    fn flow(&self, peer: Peer) -> Flow {
        let (id, transport, ip) = match peer {
            Peer::Carrier if self.transport == Transport::Udp => (1, Transport::Udp, CARRIER),
            Peer::Carrier => (2, self.transport, CARRIER),
            Peer::Anna => (1, Transport::Udp, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 11))),
            Peer::Ben => (1, Transport::Udp, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 12))),
        };
        let port = transport.default_port();
        Flow {
            id: FlowId(id),
            transport,
            local: SocketAddr::new(GATEWAY, port),
            remote: SocketAddr::new(ip, port),
        }
    }

    /// Runs a verb and its consequences.
    pub(super) fn act(&mut self, act: impl FnOnce(&mut Coordinator, Time)) {
        act(&mut self.gateway, self.now);
        self.drain();
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds * 10 {
            self.now += Duration::from_millis(100);
            self.act(|gateway, now| gateway.handle_input(now, Input::Timeout));
        }
    }

    pub(super) fn receive(&mut self, from: Peer, text: String) {
        let input = Input::Sip(endpoint::Input::Message {
            flow: self.flow(from),
            data: Bytes::from(text),
        });
        self.act(|gateway, now| gateway.handle_input(now, input));
    }

    /// Sends a request outside of a dialog. `lines` may take the place of `From`, `To` and `Contact`.
    pub(super) fn request(&mut self, from: Peer, method: &str, uri: &str, lines: &str, body: &str) {
        self.ids += 1;
        let id = self.ids;
        let flow = self.flow(from);
        let user = match from {
            Peer::Carrier => CALLER,
            Peer::Anna => "anna",
            Peer::Ben => "ben",
        };
        let default = |name: &str, value: String| match lines.contains(&format!("{name}: ")) {
            true => String::new(),
            false => format!("{name}: {value}\r\n"),
        };
        let head = [
            default("From", format!("<sip:{user}@{}>;tag=t{id}", flow.remote.ip())),
            default("To", format!("<{uri}>")),
            default("Contact", format!("<sip:{user}@{}>", flow.remote)),
            default("Call-ID", format!("call{id}")),
            default("CSeq", format!("1 {method}")),
        ]
        .concat();
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{} {};branch=z9hG4bKp{id};rport\r\nMax-Forwards: 70\r\n{head}{lines}{}",
            flow.transport.name(),
            flow.remote,
            end(lines, body)
        );
        self.receive(from, text);
    }

    /// Sends a request with the credentials of the peer's user, after a challenge.
    pub(super) fn authenticated(&mut self, from: Peer, method: &str, uri: &str, lines: &str, body: &str) {
        self.request(from, method, uri, lines, body);
        let user = if from == Peer::Anna { "anna" } else { "ben" };
        let mut answerer = Answerer::new(Credentials {
            username: user.into(),
            password: PASSWORD.into(),
        });
        let mut answered = Answered::default();
        let challenge = self.last_response(from).expect("a challenge");
        assert!(
            answerer.challenged(&challenge, &mut answered, &mut Rng::seeded(2)),
            "{challenge:?}"
        );
        let mut with = lines.to_owned();
        for (name, value) in answerer.headers(&mut answered, method, uri, body.as_bytes()) {
            with.push_str(&format!("{}: {value}\r\n", name.as_str()));
        }
        self.request(from, method, uri, &with, body);
    }

    /// Sends a response to a request of the gateway.
    pub(super) fn respond(&mut self, from: Peer, request: &Message, code: u16, lines: &str, body: &str) {
        let mut text = format!("SIP/2.0 {code} x\r\n");
        let copied = [
            HeaderName::Via,
            HeaderName::From,
            HeaderName::CallId,
            HeaderName::CSeq,
        ];
        for name in copied {
            for value in request.lines(name) {
                text.push_str(&format!("{}: {value}\r\n", name.as_str()));
            }
        }
        let to = request.header(HeaderName::To).unwrap_or_default();
        let tag = if request.to().tag().is_some() {
            ""
        } else {
            ";tag=theirs"
        };
        let flow = self.flow(from);
        let contact = match lines.contains("Contact: ") {
            true => String::new(),
            false => format!(
                "Contact: <sip:peer@{};transport={}>\r\n",
                flow.remote,
                flow.transport.name().to_ascii_lowercase()
            ),
        };
        text.push_str(&format!("To: {to}{tag}\r\n{contact}{lines}{}", end(lines, body)));
        self.receive(from, text);
    }

    fn drain(&mut self) {
        let mut inputs = VecDeque::new();
        loop {
            while let Some(input) = inputs.pop_front() {
                self.gateway.handle_input(self.now, input);
            }
            match self.gateway.poll_output(self.now) {
                Output::Transmit { to, data, .. } => {
                    let to = match to {
                        Destination::Flow(flow) => flow.remote,
                        Destination::Address { addr, .. } => addr,
                    };
                    self.sent.push((to, Message::parse(data).expect("a message")));
                }
                Output::Resolve { query, uri } => {
                    let name = uri.host().map(|host| host.to_string());
                    let target = (self.transport, self.flow(Peer::Carrier).remote, name);
                    inputs.push_back(Input::Sip(endpoint::Input::Resolved {
                        query,
                        targets: vec![target],
                    }));
                }
                Output::Fetch { .. } => {}
                Output::Follow { names } => {
                    inputs.extend(names.into_iter().map(|(trunk, name)| Input::Located {
                        trunk,
                        found: vec![Located {
                            priority: 0,
                            weight: 1,
                            transport: self.transport,
                            address: self.flow(Peer::Carrier).remote,
                            server_name: name.host().map(|host| host.to_string()),
                        }],
                        name,
                    }))
                }
                Output::Media { shard, command, .. } => {
                    inputs.extend(answer(&command).map(|event| Input::Media { shard, event }));
                }
                Output::Event(event) => self.switch.handle(self.now, event, &mut self.gateway),
                Output::Timeout(_) if inputs.is_empty() => return,
                Output::Timeout(_) => {}
            }
        }
    }

    fn to(&self, peer: Peer) -> impl DoubleEndedIterator<Item = &Message> {
        let remote = self.flow(peer).remote;
        self.sent
            .iter()
            .filter(move |(to, _)| *to == remote)
            .map(|(_, message)| message)
    }

    /// The first request to a peer with this method.
    pub(super) fn first(&self, peer: Peer, method: &Method) -> Option<Message> {
        self.to(peer).find(|message| message.is(method)).cloned()
    }

    /// The last request to a peer with this method.
    pub(super) fn last(&self, peer: Peer, method: &Method) -> Option<Message> {
        self.to(peer).rev().find(|message| message.is(method)).cloned()
    }

    /// The last response to a peer but 100.
    pub(super) fn last_response(&self, peer: Peer) -> Option<Message> {
        let told = |message: &&Message| message.status().is_some_and(|code| u16::from(code) != 100);
        self.to(peer).rev().find(told).cloned()
    }
}

/// Content of a message: type, length, and the body.
fn end(lines: &str, body: &str) -> String {
    let kind = match body.is_empty() || lines.contains("Content-Type: ") {
        true => "",
        false => "Content-Type: application/sdp\r\n",
    };
    format!("{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// How a media thread answers a command.
fn answer(command: &Command) -> Option<MediaEvent> {
    match command {
        Command::Open { leg, .. } => {
            let at = |port| SocketAddr::new(GATEWAY, port);
            let port = 20_000 + 2 * (leg.0 % 1_000) as u16;
            Some(MediaEvent::Opened {
                leg: *leg,
                addresses: vec![at(port), at(port + 1)],
            })
        }
        Command::Close { leg } => Some(MediaEvent::Report {
            leg: *leg,
            stream: StreamIndex::FIRST,
            report: Box::new(Report::default()),
            last: true,
        }),
        _ => None,
    }
}

/// A configuration with a trunk of a profile. What the profile needs is taken from the examples that it gives.
fn file(profile: &Profile, folder: &Path) -> String {
    let mut trunk = String::new();
    for (key, hint) in &profile.needs {
        let example = hint.split('"').nth(1).unwrap_or("example");
        let value = match key.as_str() {
            "caller_id" => OURS.to_owned(),
            "password" => "password of the trunk".to_owned(),
            "certificate" | "key" => folder.join(format!("{key}.pem")).display().to_string(),
            _ if example.parse::<IpAddr>().is_ok() => CARRIER.to_string(),
            _ => example.to_owned(),
        };
        trunk.push_str(&format!("{key} = '{value}'\n"));
    }
    let user = |name: &str| format!("[[users]]\nname = '{name}'\npassword = '{PASSWORD}'\n");
    let called = |number: &str, name: &str| {
        format!("[[dial]]\nfrom = 'carrier'\nmatch = '{number}'\nuser = '{name}'\n")
    };
    format!(
        "domains = 'gateway.example.org'\n{}{}[[trunks]]\nname = 'carrier'\nprofile = '{}'\nsources = '{CARRIER}'\n{trunk}{}{}[[dial]]\nmatch = '.'\ntrunk = 'carrier'\n",
        user("anna"),
        user("ben"),
        profile.name,
        called(OURS, "anna"),
        called(FORWARDED, "ben"),
    )
}

/// Settings of the machines under it, as the gateway would make them.
fn sessions(config: &Config) -> session_core::Config {
    let advertised = [Transport::Udp, Transport::Tcp, Transport::Tls].map(|transport| Advertised {
        transport,
        ipv6: false,
        address: SocketAddr::new(GATEWAY, transport.default_port()).to_string(),
    });
    session_core::Config {
        endpoint: endpoint::Config {
            advertised: advertised.to_vec(),
            ..endpoint::Config::default()
        },
        access: Access::Directory {
            users: config.users.clone(),
            trunks: config.trunks.clone(),
        },
        domains: config.domains.clone(),
        realm: config.realm.clone(),
        algorithms: vec![Algorithm::Md5],
        phone_ips: vec![GATEWAY],
        browser_codecs: config.media.browser_codecs.clone(),
        phone_codecs: config.media.phone_codecs.clone(),
        pass_through: config.media.pass_through.clone(),
        grace: config.grace,
        session_timer: config.sip.session_expires,
        max_sessions: 100,
        max_contacts: 5,
        secret: [7; 32],
        ..session_core::Config::new(
            "gateway.example.org",
            Fingerprint {
                hash: Hash::Sha256,
                value: vec![7; 32],
            },
        )
    }
}
