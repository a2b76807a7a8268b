//! The meeting point of signalling and policy: each incoming call is put to the dial plan, and its decision
//! is carried out.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use call_engine::{CallRequest, Decision, DialPlan, Origin};
use media_core::control::{Application as Sound, Report};
use sans_io::{Deadline, Time};
use serde::Serialize;
use session_core::{
    CallRecord, Coordinator, Dial, Event, IncomingCall, LegId, Offer, OnFailure, Party, ReferTo, SessionId,
    Source,
};
use sip_core::uri::Uri;
use sip_stack::Application;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use crate::auth::sentry::{Order, Sentry};
use crate::call_log::CallLines;
use crate::centre::command::{Asked, Command, Refused};
use crate::centre::controller::Controller;
use crate::centre::view;

/// The application of the gateway's signalling task.
pub struct Switch {
    plan: DialPlan,
    demo_phone: Option<SocketAddr>,
    ring_timeout: Duration,
    /// The log of live calls.
    lines: BTreeMap<SessionId, CallLines>,
    /// Reports asked for: legs yet to answer, what came so far, who waits.
    asked: BTreeMap<SessionId, Vec<Inquiry>>,
    controller: Option<Controller>,
    sentry: Option<Sentry>,
}

struct Inquiry {
    waits_for: Vec<LegId>,
    legs: Vec<LegQuality>,
    reply: oneshot::Sender<Option<CallQuality>>,
}

/// Request of HTTP to the switch.
#[derive(Debug)]
pub enum Request {
    /// Sound quality of a live call.
    Quality {
        /// SIP Call-ID of a leg.
        call_id: String,
        /// Our tag of its dialog, which only the peer of the leg knows.
        tag: String,
        /// `None` when there is no such call.
        reply: oneshot::Sender<Option<CallQuality>>,
    },
    /// Something for the call centre.
    Centre(Asked),
    /// Order of the sentry.
    Sentry(Order),
    /// A sign-in ended: registrations that came from it end as well.
    SignedOut,
}

/// Sound quality of a live call.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallQuality {
    /// Legs of the call, the caller's first.
    pub legs: Vec<LegQuality>,
}

/// Sound quality of a leg, as the gateway receives it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LegQuality {
    /// `"caller"` or `"callee"`.
    pub role: &'static str,
    /// Codec that the gateway hears.
    pub codec_received: &'static str,
    /// Codec that the gateway sends.
    pub codec_sent: &'static str,
    /// `"relay"`, `"transcode"`, `"application"` or `"none"`.
    pub mode: &'static str,
    /// Packets received.
    pub packets_received: u64,
    /// Packets lost.
    pub lost: u64,
    /// Milliseconds.
    pub jitter_ms: f32,
    /// Milliseconds; 0 while unknown.
    pub round_trip_ms: f32,
    /// Depth of the jitter buffer, milliseconds.
    pub buffer_ms: f32,
    /// Packet loss that the leg's peer reported last (RTCP), percent; 0 while unknown.
    pub loss_reported: f32,
    /// 1.0 to 4.5; 0.0 while unknown.
    pub mos: f32,
    /// The leg's peer has put the call on hold.
    pub held: bool,
    /// The leg's browser lost its connection, and may come back.
    pub away: bool,
}

impl Switch {
    /// A switch that routes by `plan`. `demo_phone` is where numbers for the built-in demo phone go.
    #[must_use]
    pub fn new(
        plan: DialPlan,
        demo_phone: Option<SocketAddr>,
        ring_timeout: Duration,
        controller: Option<Controller>,
    ) -> Switch {
        Switch {
            plan,
            demo_phone,
            ring_timeout,
            lines: BTreeMap::new(),
            asked: BTreeMap::new(),
            controller,
            sentry: None,
        }
    }

    /// Reports refusals and bans to `sentry`.
    #[must_use]
    pub fn watched_by(self, sentry: Sentry) -> Switch {
        Switch {
            sentry: Some(sentry),
            ..self
        }
    }

    fn route(
        &mut self,
        now: Time,
        session: SessionId,
        leg: LegId,
        call: &IncomingCall,
        calls: &mut Coordinator,
    ) {
        let origin = match &call.source {
            Source::User(user) => Origin::User(user.clone()),
            Source::Trunk(name) => Origin::Trunk(name.clone()),
            Source::Anyone => Origin::Anonymous,
        };
        let decision = self.plan.decide(&CallRequest {
            origin,
            number: call.to.clone(),
        });
        let lines = CallLines::begin(now, session, call, &decision);
        self.lines.insert(session, lines);
        tracing::debug!(session = session.0, from = %call.from, to = %call.to, call_id = %call.call_id, ?decision, "route");
        match Reached::by(decision, self.demo_phone) {
            Reached::Party(party) => {
                let dial = Dial {
                    parties: vec![*party],
                    ring_timeout: self.ring_timeout,
                    caller: None,
                    on_failure: OnFailure::Reject,
                };
                calls.dial(now, session, dial);
            }
            reached => {
                let from = view::Party {
                    number: call.from.clone(),
                    display: call.display.clone(),
                };
                self.take(now, (session, leg), (from, call.to.clone()), reached, calls);
            }
        }
    }

    /// Answers or refuses a caller here: nobody is called.
    fn take(
        &mut self,
        now: Time,
        (session, leg): (SessionId, LegId),
        parties: (view::Party, String),
        reached: Reached,
        calls: &mut Coordinator,
    ) {
        match reached {
            Reached::Queue { name, priority } => {
                let Some(controller) = self
                    .controller
                    .as_mut()
                    .filter(|controller| controller.takes(&name))
                else {
                    return calls.reject(now, session, 503);
                };
                controller.take(now, session, leg, parties, (&name, priority), calls);
            }
            Reached::Application(sound) => calls.answer(now, leg, Some(sound)),
            Reached::Nobody(code) => calls.reject(now, session, code),
            Reached::Party(_) => {}
        }
    }

    /// A phone forwards the calls of its user: to any number that the dial plan lets that user call.
    fn diverted(
        &mut self,
        now: Time,
        (session, leg): (SessionId, LegId),
        user: &str,
        numbers: Vec<String>,
        calls: &mut Coordinator,
    ) {
        let mut parties = Vec::new();
        let mut here = None;
        for number in numbers {
            let decision = self.plan.decide(&CallRequest {
                origin: Origin::User(user.to_owned()),
                number: number.clone(),
            });
            tracing::info!(
                session = session.0,
                decision = decision.kind(),
                "forwarded by a phone"
            );
            match Reached::by(decision, self.demo_phone) {
                Reached::Party(party) => parties.push(*party),
                Reached::Nobody(_) => {}
                reached => here = here.or(Some((number, reached))),
            }
        }
        match here {
            Some((number, reached)) if parties.is_empty() => {
                if let Some((leg, caller)) = calls.undial(now, session, leg) {
                    let from = view::Party {
                        number: caller.user,
                        display: caller.display,
                    };
                    self.take(now, (session, leg), (from, number), reached, calls);
                }
            }
            _ => calls.follow(now, session, leg, &parties),
        }
    }

    /// A user's phone asks for a transfer: to any number that the dial plan lets that user call, or to the
    /// other party of another call of that user.
    fn refer(&mut self, now: Time, leg: LegId, to: ReferTo, calls: &mut Coordinator) {
        let number = match to {
            ReferTo::Leg(other) => return calls.transfer_attended(now, leg, other),
            ReferTo::Number(number) => number,
        };
        let Some(user) = calls.user_of(leg).map(str::to_owned) else {
            return calls.refuse_refer(now, leg, 403);
        };
        let decision = self.plan.decide(&CallRequest {
            origin: Origin::User(user),
            number: number.clone(),
        });
        tracing::info!(leg = leg.0, decision = decision.kind(), "transfer");
        match Reached::by(decision, self.demo_phone) {
            Reached::Party(party) => {
                let offer = Offer {
                    party: *party,
                    caller: None,
                    ring_timeout: self.ring_timeout,
                    headers: Vec::new(),
                };
                calls.transfer(now, leg, offer);
            }
            Reached::Queue { name, priority } => {
                self.refer_to_queue(now, leg, number, (&name, priority), calls);
            }
            Reached::Application(sound) => {
                if let Some((session, other, _)) = calls.leave(now, leg) {
                    calls.play(other, Some(sound));
                    tracing::debug!(session = session.0, "transferred to an application");
                }
            }
            Reached::Nobody(code) => {
                calls.accept_refer(now, leg);
                calls.refer_progress(now, leg, code);
            }
        }
    }

    /// The other party of the user's call waits for an agent from now on.
    fn refer_to_queue(
        &mut self,
        now: Time,
        leg: LegId,
        number: String,
        (queue, priority): (&str, Option<u8>),
        calls: &mut Coordinator,
    ) {
        let Some(controller) = self
            .controller
            .as_mut()
            .filter(|controller| controller.takes(queue))
        else {
            calls.accept_refer(now, leg);
            return calls.refer_progress(now, leg, 503);
        };
        if let Some((session, other, caller)) = calls.leave(now, leg) {
            let from = view::Party {
                number: caller.user,
                display: caller.display,
            };
            controller.take(now, session, other, (from, number), (queue, priority), calls);
        }
    }

    fn reported(&mut self, session: SessionId, leg: LegId, report: &Report, calls: &Coordinator) {
        let Some(inquiries) = self.asked.get_mut(&session) else {
            return;
        };
        let role = if calls.legs(session)[0] == Some(leg) {
            "caller"
        } else {
            "callee"
        };
        for inquiry in inquiries.iter_mut() {
            if inquiry.waits_for.contains(&leg) {
                inquiry.waits_for.retain(|l| *l != leg);
                inquiry.legs.push(LegQuality {
                    held: calls.is_held(leg),
                    away: calls.is_away(leg),
                    ..LegQuality::new(role, report)
                });
            }
        }
        for done in inquiries.extract_if(.., |inquiry| inquiry.waits_for.is_empty()) {
            // The one who asked may have gone away.
            let _ = done.reply.send(Some(CallQuality { legs: done.legs }));
        }
        if inquiries.is_empty() {
            self.asked.remove(&session);
        }
    }

    fn ended(&mut self, session: SessionId, record: &CallRecord) {
        self.asked.remove(&session);
        self.lines.remove(&session).unwrap_or_default().end(record);
        tracing::debug!(?record, "call record");
    }
}

impl Application for Switch {
    type Request = Request;

    fn handle(&mut self, now: Time, event: Event, calls: &mut Coordinator) {
        if let Event::Answered { session, .. } = &event
            && let Some(lines) = self.lines.get_mut(session)
        {
            lines.answered(now, *session);
        }
        if let Event::Replaces { session, call, .. } = &event {
            let lines = CallLines::replacing(now, *session, call);
            self.lines.insert(*session, lines);
        }
        let centre = self
            .controller
            .as_mut()
            .is_some_and(|controller| controller.handle(now, &event, calls));
        match event {
            // The call's record is kept whoever had the call.
            Event::Ended { .. } | Event::Report { .. } => {}
            _ if centre => return,
            _ => {}
        }
        match event {
            Event::Incoming { session, leg, call } => self.route(now, session, leg, &call, calls),
            Event::Diverted {
                session,
                leg,
                user,
                numbers,
            } => self.diverted(now, (session, leg), &user, numbers, calls),
            Event::Refer { leg, to, .. } => self.refer(now, leg, to, calls),
            Event::Replaces { leg, replaced, .. } => calls.replace(now, leg, replaced),
            // Those who were called in it are found by their other session.
            Event::Joined { session, guest } => {
                tracing::info!(session = session.0, guest = guest.0, "calls joined");
                self.lines.remove(&guest);
            }
            Event::Report { session, leg, report } => self.reported(session, leg, &report, calls),
            Event::Ended { session, record } => self.ended(session, &record),
            Event::Away { session, leg, away } => {
                tracing::info!(session = session.0, leg = leg.0, away, "browser presence");
            }
            Event::Refused(refusal) => {
                if let Some(sentry) = &self.sentry {
                    sentry.refused_sip(&refusal);
                }
            }
            Event::Banned(ban) => {
                if let Some(sentry) = &self.sentry {
                    sentry.adopt(&ban);
                }
            }
            Event::Reachable { user, reachable } => tracing::debug!(user, reachable, "reachable"),
            other => tracing::debug!(event = ?other, "session"),
        }
    }

    fn deadline(&self) -> Deadline {
        self.controller.as_ref().and_then(Controller::deadline)
    }

    fn handle_timeout(&mut self, now: Time, calls: &mut Coordinator) {
        if let Some(controller) = &mut self.controller {
            controller.handle_timeout(now, calls);
        }
    }

    fn handle_request(&mut self, now: Time, request: Request, calls: &mut Coordinator) {
        match request {
            Request::Sentry(Order::Ban(ban)) => calls.ban(now, ban),
            Request::Sentry(Order::Lift(address)) => {
                calls.lift_ban(now, address);
            }
            Request::SignedOut => calls.end_registrations(now),
            Request::Centre(asked) => match &mut self.controller {
                Some(controller) => {
                    let reconfigured = match &asked.command {
                        Command::Reconfigure(reconfiguration) => {
                            Some((reconfiguration.plan.clone(), reconfiguration.settings.clone()))
                        }
                        _ => None,
                    };
                    if controller.command(now, asked, calls)
                        && let Some((plan, settings)) = reconfigured
                    {
                        if let Some(settings) = settings {
                            calls.adjust(settings.adjustment);
                            self.ring_timeout = settings.ring_timeout;
                        }
                        let (routes, phone) = (plan.clone(), self.demo_phone);
                        controller.route_by(Box::new(move |user, number| {
                            reached(&routes, phone, user, number)
                        }));
                        self.plan = plan;
                    }
                }
                // The client may have gone away.
                None => drop(asked.reply.send(Err(Refused::Busy))),
            },
            Request::Quality { call_id, tag, reply } => {
                let session = calls.session_of(&call_id, &tag);
                let waits_for: Vec<LegId> = session
                    .map(|s| calls.legs(s).into_iter().flatten().collect())
                    .unwrap_or_default();
                let Some(session) = session.filter(|_| !waits_for.is_empty()) else {
                    let _ = reply.send(None);
                    return;
                };
                for leg in &waits_for {
                    calls.report(*leg);
                }
                self.asked.entry(session).or_default().push(Inquiry {
                    waits_for,
                    legs: Vec::new(),
                    reply,
                });
            }
        }
    }
}

impl LegQuality {
    fn new(role: &'static str, report: &Report) -> LegQuality {
        let ms = |us: u32| us as f32 / 1_000.0;
        LegQuality {
            role,
            codec_received: report.codec_received,
            codec_sent: report.codec_sent,
            mode: report.mode,
            packets_received: report.packets_received,
            lost: report.lost,
            jitter_ms: ms(report.jitter_us),
            round_trip_ms: ms(report.round_trip_us),
            buffer_ms: ms(report.buffer_us),
            loss_reported: f32::from(report.remote_fraction_lost) * 100.0 / 256.0,
            mos: report.mos,
            held: false,
            away: false,
        }
    }
}

/// Destination of a dialled number.
#[derive(Clone, Debug)]
pub enum Reached {
    /// Somebody who can be called.
    Party(Box<Party>),
    /// A queue.
    Queue {
        /// Its name.
        name: String,
        /// Priority of the call; `None`: that of the queue.
        priority: Option<u8>,
    },
    /// An application that answers by itself.
    Application(Sound),
    /// Nobody, for this status of SIP.
    Nobody(u16),
}

impl Reached {
    fn by(decision: Decision, demo_phone: Option<SocketAddr>) -> Reached {
        let party = match decision {
            Decision::User { name } => Party::User(name),
            Decision::Trunk { name, number } => Party::Trunk { name, number },
            Decision::DemoPhone { number } => match demo_phone.and_then(|phone| demo_party(phone, &number)) {
                Some(party) => party,
                None => return Reached::Nobody(503),
            },
            Decision::Queue { name, priority } => return Reached::Queue { name, priority },
            Decision::Application(application) => return Reached::Application(sound(application)),
            Decision::Reject { code } => return Reached::Nobody(code),
        };
        Reached::Party(Box::new(party))
    }
}

/// Destination of a number that a user of ours dials, by the dial plan.
#[must_use]
pub fn reached(plan: &DialPlan, demo_phone: Option<SocketAddr>, user: &str, number: &str) -> Reached {
    let request = CallRequest {
        origin: Origin::User(user.to_owned()),
        number: number.to_owned(),
    };
    Reached::by(plan.decide(&request), demo_phone)
}

fn demo_party(phone: SocketAddr, number: &str) -> Option<Party> {
    Some(Party::Uri {
        uri: Uri::sip(Some(number), phone.ip(), Some(phone.port())).ok()?,
        proxy: None,
        flow: None,
        codecs: Vec::new(),
        credentials: None,
    })
}

fn sound(application: call_engine::Application) -> Sound {
    match application {
        call_engine::Application::Echo => Sound::Echo,
        call_engine::Application::Music => Sound::Music,
        call_engine::Application::Tone => Sound::Tone {
            hertz: 1_004,
            dbm0: -10,
        },
    }
}
