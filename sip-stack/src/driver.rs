//! The signalling task: owns the coordinator and the application, feeds them and carries out their outputs.

mod resolver;

use std::collections::BTreeSet;
use std::time::Duration;

use media_core::control::{Event as MediaEvent, LegId};
use sans_io::{Deadline, Time, earlier};
use session_core::{Coordinator, Event, Input, Output, Refusal, SessionId, Stats};
use sip_core::endpoint;
use sip_core::flow::Transport;
use sip_core::message::StatusCode;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use crate::clock::Clock;
use crate::fetch::Fetcher;
use crate::media::{self, Lane};
use crate::spin::SpinGuard;
use crate::tap::{Feed, Taps};
use crate::trace;
use crate::transport::{self, Transports};
pub(crate) use resolver::Resolver;

/// Decisions about calls. An application lives in the signalling task and is called synchronously: no bus, no
/// task between a message and its answer. So it must not wait for anything.
pub trait Application: Send + 'static {
    /// Request that others may send it, through [`Handle::request`](crate::Handle::request).
    type Request: Send + 'static;

    /// Something happened to a call.
    fn handle(&mut self, now: Time, event: Event, calls: &mut Coordinator);

    /// Somebody asks.
    fn handle_request(&mut self, now: Time, request: Self::Request, calls: &mut Coordinator);

    /// Time at which it next wants [`handle_timeout`](Self::handle_timeout).
    fn deadline(&self) -> Deadline {
        None
    }

    /// Its deadline passed.
    fn handle_timeout(&mut self, now: Time, calls: &mut Coordinator) {
        let _ = (now, calls);
    }
}

/// From handles to the task.
#[derive(Debug)]
pub(crate) enum Control<R> {
    Request(R),
    Stats(oneshot::Sender<Stats>),
    Tap(Feed),
    TapMedia(LegId, media::TapFeed),
    Inject(media::Source),
    /// New calls are refused from now on; answered when that is so.
    Drain(oneshot::Sender<()>),
    /// All calls and registrations end; answered when they have, or after this long.
    Shutdown(Duration, oneshot::Sender<()>),
}

/// Inputs taken from one channel in a row.
const BATCH: usize = 64;

/// Time until commands that a media thread did not take are tried again.
const RETRY: Duration = Duration::from_millis(1);

/// Time for connections to write what waits, and time between two looks whether they have.
const FAREWELL: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(2);

/// Given to calls to end when the last handle is gone.
const ORPHANED: Duration = Duration::from_secs(2);

pub(crate) struct Driver<A: Application> {
    pub(crate) coordinator: Coordinator,
    pub(crate) application: A,
    pub(crate) transports: Transports,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) clock: Clock,
    pub(crate) network: transport::Inbox,
    pub(crate) media: mpsc::Receiver<(u8, MediaEvent)>,
    pub(crate) control: mpsc::Receiver<Control<A::Request>>,
    pub(crate) resolver: Resolver,
    pub(crate) fetcher: Fetcher,
    pub(crate) ending: Ending,
    pub(crate) taps: Taps,
}

/// Progress of the end.
#[derive(Default)]
pub(crate) struct Ending {
    draining: bool,
    /// Calls refused while draining, of which the application never heard.
    refused: BTreeSet<SessionId>,
    waits_until: Option<Time>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl<A: Application> Driver<A> {
    /// Runs until it is told to shut down, or the last handle is gone.
    pub(crate) async fn run(mut self) {
        let mut guard = SpinGuard::default();
        let mut network = Vec::with_capacity(BATCH);
        let mut media = Vec::with_capacity(BATCH);
        let sleep = sleep_until(Instant::now());
        tokio::pin!(sleep);
        let mut slept_until = None;
        loop {
            let mut now = self.clock.now();
            let mut deadline = self.drain(now);
            // Here, and not only when the sleep is over: that would wait until there is nothing else to do.
            if deadline.is_some_and(|(at, _)| at <= now) {
                self.on_timeout();
                now = self.clock.now();
                deadline = self.drain(now);
            }
            let mut behind = false;
            for lane in &mut self.lanes {
                behind |= lane.flush();
            }
            if self.is_over(now) {
                return self.end().await;
            }
            let mut wake = guard.check("signalling", now, deadline);
            if behind {
                wake = Some(wake.map_or(now + RETRY, |at| at.min(now + RETRY)));
            }
            if let Some(at) = wake
                && slept_until != wake
            {
                sleep.as_mut().reset(self.clock.instant(at).into());
                slept_until = wake;
            }
            tokio::select! {
                received = self.network.recv_many(&mut network, BATCH) => {
                    if received == 0 {
                        return self.end().await;
                    }
                    for event in network.drain(..) {
                        self.on_network(event);
                    }
                }
                received = self.media.recv_many(&mut media, BATCH) => {
                    if received == 0 {
                        tracing::error!("all media threads are gone");
                        return self.end().await;
                    }
                    for (shard, event) in media.drain(..) {
                        self.input(Input::Media { shard, event });
                    }
                }
                control = self.control.recv() => self.on_control(control),
                Some((query, targets)) = self.resolver.answers.recv() => {
                    self.input(Input::Sip(endpoint::Input::Resolved { query, targets }));
                }
                Some(news) = self.resolver.news.recv() => {
                    let located = self.resolver.located(news);
                    self.input(located);
                }
                Some((url, answer)) = self.fetcher.answers.recv() => self.input(Input::Fetched { url, answer }),
                () = &mut sleep, if wake.is_some() => slept_until = None,
            }
        }
    }

    fn input(&mut self, input: Input) {
        let now = self.clock.now();
        self.coordinator.handle_input(now, input);
        self.drain(now);
    }

    fn on_network(&mut self, event: transport::Event) {
        // Held until the answers to a message are on their way.
        let mut _receipt = None;
        let mut datagram_of = None;
        let mut tapped = None;
        let input = match self.transports.handle_event(event) {
            Some(transport::Event::Message { flow, data, receipt }) => {
                trace::received(flow, &data);
                _receipt = Some(receipt);
                datagram_of = (flow.transport == Transport::Udp).then(|| flow.remote.ip());
                tapped = (!self.taps.is_empty()).then(|| (flow, data.clone()));
                endpoint::Input::Message { flow, data }
            }
            Some(transport::Event::Closed { flow }) => endpoint::Input::FlowClosed { flow },
            Some(transport::Event::TransmitFailed { token }) => endpoint::Input::TransmitFailed { token },
            Some(transport::Event::Unreachable { addr }) => endpoint::Input::Unreachable { addr },
            Some(transport::Event::Refused { peer, transport }) => {
                let refusal = Refusal::handshake(peer, transport);
                return self.on_event(self.clock.now(), Event::Refused(Box::new(refusal)));
            }
            Some(transport::Event::Identified { flow, names }) => {
                let now = self.clock.now();
                return self
                    .coordinator
                    .handle_input(now, Input::Identified { flow, names });
            }
            Some(transport::Event::Opened { .. }) | None => return,
        };
        let now = self.clock.now();
        self.coordinator.handle_input(now, Input::Sip(input));
        if let Some((flow, data)) = tapped {
            self.taps.received(now, flow, data, &self.coordinator);
        }
        self.drain(now);
        if let Some(host) = datagram_of {
            let (now, coordinator) = (self.clock.now(), &self.coordinator);
            self.transports.heard(host, || coordinator.knows(now, host));
        }
    }

    fn on_control(&mut self, control: Option<Control<A::Request>>) {
        let now = self.clock.now();
        match control {
            Some(Control::Request(request)) => {
                self.application
                    .handle_request(now, request, &mut self.coordinator);
            }
            Some(Control::Stats(reply)) => {
                let _ = reply.send(self.coordinator.stats());
            }
            Some(Control::Tap(feed)) => self.taps.add(feed),
            Some(Control::TapMedia(leg, feed)) => {
                if let Some(lane) = self.lane_of(leg) {
                    lane.tap(leg, feed);
                }
            }
            Some(Control::Inject(source)) => {
                if let Some(lane) = self.lane_of(source.leg()) {
                    lane.inject(source);
                }
            }
            Some(Control::Drain(reply)) => {
                self.ending.draining = true;
                let _ = reply.send(());
            }
            Some(Control::Shutdown(patience, reply)) => {
                self.ending.waiting.push(reply);
                self.end_calls(now, patience);
            }
            None if self.ending.waits_until.is_none() => self.end_calls(now, ORPHANED),
            None => {}
        }
    }

    /// The lane to the media thread of a leg.
    fn lane_of(&mut self, leg: LegId) -> Option<&mut Lane> {
        let shard = self.coordinator.shard_of_leg(leg)?;
        self.lanes.get_mut(usize::from(shard))
    }

    fn on_timeout(&mut self) {
        let now = self.clock.now();
        if self.application.deadline().is_some_and(|(at, _)| at <= now) {
            self.application.handle_timeout(now, &mut self.coordinator);
        }
        self.coordinator.handle_input(now, Input::Timeout);
    }

    fn end_calls(&mut self, now: Time, patience: Duration) {
        self.ending.draining = true;
        let until = now + patience;
        self.ending.waits_until = Some(self.ending.waits_until.map_or(until, |at| at.min(until)));
        let sessions: Vec<SessionId> = self.coordinator.sessions().collect();
        tracing::debug!(calls = sessions.len(), "shutting down");
        for session in sessions {
            self.coordinator.terminate_session(now, session);
        }
        self.coordinator.unregister_all(now);
    }

    fn is_over(&self, now: Time) -> bool {
        let is_idle = || self.coordinator.stats().sessions == 0 && !self.coordinator.is_registered();
        self.ending.waits_until.is_some_and(|at| at <= now || is_idle())
    }

    /// Does all that the coordinator says; hands back when it next wants the time.
    fn drain(&mut self, now: Time) -> Deadline {
        loop {
            match self.coordinator.poll_output(now) {
                Output::Transmit { to, data, token } => {
                    if trace::is_on() {
                        trace::sent(&to, self.transports.local_of(&to), &data);
                    }
                    if !self.taps.is_empty() {
                        let local = self.transports.local_of(&to);
                        self.taps.sent(now, &to, local, data.clone(), &self.coordinator);
                    }
                    if !self.transports.send(&to, data, token) {
                        trace::not_sent(&to);
                        let failed = endpoint::Input::TransmitFailed { token };
                        self.coordinator.handle_input(now, Input::Sip(failed));
                    }
                }
                Output::Resolve { query, uri } => {
                    if let Some(targets) = self.resolver.resolve(query, uri) {
                        let resolved = endpoint::Input::Resolved { query, targets };
                        self.coordinator.handle_input(now, Input::Sip(resolved));
                    }
                }
                Output::Follow { names } => self.resolver.follow(names),
                Output::Fetch { url } => self.fetcher.fetch(url),
                Output::Media { shard, command } => {
                    let Some(lane) = self.lanes.get_mut(usize::from(shard)) else {
                        continue;
                    };
                    if let Some(event) = lane.send(command) {
                        self.coordinator.handle_input(now, Input::Media { shard, event });
                    }
                }
                Output::Event(event) => self.on_event(now, event),
                Output::Timeout(deadline) => {
                    let end = self.ending.waits_until.map(|at| (at, "end of shutdown"));
                    return earlier(earlier(deadline, self.application.deadline()), end);
                }
            }
        }
    }

    fn on_event(&mut self, now: Time, event: Event) {
        match &event {
            Event::Incoming { session, .. } if self.ending.draining => {
                self.ending.refused.insert(*session);
                return self
                    .coordinator
                    .reject(now, *session, StatusCode::SERVICE_UNAVAILABLE);
            }
            Event::Ended { session, .. } if self.ending.refused.remove(session) => return,
            _ => {}
        }
        self.application.handle(now, event, &mut self.coordinator);
    }

    /// Releases everything: queued output of connections is still written, media threads end.
    async fn end(mut self) {
        self.transports.close();
        self.lanes.clear();
        // Connections are tasks of this runtime, which ends with this one.
        let until = Instant::now() + FAREWELL;
        while Handle::current().metrics().num_alive_tasks() > 1 && Instant::now() < until {
            sleep(LOOK).await;
        }
        for waiting in self.ending.waiting.drain(..) {
            let _ = waiting.send(());
        }
        tracing::debug!("signalling ended");
    }
}
