use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn takes_a_uri_apart() {
    let u = uri(
        "sips:al%69ce;x=1:pw@[2001:db8::1]:5070;transport=ws;lr;method=REGISTER?Subject=a%20b&Priority=urgent",
    );
    assert_eq!(u.scheme(), Scheme::Sips);
    assert_eq!(u.user(), Some("al%69ce;x=1"));
    assert_eq!(u.user_unescaped().as_deref(), Some("alice;x=1"));
    assert_eq!(u.borrow().password(), Some("pw"));
    assert_eq!(u.host(), Some(Host::V6("2001:db8::1".parse().unwrap())));
    assert_eq!(u.port(), Some(5070));
    assert_eq!(u.transport(), Some("ws"));
    assert!(u.is_loose_router());
    assert_eq!(u.headers(), Some("Subject=a%20b&Priority=urgent"));
    assert_eq!(u.header("subject").as_deref(), Some("a b"));
    assert_eq!(u.header("x"), None);

    let u = uri("tel:+1-201-555-0123;phone-context=example.com");
    assert_eq!(
        (u.scheme(), u.user(), u.host()),
        (Scheme::Tel, Some("+1-201-555-0123"), None)
    );
    assert_eq!(u.param("phone-context"), Some("example.com"));

    let u = uri("urn:service:sos");
    assert_eq!((u.scheme(), u.borrow().opaque()), (Scheme::Other, "service:sos"));

    let u = uri("sip:192.0.2.1");
    assert_eq!(
        (u.user(), u.host()),
        (None, Some(Host::V4(Ipv4Addr::new(192, 0, 2, 1))))
    );
    // an address in brackets takes its port only behind them (RFC 5118 §4.3)
    assert_eq!(uri("sip:[2001:db8::10:5070]").port(), None);
    assert_eq!(
        uri("sip:[2001:db8:::192.0.2.1]").host(),
        uri("sip:[2001:db8::192.0.2.1]").host()
    );
}

#[test]
fn refuses_what_is_no_uri() {
    for (text, error) in [
        ("", UriError::Scheme),
        ("alice@example.com", UriError::Scheme),
        ("<sip:a@b>", UriError::Scheme),
        ("1sip:a@b", UriError::Scheme),
        ("sip:", UriError::Text),
        ("sip:a b@c", UriError::Text),
        ("sip:a@b\r\nX: y", UriError::Text),
        ("sip:a@b>", UriError::Text),
        ("sip:\u{e9}@b", UriError::Text),
        ("sip:@b", UriError::User),
        ("sip::pw@b", UriError::User),
        ("sip:a%4@b", UriError::User),
        ("sip:a\\@b", UriError::User),
        ("tel:", UriError::Text),
        ("tel:call-me", UriError::User),
        ("sip:a@", UriError::Host),
        ("sip:a@b@c", UriError::Host),
        ("sip:2001:db8::10", UriError::Port),
        ("sip:[2001:db8::10", UriError::Host),
        ("sip:[fe80::1]x", UriError::Host),
        ("sip:a@b:", UriError::Port),
        ("sip:a@b:65536", UriError::Port),
        ("sip:a@b:+1", UriError::Port),
    ] {
        assert_eq!(Uri::parse(text).err(), Some(error), "{text:?}");
    }
    assert_eq!(
        Uri::parse(&format!("sip:{}@b", "a".repeat(20_000))).err(),
        Some(UriError::Length)
    );
}

/// The examples of RFC 3261 §19.1.4.
#[test]
fn compares_as_the_rfc_says() {
    for (a, b) in [
        (
            "sip:%61lice@atlanta.com;transport=TCP",
            "sip:alice@AtLanTa.CoM;Transport=tcp",
        ),
        ("sip:a@b;x=1;x=2", "sip:a@b;x=1;x=2"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:carol@chicago.com;newparam=5",
            "sip:carol@chicago.com;security=on",
        ),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
    ] {
        assert_eq!(uri(a), uri(b));
        assert_eq!(uri(b), uri(a));
    }
    for (a, b) in [
        (
            "SIP:ALICE@AtLanTa.CoM;Transport=udp",
            "sip:alice@AtLanTa.CoM;Transport=UDP",
        ),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        (
            "sip:carol@chicago.com",
            "sip:carol@chicago.com?Subject=next%20meeting",
        ),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        (
            "sip:carol@chicago.com;security=on",
            "sip:carol@chicago.com;security=off",
        ),
        ("sip:a@b", "sips:a@b"),
        ("sip:b", "sip:a@b"),
    ] {
        assert_ne!(uri(a), uri(b));
        assert_ne!(uri(b), uri(a));
    }
}

#[test]
fn composes_and_escapes() {
    let u = Uri::sip(Some("bob@home #1"), Host::V6(Ipv6Addr::LOCALHOST), Some(5062)).unwrap();
    assert_eq!(u.as_str(), "sip:bob%40home%20%231@[::1]:5062");
    assert_eq!(u.user_unescaped().as_deref(), Some("bob@home #1"));
    let u = u
        .with_param("transport", "ws")
        .unwrap()
        .with_param("ob", "")
        .unwrap();
    assert_eq!(u.as_str(), "sip:bob%40home%20%231@[::1]:5062;transport=ws;ob");
    assert_eq!(
        u.with_param("Transport", "tcp").unwrap().as_str(),
        "sip:bob%40home%20%231@[::1]:5062;ob;Transport=tcp"
    );
    assert_eq!(u.bare().as_str(), "sip:bob%40home%20%231@[::1]:5062");
    assert_eq!(u.bare().bare().as_str(), "sip:bob%40home%20%231@[::1]:5062");
    assert_eq!(
        u.bare().with_param("lr", "").unwrap().as_str(),
        "sip:bob%40home%20%231@[::1]:5062;lr"
    );
    assert_eq!(
        uri("sip:a@b;x?y=z").with_param("x", "1").unwrap().as_str(),
        "sip:a@b;x=1?y=z"
    );
    assert!(Uri::sip(Some("a"), "b\r\nX: y", None).is_err());
    assert!(uri("sip:a@b").with_param("x", "\r\nVia:").is_err());
    assert_eq!(escape_header("<sip:a@b>;c"), "%3Csip:a%40b%3E%3Bc");
}

#[test]
fn parameters_are_no_part_of_a_number() {
    for (text, subscriber) in [
        ("sip:+49301234;npdi;rn=+4930999@gw;user=phone", "+49301234"),
        ("sip:+49301234;cpc=ordinary@gw", "+49301234"),
        ("sip:%2B49301234;phone-context=example.com@gw", "+49301234"),
        ("sip:+49-30-12.34@gw;user=phone", "+49-30-12.34"),
        ("sip:*21*5#;x@gw", "*21*5#"),
        ("tel:+49301234;phone-context=ims.example", "+49301234"),
        ("sip:info;npdi@gw;user=phone", "info"),
        ("sip:alice;day=tuesday@gw", "alice;day=tuesday"),
        ("sip:0301%3Bx=y@gw", "0301;x=y"),
        ("sip:;x@gw", ";x"),
        ("sip:+;x@gw", "+;x"),
        ("sip:1001@gw", "1001"),
    ] {
        assert_eq!(uri(text).subscriber().as_deref(), Some(subscriber), "{text}");
    }
    assert_eq!(uri("sip:gw").subscriber(), None);
}
