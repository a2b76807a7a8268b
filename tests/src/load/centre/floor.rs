//! One loop that plays all callers and all agents' phones, with a socket for each side: what the gateway sends to the phones is seen
//! in the order in which it was sent, so that two offers at once cannot hide.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use sans_io::Rng;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};

use super::super::sip::Message;
use super::Outcome;
use super::agent::{Agent, Ring};
use super::book::Book;

/// Time without an answer after which a request is sent again (RFC 3261, T1), and the number of attempts.
pub(super) const AGAIN: Duration = Duration::from_millis(500);
const TIMES: u32 = 10;

/// Plan of a run.
pub(super) struct Plan {
    /// Calls a second.
    pub(super) rate: f64,
    pub(super) seconds: u64,
    /// Mean length of talk; it is from six tenths to fourteen tenths of that.
    pub(super) talk: Duration,
    /// Agents who want calls when the calls begin; the others come one by one in the first third of the time.
    pub(super) first: usize,
}

/// Callers and phones.
pub(super) struct Floor {
    pub(super) gateway: SocketAddr,
    /// The socket of all agents' phones, and that of the trunk.
    pub(super) phones: UdpSocket,
    pub(super) trunk: UdpSocket,
    pub(super) agents: Vec<Agent>,
    /// Agents' legs by Call-ID.
    pub(super) rings: BTreeMap<String, Ring>,
    pub(super) book: Book,
    pub(super) rng: Rng,
    timers: BTreeMap<(Instant, u64), Due>,
    last_timer: u64,
    /// Requests that wait for a response, by branch.
    sent: BTreeMap<String, Sent>,
    pub(super) resent: u64,
    /// Wishes of agents to the API.
    pub(super) wishes: mpsc::UnboundedSender<(usize, Wish)>,
    outbox: VecDeque<(Side, String)>,
    /// To and Contact of the gateway in each call, by the caller's number.
    pub(super) dialogs: BTreeMap<u64, (String, String)>,
    /// Agents by name.
    pub(super) names: BTreeMap<String, usize>,
    /// Ports where both sides listen to sound.
    media: [u16; 2],
    /// The queue's.
    pub(super) number: String,
    pub(super) talk: Duration,
    branches: u64,
}

/// Timers.
#[derive(Clone, Debug)]
pub(super) enum Due {
    /// The next caller calls.
    Call,
    /// A caller whom no agent answered so far gives up.
    GiveUp(u64),
    /// Talk is over; the caller hangs up.
    CallerDone(u64),
    /// A phone is answered, or refuses.
    Pick(String, bool),
    /// Talk is over; the agent hangs up.
    AgentDone(String),
    /// The agent wrote everything down.
    Written(usize),
    /// One more agent wants calls.
    Arrive(usize),
    /// Something was not answered.
    Again(String),
    /// A phone's final response was not acknowledged.
    Repeat(String),
}

/// Request of an agent to the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Available,
    WrappedUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Phones,
    Trunk,
}

struct Sent {
    side: Side,
    text: String,
    times: u32,
}

impl Floor {
    /// Callers and phones that reach the gateway at `gateway`, and the queue by `number`. `media`: the ports where the
    /// phones and the trunk take sound.
    pub(super) async fn new(
        gateway: SocketAddr,
        [phones, trunk]: [IpAddr; 2],
        number: &str,
        media: [u16; 2],
        agents: Vec<Agent>,
        wishes: mpsc::UnboundedSender<(usize, Wish)>,
    ) -> Outcome<Floor> {
        let phones = UdpSocket::bind((phones, 0)).await?;
        let trunk = UdpSocket::bind((trunk, 0)).await?;
        phones.connect(gateway).await?;
        trunk.connect(gateway).await?;
        let names = agents
            .iter()
            .enumerate()
            .map(|(n, agent)| (agent.name.clone(), n))
            .collect();
        Ok(Floor {
            gateway,
            phones,
            trunk,
            agents,
            rings: BTreeMap::new(),
            book: Book::default(),
            rng: Rng::seeded(3),
            timers: BTreeMap::new(),
            last_timer: 0,
            sent: BTreeMap::new(),
            resent: 0,
            wishes,
            outbox: VecDeque::new(),
            dialogs: BTreeMap::new(),
            names,
            media,
            number: number.to_string(),
            talk: Duration::ZERO,
            branches: 0,
        })
    }

    /// Plays until all calls are over, or `patience` after the last one came.
    pub(super) async fn play(&mut self, plan: &Plan, patience: Duration) -> Outcome<()> {
        self.talk = plan.talk;
        let start = Instant::now();
        let mut next_call = start;
        let last_call = start + Duration::from_secs(plan.seconds);
        let space = Duration::from_secs_f64(1.0 / plan.rate);
        let late = self.agents.len().saturating_sub(plan.first);
        for n in 0..late {
            let after = Duration::from_secs(plan.seconds).mul_f64((n + 1) as f64 / late as f64 / 3.0);
            self.at(start + after, Due::Arrive(plan.first + n));
        }
        self.at(next_call, Due::Call);
        loop {
            let now = Instant::now();
            while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= now) {
                let due = entry.remove();
                if matches!(due, Due::Call) {
                    self.call(now);
                    next_call += space;
                    if next_call < last_call {
                        self.at(next_call, Due::Call);
                    }
                } else {
                    self.due(now, due);
                }
            }
            self.flush().await?;
            let calling = next_call < last_call;
            if !calling && self.book.open() == 0 && self.rings.is_empty() {
                return Ok(());
            }
            if now > last_call + patience {
                let open = self.book.open();
                self.book.faults.push(format!(
                    "{open} calls never ended, and {} phones are off the hook",
                    self.rings.len()
                ));
                return Ok(());
            }
            let until = self.timers.keys().next().map_or(now + AGAIN, |(at, _)| *at);
            self.hear(until.min(now + AGAIN)).await?;
        }
    }

    /// Takes all that has come, waiting for something until then.
    async fn hear(&mut self, until: Instant) -> Outcome<()> {
        let mut buffers = ([0; 8_192], [0; 8_192]);
        let (side, length) = tokio::select! {
            length = self.phones.recv(&mut buffers.0) => (Side::Phones, length),
            length = self.trunk.recv(&mut buffers.1) => (Side::Trunk, length),
            () = sleep_until(until.into()) => return Ok(()),
        };
        let buffer = match side {
            Side::Phones => &buffers.0,
            Side::Trunk => &buffers.1,
        };
        self.take(side, &buffer[..length?]);
        for side in [Side::Phones, Side::Trunk] {
            let mut buffer = [0; 8_192];
            // Read everything that is there already, so that a timer is not late because of it.
            for _ in 0..64 {
                let socket = match side {
                    Side::Phones => &self.phones,
                    Side::Trunk => &self.trunk,
                };
                match socket.try_recv(&mut buffer) {
                    Ok(length) => self.take(side, &buffer[..length]),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, side: Side, datagram: &[u8]) {
        let Some(message) = std::str::from_utf8(datagram).ok().and_then(Message::parse) else {
            // A keep-alive.
            return;
        };
        let now = Instant::now();
        if let Some(status) = message.status() {
            let via = message.header("Via");
            let branch = via
                .split("branch=")
                .nth(1)
                .and_then(|rest| rest.split([';', ',']).next());
            if let Some(branch) = branch {
                self.sent.remove(branch);
            }
            match side {
                Side::Trunk => self.caller_hears(now, status, &message),
                Side::Phones => self.phone_hears(now, status, &message),
            }
            return;
        }
        match side {
            Side::Trunk => self.caller_asked(now, &message),
            Side::Phones => self.phone_asked(now, &message),
        }
    }

    fn due(&mut self, now: Instant, due: Due) {
        match due {
            Due::Call => {}
            Due::GiveUp(number) => self.give_up(now, number),
            Due::CallerDone(number) => self.hang_up(now, number),
            Due::Pick(id, accept) => self.pick(now, &id, accept),
            Due::AgentDone(id) => self.agent_hangs_up(now, &id),
            Due::Written(agent) => {
                self.agents[agent].free = true;
                let _ = self.wishes.send((agent, Wish::WrappedUp));
            }
            Due::Arrive(agent) => {
                self.agents[agent].free = true;
                let _ = self.wishes.send((agent, Wish::Available));
            }
            Due::Again(branch) => self.send_again(now, branch),
            Due::Repeat(id) => self.repeat_answer(now, id),
        }
    }

    pub(super) fn at(&mut self, when: Instant, due: Due) {
        self.last_timer += 1;
        self.timers.insert((when, self.last_timer), due);
    }

    pub(super) fn send(&mut self, side: Side, text: String) {
        self.outbox.push_back((side, text));
    }

    /// Sends a request, again while it is not answered.
    pub(super) fn request(&mut self, now: Instant, side: Side, branch: String, text: String) {
        self.send(side, text.clone());
        self.sent.insert(branch.clone(), Sent { side, text, times: 1 });
        self.at(now + AGAIN, Due::Again(branch));
    }

    fn send_again(&mut self, now: Instant, branch: String) {
        let Some(sent) = self.sent.get_mut(&branch) else {
            return;
        };
        if sent.times >= TIMES {
            let first = sent.text.lines().next().unwrap_or_default().to_string();
            self.sent.remove(&branch);
            return self.book.faults.push(format!("no answer to {first}"));
        }
        sent.times += 1;
        let (side, text) = (sent.side, sent.text.clone());
        self.resent += 1;
        self.send(side, text);
        self.at(now + AGAIN, Due::Again(branch));
    }

    pub(super) fn branch(&mut self) -> String {
        self.branches += 1;
        format!("z9hG4bK{}", self.branches)
    }

    async fn flush(&mut self) -> Outcome<()> {
        while let Some((side, text)) = self.outbox.pop_front() {
            let socket = match side {
                Side::Phones => &self.phones,
                Side::Trunk => &self.trunk,
            };
            socket.send(text.as_bytes()).await?;
        }
        Ok(())
    }

    /// Sends one request and waits for its final response; whatever else comes meanwhile is taken too.
    pub(super) async fn ask_as_phone(&self, text: &str) -> Outcome<Message> {
        self.phones.send(text.as_bytes()).await?;
        let mut buffer = [0; 8_192];
        loop {
            let length = timeout(Duration::from_secs(5), self.phones.recv(&mut buffer)).await??;
            let Some(message) = std::str::from_utf8(&buffer[..length])
                .ok()
                .and_then(Message::parse)
            else {
                continue;
            };
            match message.status() {
                Some(100..200) => {}
                Some(_) => return Ok(message),
                None => {
                    let reply = message.respond("200 OK", "phone", "", "");
                    self.phones.send(reply.as_bytes()).await?;
                }
            }
        }
    }

    /// An SDP with PCMU at a port where nobody listens to it.
    pub(super) fn sdp(&self, side: Side) -> Outcome<String> {
        let (socket, port) = match side {
            Side::Phones => (&self.phones, self.media[0]),
            Side::Trunk => (&self.trunk, self.media[1]),
        };
        let ip = socket.local_addr()?.ip();
        Ok(format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n\
             a=rtpmap:0 PCMU/8000\r\n"
        ))
    }

    /// Between two durations.
    pub(super) fn between(&mut self, low_ms: u64, high_ms: u64) -> Duration {
        Duration::from_millis(low_ms + self.rng.below((high_ms - low_ms).max(1)))
    }
}
