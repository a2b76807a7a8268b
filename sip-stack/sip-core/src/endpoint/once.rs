//! Answers without a transaction, for peers that have proved nothing: sent once, with nothing kept (RFC 3261
//! §8.2.7, §26.3.2.4). Over UDP, whose source addresses anybody can forge, they stay in proportion to the request.

use std::fmt::Write as _;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::flow::{Destination, Flow};
use crate::message::{HeaderName, Message, Rejected, StatusCode};

use super::Endpoint;
use super::counts::Totals;
use super::ids::{ServerTx, UsageId};
use super::outgoing::Headers;
use super::respond::reply_flow;
use super::usage::State;
use super::wire::{self, ReplyHead};

/// Maximum number of octets of an answer over UDP for each octet of the request.
const AMPLIFICATION: usize = 3;

/// Header names that have a short form (RFC 3261 §7.3.3), in answers that would be out of proportion otherwise.
const SHORT: [(&str, &str); 5] = [
    ("Via: ", "v:"),
    ("From: ", "f:"),
    ("To: ", "t:"),
    ("Call-ID: ", "i:"),
    ("Content-Length: ", "l:"),
];

/// Octets of an unreadable message that determine the tag of its answer.
const TAGGED_BY: usize = 1_024;

impl Endpoint {
    /// Answers `Event::Request` and forgets it: a copy of the request counts as a new one. For refusals, and
    /// for successes that cost nothing to repeat. Parts that are not essential are left out if the answer
    /// would be too long.
    pub fn reply_once(&mut self, tx: ServerTx, code: StatusCode, extra: &Headers) {
        let code = code.max(StatusCode::OK);
        let mut allow = "";
        if (code.is_success() || matches!(code, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED))
            && !wire::has(extra, HeaderName::Allow)
        {
            allow = &self.about.allow;
        }
        let mut all = String::new();
        wire::extra_lines(&mut all, extra);
        all.push_str(allow);
        if code.is_success() && !wire::has(extra, HeaderName::AllowEvents) {
            all.push_str(self.about.packages());
        }
        if code.is_success() && !wire::has(extra, HeaderName::Supported) {
            all.push_str(&self.about.supported);
        }
        all.push_str(&self.about.server);
        let less = if code.is_success() {
            allow.to_owned()
        } else {
            let mut less = String::new();
            wire::extra_lines(&mut less, &with_one_challenge(extra));
            less.push_str(allow);
            less
        };
        let least = if code.is_success() { "" } else { less.as_str() };
        self.answer_once(tx.0, code, &[&all, &less, least]);
    }

    /// Refuses the call of a peer that has proved nothing, once and without a trace: no retransmission, no
    /// `Event::Ended`. Possible until the first response to it.
    pub fn turn_away(&mut self, usage: UsageId, code: StatusCode, extra: &Headers) {
        let server = self
            .usages
            .get(&usage)
            .filter(|state| state.state == State::Incoming)
            .and_then(|state| state.server);
        let Some(server) = server else { return };
        self.usages.remove(&usage);
        self.reply_once(ServerTx(server), code.max(StatusCode::MULTIPLE_CHOICES), extra);
    }

    /// Sends the first of `variants` that is in proportion to the request, if any is.
    pub(super) fn answer_once(&mut self, id: u64, code: StatusCode, variants: &[&str]) {
        let Some(entry) = self.drop_server(id) else { return };
        self.totals.refused += u64::from(code.is_refusal());
        let tag = self.tag_of(entry.key.octets());
        let answers = variants
            .iter()
            .map(|more| entry.head.write(code, None, &tag, more, None));
        self.send_in_proportion(entry.flow, entry.received, answers);
    }

    /// Answers octets that are not a message, if there is an answer in proportion to them.
    pub(super) fn reject_once(&mut self, flow: Flow, data: &Bytes, rejected: &Rejected) {
        self.totals.refused += 1;
        let tag = self.tag_of(&data[..data.len().min(TAGGED_BY)]);
        let answer = rejected.response(&tag, Some(flow.remote));
        self.send_in_proportion(flow, data.len(), std::iter::once(answer));
    }

    /// Answers 400 to an INVITE that has the branch of another one: an ACK could mean either (RFC 3261 §8.1.1.7).
    pub(super) fn refuse_branch(&mut self, flow: Flow, request: &Message) {
        self.totals.refused += 1;
        let tag = self.tag_of(request.call_id().as_bytes());
        let via = request.top_via().map(|via| via.stamped(flow.remote));
        let head = ReplyHead::new(request, &via.unwrap_or_default());
        let answer = head.write(StatusCode::BAD_REQUEST, None, &tag, &self.about.server, None);
        self.send_in_proportion(reply_flow(request, flow), request.len(), std::iter::once(answer));
    }

    fn send_in_proportion(&mut self, flow: Flow, received: usize, answers: impl Iterator<Item = Bytes>) {
        let most = received * AMPLIFICATION;
        let mut shortest = None;
        for answer in answers {
            if answer.len() <= most {
                return self.transmit(Destination::Flow(flow), answer, 0);
            }
            let short = shortened(&answer);
            if short.len() <= most {
                return self.transmit(Destination::Flow(flow), short, 0);
            }
            shortest = Some(short);
        }
        match shortest {
            // Only the peer that asked gets it.
            Some(short) if flow.transport.is_reliable() => self.transmit(Destination::Flow(flow), short, 0),
            _ => self.totals.unanswered += 1,
        }
    }

    /// `To` tag of an answer without a transaction: the same for each copy of a request (§8.2.7), and unpredictable.
    fn tag_of(&mut self, octets: &[u8]) -> String {
        let secret = *self.tag_secret.get_or_insert_with(|| {
            let mut secret = [0; 32];
            self.rng.fill(&mut secret);
            secret
        });
        let digest = Sha256::new().chain_update(secret).chain_update(octets).finalize();
        digest[..8]
            .iter()
            .fold(String::with_capacity(16), |mut tag, byte| {
                let _ = write!(tag, "{byte:02x}");
                tag
            })
    }

    /// True if another server transaction, begun by `octets` of request, would be one too many. Those outside
    /// of dialogs leave a quarter to dialogs, so that calls go on and end.
    pub(super) fn is_full(&self, octets: usize, in_dialog: bool) -> bool {
        let share = |limit: usize| if in_dialog { limit } else { limit / 4 * 3 };
        self.servers.len() >= share(self.config.max_transactions)
            || self.held + octets > share(self.config.max_transaction_octets)
    }

    /// Counts since the start.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Sends 100 to INVITEs that got no other answer at once.
    pub(super) fn say_trying(&mut self) {
        while let Some(server) = self.untried.pop() {
            let Some(entry) = self.servers.get_mut(&server) else {
                continue;
            };
            if !entry.last.is_empty() || !entry.is_open() {
                continue;
            }
            let data = entry.head.write(StatusCode::TRYING, None, "", "", None);
            entry.last = data.clone();
            entry.tried();
            let to = entry.to.clone();
            self.transmit(to, data, server);
            self.arm_server(server);
        }
    }
}

/// The last of several challenges: the one that every client can answer.
fn with_one_challenge(extra: &Headers) -> Headers {
    let is_challenge = |name: &str| HeaderName::of(name) == HeaderName::WwwAuthenticate;
    let last = extra.iter().rposition(|(name, _)| is_challenge(name));
    extra
        .iter()
        .enumerate()
        .filter(|(at, (name, _))| !is_challenge(name) || Some(*at) == last)
        .map(|(_, header)| header.clone())
        .collect()
}

/// A response without body, with its header names in their short forms.
fn shortened(response: &Bytes) -> Bytes {
    let Ok(text) = std::str::from_utf8(response) else {
        return response.clone();
    };
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive("\r\n") {
        let short = SHORT
            .iter()
            .find_map(|(long, short)| Some((short, line.strip_prefix(long)?)));
        match short {
            Some((name, value)) => {
                out.push_str(name);
                out.push_str(value);
            }
            None => out.push_str(line),
        }
    }
    out.into()
}
