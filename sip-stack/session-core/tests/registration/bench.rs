//! A gateway that registers, a registrar, and the network between them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use media_core::control::{Command, Event as MediaEvent};
use sans_io::{Deadline, Rng, Time};
use session_core::{
    Access, Adjustment, CallerId, Config, ContactUser, Coordinator, Event, Input, Output, RegistrationState,
    Trunk, TrunkRegistration,
};
use sip_core::auth::{Algorithm, Challenger, Verdict};
use sip_core::endpoint::{self, Advertised};
use sip_core::flow::{Destination, Flow, FlowId, Transport};
use sip_core::message::{HeaderName, Message, Method};

use crate::world::gateway;

/// Address of the registrar.
pub(super) const CARRIER: &str = "192.0.2.50";
/// Password of every account there.
const PASSWORD: &str = "open sesame";

/// A registrar with digest, whose nonces last 60 s.
pub(super) struct Registrar {
    challenger: Challenger,
    /// Challenges as a proxy does: 407.
    pub(super) as_proxy: bool,
    pub(super) is_away: bool,
    /// Refuses everything so, with these lines.
    pub(super) refusal: Option<(u16, &'static str)>,
    pub(super) min_expires: u32,
    pub(super) max_expires: u32,
    /// More lines of each challenge.
    pub(super) challenge_lines: &'static str,
    /// More lines of each 200.
    pub(super) lines: String,
    /// End of each binding, by its Contact as written.
    pub(super) bindings: BTreeMap<String, Time>,
    /// Answers given, by the `Via` of the request.
    answers: BTreeMap<String, Bytes>,
    /// Highest CSeq of each Call-ID.
    cseqs: BTreeMap<String, u32>,
    /// Bindings that ended before they were refreshed.
    pub(super) lapsed: usize,
    /// REGISTERs that were granted, with their times.
    pub(super) granted: Vec<(Time, Message)>,
}

impl Registrar {
    /// Answers a request, and a copy of it as the request itself.
    fn answer(&mut self, now: Time, data: &Bytes, request: &Message, flow: Flow) -> Option<Bytes> {
        if self.is_away {
            return None;
        }
        let via = request.header(HeaderName::Via).unwrap_or_default().to_owned();
        if let Some(answer) = self.answers.get(&via) {
            return Some(answer.clone());
        }
        let answer = self.decide(now, data, request, flow)?;
        self.answers.insert(via, answer.clone());
        Some(answer)
    }

    fn decide(&mut self, now: Time, data: &Bytes, request: &Message, flow: Flow) -> Option<Bytes> {
        if request.is(&Method::Options) {
            return Some(respond(request, 200, "OK", ""));
        }
        if !request.is(&Method::Register) {
            return None;
        }
        if let Some((code, lines)) = self.refusal {
            return Some(respond(request, code, "No", lines));
        }
        let text = String::from_utf8_lossy(data);
        let presented = match self.as_proxy {
            true => text.replace("Proxy-Authorization:", "Authorization:"),
            false => text.into_owned(),
        };
        let presented = Message::parse(Bytes::from(presented)).expect("a message");
        let lookup = |_: &str| Some(PASSWORD.into());
        match self
            .challenger
            .verify(now, &presented, Some(flow.remote.ip()), lookup)
        {
            Verdict::Ok { .. } => {}
            Verdict::Forbidden => return Some(respond(request, 403, "Forbidden", "")),
            Verdict::Challenge { headers, .. } => {
                let mut lines: String = headers
                    .iter()
                    .map(|(name, value)| format!("{name}: {value}\r\n"))
                    .collect();
                let code = if self.as_proxy { 407 } else { 401 };
                if self.as_proxy {
                    lines = lines.replace("WWW-Authenticate", "Proxy-Authenticate");
                }
                lines.push_str(self.challenge_lines);
                return Some(respond(request, code, "Who", &lines));
            }
        }
        // RFC 3261 §10.3 step 7: a copy is granted again; an older one is not.
        let seen = self.cseqs.entry(request.call_id().to_owned()).or_default();
        assert!(request.cseq().number >= *seen, "CSeq goes back");
        *seen = request.cseq().number;
        let asked = request.expires().expect("Expires");
        if asked > 0 && asked < self.min_expires {
            let lines = format!("Min-Expires: {}\r\n", self.min_expires);
            return Some(respond(request, 423, "Interval Too Brief", &lines));
        }
        let granted = asked.min(self.max_expires);
        let contact = request.header(HeaderName::Contact).expect("a Contact").to_owned();
        if granted == 0 {
            self.bindings.remove(&contact);
            return Some(respond(request, 200, "OK", ""));
        }
        let until = now + Duration::from_secs(granted.into());
        if self
            .bindings
            .insert(contact.clone(), until)
            .is_some_and(|before| before < now)
        {
            self.lapsed += 1;
        }
        self.granted.push((now, request.clone()));
        let lines = format!("Contact: {contact};expires={granted}\r\n{}", self.lines);
        Some(respond(request, 200, "OK", &lines))
    }
}

/// A response with what it repeats of its request, and more lines.
fn respond(request: &Message, code: u16, reason: &str, lines: &str) -> Bytes {
    let of = |name: HeaderName| request.header(name).unwrap_or_default().to_owned();
    Bytes::from(format!(
        "SIP/2.0 {code} {reason}\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=r\r\nCall-ID: {}\r\nCSeq: {}\r\n{lines}Content-Length: 0\r\n\r\n",
        of(HeaderName::Via),
        of(HeaderName::From),
        of(HeaderName::To),
        of(HeaderName::CallId),
        of(HeaderName::CSeq),
    ))
}

pub(super) struct Bench {
    pub(super) coordinator: Coordinator,
    pub(super) registrar: Registrar,
    pub(super) now: Time,
    deadline: Deadline,
    rng: Rng,
    /// Per cent of messages, each way.
    pub(super) loss: u64,
    /// On their way to us.
    flying: BTreeMap<(Time, u64), (Flow, Bytes)>,
    /// Messages that we sent, with their times and destinations.
    pub(super) sent: Vec<(Time, SocketAddr, Message)>,
    pub(super) events: Vec<Event>,
    /// Number of our connection.
    pub(super) flow: u64,
}

/// A trunk that registers as `user`.
pub(super) fn trunk(user: &str) -> Trunk {
    Trunk {
        sources: Vec::new(),
        username: Some(user.into()),
        password: Some(PASSWORD.into()),
        register: Some(TrunkRegistration {
            registrar: Some(("carrier.example".into(), None)),
            user: user.into(),
            expires: Duration::from_secs(600),
            contact: ContactUser::Drawn,
            outbound: false,
        }),
        caller_id: CallerId::Fixed(user.into()),
        hold: session_core::HoldPolicy::Auto,
        ..Trunk::new(CARRIER)
    }
}

pub(super) fn register(trunk: &mut Trunk) -> &mut TrunkRegistration {
    trunk.register.as_mut().expect("it registers")
}

impl Bench {
    /// A gateway with this trunk, `carrier`.
    pub(super) fn new(trunk: Trunk) -> Bench {
        Bench::with(1, [("carrier".to_owned(), trunk)].into(), vec![Algorithm::Md5])
    }

    pub(super) fn with(seed: u64, trunks: BTreeMap<String, Trunk>, algorithms: Vec<Algorithm>) -> Bench {
        let mut rng = Rng::seeded(seed);
        let advertised = |transport| Advertised {
            transport,
            ipv6: false,
            address: "192.0.2.1:5060".into(),
        };
        let config = Config {
            access: Access::Directory {
                users: BTreeMap::new(),
                trunks,
            },
            endpoint: endpoint::Config {
                advertised: [Transport::Udp, Transport::Tcp].map(advertised).to_vec(),
                ..endpoint::Config::default()
            },
            ..gateway()
        };
        let mut bench = Bench {
            coordinator: Coordinator::new(config, rng.fork()),
            registrar: Registrar {
                challenger: Challenger::new("carrier", algorithms, rng.fork()),
                as_proxy: false,
                is_away: false,
                refusal: None,
                min_expires: 0,
                max_expires: 3_600,
                challenge_lines: "",
                lines: String::new(),
                bindings: BTreeMap::new(),
                answers: BTreeMap::new(),
                cseqs: BTreeMap::new(),
                lapsed: 0,
                granted: Vec::new(),
            },
            now: Time::from_secs(1_000),
            deadline: None,
            rng,
            loss: 0,
            flying: BTreeMap::new(),
            sent: Vec::new(),
            events: Vec::new(),
            flow: 1,
        };
        bench.drain();
        bench
    }

    /// Other trunks from now on.
    pub(super) fn reload(&mut self, trunks: impl IntoIterator<Item = (&'static str, Trunk)>) {
        let settings = gateway();
        let adjustment = Adjustment {
            trunks: trunks
                .into_iter()
                .map(|(name, trunk)| (name.to_owned(), trunk))
                .collect(),
            browser_codecs: settings.browser_codecs,
            phone_codecs: settings.phone_codecs,
            pass_through: settings.pass_through,
            domains: settings.domains,
            grace: settings.grace,
            stir: Default::default(),
            emergency: Default::default(),
            caps: Vec::new(),
            quotas: Default::default(),
        };
        self.coordinator.adjust(adjustment);
        self.drain();
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let packet = self.flying.keys().next().map(|(at, _)| *at);
            let timer = self.deadline.map(|(at, _)| at);
            let Some(next) = [packet, timer]
                .into_iter()
                .flatten()
                .min()
                .filter(|at| *at <= end)
            else {
                break;
            };
            self.now = self.now.max(next);
            if packet == Some(next) {
                let (_, (flow, data)) = self.flying.pop_first().expect("a message");
                self.receive(flow, data);
            } else {
                self.coordinator.handle_input(self.now, Input::Timeout);
                self.drain();
            }
        }
        self.now = end;
    }

    pub(super) fn receive(&mut self, flow: Flow, data: Bytes) {
        let input = endpoint::Input::Message { flow, data };
        self.coordinator.handle_input(self.now, Input::Sip(input));
        self.drain();
    }

    pub(super) fn close_flow(&mut self) {
        let flow = FlowId(self.flow);
        self.flow += 1;
        let input = endpoint::Input::FlowClosed { flow };
        self.coordinator.handle_input(self.now, Input::Sip(input));
        self.drain();
    }

    pub(super) fn drain(&mut self) {
        loop {
            match self.coordinator.poll_output(self.now) {
                Output::Transmit { to, data, .. } => {
                    let (transport, remote) = match to {
                        Destination::Flow(flow) => (flow.transport, flow.remote),
                        Destination::Address { transport, addr, .. } => (transport, addr),
                    };
                    self.transmit(transport, remote, data);
                }
                Output::Media { shard, command } => {
                    if let Command::Open { leg, .. } = command {
                        let event = MediaEvent::Opened {
                            leg,
                            addresses: vec!["192.0.2.1:20000".parse().expect("an address"); 2],
                        };
                        self.coordinator
                            .handle_input(self.now, Input::Media { shard, event });
                    }
                }
                Output::Event(event) => self.events.push(event),
                Output::Resolve { .. } | Output::Follow { .. } | Output::Fetch { .. } => {}
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    fn transmit(&mut self, transport: Transport, remote: SocketAddr, data: Bytes) {
        let message = Message::parse(data.clone()).expect("a message");
        self.sent.push((self.now, remote, message.clone()));
        let flow = Flow {
            id: FlowId(self.flow),
            transport,
            local: "192.0.2.1:5060".parse().expect("an address"),
            remote,
        };
        if self.rng.percent(self.loss) || remote.ip() != CARRIER.parse::<IpAddr>().expect("an address") {
            return;
        }
        if let Some(answer) = self.registrar.answer(self.now, &data, &message, flow)
            && !self.rng.percent(self.loss)
        {
            let at = self.now + Duration::from_millis(5 + self.rng.below(60));
            let number = self.sent.len() as u64;
            self.flying.insert((at, number), (flow, answer));
        }
    }

    /// Requests of this method, without their repetitions.
    pub(super) fn requests(&self, method: &Method) -> Vec<(Time, Message)> {
        let mut known = BTreeSet::new();
        let mut requests = Vec::new();
        for (at, _, message) in &self.sent {
            let via = message.header(HeaderName::Via).unwrap_or_default();
            if message.is(method) && known.insert(via.to_owned()) {
                requests.push((*at, message.clone()));
            }
        }
        requests
    }

    /// States that were reported.
    pub(super) fn states(&self) -> Vec<RegistrationState> {
        let states = self.events.iter().filter_map(|event| match event {
            Event::Registration { state, .. } => Some(*state),
            _ => None,
        });
        states.collect()
    }

    /// State of the registration of `carrier`, as the API shows it.
    pub(super) fn state(&self) -> Option<RegistrationState> {
        let mut trunks = self.coordinator.trunks().into_iter();
        Some(trunks.find(|trunk| trunk.name == "carrier")?.registration?.state)
    }

    pub(super) fn is_registered(&self) -> bool {
        matches!(self.state(), Some(RegistrationState::Registered { .. }))
    }
}
