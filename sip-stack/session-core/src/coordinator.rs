//! The machine itself: its state, its inputs and its outputs.

mod interface;
mod parts;

use std::collections::BTreeMap;

pub(crate) use interface::Timer;
pub use interface::{Input, Output};
use media_core::control::{self, BridgeId, LegId, StreamIndex};
use sans_io::{Rng, Time, earlier};
use sip_core::endpoint::{self, Endpoint};
use sip_core::message::StatusCode;

use crate::SessionId;
use crate::admission::Admission;
use crate::bridge::Bridge;
use crate::call::Call;
use crate::config::{Access, Config, PeerMedia};
use crate::context::Context;
use crate::directory::Directory;
use crate::instant::Messages;
use crate::leg::Leg;
use crate::registration::Registrations;
use crate::stir::Stir;
use crate::upstream::{RelayedSubscriptions, Relays};
use crate::watch::Watches;

/// The one authority on live calls.
///
/// Verbs take effect at once; their outputs are drained with [`poll_output`](Self::poll_output).
#[derive(Debug)]
pub struct Coordinator {
    context: Context,
    admission: Admission,
    /// Boxed: a call is large, and what a tree holds is moved whenever a neighbour comes or goes.
    calls: BTreeMap<SessionId, Box<Call>>,
    bridges: BTreeMap<BridgeId, Bridge>,
    registrations: Registrations,
    /// Users who were asked for a sign of life, by request.
    probes: BTreeMap<endpoint::RequestId, String>,
    watches: Watches,
    messages: Messages,
    /// Requests of clients of the PBX.
    relays: Relays,
    stir: Stir,
    /// Subscriptions of clients of the PBX.
    relayed_subscriptions: RelayedSubscriptions,
    /// True if names of trunks are followed.
    follows: bool,
}

impl Coordinator {
    /// A coordinator without calls.
    #[must_use]
    pub fn new(mut config: Config, mut rng: Rng) -> Coordinator {
        let endpoint = Endpoint::new(config.endpoint.clone(), rng.fork());
        // From here on the directory has them.
        let access = std::mem::replace(&mut config.access, Access::Anyone(PeerMedia::default()));
        let credentials = std::mem::take(&mut config.credentials);
        let directory = Directory::new(access, credentials, config.max_contacts);
        let admission = Admission::new(&config, &directory, &mut rng);
        let registrations = Registrations::new(config.register_rate);
        let relays = Relays::new(config.upstream_rate);
        let saved = config.saved_messages.as_mut().map(std::mem::take);
        let messages = Messages::new(config.first_id, saved);
        let mut coordinator = Coordinator {
            context: Context::new(config, rng, endpoint, directory),
            admission,
            calls: BTreeMap::new(),
            bridges: BTreeMap::new(),
            registrations,
            probes: BTreeMap::new(),
            watches: Watches::default(),
            messages,
            relays,
            stir: Stir::default(),
            relayed_subscriptions: RelayedSubscriptions::default(),
            follows: false,
        };
        coordinator.follow_trunks();
        coordinator.register_trunks();
        // Users may have been removed since messages for them were saved.
        coordinator.forget_kept(Time::ZERO);
        coordinator
    }

    /// Takes one input. Never fails: bad input becomes an answer, a counter or an event.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        self.context.upstream.begins(now);
        match input {
            Input::Sip(input) => self.on_sip(now, input),
            Input::Media { event, .. } => self.on_media(now, event),
            Input::Located { trunk, name, found } => self.located(&trunk, &name, found),
            Input::Fetched { url, answer } => self.fetched(now, &url, answer),
            Input::Identified { flow, names } => self.context.directory.set_names(flow, names),
            Input::Timeout => {
                let cx = &mut self.context;
                cx.endpoint.handle_input(now, endpoint::Input::Timeout);
                cx.directory.registrar_mut().handle_timeout(now);
                cx.report_reachable();
                cx.trunks.handle_timeout(&mut cx.endpoint, &cx.config.host, now);
                self.turns_came(now);
                self.registrations.handle_timeout(&mut self.context, now);
                while let Some(timer) = self.context.timers.pop_due(now) {
                    self.on_timer(now, timer);
                }
            }
        }
        self.drain(now);
    }

    fn on_sip(&mut self, now: Time, input: endpoint::Input) {
        if let endpoint::Input::FlowClosed { flow } = &input {
            let flow = *flow;
            self.unbind(now, flow);
            self.context.directory.forget_names(flow);
            self.context.endpoint.handle_input(now, input);
            if let Some(registrar) = self.registrations.reached_over(flow) {
                self.context.trunks.connection_lost(registrar);
            }
            self.registrations.flow_closed(&mut self.context, now, flow);
            self.flow_lost(now, flow);
            self.context.report_reachable();
        } else if self.is_passed_over(now, &input) {
            self.admission.count_silenced();
        } else {
            self.context.endpoint.handle_input(now, input);
        }
    }

    /// True for input from a banned source where no user of ours ever was: it is not even read. Calls in
    /// progress with it go on.
    fn is_passed_over(&self, now: Time, input: &endpoint::Input) -> bool {
        let endpoint::Input::Message { flow, .. } = input else {
            return false;
        };
        let address = flow.remote.ip();
        let is_there = |l: &Leg| l.flow().is_some_and(|flow| flow.remote.ip() == address);
        self.admission.is_silenced(now, address) && !self.calls().flat_map(Call::legs).any(is_there)
    }

    fn on_timer(&mut self, now: Time, timer: Timer) {
        match timer {
            Timer::Grace(leg) => {
                self.with_leg(leg, |call, cx| call.grace_over(cx, now, leg));
            }
            Timer::Session(session) => self.terminate_session(now, session),
            Timer::Goodbye(leg) => {
                self.with_leg(leg, |call, cx| call.goodbye(cx, now, leg));
            }
            Timer::Recover(leg) => {
                self.with_leg(leg, |call, cx| {
                    call.not_recovered(cx, now, leg, StatusCode::NOT_ACCEPTABLE_HERE)
                });
            }
            Timer::Longest(leg) => {
                self.with_leg(leg, |call, cx| call.talked_too_long(cx, now, leg));
            }
            Timer::Silence(leg) => self.ask_peer(now, leg),
            Timer::Absent(session) => {
                self.with_call(session, |call, cx| call.absent_over(cx, now));
            }
            Timer::Attempt(session) => {
                self.with_call(session, |call, cx| call.attempt_over(cx, now));
            }
            Timer::Rights => self.end_registrations(now),
            Timer::Message(message) => self.message_takes_long(now, message),
            Timer::Kept => self.expire_kept(now),
            Timer::Publications => self.publications_over(now),
            Timer::Upstream => self.relay_due(now),
            Timer::Transferred(leg) => self.client_transferred(now, leg),
            Timer::Certificate(session) => self.certificate_late(now, session),
        }
    }

    /// Handles the event of a media shard.
    fn on_media(&mut self, now: Time, event: control::Event) {
        use control::Event as Media;
        match event {
            Media::Opened { leg, addresses } => {
                let opened = |call: &mut Call, cx: &mut Context| call.media_opened(cx, now, leg, &addresses);
                if self.with_leg(leg, opened) == Some(true) {
                    self.answer_now(now, leg);
                }
            }
            Media::Failed { leg, reason } => {
                self.with_leg(leg, |call, cx| call.media_failed(cx, now, leg, reason));
            }
            Media::Connected { leg } => {
                self.with_leg(leg, |call, cx| call.recovered(cx, leg));
            }
            // A call knows its legs' voices; what else they send is their own affair.
            Media::Talking { stream, .. } | Media::Flow { stream, .. } | Media::Report { stream, .. }
                if stream != StreamIndex::FIRST => {}
            Media::Talking { leg, .. } => {
                self.with_leg(leg, |call, cx| call.talking(cx, now, leg));
            }
            Media::Dtmf {
                leg,
                digit,
                duration_ms,
                ..
            } => {
                let digit = char::from(digit);
                self.with_leg(leg, |call, cx| call.digit_heard(cx, now, leg, digit, duration_ms));
            }
            Media::Speaking { leg, speaking } => self.speaks(leg, speaking),
            Media::Announced { leg, whole } => {
                self.with_leg(leg, |call, cx| call.announced(cx, leg, whole));
            }
            Media::Gone { leg, .. } => {
                self.with_leg(leg, |call, cx| call.peer_gone(cx, now, leg));
            }
            Media::Silent { leg, silent } => {
                self.with_leg(leg, |call, cx| call.silence(cx, now, leg, silent));
            }
            Media::Flow { leg, flowing, .. } => {
                self.with_leg(leg, |call, cx| call.rtp_flows(cx, now, leg, flowing));
            }
            Media::Report {
                leg, report, last, ..
            } => {
                self.with_leg(leg, |call, cx| call.reported(cx, leg, report, last));
            }
        }
    }

    /// Next output. Call until it returns [`Output::Timeout`].
    pub fn poll_output(&mut self, now: Time) -> Output {
        self.drain(now);
        let cx = &mut self.context;
        match cx.next_output() {
            Some(output) => output,
            None => Output::Timeout(earlier(
                earlier(
                    earlier(cx.timers.next(), cx.trunks.deadline()),
                    self.registrations.deadline(),
                ),
                earlier(cx.endpoint_deadline(), cx.directory.registrar().poll_timeout()),
            )),
        }
    }

    /// Drains the SIP machine: passes its messages on, and acts on its events.
    fn drain(&mut self, now: Time) {
        loop {
            let cx = &mut self.context;
            match cx.endpoint.poll_output() {
                endpoint::Output::Transmit { to, data, token } => {
                    cx.output(Output::Transmit { to, data, token });
                }
                endpoint::Output::Resolve { query, uri } => cx.output(Output::Resolve { query, uri }),
                endpoint::Output::Event(event) => self.on_signalling(now, event),
                // What changed may be told to who watches.
                endpoint::Output::Timeout(deadline) => {
                    if !self.settle_targets(now) && !self.settle_calls(now) && !self.settle_watches(now) {
                        return self.context.set_endpoint_deadline(deadline);
                    }
                }
            }
        }
    }

    /// Takes back what was passed on in calls and concerns its party no more. False if there was no such call.
    fn settle_calls(&mut self, now: Time) -> bool {
        let mut any = false;
        while let Some(session) = self.context.next_unsettled() {
            any = true;
            self.with_call(session, |call, cx| call.settle(cx, now));
        }
        any
    }

    /// Does something with a call; one that is over with that is forgotten. `None` where there is no such call.
    pub(crate) fn with_call<R>(
        &mut self,
        session: SessionId,
        act: impl FnOnce(&mut Call, &mut Context) -> R,
    ) -> Option<R> {
        let call = self.calls.get_mut(&session)?;
        self.watches.touch(call);
        let result = act(call, &mut self.context);
        self.watches.touch(call);
        debug_assert_eq!(call.broken(&self.context.index), None);
        let (is_over, bridge) = (call.is_over(), call.shared_bridge());
        if is_over
            && let Some(mut call) = self.calls.remove(&session)
            && let Some(outward) = call.take_outward()
        {
            self.outward_over(outward);
        }
        if let Some(bridge) = bridge.filter(|_| is_over) {
            self.forget_in_bridge(bridge, session);
        }
        while let Some(bridge) = self.context.next_changed_bridge() {
            self.rewire(bridge);
        }
        Some(result)
    }

    /// Does something with the call of a leg.
    pub(crate) fn with_leg<R>(
        &mut self,
        leg: LegId,
        act: impl FnOnce(&mut Call, &mut Context) -> R,
    ) -> Option<R> {
        // A leg that is over may still be named: by an application, by a timer, by the last words of a peer or a shard.
        let session = self.context.index.session(leg)?;
        debug_assert!(
            self.calls.contains_key(&session),
            "leg {leg:?} is in a call that is gone"
        );
        self.with_call(session, act)
    }
}
