//! Offers and answers: how the legs are opened, and what is agreed about each.

use media_core::control::{BridgeId, Command, LegKind, MediaSource, Member, Role};
use media_core::negotiated::{
    Codec, Direction, DtlsRole, IceCredentials, Labels, Negotiated, OpusParameters, StreamAgreed,
    TelephoneEvent, Transport,
};
use media_core::shard::Input;

use super::super::super::browser_leg::{PASSWORD, UFRAG};
use super::peer::gateway;
use super::{BROWSER, Bench, IDENTITIES, LEGS, PLAIN, SEALED, address, browser, leg, socket};

impl Bench {
    /// Opens all legs, in one bridge.
    pub(super) fn begin(&mut self) {
        self.open_browser();
        for index in [SEALED, PLAIN] {
            let kind = LegKind::Phone {
                local: gateway().ip(),
                source: MediaSource::Learn,
            };
            let leg = leg(index);
            self.command(Command::Open { leg, kind });
            let bound = |offset: u8| (socket(index, offset), gateway());
            let (rtp, rtcp) = (bound(0), bound(1));
            self.input(Input::Bound { leg, rtp, rtcp });
        }
        self.agree(SEALED);
        self.agree(PLAIN);
        self.bridge();
    }

    pub(super) fn bridge(&mut self) {
        let member = |index| Member {
            leg: leg(index),
            role: Role::Party,
            shard: 0,
        };
        self.command(Command::Bridge {
            bridge: BridgeId(1),
            home: 0,
            members: (0..LEGS).map(member).collect(),
        });
    }

    pub(super) fn open_browser(&mut self) {
        let leg = leg(BROWSER);
        let kind = LegKind::Browser { ice: ice() };
        self.command(Command::Open { leg, kind });
        self.agree(BROWSER);
        self.check();
    }

    /// The page is opened anew: another leg, another handshake.
    pub(super) fn reload(&mut self) {
        self.command(Command::Close { leg: leg(BROWSER) });
        self.is_lost = false;
        self.said = 0;
        self.peers[usize::from(BROWSER)] = browser(self.now);
        self.open_browser();
        self.bridge();
    }

    /// An offer and answer about a leg, with whatever keys were agreed.
    pub(super) fn agree(&mut self, index: u8) {
        let remote = Some(address(index));
        let transport = match index {
            BROWSER => Transport::Dtls {
                remote_ice: ice(),
                local_ice: ice(),
                fingerprint: IDENTITIES[1].fingerprint().clone(),
                role: DtlsRole::Passive,
                checks: None,
            },
            SEALED => Transport::Sdes {
                remote,
                remote_rtcp: None,
                rtcp_mux: true,
                keys: Box::new(self.agreed.reversed().keys()),
            },
            _ => Transport::Rtp {
                remote,
                remote_rtcp: None,
                rtcp_mux: true,
            },
        };
        let media = Box::new(Negotiated {
            streams: [stream()].into_iter().collect(),
            transport,
        });
        self.command(Command::Connect {
            leg: leg(index),
            media,
        });
    }
}

/// Credentials of both sides, which name leg 0 of shard 0.
pub(super) fn ice() -> IceCredentials {
    IceCredentials {
        ufrag: UFRAG.to_owned(),
        pwd: PASSWORD.to_owned(),
    }
}

fn stream() -> StreamAgreed {
    StreamAgreed {
        direction: Direction::SendRecv,
        send: (0, Codec::Pcmu),
        receive: vec![(0, Codec::Pcmu), (8, Codec::Pcma)],
        telephone_event: Some(TelephoneEvent {
            send: 101,
            receive: 101,
            clock: 8_000,
        }),
        ptime_ms: 20,
        opus: OpusParameters::default(),
        labels: Labels::default(),
    }
}
