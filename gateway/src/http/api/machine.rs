//! `/metrics` of the machine beneath the call centre: sockets, transactions, calls, and limits that were reached.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use session_core::{RegistrationState, Stats, TargetState, TrunkStatus};
use sip_stack::Handle;
use sip_stack::dns;
use sip_stack::media::{LATENESS_BOUNDS, MediaCounters};
use sip_stack::transport::{Counters, Crowd, TransportCounters};
use tokio::sync::oneshot;

use super::exposition::Page;
use crate::call_counts::CallCounts;
use crate::switch::Request;

/// Sources of these numbers.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The stack.
    pub stack: Handle<Request>,
    /// Connections to the HTTP port.
    pub http: Arc<Crowd>,
    /// Counts of calls.
    pub calls: CallCounts,
}

impl Machine {
    /// State of all trunks; `None` once the signalling task has ended.
    pub(super) async fn trunks(&self) -> Option<Vec<TrunkStatus>> {
        let (reply, answer) = oneshot::channel();
        self.stack.request(Request::Trunks(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Appends all of them. Numbers of the signalling task are left out once it has ended.
    pub(super) async fn append(&self, page: &mut Page) {
        let stats = self.stack.stats().await.ok();
        connections(page, &[("http", &self.http), ("sip", self.stack.connections())]);
        transports(page, self.stack.transport_counters());
        media(page, self.stack.media_counters().iter().map(|thread| &**thread));
        names(page, self.stack.dns_counters());
        if let Some(stats) = stats {
            active(page, stats.sessions);
            signalling(page, &stats);
        }
        let trunks = self.trunks().await.unwrap_or_default();
        registrations(page, &trunks);
        targets(page, &trunks);
        clients(page, &trunks);
        let (ended, setup) = self.calls.families();
        page.register(
            "calls",
            "Calls that are over, in a queue or not, by direction and outcome",
            ended,
        );
        page.register(
            "call_setup_seconds",
            "Time until calls were answered, by direction",
            setup,
        );
        page.register(
            "caller_verdicts",
            "Verdicts on the signatures of callers (STIR/SHAKEN), by verdict and attestation",
            self.calls.verdicts(),
        );
        page.register(
            "emergency_calls",
            "Emergency calls of users",
            self.calls.emergencies(),
        );
    }
}

/// Appends the number of calls.
pub(super) fn active(page: &mut Page, calls: usize) {
    page.gauge("calls_active", "Live calls, in a queue or not.");
    page.sample(&[], calls as f64);
}

fn connections(page: &mut Page, crowds: &[(&str, &Crowd)]) {
    type Begin = fn(&mut Page, &'static str, &'static str);
    type Column = (&'static str, Begin, &'static str, fn(&Crowd) -> f64);
    let columns: [Column; 4] = [
        ("connections", Page::gauge, "Open connections.", |crowd| {
            crowd.taken() as f64
        }),
        (
            "connections_limit",
            Page::gauge,
            "Maximum number of connections.",
            |crowd| crowd.seats().all as f64,
        ),
        (
            "connections_refused_total",
            Page::counter,
            "Connections refused because there was no place for them.",
            |crowd| crowd.refused() as f64,
        ),
        (
            "connections_evicted_total",
            Page::counter,
            "Idle connections closed because others needed their place.",
            |crowd| crowd.evicted() as f64,
        ),
    ];
    for (name, begin, help, read) in columns {
        begin(page, name, help);
        for (of, crowd) in crowds {
            page.sample(&[("kind", of)], read(crowd));
        }
    }
}

fn transports(page: &mut Page, counters: &TransportCounters) {
    type Column = (&'static str, &'static str, fn(&Counters) -> &AtomicU64);
    let columns: [Column; 6] = [
        (
            "sip_received_total",
            "SIP messages received, by transport.",
            |of| &of.received,
        ),
        ("sip_sent_total", "SIP messages sent, by transport.", |of| {
            &of.sent
        }),
        (
            "sip_dropped_full_total",
            "Datagrams dropped because signalling was behind, by transport.",
            |of| &of.dropped_full,
        ),
        (
            "sip_send_failed_total",
            "SIP messages that could not be sent, by transport.",
            |of| &of.send_failed,
        ),
        (
            "sip_connections_accepted_total",
            "SIP connections accepted, by transport.",
            |of| &of.accepted,
        ),
        (
            "sip_connections_cut_off_total",
            "SIP connections closed for breaking framing, limits or deadlines, by transport.",
            |of| &of.cut_off,
        ),
    ];
    for (name, help, read) in columns {
        page.counter(name, help);
        for (transport, counters) in counters.each() {
            let name = transport.name().to_ascii_lowercase();
            page.sample(&[("transport", &name)], read(counters).load(Relaxed) as f64);
        }
    }
}

fn media<'a>(page: &mut Page, threads: impl Iterator<Item = &'a MediaCounters> + Clone) {
    type Column = (&'static str, &'static str, fn(&MediaCounters) -> &AtomicU64);
    let columns: [Column; 7] = [
        ("media_received_total", "Media datagrams received.", |thread| {
            &thread.received
        }),
        ("media_sent_total", "Media datagrams sent.", |thread| &thread.sent),
        (
            "media_send_failed_total",
            "Media datagrams that the system did not take.",
            |thread| &thread.send_failed,
        ),
        (
            "media_bind_failed_total",
            "Phone legs that got no ports.",
            |thread| &thread.bind_failed,
        ),
        (
            "media_reports_coalesced_total",
            "Reports of media left out because signalling was behind.",
            |thread| &thread.coalesced,
        ),
        (
            "media_lane_full_total",
            "Packets for a leg of another media thread that found its lane full.",
            |thread| &thread.lane_full,
        ),
        (
            "media_lane_stray_total",
            "Packets from another media thread about legs that had left meanwhile.",
            |thread| &thread.lane_stray,
        ),
    ];
    for (name, help, read) in columns {
        page.counter(name, help);
        for (number, thread) in threads.clone().enumerate() {
            let value = read(thread).load(Relaxed);
            page.sample(&[("thread", &number.to_string())], value as f64);
        }
    }
    page.counter(
        "media_busy_seconds_total",
        "Time in which a media thread did not wait; its growth in a second is the thread's load.",
    );
    for (number, thread) in threads.clone().enumerate() {
        let seconds = thread.busy_us.load(Relaxed) as f64 / 1e6;
        page.sample(&[("thread", &number.to_string())], seconds);
    }
    page.gauge(
        "media_legs",
        "Legs of each media thread, stand-ins for legs of other threads included.",
    );
    for (number, thread) in threads.clone().enumerate() {
        let legs = thread.legs.load(Relaxed) as f64;
        page.sample(&[("thread", &number.to_string())], legs);
    }
    lateness(page, threads);
}

fn lateness<'a>(page: &mut Page, threads: impl Iterator<Item = &'a MediaCounters> + Clone) {
    page.gauge(
        "media_lateness_max_seconds",
        "Longest delay of a timer of a media thread.",
    );
    for (number, thread) in threads.clone().enumerate() {
        let longest = thread.lateness.max_us.load(Relaxed) as f64 / 1e6;
        page.sample(&[("thread", &number.to_string())], longest);
    }
    page.histogram(
        "media_lateness_seconds",
        "Delays of the timers of media threads: of mixes, playout and reports.",
    );
    for (number, thread) in threads.enumerate() {
        let counts = thread.lateness.buckets.iter().map(|bucket| bucket.load(Relaxed));
        let cumulative: Vec<u64> = counts
            .scan(0, |below, count| {
                *below += count;
                Some(*below)
            })
            .collect();
        let all = cumulative.last().copied().unwrap_or_default();
        let sum = thread.lateness.sum_us.load(Relaxed) as f64 / 1e6;
        let bounds = LATENESS_BOUNDS.iter().map(Duration::as_secs_f64);
        page.distribution(
            &[("thread", &number.to_string())],
            (sum, all),
            bounds.zip(cumulative),
        );
    }
}

/// Appends whether trunks are registered, those that want to be.
fn registrations(page: &mut Page, trunks: &[TrunkStatus]) {
    page.gauge(
        "trunk_registered",
        "1 for a trunk whose registrar knows of the gateway, 0 for one that it refuses or that does not answer.",
    );
    for trunk in trunks {
        if let Some(registration) = &trunk.registration {
            let is_registered = matches!(registration.state, RegistrationState::Registered { .. });
            page.sample(&[("trunk", &trunk.name)], f64::from(u8::from(is_registered)));
        }
    }
}

/// Appends the calls of each trunk, and the state of its targets.
fn targets(page: &mut Page, trunks: &[TrunkStatus]) {
    page.gauge("trunk_calls", "Calls of a trunk, both ways.");
    for trunk in trunks {
        page.sample(&[("trunk", &trunk.name)], trunk.calls as f64);
    }
    page.gauge(
        "trunk_channels",
        "Maximum number of calls of a trunk at a time, for those that have one.",
    );
    for trunk in trunks {
        if let Some(channels) = trunk.channels {
            page.sample(&[("trunk", &trunk.name)], channels as f64);
        }
    }
    page.gauge(
        "trunk_target_up",
        "1 for an address of a trunk that takes calls, 0 for one that is down or on probation.",
    );
    for trunk in trunks {
        for target in &trunk.targets {
            let is_up = target.state == TargetState::Up;
            let (address, transport) = (target.address.to_string(), target.transport.name());
            let labels = [
                ("trunk", trunk.name.as_str()),
                ("target", address.as_str()),
                ("transport", &transport.to_ascii_lowercase()),
            ];
            page.sample(&labels, f64::from(u8::from(is_up)));
        }
    }
}

/// Appends how many browsers are registered at a PBX through the gateway.
fn clients(page: &mut Page, trunks: &[TrunkStatus]) {
    page.gauge(
        "upstream_clients",
        "Browsers that are registered at the PBX `upstream` through the gateway.",
    );
    for trunk in trunks {
        if let Some(clients) = trunk.clients {
            page.sample(&[("trunk", &trunk.name)], clients as f64);
        }
    }
}

fn names(page: &mut Page, counters: &dns::Counters) {
    page.counter("dns_queries_total", "Queries for names of SIP servers.");
    page.sample(&[], counters.queries.load(Relaxed) as f64);
    page.counter("dns_unanswered_total", "Queries that no name server answered.");
    page.sample(&[], counters.unanswered.load(Relaxed) as f64);
}

fn signalling(page: &mut Page, stats: &Stats) {
    let endpoint = &stats.endpoint;
    page.gauge("sip_transactions", "SIP transactions.");
    page.sample(&[("side", "client")], endpoint.client_transactions as f64);
    page.sample(&[("side", "server")], endpoint.server_transactions as f64);
    for (name, help, value) in [
        ("sip_dialogs", "SIP dialogs.", endpoint.usages),
        ("sip_contacts", "Contacts registered.", stats.contacts),
        (
            "sessions",
            "Calls of every kind, in a queue or not.",
            stats.sessions,
        ),
        ("legs", "Legs of calls.", stats.legs),
    ] {
        page.gauge(name, help);
        page.sample(&[], value as f64);
    }
    page.gauge("legs_by_kind", "Legs of calls, by the kind of peer.");
    page.sample(&[("kind", "browser")], stats.browser_legs as f64);
    page.sample(&[("kind", "phone")], (stats.legs - stats.browser_legs) as f64);
    for (name, help, value) in [
        (
            "sip_turned_away_total",
            "Requests refused without keeping state.",
            stats.totals.refused,
        ),
        (
            "sip_unanswered_total",
            "Requests left unanswered, since any answer would have been out of proportion.",
            stats.totals.unanswered,
        ),
        (
            "sip_retransmissions_total",
            "Requests and responses sent again because no answer came.",
            stats.totals.retransmissions,
        ),
        (
            "sip_too_many_total",
            "Requests refused because there were too many transactions or calls.",
            stats.totals.too_many,
        ),
    ] {
        page.counter(name, help);
        page.sample(&[], value as f64);
    }
    page.gauge(
        "sip_watches",
        "Subscriptions of phones and programs to the state of users, by event package.",
    );
    for (package, number) in stats.watches.each() {
        page.sample(&[("package", package.name())], number as f64);
    }
    let messages = &stats.messages;
    page.counter(
        "messages_total",
        "Instant messages, by outcome; one that is kept is counted again when it is delivered or expires.",
    );
    for (outcome, number) in [
        ("delivered", messages.delivered),
        ("kept", messages.kept),
        ("refused", messages.refused),
        ("expired", messages.expired),
    ] {
        page.sample(&[("outcome", outcome)], number as f64);
    }
    page.gauge("messages_waiting", "Instant messages that wait for their user.");
    page.sample(&[], messages.waiting as f64);
    let name = "calls_refused_total";
    page.counter(
        name,
        "Calls refused by a limit of their trunk or user, by a cap against toll fraud, or because ports are kept for users.",
    );
    page.sample(&[("reason", "quota")], stats.excess.over_quota as f64);
    page.sample(
        &[("reason", "ports-reserved")],
        stats.excess.ports_reserved as f64,
    );
    page.sample(&[("reason", "cap")], stats.excess.capped as f64);
}

#[cfg(test)]
mod tests;
