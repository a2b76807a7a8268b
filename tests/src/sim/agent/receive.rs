//! Handling of messages by an agent.

use bytes::Bytes;
use sip_core::auth::Answered;
use sip_core::message::{HeaderName, Message, Method, StatusCode};

use super::{Agent, Call, Heard, State};
use crate::sim::sdp::{self, Kind};

impl Agent {
    /// A message came.
    pub fn receive(&mut self, data: Bytes) {
        if self.silent {
            return;
        }
        let message = Message::parse(data.clone())
            .unwrap_or_else(|error| panic!("{} got {error:?}: {}", self.user, data.escape_ascii()));
        assert_eq!(
            message.via_count(),
            1,
            "{}: more than one Via",
            data.escape_ascii()
        );
        if message.is_request() {
            self.request(&message);
        } else {
            self.response(&message);
        }
    }

    pub(super) fn response(&mut self, message: &Message) {
        let code = message.status().map_or(0, StatusCode::get);
        let branch = message
            .top_via()
            .and_then(|via| via.branch().map(str::to_owned))
            .unwrap_or_default();
        let cseq = message.cseq();
        let id = message.call_id().to_owned();
        if cseq.method == Method::Invite {
            return self.invite_response(message, code, &branch, &id);
        }
        if code < 200 {
            return;
        }
        let Some((method, about)) = self.pending.remove(&branch) else {
            return; // CANCEL, or late
        };
        match method {
            Method::Register => self.register_response(message, code, &about),
            Method::Bye => self.over(&id, 200),
            _ if code == 401 || code == 407 => panic!("challenge within a dialog"),
            // RFC 3261 §12.2.1.2: the dialog is gone.
            _ if code == 481 || code == 408 => {
                if self.state(&id) == State::Up {
                    self.bye(&id);
                }
            }
            Method::Refer => self.reported(&id, code),
            _ => assert!(
                code == 200 || self.state(&id) != State::Up || matches!(code, 488 | 491 | 500),
                "{method:?} in a call was answered {code}"
            ),
        }
    }

    pub(super) fn register_response(&mut self, message: &Message, code: u16, expires: &str) {
        match code {
            401 | 407 => {
                self.challenges += 1;
                if self
                    .answerer
                    .challenged(message, &mut self.answered, &mut self.rng)
                {
                    self.register(expires.parse().unwrap_or(600));
                }
            }
            200 => {
                self.answered = Answered::default();
                self.registered = expires != "0";
                if self.registered {
                    let mine = format!("sip:{}", self.contact());
                    let back = message
                        .contacts()
                        .find(|c| c.uri().is_some_and(|uri| uri.to_string() == mine));
                    let back = back.expect("the 200 to REGISTER has our contact as we wrote it");
                    assert!(back.expires().is_some(), "SIP.js wants ;expires");
                    self.heard.push(Heard::Registered);
                }
            }
            _ => {}
        }
    }

    pub(super) fn invite_response(&mut self, message: &Message, code: u16, branch: &str, id: &str) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let first = call.branch == branch;
        if code < 200 {
            if first && call.state == State::Calling {
                call.state = State::Proceeding;
                if call.wants_cancel {
                    return self.cancel(id);
                }
            }
            if code > 100 && first && matches!(call.state, State::Proceeding) {
                self.heard.push(Heard::Rings(id.to_owned(), code));
                if !message.body().is_empty() {
                    self.answer_came(id, message);
                }
            }
            return;
        }
        if code >= 300 {
            self.pending.remove(branch);
            self.acknowledge_refusal(message, branch, id);
            let Some(call) = self.calls.get_mut(id) else {
                return;
            };
            if !first {
                if code == 481 || code == 408 {
                    self.bye(id);
                }
                return;
            }
            if code == 401 || code == 407 {
                self.challenges += 1;
                if call.state == State::Over
                    || !self
                        .answerer
                        .challenged(message, &mut self.answered, &mut self.rng)
                {
                    return self.over(id, code);
                }
                if let Some(call) = self.calls.get_mut(id) {
                    if call.state == State::Leaving || call.wants_cancel {
                        return self.over(id, 487);
                    }
                    call.state = State::Calling;
                }
                return self.send_invite(id);
            }
            return self.over(id, code);
        }
        // 2xx, perhaps a copy of it: each gets its ACK.
        self.pending.remove(branch);
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        if first {
            call.remote = message.header(HeaderName::To).unwrap_or_default().to_owned();
            if let Some(contact) = message.contact() {
                call.target = contact.uri.to_string();
            }
            call.routes = message
                .headers(HeaderName::RecordRoute)
                .map(str::to_owned)
                .collect();
            call.routes.reverse();
        }
        let ack_body = if (call.late && first) || std::mem::take(&mut call.asked) {
            sdp::answer(
                self.kind,
                self.address,
                message.body(),
                call.direction,
                call.version,
            )
        } else {
            String::new()
        };
        let (cseq, uri, was) = (message.cseq().number, call.target.clone(), call.state);
        let ack_branch = self.branch();
        let text = self.start("ACK", &uri, &ack_branch);
        self.finish(id, text, "ACK", Some(cseq), &ack_body);
        if !first {
            return;
        }
        match was {
            State::Calling | State::Proceeding => {
                assert!(!message.body().is_empty(), "JsSIP hangs up on a 200 without SDP");
                if let Some(call) = self.calls.get_mut(id) {
                    call.state = State::Up;
                    call.code = 200;
                    if call.late {
                        self.heard.push(Heard::Media(id.to_owned(), message.body_bytes()));
                    } else {
                        self.answer_came(id, message);
                    }
                    self.heard.push(Heard::Up(id.to_owned()));
                }
            }
            // The 200 crossed our CANCEL (or we gave up before any response).
            State::Leaving | State::Over => {
                if let Some(call) = self.calls.get_mut(id)
                    && call.code == 0
                {
                    call.code = 200;
                    call.state = State::Leaving;
                    self.in_dialog(id, "BYE", "", "", "");
                }
            }
            _ => {}
        }
    }

    /// SDP of a 18x or of the 200 to our INVITE: for a browser the same octets in all of them.
    pub(super) fn answer_came(&mut self, id: &str, message: &Message) {
        let body = message.body_bytes();
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        match &call.answer {
            None => {
                call.answer = Some(body.clone());
                self.heard.push(Heard::Media(id.to_owned(), body));
            }
            Some(before) if self.kind == Kind::Browser => {
                assert_eq!(*before, body, "a browser gets one constant answer");
            }
            Some(_) => {}
        }
    }

    pub(super) fn request(&mut self, message: &Message) {
        let id = message.call_id().to_owned();
        match message.method() {
            Some(Method::Invite) => match self.calls.get(&id).map(|c| c.state) {
                Some(State::Up | State::Accepted) => self.offered(message, &id),
                Some(_) => self.respond(message, 481, Some(&id), "", ""),
                None if message.to().tag().is_some() => self.respond(message, 481, None, "", ""),
                None => self.invited(message, id),
            },
            Some(Method::Ack) => {
                let Some(call) = self.calls.get_mut(&id).filter(|c| c.state == State::Accepted) else {
                    return;
                };
                call.state = State::Up;
                if !message.body().is_empty() {
                    self.heard.push(Heard::Media(id.clone(), message.body_bytes()));
                }
                self.heard.push(Heard::Up(id));
            }
            Some(Method::Cancel) => {
                self.respond(message, 200, Some(&id), "", "");
                if self.state(&id) == State::Incoming
                    && let Some(invite) = self.calls.get(&id).and_then(|c| c.invite.clone())
                {
                    self.respond(&invite, 487, Some(&id), "", "");
                    self.over(&id, 487);
                }
            }
            Some(Method::Bye) => match self.state(&id) {
                State::Over => self.respond(message, 481, Some(&id), "", ""),
                _ => {
                    self.respond(message, 200, Some(&id), "", "");
                    self.over(&id, 200);
                }
            },
            Some(Method::Update | Method::Info | Method::Notify) if self.state(&id) == State::Over => {
                self.respond(message, 481, Some(&id), "", "");
            }
            Some(Method::Info) => {
                let body = String::from_utf8_lossy(message.body()).into_owned();
                let digit = body.strip_prefix("Signal=").and_then(|rest| rest.chars().next());
                self.respond(message, 200, Some(&id), "", "");
                self.heard.extend(digit.map(|digit| Heard::Digit(id, digit)));
            }
            Some(Method::Notify) => {
                let body = String::from_utf8_lossy(message.body()).into_owned();
                let code = body
                    .strip_prefix("SIP/2.0 ")
                    .and_then(|rest| rest.get(..3)?.parse().ok());
                self.respond(message, 200, Some(&id), "", "");
                self.reported(&id, code.expect("a NOTIFY of a transfer has a status"));
            }
            Some(Method::Update) if !message.body().is_empty() => self.offered(message, &id),
            Some(Method::Update | Method::Options) => self.respond(message, 200, Some(&id), "", ""),
            other => panic!("{other:?} to an agent"),
        }
    }

    pub(super) fn invited(&mut self, message: &Message, id: String) {
        assert!(message.to().uri.is_sip(), "JsSIP answers 416 otherwise");
        let call = Call {
            state: State::Incoming,
            answer: None,
            code: 0,
            reported: Vec::new(),
            local: format!(
                "{};tag={}",
                message.header(HeaderName::To).unwrap_or_default(),
                self.rng.token(10)
            ),
            remote: message.header(HeaderName::From).unwrap_or_default().to_owned(),
            target: message.contact().map(|c| c.uri.to_string()).unwrap_or_default(),
            routes: message
                .headers(HeaderName::RecordRoute)
                .map(str::to_owned)
                .collect(),
            cseq: 0,
            branch: String::new(),
            number: String::new(),
            invite: Some(message.clone()),
            direction: "sendrecv",
            version: 1,
            wants_cancel: false,
            late: message.body().is_empty(),
            asked: false,
            replaces: None,
            accepted: None,
        };
        self.calls.insert(id.clone(), call);
        self.respond(message, 100, Some(&id), "", "");
        self.heard.push(Heard::Invited(id));
    }

    /// A re-INVITE or UPDATE with an offer, or a re-INVITE that wants ours.
    pub(super) fn offered(&mut self, message: &Message, id: &str) {
        let (kind, address) = (self.kind, self.address);
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        call.version += 1;
        let body = if message.body().is_empty() {
            sdp::offer(kind, address, call.direction, call.version)
        } else {
            let now = sdp::reverse(sdp::direction(message.body()));
            if now != call.direction {
                self.heard.push(Heard::Changed(id.to_owned(), now));
            }
            sdp::answer(kind, address, message.body(), now, call.version)
        };
        self.respond(message, 200, Some(id), "", &body);
    }

    pub(super) fn answer_body(&self, id: &str, invite: &Message) -> String {
        let version = self.calls.get(id).map_or(1, |c| c.version);
        if invite.body().is_empty() {
            sdp::offer(self.kind, self.address, "sendrecv", version)
        } else {
            let direction = sdp::reverse(sdp::direction(invite.body()));
            sdp::answer(self.kind, self.address, invite.body(), direction, version)
        }
    }

    fn reported(&mut self, id: &str, code: u16) {
        if let Some(call) = self.calls.get_mut(id) {
            call.reported.push(code);
        }
    }

    pub(super) fn over(&mut self, id: &str, code: u16) {
        if let Some(call) = self.calls.get_mut(id) {
            call.state = State::Over;
            call.code = code;
            self.heard.push(Heard::Over(id.to_owned(), code));
        }
    }
}
