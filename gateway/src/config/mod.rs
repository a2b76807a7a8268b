//! Configuration: defaults that need no file, and a TOML file laid over them.

mod error;
mod load;
mod reader;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use call_engine::acd::Strategy;
use call_engine::{Action, Application, DialPlan, Pattern, Rule};
use media_core::negotiated::Codec;
use session_core::{Trunk, User};

use crate::store::Durability;

pub use error::ConfigError;

/// Everything the gateway is told before it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// HTTP: the page, SIP over WebSocket, the API.
    pub http: Http,
    /// SIP over UDP, TCP and TLS.
    pub sip: Sip,
    /// Browser and phone media.
    pub media: Media,
    /// Address that others reach us at, where it is not one of ours (container, cloud).
    pub advertise: Option<IpAddr>,
    /// SIP domains that we answer for; empty: any.
    pub domains: Vec<String>,
    /// Web origins whose pages may connect; empty: any.
    pub origins: Vec<String>,
    /// Digest realm.
    pub realm: String,
    /// How long a phone may ring.
    pub ring_timeout: Duration,
    /// How long a browser may be away in a call before the call ends.
    pub grace: Duration,
    /// Who may register, by name.
    pub users: BTreeMap<String, User>,
    /// Carriers and other peers known by their address, by name.
    pub trunks: BTreeMap<String, Trunk>,
    /// Who is called for which number, first match first.
    pub rules: Vec<Rule>,
    /// Where what happened outlives the process: `sqlite:PATH` or `postgres://…`; `None`: nowhere.
    pub store: Option<String>,
    /// What a commit of the store survives.
    pub durability: Durability,
    /// Who works in the call centre, by the name of the user.
    pub staff: BTreeMap<String, Staff>,
    /// Where callers wait for agents, in the order of the file.
    pub queues: Vec<Queue>,
    /// The accounts, numbers and phone of the demonstration are there: no users are configured.
    pub demo: bool,
}

/// Where HTTP listens.
#[derive(Clone, Debug)]
pub struct Http {
    /// Address and port.
    pub listen: SocketAddr,
    /// Speak HTTPS and WSS.
    pub tls: Option<Tls>,
}

/// Where SIP listens.
#[derive(Clone, Debug)]
pub struct Sip {
    /// UDP sockets.
    pub udp: Vec<SocketAddr>,
    /// TCP listeners.
    pub tcp: Vec<SocketAddr>,
    /// TLS listeners.
    pub tls: Vec<SocketAddr>,
    /// For them.
    pub identity: Option<Tls>,
    /// Offer SHA-256 before MD5 to phones (RFC 8760). Browsers know MD5 only and are offered no other.
    pub sha256: bool,
}

/// Where media flows.
#[derive(Clone, Debug)]
pub struct Media {
    /// UDP port of the first media thread; each further one has the next.
    pub browser_port: u16,
    /// Local addresses for browsers; empty: every one there is.
    pub browser_addresses: Vec<IpAddr>,
    /// Local address for phones and trunks.
    pub phone_address: IpAddr,
    /// Ports for them, two a call.
    pub phone_ports: RangeInclusive<u16>,
    /// Media threads, each on a core of its own.
    pub threads: u8,
    /// Offered to and taken from browsers, best first.
    pub browser_codecs: Vec<Codec>,
    /// Offered to and taken from phones, best first.
    pub phone_codecs: Vec<Codec>,
}

/// What somebody does in the call centre.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staff {
    /// What they may do.
    pub roles: Vec<Role>,
    /// The queues that they serve, by name; the tier is 0 for those who are asked first.
    pub queues: Vec<(String, u8)>,
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Takes calls.
    Agent,
    /// Sees everybody and every call.
    Supervisor,
    /// Configures.
    Admin,
}

/// Where callers wait for agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// In rules and in the API.
    pub name: String,
    /// For people.
    pub display: String,
    /// How it chooses among idle agents.
    pub strategy: Strategy,
    /// How long an agent's phone rings.
    pub ring: Duration,
    /// After a call.
    pub wrap_up: Duration,
    /// Answered within this is in time.
    pub service_level: Duration,
    /// How long a call waits at most.
    pub max_wait: Option<Duration>,
    /// How many calls wait at most.
    pub max_length: Option<u32>,
    /// Calls do not wait while nobody who serves the queue is signed in.
    pub leave_when_empty: bool,
    /// Where calls go that it does not keep.
    pub overflow: Overflow,
    /// The wallboard warns when more calls wait.
    pub alarm_waiting: Option<u32>,
    /// When one waits longer.
    pub alarm_wait: Option<Duration>,
    /// When a smaller part of the day's calls was answered in time, per cent.
    pub alarm_service_level: Option<u8>,
}

/// Where calls go that a queue does not keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Another queue, by name.
    Queue(String),
    /// What the dial plan says of a number.
    Number(String),
    /// Nowhere: the call ends.
    HangUp,
}

impl Queue {
    /// As most are.
    #[must_use]
    pub fn new(name: &str) -> Queue {
        Queue {
            name: name.to_owned(),
            display: name.to_owned(),
            strategy: Strategy::LongestIdle,
            ring: Duration::from_secs(20),
            wrap_up: Duration::from_secs(15),
            service_level: Duration::from_secs(20),
            max_wait: None,
            max_length: None,
            leave_when_empty: false,
            overflow: Overflow::HangUp,
            alarm_waiting: None,
            alarm_wait: None,
            alarm_service_level: None,
        }
    }
}

/// A certificate chain and its key, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Leaf first.
    pub certificate: PathBuf,
    /// PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}

/// Password of the demo accounts.
pub const DEMO_PASSWORD: &str = "cordboard";
/// Names of the demo accounts.
pub const DEMO_USERS: [&str; 4] = ["1001", "1002", "1003", "1004"];
/// Names of those who work in the demo call centre, as they are shown, and what they may do.
const DEMO_STAFF: [(&str, &str, &[Role]); 3] = [
    ("anna", "Anna", &[Role::Agent]),
    ("ben", "Ben", &[Role::Agent]),
    ("sue", "Sue", &[Role::Supervisor, Role::Admin]),
];
/// Queues of the demo call centre: name, as it is shown, number.
const DEMO_QUEUES: [(&str, &str, &str); 2] = [("support", "Support", "9001"), ("sales", "Sales", "9002")];

impl Default for Config {
    fn default() -> Config {
        let mut config = Config::on(IpAddr::V4(Ipv4Addr::LOCALHOST));
        config.add_demo();
        config
    }
}

impl Config {
    /// Defaults with every listener on `ip`, without users.
    fn on(ip: IpAddr) -> Config {
        Config {
            http: Http {
                listen: SocketAddr::new(ip, 8080),
                tls: None,
            },
            sip: Sip {
                udp: vec![SocketAddr::new(ip, 5060)],
                tcp: vec![SocketAddr::new(ip, 5060)],
                tls: Vec::new(),
                identity: None,
                sha256: false,
            },
            media: Media {
                browser_port: 10_000,
                browser_addresses: Vec::new(),
                phone_address: ip,
                phone_ports: 20_000..=20_999,
                threads: 1,
                browser_codecs: vec![Codec::Opus, Codec::Pcmu, Codec::Pcma],
                phone_codecs: vec![Codec::Pcmu, Codec::Pcma],
            },
            advertise: None,
            domains: Vec::new(),
            origins: Vec::new(),
            realm: "cordboard".into(),
            ring_timeout: Duration::from_secs(60),
            grace: Duration::from_secs(15),
            users: BTreeMap::new(),
            trunks: BTreeMap::new(),
            rules: Vec::new(),
            store: None,
            durability: Durability::Full,
            staff: BTreeMap::new(),
            queues: Vec::new(),
            demo: false,
        }
    }

    /// The demonstration: four accounts, echo, music and a tone, and a phone that answers every other number.
    fn add_demo(&mut self) {
        self.demo = true;
        for name in DEMO_USERS {
            let user = User {
                password: DEMO_PASSWORD.into(),
                display: format!("Demo {name}"),
            };
            self.users.insert(name.into(), user);
        }
        for (name, display, roles) in DEMO_STAFF {
            let user = User {
                password: DEMO_PASSWORD.into(),
                display: display.into(),
            };
            self.users.insert(name.into(), user);
            let staff = Staff {
                roles: roles.to_vec(),
                queues: Vec::new(),
            };
            self.staff.insert(name.into(), staff);
        }
        if self.queues.is_empty() {
            self.queues.extend(DEMO_QUEUES.map(|(name, display, _)| Queue {
                display: display.into(),
                ..Queue::new(name)
            }));
        }
        // Whoever takes calls in the demonstration takes those of every queue there is.
        for staff in self
            .staff
            .values_mut()
            .filter(|staff| staff.roles.contains(&Role::Agent))
        {
            staff.queues = self.queues.iter().map(|queue| (queue.name.clone(), 0)).collect();
        }
        let rule = |pattern: &str, action: Action| {
            let pattern = Pattern::parse(pattern).ok()?;
            Some(Rule {
                pattern,
                from_trunk: None,
                rewrite: None,
                action,
            })
        };
        let users = DEMO_USERS.iter().map(|name| rule(name, Action::User(None)));
        let applications = [
            rule("9196", Action::Application(Application::Echo)),
            rule("9664", Action::Application(Application::Music)),
            rule("9197", Action::Application(Application::Tone)),
        ];
        let queues: Vec<Option<Rule>> = DEMO_QUEUES
            .iter()
            .filter(|(name, ..)| self.queues.iter().any(|queue| queue.name == *name))
            .map(|(name, _, number)| rule(number, Action::Queue((*name).to_owned())))
            .collect();
        // Demo callers call queues by their names.
        let named: Vec<Option<Rule>> = self
            .queues
            .iter()
            .map(|queue| rule(&format!("'{}'", queue.name), Action::Queue(queue.name.clone())))
            .collect();
        let phone = [rule("XXX!", Action::DemoPhone), rule("+XXX!", Action::DemoPhone)];
        self.rules.extend(
            users
                .chain(applications)
                .chain(queues)
                .chain(named)
                .chain(phone)
                .flatten(),
        );
    }

    /// The dial plan over the users of the directory.
    #[must_use]
    pub fn plan(&self) -> DialPlan {
        DialPlan::new(self.rules.clone(), self.users.keys().cloned())
    }
}
