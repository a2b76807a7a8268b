//! Messages on the wire: checked against invariants, folded into a digest, and drawn as a ladder on request.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;
use sans_io::Time;
use sip_core::flow::FlowId;
use sip_core::message::{HeaderName, Message, Method, StatusCode};

use super::sdp;

/// The record of a run.
#[derive(Debug)]
pub struct Wire {
    /// Digest of everything that was sent, with times.
    pub digest: u64,
    /// Messages sent.
    pub messages: u64,
    /// By branch, CSeq and receiver: INVITEs that arrived, with the codes of the final responses sent to them.
    invites: BTreeMap<(String, u32), Invite>,
    began: Time,
    ladder: Option<String>,
    /// Nothing is read: a 400 has to repeat what cannot be read (RFC 3261 §8.2.6.2).
    pub blind: bool,
    /// Each line is printed at once too.
    pub aloud: bool,
}

#[derive(Debug, Default)]
struct Invite {
    flow: Option<FlowId>,
    finals: Vec<(u16, String)>,
    /// Its connection is gone: nobody can be answered.
    moot: bool,
}

impl Wire {
    pub(super) fn new(began: Time) -> Wire {
        Wire {
            digest: 0xcbf2_9ce4_8422_2325,
            messages: 0,
            invites: BTreeMap::new(),
            began,
            ladder: None,
            blind: false,
            aloud: false,
        }
    }

    /// Draws from now on.
    pub fn draw(&mut self, now: Time) {
        self.began = now;
        self.ladder = Some(String::new());
    }

    /// The drawing.
    #[must_use]
    pub fn ladder(&self) -> &str {
        self.ladder.as_deref().unwrap_or("")
    }

    /// A line that is no message.
    pub(super) fn note(&mut self, now: Time, what: impl FnOnce() -> Option<String>) {
        let at = now.since(self.began).as_millis();
        if let Some(ladder) = &mut self.ladder
            && let Some(what) = what()
        {
            let line = format!("{:>4}.{:03}  * {what}", at / 1_000, at % 1_000);
            if self.aloud {
                eprintln!("{line}");
            }
            ladder.push_str(&line);
            ladder.push('\n');
        }
    }

    /// A message is sent.
    pub(super) fn sent(&mut self, now: Time, from: &str, to: &str, data: &Bytes) {
        self.messages += 1;
        for byte in now.0.to_be_bytes().iter().chain(data.iter()) {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.blind {
            return;
        }
        let is_response = data.starts_with(b"SIP/2.0 ");
        if is_response && data.get(8).is_some_and(|c| *c >= b'2') {
            let message = parse(data);
            let code = message.status().map_or(0, StatusCode::get);
            if message.cseq().method == Method::Invite
                && let Some(invite) = self.invites.get_mut(&key(&message))
            {
                let tag = message.to().tag().unwrap_or_default().to_owned();
                if !invite.finals.contains(&(code, tag.clone())) {
                    invite.finals.push((code, tag));
                }
            }
        }
        let at = now.since(self.began).as_millis();
        if let Some(ladder) = &mut self.ladder {
            let message = parse(data);
            let mut line = format!(
                "{:>4}.{:03}  {from} -> {to}: {}",
                at / 1_000,
                at % 1_000,
                line(&message)
            );
            if self.aloud {
                eprintln!("{line}  {}", message.call_id());
            }
            line.push('\n');
            ladder.push_str(&line);
        }
    }

    /// A message arrives.
    pub(super) fn arrived(&mut self, data: &Bytes, flow: Option<FlowId>) {
        if data.starts_with(b"INVITE ") && !self.blind {
            let invite = self.invites.entry(key(&parse(data))).or_default();
            invite.flow = flow;
        }
    }

    /// A connection is gone.
    pub(super) fn closed(&mut self, flow: FlowId) {
        for invite in self.invites.values_mut() {
            invite.moot |= invite.flow == Some(flow) && invite.finals.is_empty();
        }
    }

    /// Checks that each INVITE that arrived has exactly one final response. Returns their number.
    ///
    /// # Panics
    /// An INVITE has none, or several.
    pub fn check(&self) -> usize {
        for (key, invite) in &self.invites {
            let one = invite.finals.len() == 1;
            assert!(
                one || (invite.moot && invite.finals.is_empty()),
                "{key:?}: {invite:?}"
            );
        }
        self.invites.len()
    }
}

fn parse(data: &Bytes) -> Message {
    Message::parse(data.clone())
        .unwrap_or_else(|error| panic!("sent what cannot be read, {error:?}: {}", data.escape_ascii()))
}

fn key(message: &Message) -> (String, u32) {
    let branch = message.top_via().and_then(|via| via.branch().map(str::to_owned));
    (branch.unwrap_or_default(), message.cseq().number)
}

/// As much of a message as a reader of a ladder needs.
fn line(message: &Message) -> String {
    let mut line = match (message.method(), message.status()) {
        (Some(Method::Invite | Method::Register), _) if message.to().tag().is_none() => {
            let uri = message.request_uri().unwrap_or_default();
            match uri.contains(".invalid") {
                true => format!(
                    "{} (contact of the tab)",
                    message.method().map_or("", |m| m.as_str())
                ),
                false => format!("{} {uri}", message.method().map_or("", |m| m.as_str())),
            }
        }
        (Some(Method::Invite), _) => "INVITE within the dialog".to_owned(),
        (Some(method), _) => method.as_str().to_owned(),
        (None, code) => format!(
            "{} {} ({})",
            code.map_or(0, StatusCode::get),
            message.reason(),
            message.cseq().method.as_str()
        ),
    };
    if let (Some(Method::Invite), Some(hops), None) =
        (message.method(), message.max_forwards(), message.to().tag())
    {
        let _ = write!(line, ", {hops} hops");
    }
    if let Some(reason) = message.header(HeaderName::Reason) {
        let _ = write!(line, " [Reason: {reason}]");
    }
    if message.has_content_type("application/sdp") {
        let is_fax = message.body().windows(8).any(|text| text == b"m=image ");
        let what = if is_fax {
            "fax"
        } else {
            sdp::direction(message.body())
        };
        let _ = write!(line, " [SDP {what}]");
    } else if !message.body().is_empty() {
        let text = String::from_utf8_lossy(message.body()).replace("\r\n", " ");
        let _ = write!(line, " [{}]", text.trim());
    }
    line
}
