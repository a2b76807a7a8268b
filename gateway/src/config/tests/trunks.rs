//! Trunks of a file with several addresses, and rules with several trunks.

use std::net::IpAddr;
use std::time::Duration;

use session_core::guard::Network;
use session_core::{CallRate, Outgoing, Watch};
use sip_core::message::StatusCode;

use super::*;

/// A file with one trunk, which has these lines.
fn trunk(lines: &str) -> Result<Config, Vec<String>> {
    parse(&format!("{ALICE}[[trunks]]\nname='carrier'\n{lines}\n"))
}

fn outgoing(lines: &str) -> Outgoing {
    let mut config = trunk(&format!("address='192.0.2.1'\n{lines}")).expect("good");
    config.trunks.remove("carrier").expect("a trunk").outgoing
}

/// The one error of a trunk with these lines.
fn wrong(lines: &str) -> String {
    let errors = trunk(lines).expect_err(lines);
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].clone()
}

#[test]
fn addresses_come_in_the_order_of_the_file_or_by_their_ranks() {
    let places = |lines: &str| {
        let config = trunk(lines).expect("good");
        let trunk = &config.trunks["carrier"];
        assert_eq!(
            (&trunk.host, trunk.port),
            (&trunk.outgoing.places[0].host, trunk.outgoing.places[0].port)
        );
        let places = trunk.outgoing.places.iter();
        let shown: Vec<_> = places
            .map(|place| {
                format!(
                    "{} {:?} {} {}",
                    place.host, place.port, place.priority, place.weight
                )
            })
            .collect();
        shown.join(", ")
    };
    assert_eq!(places("address='a.example'"), "a.example None 0 1");
    assert_eq!(
        places("address=['a.example', 'b.example:5080']"),
        "a.example None 0 1, b.example Some(5080) 1 1"
    );
    assert_eq!(
        places(
            "address=[{host='a.example', weight=3}, 'b.example', {host='[2001:db8::1]:5070', priority=1}]"
        ),
        "a.example None 0 3, b.example None 0 1, [2001:db8::1] Some(5070) 1 1"
    );
    assert_eq!(
        wrong("address=['a.example', 'a.example']"),
        "c.toml:6:23: trunks.address: `a.example` is listed twice"
    );
    assert_eq!(
        wrong("address=[]"),
        "c.toml:6:9: trunks.address: must be one address, or up to 16"
    );
    assert!(wrong("address=[{weight=1}]").ends_with("trunks.address.host is missing"));
    assert!(
        wrong("address=['a.example', 'b.example']\noutbound_proxy='p.example'")
            .contains("there is one address")
    );
}

#[test]
fn sources_are_addresses_and_networks() {
    let sources = |lines: &str| {
        let config = trunk(lines).expect("good");
        let trunk = &config.trunks["carrier"];
        let sources: Vec<String> = trunk.sources.iter().map(Network::to_string).collect();
        (sources.join(" "), trunk.follows_name)
    };
    assert_eq!(
        sources("address='a.example'\nsources=['192.0.2.7', '198.51.100.0/24', '2001:db8::/32', '[::1]']"),
        (
            "192.0.2.7/32 198.51.100.0/24 2001:db8::/32 ::1/128".to_owned(),
            false
        )
    );
    assert_eq!(
        sources("address=['192.0.2.1', 'a.example', '192.0.2.2:5080']"),
        ("192.0.2.1/32 192.0.2.2/32".to_owned(), true)
    );
    let network: Network = "198.51.100.0/24".parse().expect("a network");
    let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
    assert!(network.contains(ip("198.51.100.255")) && !network.contains(ip("198.51.101.0")));
    assert!(wrong("address='192.0.2.1'\nsources=['10.0.0.0/33']").contains(
        "trunks.sources: `10.0.0.0/33` is not an address or network, e.g. \"192.0.2.10\", \"10.0.0.0/8\" or \"2001:db8::/32\""
    ));
}

#[test]
fn limits_and_watching_have_defaults_and_bounds() {
    let usual = outgoing("");
    assert_eq!(usual.options, Watch::Several(Duration::from_secs(30)));
    assert_eq!((usual.channels, usual.rate), (None, None));
    assert_eq!(
        outgoing("options=10").options,
        Watch::Always(Duration::from_secs(10))
    );
    assert_eq!(outgoing("options=false").options, Watch::Never);
    assert_eq!(outgoing("channels=30").channels, Some(30));
    assert_eq!(
        outgoing("connect_timeout=1.5").connect_timeout,
        Duration::from_millis(1_500)
    );
    assert_eq!(outgoing("wait=0").wait, Duration::ZERO);
    for (written, calls, millis) in [
        ("1", 1, 1_000),
        ("30", 30, 1_000),
        ("0.5", 1, 2_000),
        ("2.5", 1, 400),
        ("'40/5s'", 40, 5_000),
        ("'3 / s'", 3, 1_000),
    ] {
        let within = Duration::from_millis(millis);
        let rate = outgoing(&format!("calls_per_second={written}")).rate;
        assert_eq!(rate, Some(CallRate { calls, within }), "{written}");
    }
    for written in [
        "0",
        "-1",
        "'x/5s'",
        "'40/5'",
        "'40'",
        "true",
        "nan",
        "20000",
        "0.0000001",
    ] {
        let message = wrong(&format!("address='192.0.2.1'\ncalls_per_second={written}"));
        assert!(
            message.contains("trunks.calls_per_second: ") && message.contains("is no rate of calls"),
            "{message}"
        );
    }
    assert!(
        wrong("address='192.0.2.1'\nconnect_timeout=0").contains("must be a number from 0.1 to 32 (seconds)")
    );
    assert!(wrong("address='192.0.2.1'\noptions=1").contains("(seconds), or false for never"));
}

#[test]
fn failover_codes_are_single_ones_ranges_or_classes() {
    let codes = outgoing("failover=[408, '500-503', '6xx']").failover;
    let has = |code: u16| codes.contains(StatusCode::try_from(code).expect("a code"));
    assert!(has(408) && has(500) && has(503) && has(600) && has(699));
    assert!(!has(480) && !has(504) && !has(486));
    assert!(outgoing("").failover.contains(StatusCode::SERVICE_UNAVAILABLE));
    assert!(
        !outgoing("failover=[]")
            .failover
            .contains(StatusCode::SERVICE_UNAVAILABLE)
    );
    for written in ["200", "'503-500'", "'3xx'", "'x'", "'500-700'"] {
        let message = wrong(&format!("address='192.0.2.1'\nfailover=[{written}]"));
        assert!(
            message.contains("trunks.failover: must be codes of refusals"),
            "{message}"
        );
    }
}

#[test]
fn a_rule_may_name_several_trunks() {
    let rule = |trunk: &str| {
        parse(&format!(
            "{ALICE}[[trunks]]\nname='a'\naddress='192.0.2.1'\n[[trunks]]\nname='b'\naddress='192.0.2.2'\n\
             [[trunks]]\nname='c'\naddress='192.0.2.3'\n[[dial]]\nmatch='0.'\ntrunk={trunk}\n"
        ))
    };
    let tiers = |written: &str| match decide(&rule(written).expect("good"), "0301") {
        Decision::Trunk { trunks, number, .. } => {
            assert_eq!(number, "0301");
            let tiers = trunks.tiers().iter().map(|tier| {
                let shares: Vec<_> = tier
                    .iter()
                    .map(|(name, weight)| format!("{name}{weight}"))
                    .collect();
                shares.join("+")
            });
            tiers.collect::<Vec<_>>().join(" ")
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(tiers("'a'"), "a1");
    assert_eq!(tiers("['b', 'a']"), "b1 a1");
    assert_eq!(
        tiers("[{name='a', weight=2}, 'b', {name='c', priority=1}]"),
        "a2+b1 c1"
    );
    assert_eq!(
        tiers("[{name='a', cost=1.2}, {name='b', cost=0.9}, {name='c', cost=0.9}]"),
        "b1 c1 a1"
    );
    let error = |written: &str| rule(written).expect_err(written).join("\n");
    assert!(error("['a', 'x']").contains("dial.trunk: there is no trunk `x`; known: a, b, c"));
    assert!(error("['a', 'a']").contains("dial.trunk: `a` is listed twice"));
    assert!(error("[{name='a', cost=1}, 'b']").contains("give all of these trunks a cost, or none"));
    assert!(error("[]").contains("dial.trunk: names no trunk"));
    assert!(error("[{name='a', wait=2}]").contains("unknown key `wait`"));
}

#[test]
fn a_trunk_with_names_in_its_certificate_needs_those_who_vouch_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(["gw.example".to_owned()]).expect("a certificate");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let (cert, key) = (
        write("cert.pem", &made.cert.pem()),
        write("key.pem", &made.signing_key.serialize_pem()),
    );
    let sip = format!("[sip]\ntls='127.0.0.1:0'\ncertificate='{cert}'\nkey='{key}'\n");
    let trunk = "[[trunks]]\nname='teams'\naddress='192.0.2.1'\ncertificate_names=['SIP.teams.example']\n";
    let read = |text: String| parse(&format!("{text}{ALICE}"));
    let config = read(format!(
        "{sip}client_ca='{cert}'\ntls_host='sbc.example.com'\n{trunk}"
    ))
    .expect("good");
    assert_eq!(config.trunks["teams"].certificate_names, ["sip.teams.example"]);
    assert_eq!(config.sip.tls_host.as_deref(), Some("sbc.example.com"));
    let wrong = |text: String| read(text).expect_err("wrong").join("\n");
    assert!(wrong(format!("{sip}{trunk}")).contains("set `client_ca` in [sip]"));
    assert!(wrong(format!("{sip}client_ca='{key}'\n")).contains("no PEM block CERTIFICATE"));
    assert!(
        wrong("[sip]\ntls_host='a.example'\n".to_owned())
            .contains("sip.tls_host has a meaning with `tls` alone")
    );
}
