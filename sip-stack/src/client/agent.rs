//! The phone's part of the signalling task: passes requests on to the coordinator, and events of its call back.

use std::collections::BTreeMap;

use media_core::control::{Application as Media, Report};
use sans_io::Time;
use session_core::{
    Coordinator, Event, IncomingCall, LegId, OutgoingCall, Registrant, Registration, RegistrationState,
    SessionId,
};
use sip_core::message::StatusCode;
use tokio::sync::{mpsc, oneshot, watch};

use super::call::{CallEvent, State};
use crate::driver::Application;

/// Calls that may wait for [`Client::next_call`](super::Client::next_call); more are refused as busy.
pub(super) const CALLS: usize = 16;

/// Events of a call that may wait for [`Call::event`](super::Call::event). When it is full, new ones are left out: the
/// application does not look at them.
const EVENTS: usize = 256;

/// State of a registration; `None` before the first answer.
pub(super) type Status = Option<RegistrationState>;

/// Request to a phone.
#[derive(Debug)]
pub(crate) enum Ask {
    Register {
        account: u64,
        registration: Box<Registration>,
        status: watch::Sender<Status>,
    },
    Unregister {
        account: u64,
    },
    Dial {
        call: Box<OutgoingCall>,
        reply: oneshot::Sender<Result<Arrived, StatusCode>>,
    },
    Ring {
        session: SessionId,
    },
    Answer {
        session: SessionId,
        media: Media,
    },
    Reject {
        session: SessionId,
        code: StatusCode,
    },
    HangUp {
        session: SessionId,
    },
    Dtmf {
        session: SessionId,
        digit: char,
        duration_ms: u16,
    },
    Hold {
        session: SessionId,
        hold: bool,
    },
    Play {
        session: SessionId,
        media: Media,
    },
    Report {
        session: SessionId,
        reply: oneshot::Sender<Box<Report>>,
    },
}

/// The near end of a call, for the code that made or takes it.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(super) session: SessionId,
    /// `None` for a call of ours.
    pub(super) caller: Option<Box<IncomingCall>>,
    pub(super) state: watch::Receiver<State>,
    pub(super) events: mpsc::Receiver<CallEvent>,
}

/// The far end of it.
#[derive(Debug)]
struct Line {
    leg: Option<LegId>,
    /// Sound for the peer while it is not held.
    media: Option<Media>,
    holding: bool,
    state: watch::Sender<State>,
    events: mpsc::Sender<CallEvent>,
    reports: Vec<oneshot::Sender<Box<Report>>>,
}

/// The application of a client's stack.
#[derive(Debug)]
pub(super) struct Agent {
    calls: mpsc::Sender<Arrived>,
    lines: BTreeMap<SessionId, Line>,
    accounts: BTreeMap<u64, watch::Sender<Status>>,
}

impl Agent {
    pub(super) fn new(calls: mpsc::Sender<Arrived>) -> Agent {
        Agent {
            calls,
            lines: BTreeMap::new(),
            accounts: BTreeMap::new(),
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

impl Application for Agent {
    type Request = Ask;

    fn handle(&mut self, now: Time, event: Event, calls: &mut Coordinator) {
        match event {
            Event::Incoming { session, leg, call } => self.incoming(now, session, leg, call, calls),
            // A client without users has nobody to be watched, no mailbox, and nobody who reads.
            Event::Watch { subscription, .. } => calls.refuse_watch(subscription, StatusCode::NOT_FOUND),
            Event::Mailbox { notice, .. } => calls.refuse_notice(now, notice, StatusCode::NOT_FOUND),
            Event::Message { message, .. } => {
                calls.refuse_message(now, message, StatusCode::TEMPORARILY_UNAVAILABLE);
            }
            // A call of a client is nobody else's to take over.
            Event::Replaces { session, .. } => calls.reject(now, session, StatusCode::DECLINE),
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
            | Event::ReferProgress { .. }
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
            Ask::Hold { session, hold } => {
                if let Some(line) = self.lines.get_mut(&session)
                    && let Some(leg) = line.leg
                {
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
        }
    }
}
