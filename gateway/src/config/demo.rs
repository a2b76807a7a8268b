//! The demonstration: accounts with a published password, which therefore exist only where nobody but this
//! machine can reach them.

use std::net::IpAddr;
use std::time::Duration;

use call_engine::{Action, Application, Pattern, Rule};
use session_core::User;

use super::{Config, Member, Queue, QueueRef, Role, Staff, Work};

/// Password of the demo accounts.
pub const DEMO_PASSWORD: &str = "cordboard";
/// Names of the demo accounts.
pub const DEMO_USERS: [&str; 4] = ["1001", "1002", "1003", "1004"];
/// Name of the demo phone in the dial plan.
pub const DEMO_PHONE: &str = "demo phone";
/// Staff of the demo call centre: names, names shown, and roles.
const DEMO_STAFF: [(&str, &str, &[Role]); 3] = [
    ("anna", "Anna", &[Role::Agent]),
    ("ben", "Ben", &[Role::Agent]),
    ("sue", "Sue", &[Role::Supervisor, Role::Admin]),
];
/// Queues of the demo call centre: name, name shown, number.
pub(super) const DEMO_QUEUES: [(&str, &str, &str); 2] =
    [("support", "Support", "9001"), ("sales", "Sales", "9002")];

/// Minimal file for where the demonstration is not allowed.
const MINIMAL: &str = "\
[[users]]
name = \"alice\"
password = \"a long secret\"
roles = [\"admin\"]";

impl Config {
    /// Adds the demonstration: four accounts, echo, music and a tone, and a phone that answers every other number.
    pub(super) fn add_demo(&mut self) {
        self.demo = true;
        for name in DEMO_USERS {
            let user = User {
                display: format!("Demo {name}"),
                ..User::new(DEMO_PASSWORD)
            };
            self.users.insert(name.into(), user);
        }
        for (name, display, roles) in DEMO_STAFF {
            let user = User {
                display: display.into(),
                ..User::new(DEMO_PASSWORD)
            };
            self.users.insert(name.into(), user);
            let staff = Staff {
                roles: roles.to_vec(),
                agent: Work::default(),
            };
            self.staff.insert(name.into(), staff);
        }
        if self.queues.is_empty() {
            self.queues.extend(DEMO_QUEUES.map(|(name, display, _)| Queue {
                display: display.into(),
                alarm_waiting: Some(2),
                alarm_wait: Some(Duration::from_secs(60)),
                alarm_service_level: Some(80),
                ..Queue::new(name)
            }));
        }
        // Demo agents serve every queue there is.
        for staff in self
            .staff
            .values_mut()
            .filter(|staff| staff.roles.contains(&Role::Agent))
        {
            staff.agent.queues = self
                .queues
                .iter()
                .map(|queue| Member::of(QueueRef::named(&queue.name)))
                .collect();
        }
        let rule = |pattern: &str, action: Action| {
            let pattern = Pattern::parse(pattern).ok()?;
            Some(Rule::new(pattern, action))
        };
        let to_queue = |name: &str| Action::Queue {
            name: name.to_owned(),
            priority: None,
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
            .map(|(name, _, number)| rule(number, to_queue(name)))
            .collect();
        let phone = ["XXX!", "+XXX!"].map(|pattern| rule(pattern, Action::Peer(DEMO_PHONE.into())));
        self.rules
            .extend(users.chain(applications).chain(queues).chain(phone).flatten());
    }

    /// Reason why the demonstration is not allowed; `None` if it is. Its password is published, so nobody
    /// beyond this machine may use it, nor may it place calls through a trunk. Browser media does not count:
    /// nobody signs in there, and a packet opens something only with the ICE password of a call that
    /// signalling set up.
    pub(super) fn beyond_loopback(&self) -> Option<String> {
        let sip = [
            ("udp", &self.sip.udp),
            ("tcp", &self.sip.tcp),
            ("tls", &self.sip.tls),
        ];
        let listeners = sip.into_iter().flat_map(|(name, sockets)| {
            sockets
                .iter()
                .map(move |socket| (format!("sip.{name}"), socket.ip(), socket.to_string()))
        });
        let media = self
            .media
            .phone_addresses
            .iter()
            .map(|ip| ("media.phone_address".to_owned(), *ip, ip.to_string()));
        let listen = self.http.listen;
        [("http.listen".to_owned(), listen.ip(), listen.to_string())]
            .into_iter()
            .chain(media)
            .chain(listeners)
            .find(|(_, ip, _)| !is_loopback(*ip))
            .map(|(key, _, shown)| format!("{key} is {shown}"))
    }

    /// Explanation of what to configure instead of the demonstration.
    pub(super) fn explain_no_users(why: &str) -> String {
        format!(
            "no [[users]] are configured, and {why}. The demonstration has published passwords, so it runs only while every \
             listener is on loopback and no trunk is configured. Add users, for example:\n\n{MINIMAL}\n\nor give \
             --first-admin NAME (CORDBOARD_FIRST_ADMIN, or first_admin in the file): a random password is printed at the \
             first start, and that admin adds users by the API."
        )
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}
