//! Registrations of trunks against registrars that answer anything at any time: three octets a step (action, which, how).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use sans_io::{Deadline, Rng, Time};
use session_core::{
    Access, Adjustment, ContactUser, Coordinator, Event, Input, Output, Registrant, RegistrationState, Trunk,
    TrunkRegistration,
};
use sip_core::endpoint;
use sip_core::flow::{Destination, Flow, FlowId, Transport};
use sip_core::message::{HeaderName, Message, Method};

use super::Target;
use crate::sim;

/// See the module.
pub const TARGET: Target = Target {
    name: "registration",
    seeds,
    words: &[],
    run,
};

/// Status codes and lines that registrars answer with.
const ANSWERS: [(u16, &str); 16] = [
    (200, "Expires: 60\r\n"),
    (
        200,
        "Expires: 4294967295\r\nService-Route: <sip:192.0.2.60;lr>\r\n",
    ),
    (200, "Expires: 0\r\nFlow-Timer: 0\r\n"),
    (200, "Service-Route: nonsense, <tel:1>\r\nFlow-Timer: x\r\n"),
    (200, "Contact: *\r\nContact: <sip:x@y>;expires=99999999999\r\n"),
    (
        401,
        "WWW-Authenticate: Digest realm=\"r\", nonce=\"1\", qop=\"auth\"\r\n",
    ),
    (
        401,
        "WWW-Authenticate: Digest realm=\"r\", nonce=\"2\", stale=true\r\n",
    ),
    (
        407,
        "Proxy-Authenticate: Digest realm=\"p\", nonce=\"1\", algorithm=SHA-256\r\n",
    ),
    (401, "WWW-Authenticate: Basic realm=\"r\"\r\n"),
    (423, "Min-Expires: 1800\r\n"),
    (423, "Min-Expires: 1\r\n"),
    (403, ""),
    (404, ""),
    (503, "Retry-After: 4294967295\r\n"),
    (302, "Contact: <sip:192.0.2.61>\r\n"),
    (100, ""),
];

fn seeds() -> Vec<Vec<u8>> {
    let answers: Vec<u8> = (0..16)
        .flat_map(|code| [0, 0, code, 0, 1, code, 0, 2, code, 2, 0, 20])
        .collect();
    let well: Vec<u8> = (0..40).flat_map(|_| [0, 0, 5, 0, 0, 0, 2, 0, 30]).collect();
    let lost: Vec<u8> = (0..40)
        .flat_map(|n| [0, 1, 0, 1, 0, n, 2, 0, n, 3, 0, n])
        .collect();
    let end = vec![0, 0, 0, 0, 1, 0, 4, 0, 0, 2, 0, 40, 0, 0, 0];
    vec![answers, well, lost, end, Vec::new()]
}

fn trunk(number: u8) -> Trunk {
    let outbound = number % 3 == 1;
    Trunk {
        transport: if outbound { Transport::Tcp } else { Transport::Udp },
        sources: Vec::new(),
        username: Some(format!("user{number}")),
        password: Some("secret".into()),
        register: Some(TrunkRegistration {
            registrar: None,
            user: format!("user{number}"),
            expires: Duration::from_secs(600),
            contact: if number % 3 == 2 {
                ContactUser::Numbers
            } else {
                ContactUser::Drawn
            },
            outbound,
        }),
        hold: session_core::HoldPolicy::Auto,
        ..Trunk::new("192.0.2.50")
    }
}

fn trunks(mask: u8) -> BTreeMap<String, Trunk> {
    let wanted = (0..6).filter(|n| mask & (1 << n) != 0);
    wanted.map(|n| (format!("trunk{n}"), trunk(n))).collect()
}

/// A gateway, and what it sent that was not answered yet.
struct Gateway {
    coordinator: Coordinator,
    now: Time,
    deadline: Deadline,
    open: Vec<(Message, Flow)>,
    /// Last CSeq of each Call-ID, and the branch of that request.
    cseqs: BTreeMap<String, (u32, String)>,
    /// New REGISTERs, by second.
    begun: BTreeMap<u64, usize>,
    /// Trunks whose registrars refused for good.
    stopped: Vec<String>,
    /// No trunk was removed or changed yet: of one that was, two registrations are there for a while.
    is_steady: bool,
    flow: u64,
}

impl Gateway {
    fn input(&mut self, input: Input) {
        self.coordinator.handle_input(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.coordinator.poll_output(self.now) {
                Output::Transmit { to, data, .. } => self.sent(&to, data),
                Output::Event(Event::Registration {
                    registrant: Registrant::Trunk(name),
                    state,
                }) => {
                    self.stopped.retain(|stopped| *stopped != name);
                    if matches!(state, RegistrationState::Stopped(_)) {
                        self.stopped.push(name);
                    }
                }
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                _ => {}
            }
        }
    }

    fn sent(&mut self, to: &Destination, data: Bytes) {
        let request = Message::parse(data).expect("a message of ours");
        if !request.is(&Method::Register) && !request.is(&Method::Options) {
            return;
        }
        let (transport, remote) = match to {
            Destination::Flow(flow) => (flow.transport, flow.remote),
            Destination::Address { transport, addr, .. } => (*transport, *addr),
        };
        let flow = Flow {
            id: FlowId(self.flow),
            transport,
            local: "192.0.2.1:5060".parse().expect("an address"),
            remote,
        };
        if request.is(&Method::Register) {
            let branch = request.header(HeaderName::Via).unwrap_or_default().to_owned();
            let number = request.cseq().number;
            let (last, of) = self.cseqs.entry(request.call_id().to_owned()).or_default();
            assert!(
                number > *last || (number == *last && *of == branch),
                "CSeq goes back"
            );
            if *of != branch && request.header(HeaderName::Authorization).is_none() {
                *self.begun.entry(self.now.as_micros() / 1_000_000).or_default() += 1;
            }
            (*last, *of) = (number, branch);
            let user = request
                .to()
                .uri
                .user()
                .unwrap_or_default()
                .replace("user", "trunk");
            assert!(
                !self.is_steady || !self.stopped.contains(&user),
                "refused for good, and asked again"
            );
        }
        self.open.push((request, flow));
    }

    /// Time passes, with all timers.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut rounds = 0;
        while let Some((at, reason)) = self.deadline.filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.input(Input::Timeout);
            rounds += 1;
            assert!(rounds < 100_000, "it spins: {reason}");
        }
        self.now = end;
    }
}

fn run(input: &[u8]) {
    let at = "192.0.2.1:5060".parse().expect("an address");
    let access = Access::Directory {
        users: BTreeMap::new(),
        trunks: trunks(0b111),
    };
    let config = sim::node_config(at, access, &[]);
    let settings = config.clone();
    let mut gateway = Gateway {
        coordinator: Coordinator::new(config, Rng::seeded(9)),
        now: Time::from_secs(1_000),
        deadline: None,
        open: Vec::new(),
        cseqs: BTreeMap::new(),
        begun: BTreeMap::new(),
        stopped: Vec::new(),
        is_steady: true,
        flow: 1,
    };
    gateway.drain();
    gateway.pass(Duration::from_millis(200));
    for step in input.chunks_exact(3).take(20) {
        match step[0] % 5 {
            0 if !gateway.open.is_empty() => {
                let which = usize::from(step[1]) % gateway.open.len();
                let (request, flow) = gateway.open.swap_remove(which);
                let (code, lines) = ANSWERS[usize::from(step[2]) % ANSWERS.len()];
                let data = answer(&request, code, lines);
                gateway.input(Input::Sip(endpoint::Input::Message { flow, data }));
            }
            0 | 2 => gateway.pass(Duration::from_millis(
                u64::from(step[2]) * 500 + u64::from(step[1]),
            )),
            1 => {
                let flow = FlowId(gateway.flow);
                gateway.flow += 1;
                gateway.input(Input::Sip(endpoint::Input::FlowClosed { flow }));
            }
            3 => {
                gateway.is_steady = false;
                gateway.coordinator.adjust(Adjustment {
                    trunks: trunks(step[2]),
                    browser_codecs: settings.browser_codecs.clone(),
                    phone_codecs: settings.phone_codecs.clone(),
                    pass_through: settings.pass_through.clone(),
                    domains: Vec::new(),
                    grace: settings.grace,
                    stir: Default::default(),
                    emergency: Default::default(),
                    caps: Vec::new(),
                    quotas: Default::default(),
                });
                gateway.drain();
            }
            _ => {
                gateway.is_steady = false;
                let now = gateway.now;
                gateway.coordinator.unregister_all(now);
                gateway.drain();
            }
        }
    }
    assert!(
        gateway
            .begun
            .values()
            .all(|count| *count <= 51 || !gateway.is_steady),
        "{:?}",
        gateway.begun
    );
    let now = gateway.now;
    gateway.coordinator.unregister_all(now);
    gateway.drain();
    gateway.pass(Duration::from_secs(100));
    assert!(!gateway.coordinator.is_registered(), "it is over");
}

fn answer(request: &Message, code: u16, lines: &str) -> Bytes {
    let of = |name: HeaderName| request.header(name).unwrap_or_default();
    let contact = match (code, request.header(HeaderName::Contact)) {
        (200, Some(contact)) if lines.starts_with("Expires") => format!("Contact: {contact}\r\n"),
        _ => String::new(),
    };
    Bytes::from(format!(
        "SIP/2.0 {code} So\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=r\r\nCall-ID: {}\r\nCSeq: {}\r\n{contact}{lines}Content-Length: 0\r\n\r\n",
        of(HeaderName::Via),
        of(HeaderName::From),
        of(HeaderName::To),
        of(HeaderName::CallId),
        of(HeaderName::CSeq),
    ))
}
