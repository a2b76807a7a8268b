//! Agents' phones: they ring, are answered after a while, sometimes refused, sometimes not answered at all.

use std::time::{Duration, Instant};

use super::super::sip::{Message, authorization};
use super::Outcome;
use super::book::{Call, Verdict};
use super::floor::{AGAIN, Due, Floor, Side};
use super::web::Web;

/// Percentage of offers that are refused, and that are left ringing.
const REFUSED: u64 = 3;
const IGNORED: u64 = 2;
/// Time for which no call is offered to an agent who refused one, or did not answer.
const COOL_DOWN: Duration = Duration::from_secs(5);

/// An agent.
pub(super) struct Agent {
    pub(super) name: String,
    pub(super) web: Web,
    /// Has no call and nothing to write down, as far as the agent knows.
    pub(super) free: bool,
    /// After a call that was refused or not answered none is offered for a while.
    pub(super) rests: Option<Instant>,
    /// The leg that rings or is up, by Call-ID.
    pub(super) busy: Option<String>,
    pub(super) answered: u64,
}

/// A leg at an agent's phone.
pub(super) struct Ring {
    pub(super) agent: usize,
    pub(super) number: u64,
    /// The INVITE.
    invite: Message,
    /// Our final response, until it was acknowledged.
    answer: Option<String>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ringing,
    /// Answered and not acknowledged.
    Answered,
    Up,
    /// Refused or cancelled, and not acknowledged.
    Refused,
    /// We said BYE.
    Leaving,
}

impl Floor {
    /// Registers an agent's phone with the user's password.
    pub(super) async fn register(&mut self, agent: usize, password: &str) -> Outcome<()> {
        let name = self.agents[agent].name.clone();
        let here = self.phones.local_addr()?;
        let uri = format!("sip:{}", self.gateway);
        let mut credentials = String::new();
        for sequence in 1..=2 {
            let branch = self.branch();
            let response = self
                .ask_as_phone(&format!(
                    "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch={branch};rport\r\nMax-Forwards: 70\r\n\
                     From: <sip:{name}@{}>;tag=r{agent}\r\nTo: <sip:{name}@{}>\r\nCall-ID: register{agent}@{here}\r\n\
                     CSeq: {sequence} REGISTER\r\nContact: <sip:{name}@{here}>\r\nExpires: 3600\r\n{credentials}\
                     Content-Length: 0\r\n\r\n",
                    self.gateway, self.gateway
                ))
                .await?;
            match response.status() {
                Some(200) => return Ok(()),
                Some(401) if credentials.is_empty() => {
                    credentials = authorization(&response, "REGISTER", &uri, &name, password)?;
                }
                _ => return Err(format!("{name}: {}", response.start).into()),
            }
        }
        Err(format!("{name}: the credentials were refused").into())
    }

    pub(super) fn phone_asked(&mut self, now: Instant, message: &Message) {
        let method = message.start.split(' ').next().unwrap_or_default();
        let id = message.header("Call-ID").to_string();
        match method {
            "INVITE" => self.invited(now, id, message),
            "ACK" => self.acknowledged(now, &id),
            "CANCEL" => {
                self.send(Side::Phones, message.respond("200 OK", &tag(&id), "", ""));
                self.cancelled(now, &id);
            }
            "BYE" => {
                self.send(Side::Phones, message.respond("200 OK", &tag(&id), "", ""));
                self.hung_up(now, &id);
            }
            _ => self.send(Side::Phones, message.respond("200 OK", "phone", "", "")),
        }
    }

    fn invited(&mut self, now: Instant, id: String, message: &Message) {
        if let Some(ring) = self.rings.get(&id) {
            // A retransmission: our response is repeated too.
            let again = ring.answer.clone().unwrap_or_else(|| ringing(message, &id));
            return self.send(Side::Phones, again);
        }
        let user = message
            .start
            .split("sip:")
            .nth(1)
            .and_then(|uri| uri.split(['@', ' ']).next());
        let Some(agent) = user.and_then(|user| self.names.get(user)).copied() else {
            self.book
                .faults
                .push(format!("nobody is called by {}", message.start));
            return self.send(Side::Phones, message.respond("404 Not Found", "phone", "", ""));
        };
        let from = message.header("From");
        let number = from.split("sip:").nth(1).and_then(|uri| uri.split('@').next());
        let Some(number) = number.and_then(|number| number.trim_start_matches('+').parse().ok()) else {
            self.book.faults.push(format!("an offer names no caller: {from}"));
            return self.send(Side::Phones, message.respond("404 Not Found", "phone", "", ""));
        };
        if let Some(other) = &self.agents[agent].busy {
            let other = self.rings.get(other).map(|ring| (ring.number, ring.state));
            self.book.faults.push(format!(
                "agent {agent} was offered call {number} while having {other:?}"
            ));
        }
        if !self.agents[agent].free {
            self.book
                .faults
                .push(format!("agent {agent} was offered call {number} while not free"));
        }
        self.book.ring(number, agent, now);
        self.agents[agent].busy = Some(id.clone());
        self.agents[agent].free = false;
        self.send(Side::Phones, ringing(message, &id));
        let what = self.rng.below(100);
        let after = self.between(300, 2_500);
        if what < REFUSED {
            self.at(now + after, Due::Pick(id.clone(), false));
        } else if what >= REFUSED + IGNORED {
            self.at(now + after, Due::Pick(id.clone(), true));
        }
        let ring = Ring {
            agent,
            number,
            invite: message.clone(),
            answer: None,
            state: State::Ringing,
        };
        self.rings.insert(id, ring);
    }

    /// The agent decides.
    pub(super) fn pick(&mut self, now: Instant, id: &str, accept: bool) {
        let (body, contact) = match (self.sdp(Side::Phones), self.phones.local_addr()) {
            (Ok(body), Ok(here)) => (body, here),
            _ => return,
        };
        let Some(ring) = self.rings.get_mut(id).filter(|ring| ring.state == State::Ringing) else {
            return;
        };
        let (agent, number) = (ring.agent, ring.number);
        let answer = if accept {
            ring.state = State::Answered;
            let name = &self.agents[agent].name;
            let headers = format!("Contact: <sip:{name}@{contact}>\r\nContent-Type: application/sdp\r\n");
            ring.invite.respond("200 OK", &tag(id), &headers, &body)
        } else {
            ring.state = State::Refused;
            ring.invite.respond("486 Busy Here", &tag(id), "", "")
        };
        ring.answer = Some(answer.clone());
        self.send(Side::Phones, answer);
        self.at(now + AGAIN, Due::Repeat(id.to_string()));
        if accept {
            self.agents[agent].answered += 1;
            self.book.answer(number, agent, now);
        } else {
            self.book.still(number, agent);
            self.let_go(agent);
            self.agents[agent].free = true;
            self.agents[agent].rests = Some(now + COOL_DOWN);
        }
    }

    fn acknowledged(&mut self, now: Instant, id: &str) {
        let Some(ring) = self.rings.get_mut(id) else {
            return;
        };
        match ring.state {
            State::Answered => {
                ring.state = State::Up;
                ring.answer = None;
                let number = ring.number;
                if let Some(call) = self.book.calls.get_mut(&number) {
                    call.joined = Some(now);
                }
                let mean = self.talk.as_millis() as u64;
                let talk = self.between(mean * 6 / 10, mean * 14 / 10);
                if self.rng.percent(50) {
                    self.at(now + talk, Due::AgentDone(id.to_string()));
                } else {
                    self.at(now + talk, Due::CallerDone(number));
                }
            }
            State::Refused => {
                self.rings.remove(id);
            }
            State::Ringing | State::Up | State::Leaving => {}
        }
    }

    fn cancelled(&mut self, now: Instant, id: &str) {
        let Some(ring) = self.rings.get_mut(id).filter(|ring| ring.state == State::Ringing) else {
            return;
        };
        ring.state = State::Refused;
        let answer = ring.invite.respond("487 Request Terminated", &tag(id), "", "");
        ring.answer = Some(answer.clone());
        let (agent, number) = (ring.agent, ring.number);
        self.send(Side::Phones, answer);
        self.at(now + AGAIN, Due::Repeat(id.to_string()));
        self.book.still(number, agent);
        self.let_go(agent);
        self.agents[agent].free = true;
        // The phone rang until its time was up, unless the caller left.
        let rang = self
            .book
            .calls
            .get(&number)
            .is_some_and(|call| call.left.is_none());
        self.agents[agent].rests = rang.then(|| now + COOL_DOWN);
    }

    /// The gateway ended the leg.
    fn hung_up(&mut self, now: Instant, id: &str) {
        if let Some(ring) = self.rings.remove(id) {
            self.after_talk(now, ring.agent);
            // The caller had left before the answer came: the gateway knows nothing that there is to write down.
            let verdict = self.book.calls.get(&ring.number).map(Call::verdict);
            self.agents[ring.agent].free = verdict == Some(Verdict::Either);
        }
    }

    pub(super) fn agent_hangs_up(&mut self, now: Instant, id: &str) {
        let here = match self.phones.local_addr() {
            Ok(here) => here,
            Err(error) => return self.book.faults.push(error.to_string()),
        };
        let branch = self.branch();
        let Some(ring) = self.rings.get_mut(id).filter(|ring| ring.state == State::Up) else {
            return;
        };
        ring.state = State::Leaving;
        let (invite, agent) = (&ring.invite, ring.agent);
        let bye = format!(
            "BYE {} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch={branch};rport\r\nMax-Forwards: 70\r\nFrom: {};tag={}\r\n\
             To: {}\r\nCall-ID: {id}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
            invite.contact(),
            invite.header("To"),
            tag(id),
            invite.header("From"),
        );
        self.request(now, Side::Phones, branch, bye);
        self.rings.remove(id);
        self.after_talk(now, agent);
    }

    /// Wrap-up begins.
    fn after_talk(&mut self, now: Instant, agent: usize) {
        self.let_go(agent);
        let writing = self.between(1_000, 3_000);
        self.at(now + writing, Due::Written(agent));
    }

    fn let_go(&mut self, agent: usize) {
        self.agents[agent].busy = None;
    }

    /// Nothing that a phone asks for needs an answer but BYE.
    pub(super) fn phone_hears(&mut self, _now: Instant, status: u16, message: &Message) {
        if status >= 300 {
            self.book.faults.push(format!(
                "an agent's {} was answered {}",
                message.header("CSeq"),
                message.start
            ));
        }
    }

    /// Repeats an answer that was not acknowledged (RFC 3261 §13.3.1.4).
    pub(super) fn repeat_answer(&mut self, now: Instant, id: String) {
        if let Some(answer) = self.rings.get(&id).and_then(|ring| ring.answer.clone()) {
            self.resent += 1;
            self.send(Side::Phones, answer);
            self.at(now + AGAIN, Due::Repeat(id));
        }
    }
}

fn ringing(invite: &Message, id: &str) -> String {
    invite.respond("180 Ringing", &tag(id), "", "")
}

fn tag(id: &str) -> String {
    let hash = id.bytes().fold(7_u32, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    format!("p{hash:x}")
}
