//! A trunk that is known by its certificate (mutual TLS).

use session_core::{Access, Event, Input, Source};
use sip_core::flow::{Flow, FlowId, Transport};
use sip_core::message::{Method, StatusCode};

use super::bench::{Bench, CARRIER, PHONE, Peer, config, sdp};

/// A connection over TLS from an address that nobody knows.
const SOMEWHERE: Peer = Peer {
    flow: Flow {
        id: FlowId(9),
        transport: Transport::Tls,
        local: CARRIER.flow.local,
        remote: std::net::SocketAddr::new(
            std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9)),
            40_000,
        ),
    },
    user: "carrier",
};

fn bench() -> Bench {
    let mut config = config();
    if let Access::Directory { trunks, .. } = &mut config.access {
        let carrier = trunks.get_mut("carrier").unwrap();
        carrier.certificate_names = vec!["sip.carrier.example".into(), "sip2.carrier.example".into()];
    }
    let mut bench = Bench::with(config);
    bench.register(PHONE, "");
    bench
}

fn call(bench: &mut Bench, from: Peer) -> Option<Source> {
    let calls = bench.count(&Method::Invite);
    bench.events.clear();
    bench.request(from, "INVITE", "sip:+49301234@192.0.2.1", "", &sdp(20, 5_000, 0));
    let source = bench.events.iter().find_map(|event| match event {
        Event::Incoming { call, .. } => Some(call.source.clone()),
        _ => None,
    });
    assert_eq!(bench.count(&Method::Invite) > calls, source.is_some());
    if source.is_none() {
        assert_eq!(bench.last_response().status(), Some(StatusCode::UNAUTHORIZED));
    }
    source
}

fn identify(bench: &mut Bench, name: &str) {
    let input = Input::Identified {
        flow: SOMEWHERE.flow.id,
        names: vec!["other.example".into(), name.into()],
    };
    bench.act(|gateway, now| gateway.handle_input(now, input));
}

#[test]
fn a_trunk_that_shows_a_certificate_is_known_by_its_name_wherever_it_comes_from() {
    let mut bench = bench();
    let carrier = Some(Source::Trunk("carrier".into()));
    assert_eq!(call(&mut bench, SOMEWHERE), None, "no certificate");
    identify(&mut bench, "sip2.carrier.example");
    assert_eq!(call(&mut bench, SOMEWHERE), carrier);
    // Its address alone, which a datagram may forge, is not enough.
    assert_eq!(call(&mut bench, CARRIER), None);
    bench.close(SOMEWHERE.flow);
    assert_eq!(
        call(&mut bench, SOMEWHERE),
        None,
        "another connection of that number"
    );
    identify(&mut bench, "carrier.example");
    assert_eq!(call(&mut bench, SOMEWHERE), None, "another name");
}
