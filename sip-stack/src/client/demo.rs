//! A phone that answers everybody: rings a moment, then plays back what it hears. It speaks PCMU only, so that a call
//! from a browser is transcoded.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use media_core::negotiated::Codec;
use sans_io::{Deadline, Time, Timers};
use session_core::{Application as Media, Coordinator, Event, LegId};
use sip_core::message::StatusCode;

use super::builder::{BuildError, Builder};
use crate::driver::Application;
use crate::handle::Handle;

/// Time that it rings.
const RING: Duration = Duration::from_millis(1_500);

/// Beside those of the gateway's phone legs.
const RTP_PORTS: RangeInclusive<u16> = 22_000..=22_999;

/// A running demo phone; it ends when this is dropped.
#[derive(Debug)]
pub struct DemoPhone {
    handle: Handle<Never>,
    addr: SocketAddr,
}

/// Nothing is ever asked of it.
#[derive(Debug)]
enum Never {}

impl DemoPhone {
    /// Listens for SIP over UDP on any port of the loopback interface.
    ///
    /// # Errors
    /// A socket cannot be bound.
    pub async fn start() -> Result<DemoPhone, BuildError> {
        DemoPhone::start_at(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0), RTP_PORTS).await
    }

    /// Listens for SIP over UDP on `addr` (port 0: any), for RTP on ports of `rtp_ports` beside it.
    ///
    /// # Errors
    /// A socket cannot be bound.
    pub async fn start_at(addr: SocketAddr, rtp_ports: RangeInclusive<u16>) -> Result<DemoPhone, BuildError> {
        let builder = Builder::default()
            .bind(addr)
            .rtp_ports(rtp_ports)
            .codecs(vec![Codec::Pcmu])
            .user_agent("Cordboard demo phone");
        let handle = builder.start_with(Answering::default()).await?;
        let addr = handle.listeners().first().map_or(addr, |listener| listener.addr);
        Ok(DemoPhone { handle, addr })
    }

    /// Address that it listens on. Any user part will do.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.addr
    }

    /// Hangs up all calls and ends.
    pub async fn shutdown(self) {
        self.handle.shutdown(Duration::from_secs(2)).await;
    }
}

/// Answers what rang long enough.
#[derive(Debug, Default)]
struct Answering {
    ringing: Timers<LegId>,
}

impl Application for Answering {
    type Request = Never;

    fn handle(&mut self, now: Time, event: Event, calls: &mut Coordinator) {
        // A call that is cancelled while it rings is not there any more when its time comes: nothing happens then.
        if let Event::Incoming { leg, .. } = event {
            calls.ring(now, leg, StatusCode::RINGING);
            self.ringing.set(leg, now + RING, "demo phone answers");
        }
    }

    fn handle_request(&mut self, _: Time, request: Never, _: &mut Coordinator) {
        match request {}
    }

    fn deadline(&self) -> Deadline {
        self.ringing.next()
    }

    fn handle_timeout(&mut self, now: Time, calls: &mut Coordinator) {
        while let Some(leg) = self.ringing.pop_due(now) {
            calls.answer(now, leg, Some(Media::Echo));
        }
    }
}
