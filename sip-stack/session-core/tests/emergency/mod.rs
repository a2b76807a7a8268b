//! Emergency calls: placed whatever is full, and with the location of the caller.

use std::sync::Arc;
use std::time::Duration;

use session_core::emergency::{Civic, CivicElement, EmergencyCall, EmergencyNumbers, Location, Point};
use session_core::{
    Access, CallRate, Caller, Config, Dial, Event, Limits, OnFailure, Party, Quota, TrunkAddress,
};
use sip_core::message::{HeaderName, Message, Method, StatusCode};
use sip_core::uri::UriRef;

use crate::carried::bench::{self, Bench, CARRIER, OTHER, PHONE, sdp};

fn numbers() -> EmergencyNumbers {
    EmergencyNumbers {
        numbers: vec!["112".into(), "110".into()],
        prefixes: vec!["0".into()],
    }
}

fn location() -> Location {
    let element = |name: &str, text: &str| (CivicElement::named(name).expect("element"), text.to_owned());
    Location {
        civic: Some(Civic::new([element("country", "DE"), element("a3", "Berlin")])),
        point: Some(Point {
            latitude: 52.5,
            longitude: 13.4,
            radius: 20.0,
        }),
        uri: None,
    }
}

fn call() -> EmergencyCall {
    EmergencyCall {
        caller: Some(Caller {
            user: "+49301000".into(),
            display: "Desk".into(),
        }),
        location: Some(location()),
        resource_priority: true,
    }
}

/// A gateway with room for nobody: no call at a time, none in a second, no channel of the trunk.
fn full() -> Config {
    let mut config = bench::config();
    config.emergency = numbers();
    config.max_sessions = 0;
    let none = Quota {
        calls: Some(0),
        rate: Some(0),
    };
    config.limits = Limits {
        users: [("1001".to_owned(), none)].into(),
        trunks: [("carrier".to_owned(), none)].into(),
        phone_legs: 0,
        ..Limits::default()
    };
    if let Access::Directory { trunks, .. } = &mut config.access {
        for trunk in trunks.values_mut() {
            trunk.outgoing.channels = Some(0);
            trunk.outgoing.rate = Some(CallRate {
                calls: 1,
                within: Duration::from_secs(3_600),
            });
        }
    }
    config
}

/// Places the emergency calls that came, as the application does.
fn place(bench: &mut Bench) -> usize {
    let of = |event: &Event| match event {
        Event::Incoming { session, call, .. } => Some((*session, call.emergency.clone()?)),
        _ => None,
    };
    let came: Vec<_> = bench.events.drain(..).filter_map(|event| of(&event)).collect();
    for (session, number) in &came {
        let party = Party::Emergency {
            tiers: vec![vec![("carrier".into(), 1)]],
            number: number.clone(),
            call: Arc::new(call()),
        };
        let dial = Dial::together(vec![party], Duration::from_secs(60), OnFailure::Reject);
        bench.act(|gateway, now| gateway.dial(now, *session, dial));
    }
    came.len()
}

/// The bench dials nothing itself that is an emergency call.
fn bench(config: Config) -> Bench {
    let mut bench = Bench::with(config);
    bench.leaves_emergencies = true;
    bench.register(PHONE, "");
    bench
}

#[test]
fn a_number_is_one_of_the_services_with_and_without_a_prefix() {
    let numbers = numbers();
    let of = |uri: &str| numbers.called(UriRef::parse(uri).expect("URI"));
    for uri in [
        "sip:112@gw",
        "sip:0112@gw",
        "sip:1-1-2@gw;user=phone",
        "tel:112",
        "tel:112;phone-context=+49",
        "urn:service:sos",
        "URN:SERVICE:SOS.fire",
    ] {
        assert_eq!(of(uri).as_deref(), Some("112"), "{uri}");
    }
    assert_eq!(of("sip:110@gw").as_deref(), Some("110"));
    for uri in [
        "sip:1112@gw",
        "sip:00112@gw",
        "sip:1120@gw",
        "sip:gw",
        "sip:+49112@gw",
        "urn:service:sosnot",
        "urn:service:counseling",
    ] {
        assert_eq!(of(uri), None, "{uri}");
    }
    let none = EmergencyNumbers::default();
    assert_eq!(none.called(UriRef::parse("urn:service:sos").expect("URI")), None);
}

#[test]
fn a_thousand_of_a_thousand_emergency_calls_are_placed_when_everything_is_full() {
    let mut bench = bench(full());
    // Any other call is refused.
    bench.request(PHONE, "INVITE", "sip:0301234@192.0.2.1", "", &sdp(11, 4_000, 0));
    assert_eq!(
        bench.last_response().status(),
        Some(StatusCode::SERVICE_UNAVAILABLE)
    );
    let mut placed = 0;
    for n in 0..1_000 {
        let number = ["112", "0112", "110"][n % 3];
        let uri = format!("sip:{number}@192.0.2.1");
        bench.sent.clear();
        bench.authenticated(PHONE, "INVITE", &uri, "", &sdp(11, 4_000, 0));
        assert_eq!(place(&mut bench), 1, "call {n}");
        let invite = bench.invited(CARRIER);
        assert_eq!(
            invite
                .uri()
                .and_then(|uri| uri.user().map(str::to_owned))
                .as_deref(),
            Some(&number[number.len() - 3..])
        );
        placed += usize::from(has_location(&invite));
    }
    assert_eq!(placed, 1_000);
    assert_eq!(bench.act(|gateway, _| gateway.stats()).sessions, 1_000);
}

/// True if the INVITE has the description, and the location that its header names.
fn has_location(invite: &Message) -> bool {
    let header = invite.header_named("Geolocation").unwrap_or_default();
    let id = header.trim_start_matches("<cid:").trim_end_matches('>');
    let body = String::from_utf8_lossy(invite.body()).into_owned();
    let parts = [
        format!("Content-ID: <{id}>\r\n"),
        "Content-Type: application/pidf+xml\r\n".into(),
        "<cl:country>DE</cl:country><cl:A3>Berlin</cl:A3>".into(),
        "<gml:pos>52.5 13.4</gml:pos>".into(),
    ];
    !id.is_empty()
        && parts.iter().all(|part| body.contains(part))
        && invite
            .content()
            .session
            .is_some_and(|sdp| sdp.starts_with(b"v=0"))
        && invite
            .content_type()
            .is_some_and(|kind| kind.starts_with("multipart/mixed"))
}

#[test]
fn the_services_learn_who_calls_and_where_from_whatever_the_caller_hides() {
    let mut config = bench::config();
    config.emergency = numbers();
    if let Access::Directory { trunks, .. } = &mut config.access {
        for trunk in trunks.values_mut() {
            trunk.caller_id = session_core::CallerId::Fixed("+49305555".into());
            trunk.identity.asserted_in = vec![session_core::identity::AssertedIn::PAssertedIdentity];
        }
    }
    let mut bench = bench(config);
    bench.authenticated(
        PHONE,
        "INVITE",
        "sip:112@192.0.2.1",
        "Privacy: id;user\r\n",
        &sdp(11, 4_000, 0),
    );
    assert_eq!(place(&mut bench), 1);
    let invite = bench.invited(CARRIER);
    assert_eq!(invite.from().uri.user(), Some("+49301000"));
    assert_eq!(invite.header(HeaderName::Privacy), None);
    assert!(
        invite
            .header(HeaderName::PAssertedIdentity)
            .is_some_and(|value| value.contains("+49301000"))
    );
    assert_eq!(invite.header_named("Geolocation-Routing"), Some("yes"));
    assert_eq!(invite.header_named("Resource-Priority"), Some("esnet.1"));
    assert_eq!(invite.header(HeaderName::Priority), Some("emergency"));
    assert!(has_location(&invite));
    // The answer makes a call, and a challenge changes nothing of what it carries.
    bench.respond(CARRIER, &invite, StatusCode::OK, "c", "", &sdp(20, 5_000, 0));
    assert_eq!(bench.statuses().last(), Some(&StatusCode::OK));
}

#[test]
fn a_trunk_that_refuses_is_not_the_last_word() {
    let mut config = bench::config();
    config.emergency = numbers();
    if let Access::Directory { trunks, .. } = &mut config.access {
        for trunk in trunks.values_mut() {
            let place = |host: &str| TrunkAddress {
                host: host.to_owned(),
                port: None,
                priority: 0,
                weight: 1,
            };
            trunk.outgoing.places = vec![place("192.0.2.20"), place("192.0.2.12")];
        }
    }
    let mut bench = bench(config);
    bench.authenticated(PHONE, "INVITE", "sip:112@192.0.2.1", "", &sdp(11, 4_000, 0));
    place(&mut bench);
    let first = bench.last(&Method::Invite).expect("an INVITE");
    let (asked, other) = match first
        .uri()
        .and_then(|uri| uri.host().map(|host| host.to_string()))
        .as_deref()
    {
        Some("192.0.2.20") => (CARRIER, OTHER),
        _ => (OTHER, CARRIER),
    };
    bench.respond(asked, &first, StatusCode::FORBIDDEN, "c", "", "");
    assert!(has_location(&bench.invited(other)));
}

#[test]
fn a_location_by_reference_needs_no_body() {
    let mut bench = bench({
        let mut config = bench::config();
        config.emergency = numbers();
        config
    });
    bench.authenticated(PHONE, "INVITE", "urn:service:sos.police", "", &sdp(11, 4_000, 0));
    let session = bench.events.iter().find_map(|event| match event {
        Event::Incoming { session, call, .. } if call.emergency.as_deref() == Some("112") => Some(*session),
        _ => None,
    });
    let party = Party::Emergency {
        tiers: vec![vec![("carrier".into(), 1)]],
        number: "112".into(),
        call: Arc::new(EmergencyCall {
            caller: None,
            location: Some(Location {
                uri: Some("https://lis.example/1001".into()),
                ..Location::default()
            }),
            resource_priority: false,
        }),
    };
    let dial = Dial::together(vec![party], Duration::from_secs(60), OnFailure::Reject);
    bench.act(|gateway, now| gateway.dial(now, session.expect("an emergency call"), dial));
    let invite = bench.invited(CARRIER);
    assert_eq!(
        invite.header_named("Geolocation"),
        Some("<https://lis.example/1001>")
    );
    assert_eq!(invite.content_type(), Some("application/sdp"));
    assert_eq!(invite.header_named("Resource-Priority"), None);
    assert_eq!(invite.from().uri.user(), Some("1001"));
}

#[test]
fn strangers_and_trunks_have_no_emergency_numbers_of_ours() {
    let mut bench = bench(full());
    bench.request(CARRIER, "INVITE", "sip:112@192.0.2.1", "", &sdp(20, 5_000, 0));
    assert_eq!(
        bench.last_response().status(),
        Some(StatusCode::SERVICE_UNAVAILABLE)
    );
    bench.request(OTHER, "INVITE", "sip:112@192.0.2.1", "", &sdp(12, 5_000, 0));
    assert_eq!(bench.last_response().status(), Some(StatusCode::UNAUTHORIZED));
    assert_eq!(place(&mut bench), 0);
}

#[test]
fn the_last_ports_are_kept_for_emergency_calls() {
    let mut config = bench::config();
    config.emergency = numbers();
    config.limits.phone_legs = 16;
    let mut bench = bench(config);
    let mut taken = 0;
    for _ in 0..20 {
        let code = bench.authenticated(PHONE, "INVITE", "sip:0301234@192.0.2.1", "", &sdp(11, 4_000, 0));
        if code == StatusCode::SERVICE_UNAVAILABLE {
            break;
        }
        taken += 1;
    }
    assert_eq!(taken, 7, "two legs each, and two of sixteen legs are kept");
    bench.events.clear();
    bench.authenticated(PHONE, "INVITE", "sip:112@192.0.2.1", "", &sdp(11, 4_000, 0));
    assert_eq!(place(&mut bench), 1);
}
