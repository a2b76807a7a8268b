//! Proxies, guesses and bans.

use sip_stack::transport::Crowd;

use super::*;

fn peer(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().expect("a value"));
    }
    headers
}

fn behind_proxies() -> Sentry {
    Sentry::new(Settings {
        trusted_proxies: vec![
            "127.0.0.1".parse().expect("one"),
            "10.0.0.0/8".parse().expect("one"),
        ],
        ..Settings::default()
    })
}

#[test]
fn a_proxy_that_is_trusted_has_as_many_connections_as_it_needs() {
    let settings = Settings {
        trusted_proxies: vec!["10.0.0.0/8".parse().expect("one")],
        ..Settings::default()
    };
    for (host, held) in [("10.1.2.3", 8), ("::ffff:10.1.2.3", 8), ("192.0.2.7", 2)] {
        let crowd = Crowd::new(settings.seats(8));
        let places: Vec<_> = (0..8).filter_map(|_| crowd.admit(Some(ip(host)))).collect();
        // Those of others make room for each other: they are idle.
        assert_eq!((places.len(), crowd.taken()), (8, held), "{host}");
    }
}

#[test]
fn only_proxies_that_are_trusted_speak_for_others() {
    let forged = headers(&[("x-forwarded-for", "192.0.2.1")]);
    let client =
        |peer_text: &str, headers: &HeaderMap| behind_proxies().client(peer(peer_text), headers).ip();
    assert_eq!(client("192.0.2.66:9", &forged), ip("192.0.2.66"));
    assert_eq!(
        Sentry::default().client(peer("127.0.0.1:9"), &forged).ip(),
        ip("127.0.0.1")
    );
    assert_eq!(client("127.0.0.1:9", &forged), ip("192.0.2.1"));
    assert_eq!(client("127.0.0.1:9", &HeaderMap::new()), ip("127.0.0.1"));
}

#[test]
fn what_a_client_wrote_itself_does_not_count() {
    let client = |pairs: &[(&'static str, &'static str)]| {
        behind_proxies().client(peer("127.0.0.1:9"), &headers(pairs)).ip()
    };
    assert_eq!(
        client(&[("x-forwarded-for", "1.1.1.1, 192.0.2.7")]),
        ip("192.0.2.7")
    );
    assert_eq!(
        client(&[
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "192.0.2.7, 10.1.1.1")
        ]),
        ip("192.0.2.7")
    );
    assert_eq!(
        client(&[("x-forwarded-for", "nonsense, 10.1.1.1")]),
        ip("10.1.1.1")
    );
    assert_eq!(
        client(&[("forwarded", "for=1.1.1.1, for=\"[2001:db8::7]:1234\";proto=https")]),
        ip("2001:db8::7")
    );
    assert_eq!(client(&[("forwarded", "for=_hidden")]), ip("127.0.0.1"));
    assert_eq!(client(&[("x-forwarded-for", "192.0.2.7:5555")]), ip("192.0.2.7"));
}

#[test]
fn strangers_share_the_time_that_passwords_take() {
    let sentry = Sentry::with_clock(Settings::default(), || Time::from_secs(1_000));
    let take = |n: u32| sentry.take(&format!("user{n}"), Some(IpAddr::V4(Ipv4Addr::from_bits(n))));
    sentry.succeeded(take(0).expect("a try"));
    for n in 1..=LOOKS {
        sentry.failed(take(n).expect("a try"));
    }
    assert!(matches!(take(999), Err(Denied::TooFast(_))));
    sentry.succeeded(take(0).expect("whoever is known is no stranger"));
}

#[test]
fn a_ban_goes_to_the_other_door_and_is_lifted_at_both() {
    let sentry = Sentry::with_clock(Settings::default(), || Time::from_secs(1_000));
    let mut orders = sentry.orders().expect("they are there once");
    assert!(sentry.orders().is_none());
    let at = ip("192.0.2.1");
    for n in 0..100 {
        if let Ok(taken) = sentry.take(&format!("user{n}"), Some(at)) {
            sentry.failed(taken);
        }
    }
    assert!(sentry.is_silenced(at));
    assert!(matches!(orders.try_recv(), Ok(Order::Ban(ban)) if ban.address == at));
    let (ban, since, left) = sentry.bans().pop().expect("a ban");
    assert_eq!(
        (ban.address, since, left),
        (at, Duration::ZERO, Duration::from_secs(600))
    );
    assert!(sentry.lift(at) && !sentry.lift(at) && !sentry.is_silenced(at));
    assert_eq!(orders.try_recv(), Ok(Order::Lift(at)));
    assert_eq!(sentry.ban_counts(), (1, 0));
}
