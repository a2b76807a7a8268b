//! Surroundings of every machine: settings, the SIP machine, the directory, timers, and the outputs of the coordinator.

use std::collections::{BTreeSet, VecDeque};

use media_core::control::{BridgeId, Command, LegId};
use media_core::negotiated::Codec;
use sans_io::{Deadline, Rng, Time, Timers};
use sip_core::endpoint::{Endpoint, SessionWish};
use sip_core::registrar;

use crate::SessionId;
use crate::caps::Caps;
use crate::config::{Config, SessionPolicy};
use crate::coordinator::{Output, Timer};
use crate::directory::Directory;
use crate::event::Event;
use crate::index::Index;
use crate::leg::{Account, Device, Leg};
use crate::pass_through::PassThrough;
use crate::trunk::Trunks;
use crate::upstream::Upstream;

/// Everything that a call and its legs work with, and own none of.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    pub(crate) endpoint: Endpoint,
    pub(crate) directory: Directory,
    pub(crate) upstream: Upstream,
    pub(crate) timers: Timers<Timer>,
    pub(crate) index: Index,
    pub(crate) trunks: Trunks,
    pub(crate) caps: Caps,
    out: VecDeque<Output>,
    /// Calls in which something that was passed on may have to be taken back.
    unsettled: BTreeSet<SessionId>,
    /// Bridges of calls whose audio is to be brought in line.
    changed_bridges: Vec<BridgeId>,
    endpoint_deadline: Deadline,
    last_id: u64,
}

impl Context {
    pub(crate) fn new(config: Config, rng: Rng, endpoint: Endpoint, directory: Directory) -> Context {
        let shards = config.shards;
        let last_id = config.first_id;
        let mut caps = Caps::default();
        caps.set(config.limits.caps.clone());
        Context {
            upstream: Upstream::new(config.upstream.clone(), config.secret),
            config,
            rng,
            endpoint,
            directory,
            timers: Timers::default(),
            index: Index::new(shards),
            trunks: Trunks::default(),
            caps,
            out: VecDeque::new(),
            unsettled: BTreeSet::new(),
            changed_bridges: Vec::new(),
            endpoint_deadline: None,
            last_id,
        }
    }

    /// Reports to the application.
    pub(crate) fn event(&mut self, event: Event) {
        self.output(Output::Event(event));
    }

    /// Commands a media shard.
    pub(crate) fn command(&mut self, shard: u8, command: Command) {
        self.output(Output::Media { shard, command });
    }

    pub(crate) fn output(&mut self, output: Output) {
        self.out.push_back(output);
    }

    pub(crate) fn next_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Deadline of the SIP machine, as it said last.
    pub(crate) fn endpoint_deadline(&self) -> Deadline {
        self.endpoint_deadline
    }

    pub(crate) fn set_endpoint_deadline(&mut self, deadline: Deadline) {
        self.endpoint_deadline = deadline;
    }

    /// A call in that bridge has changed.
    pub(crate) fn bridge_changed(&mut self, bridge: BridgeId) {
        if !self.changed_bridges.contains(&bridge) {
            self.changed_bridges.push(bridge);
        }
    }

    pub(crate) fn next_changed_bridge(&mut self) -> Option<BridgeId> {
        self.changed_bridges.pop()
    }

    /// Something of that call changed that a change which was passed on depends on.
    pub(crate) fn settle_later(&mut self, session: SessionId) {
        self.unsettled.insert(session);
    }

    pub(crate) fn next_unsettled(&mut self) -> Option<SessionId> {
        self.unsettled.pop_first()
    }

    /// An id that was never used: see [`Config::first_id`].
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn next_session(&mut self) -> SessionId {
        SessionId(self.next_id())
    }

    pub(crate) fn next_leg(&mut self) -> LegId {
        LegId(self.next_id())
    }

    /// A SIP domain that we answer for.
    pub(crate) fn is_ours(&self, host: &str) -> bool {
        let domains = &self.config.domains;
        domains.is_empty() || domains.iter().any(|domain| domain.eq_ignore_ascii_case(host))
    }

    /// A leg that is over, or ends before its INVITE was sent, takes up its trunk no longer.
    pub(crate) fn release(&mut self, now: Time, leg: &Leg) {
        self.index.release(leg);
        self.caps.end(leg.id(), now);
        if let Some(trunk) = leg.trunk() {
            self.trunks.forget(trunk, leg.id());
        }
    }

    /// Codecs for a leg at this trunk, or for one that is at none, best first.
    pub(crate) fn codecs_for(&self, trunk: Option<&str>, device: Device) -> Vec<Codec> {
        if device.is_browser() {
            return self.config.browser_codecs.clone();
        }
        match trunk.and_then(|name| self.directory.trunk(name)) {
            Some(trunk) if !trunk.codecs.is_empty() => trunk.codecs.clone(),
            _ => self.config.phone_codecs.clone(),
        }
    }

    /// Formats that are passed on undecoded between a leg of this account and others. Browsers have none.
    pub(crate) fn pass_through(&self, account: &Account, device: Device) -> PassThrough {
        if device.is_browser() {
            return PassThrough::off();
        }
        let own = account
            .trunk()
            .and_then(|name| self.directory.trunk(name)?.pass_through.clone());
        own.unwrap_or_else(|| self.config.pass_through.clone())
    }

    /// True if the trunk says which codecs it has, whose order then stays as it is.
    pub(crate) fn has_own_codecs(&self, trunk: Option<&str>) -> bool {
        let trunk = trunk.and_then(|name| self.directory.trunk(name));
        trunk.is_some_and(|trunk| !trunk.codecs.is_empty())
    }

    /// Session timer to ask for in a call of this account. A browser's call has the consent checks of ICE.
    pub(crate) fn session_wish(&self, account: &Account, device: Device) -> Option<SessionWish> {
        let policy = self.directory.signalling(account);
        let interval = match policy.session {
            SessionPolicy::AsUsual => self.config.session_timer.filter(|_| !device.is_browser())?,
            SessionPolicy::Off => return None,
            SessionPolicy::Every(interval) => interval,
        };
        Some(SessionWish {
            interval,
            refresher: policy.refresher,
        })
    }

    /// Reports which users became reachable or unreachable since the last time.
    pub(crate) fn report_reachable(&mut self) {
        while let Some(event) = self.directory.registrar_mut().poll_event() {
            let (user, reachable) = match event {
                registrar::Event::Reachable { user } => (user, true),
                registrar::Event::Unreachable { user } => (user, false),
                registrar::Event::Moved { .. } => continue,
            };
            self.event(Event::Reachable { user, reachable });
        }
    }
}
