//! The phone's part of the signalling task: passes requests on to the coordinator, and events of its call back.

use std::collections::BTreeMap;

use media_core::control::{Application as Media, Report};
use sans_io::Time;
use session_core::{
    Coordinator, Event, IncomingCall, IncomingMessage, LegId, MessageId, Registrant, RegistrationState,
    SessionId,
};
use sip_core::message::StatusCode;
use sip_core::uri::Uri;
use tokio::sync::{mpsc, oneshot, watch};

use super::ask::{Arrived, Ask, Destination, Status};
use super::call::{CallEvent, State};
use crate::driver::Application;
use crate::instant::InstantMessage;

/// Calls that may wait for [`Client::next_call`](super::Client::next_call); more are refused as busy.
pub(super) const CALLS: usize = 16;

/// Events of a call that may wait for [`Call::event`](super::Call::event). When it is full, new ones are left out: the
/// application does not look at them.
const EVENTS: usize = 256;

/// The far end of a call.
#[derive(Debug)]
struct Line {
    leg: Option<LegId>,
    /// Sound for the peer while it is not held.
    media: Option<Media>,
    holding: bool,
    state: watch::Sender<State>,
    events: mpsc::Sender<CallEvent>,
    reports: Vec<oneshot::Sender<Box<Report>>>,
    /// Whoever waits for the outcome of a transfer.
    transfer: Option<oneshot::Sender<StatusCode>>,
}

/// The application of a client's stack.
#[derive(Debug)]
pub(super) struct Agent {
    calls: mpsc::Sender<Arrived>,
    lines: BTreeMap<SessionId, Line>,
    accounts: BTreeMap<u64, watch::Sender<Status>>,
    inbox: Option<mpsc::Sender<InstantMessage>>,
    /// Messages of ours that are on their way.
    messages: BTreeMap<MessageId, oneshot::Sender<StatusCode>>,
}

impl Agent {
    pub(super) fn new(calls: mpsc::Sender<Arrived>) -> Agent {
        Agent {
            calls,
            lines: BTreeMap::new(),
            accounts: BTreeMap::new(),
            inbox: None,
            messages: BTreeMap::new(),
        }
    }

    fn open(
        &mut self,
        session: SessionId,
        leg: Option<LegId>,
        media: Option<Media>,
        caller: Option<Box<IncomingCall>>,
    ) -> Arrived {
        let (sender, state) = watch::channel(State::Calling);
        let (events, receiver) = mpsc::channel(EVENTS);
        self.lines.insert(
            session,
            Line {
                leg,
                media,
                holding: false,
                state: sender,
                events,
                reports: Vec::new(),
                transfer: None,
            },
        );
        Arrived {
            session,
            caller,
            state,
            events: receiver,
        }
    }

    fn leg(&self, session: SessionId) -> Option<LegId> {
        self.lines.get(&session)?.leg
    }

    fn notify(&mut self, session: SessionId, event: CallEvent) {
        if let Some(line) = self.lines.get(&session) {
            let _ = line.events.try_send(event);
        }
    }

    fn set(&mut self, session: SessionId, leg: LegId, state: State) {
        if let Some(line) = self.lines.get_mut(&session) {
            line.leg = Some(leg);
            line.state.send_replace(state);
        }
    }

    fn incoming(
        &mut self,
        now: Time,
        session: SessionId,
        leg: LegId,
        caller: Box<IncomingCall>,
        calls: &mut Coordinator,
    ) {
        let arrived = self.open(session, Some(leg), None, Some(caller));
        match self.calls.try_send(arrived) {
            Ok(()) => calls.ring(now, leg, StatusCode::RINGING),
            Err(_) => calls.reject(now, session, StatusCode::BUSY_HERE),
        }
    }
}

impl Agent {
    /// A message came in: it is for whoever reads, if anybody does.
    fn written(&mut self, now: Time, message: MessageId, about: IncomingMessage, calls: &mut Coordinator) {
        let read = InstantMessage::waiting(calls, message, about);
        match self.inbox.as_ref().map(|inbox| inbox.try_send(read)) {
            Some(Ok(())) => calls.take_message(now, message),
            Some(Err(_)) | None => calls.refuse_message(now, message, StatusCode::TEMPORARILY_UNAVAILABLE),
        }
    }

    /// A transfer that we asked for makes progress. Once its target has answered, the call is over for us.
    fn referred(&mut self, now: Time, session: SessionId, code: StatusCode, calls: &mut Coordinator) {
        let line = self.lines.get_mut(&session).filter(|_| code.is_final());
        if let Some(reply) = line.and_then(|line| line.transfer.take()) {
            let _ = reply.send(code);
            if code.is_success() {
                calls.terminate_session(now, session);
            }
        }
    }

    fn transfer(
        &mut self,
        now: Time,
        session: SessionId,
        to: Destination,
        reply: oneshot::Sender<StatusCode>,
        calls: &mut Coordinator,
    ) {
        let Some(leg) = self.leg(session) else { return };
        let there = calls.peer_contact(leg);
        let (target, replaces) = match to {
            Destination::Uri(uri) => (Some(uri), None),
            Destination::Number(number) => (there.and_then(|there| at(&there, &number)), None),
            Destination::Call(other) => {
                let other = self.leg(other);
                (other.and_then(|other| calls.peer_contact(other)), other)
            }
        };
        // Without a reply the call that it is about is over.
        if let (Some(target), Some(line)) = (target, self.lines.get_mut(&session)) {
            line.transfer = Some(reply);
            calls.refer(now, leg, &target, replaces);
        }
    }

    fn hold(&mut self, now: Time, session: SessionId, hold: bool, calls: &mut Coordinator) {
        let Some(line) = self.lines.get_mut(&session) else {
            return;
        };
        let Some(leg) = line.leg else { return };
        line.holding = hold;
        if hold {
            calls.hold(now, leg);
            calls.play(leg, None);
        } else {
            calls.resume(now, leg);
            calls.play(leg, line.media.clone());
        }
    }
}

/// A number where a peer is.
fn at(there: &Uri, number: &str) -> Option<Uri> {
    let user = sip_core::uri::escape_user(number);
    Uri::sip(Some(&user), there.host()?, there.port()).ok()
}

impl Application for Agent {
    type Request = Ask;

    fn handle(&mut self, now: Time, event: Event, calls: &mut Coordinator) {
        match event {
            Event::Incoming { session, leg, call } => self.incoming(now, session, leg, call, calls),
            // A client without users has nobody to be watched, and no mailbox.
            Event::Watch { subscription, .. } => calls.refuse_watch(subscription, StatusCode::NOT_FOUND),
            Event::Mailbox { notice, .. } => calls.refuse_notice(now, notice, StatusCode::NOT_FOUND),
            Event::Message { message, about } => self.written(now, message, about, calls),
            Event::MessageSent { message, code } => {
                // Whoever sent it may not wait for the outcome.
                let _ = self.messages.remove(&message).map(|reply| reply.send(code));
            }
            Event::ReferProgress { session, code, .. } => self.referred(now, session, code, calls),
            // A call of a client is nobody else's to take over, or to join.
            Event::Replaces { session, .. } | Event::Joins { session, .. } => {
                calls.reject(now, session, StatusCode::DECLINE)
            }
            Event::Progress {
                session,
                leg,
                early_media,
                ..
            } => {
                self.set(session, leg, State::Ringing { early_media });
            }
            Event::Answered { session, leg } => self.set(session, leg, State::Answered),
            Event::Talking { session, .. } => self.notify(session, CallEvent::Talking),
            Event::Dtmf {
                session,
                digit,
                duration_ms,
                ..
            } => {
                self.notify(session, CallEvent::Dtmf { digit, duration_ms });
            }
            Event::Hold { session, held, .. } => self.notify(session, CallEvent::Held(held)),
            Event::Report { session, report, .. } => {
                let waiting = self
                    .lines
                    .get_mut(&session)
                    .map(|line| std::mem::take(&mut line.reports));
                for reply in waiting.unwrap_or_default() {
                    let _ = reply.send(report.clone());
                }
            }
            Event::Ended { session, record } => {
                if let Some(line) = self.lines.remove(&session) {
                    line.state.send_replace(State::Ended(record.into()));
                }
            }
            Event::Registration {
                registrant: Registrant::Account(account),
                state,
            } => {
                if let Some(status) = self.accounts.get(&account) {
                    status.send_replace(Some(state));
                }
                if state == RegistrationState::GivenUp {
                    self.accounts.remove(&account);
                }
            }
            // A phone bridges nothing and has no users of its own.
            Event::Registration { .. }
            | Event::Verdict { .. }
            | Event::Target { .. }
            | Event::CapReached { .. }
            | Event::Bridge(_)
            | Event::InvitationRings { .. }
            | Event::InvitationAnswered { .. }
            | Event::InvitationEnded { .. }
            | Event::Left { .. }
            | Event::Changed { .. }
            | Event::Restored { .. }
            | Event::Joined { .. }
            | Event::Diverted { .. }
            | Event::Refer { .. }
            | Event::Transferred { .. }
            | Event::TransferFailed { .. }
            | Event::Returned { .. }
            | Event::Alive { .. }
            | Event::Announced { .. }
            | Event::Bridged { .. }
            | Event::DialFailed { .. }
            | Event::Away { .. }
            | Event::Reachable { .. }
            | Event::Silent { .. }
            | Event::Present { .. }
            | Event::Refused(_)
            | Event::MessageKept { .. }
            | Event::MessageOver { .. }
            | Event::Banned(_) => {}
        }
    }

    fn handle_request(&mut self, now: Time, request: Ask, calls: &mut Coordinator) {
        match request {
            Ask::Register {
                account,
                registration,
                status,
            } => {
                self.accounts.insert(account, status);
                calls.register(now, account, *registration);
            }
            Ask::Unregister { account } => calls.unregister(now, account),
            Ask::Dial { call, reply } => {
                let media = call.application.clone();
                let made = calls.create_outgoing_call(now, *call);
                let answer = made.map(|session| self.open(session, None, media, None));
                if let Err(Ok(unwanted)) = reply.send(answer) {
                    calls.terminate_session(now, unwanted.session);
                }
            }
            Ask::Ring { session } => {
                if let Some(leg) = self.leg(session) {
                    calls.ring(now, leg, StatusCode::RINGING);
                }
            }
            Ask::Answer { session, media } => {
                if let Some(line) = self.lines.get_mut(&session)
                    && let Some(leg) = line.leg
                {
                    line.media = Some(media.clone());
                    calls.answer(now, leg, Some(media));
                }
            }
            Ask::Reject { session, code } => calls.reject(now, session, code),
            Ask::HangUp { session } => calls.terminate_session(now, session),
            Ask::Dtmf {
                session,
                digit,
                duration_ms,
            } => {
                if let Some(leg) = self.leg(session) {
                    calls.send_dtmf(now, leg, digit, duration_ms);
                }
            }
            Ask::Hold { session, hold } => self.hold(now, session, hold, calls),
            Ask::Play { session, media } => {
                if let Some(line) = self.lines.get_mut(&session) {
                    line.media = Some(media.clone());
                    if let Some(leg) = line.leg.filter(|_| !line.holding) {
                        calls.play(leg, Some(media));
                    }
                }
            }
            Ask::Report { session, reply } => {
                if let Some(line) = self.lines.get_mut(&session)
                    && let Some(leg) = line.leg
                {
                    line.reports.push(reply);
                    calls.report(leg);
                }
            }
            Ask::Leg { session, reply } => {
                // Whoever asks is told by the silence that there is none.
                let _ = self.leg(session).map(|leg| reply.send(leg));
            }
            Ask::Transfer { session, to, reply } => self.transfer(now, session, to, reply, calls),
            Ask::Inbox(inbox, done) => {
                self.inbox = Some(inbox);
                let _ = done.send(());
            }
            Ask::Message {
                from,
                to,
                body,
                reply,
            } => match calls.send_message(now, from, &to, body) {
                Ok(message) => drop(self.messages.insert(message, reply)),
                Err(code) => drop(reply.send(code)),
            },
        }
    }
}
