use std::path::Path;

use call_engine::{Application, CallRequest, Decision, Origin};
use sans_io::Time;
use session_core::identity::{AssertedIn, DiversionIn, IdentityPolicy};
use session_core::{CallerId, ContactUser, HoldPolicy, MediaSource, PassThrough, SrtpPolicy};

use super::*;

mod call_centre;
mod numbers;
mod reach;
mod recording;
mod trunks;
mod trust;

/// A user, without whom a file with a trunk is refused.
const ALICE: &str = "[[users]]\nname='alice'\npassword='a long secret'\n";

fn parse(text: &str) -> Result<Config, Vec<String>> {
    parse_with(text, &Overrides::default())
}

fn parse_with(text: &str, overrides: &Overrides) -> Result<Config, Vec<String>> {
    Config::parse(Path::new("c.toml"), text, overrides)
        .map_err(|all| all.iter().map(ToString::to_string).collect())
}

fn demo_phone(number: &str) -> Decision {
    Decision::Peer {
        name: DEMO_PHONE.to_owned(),
        number: number.to_owned(),
    }
}

fn decide(config: &Config, number: &str) -> Decision {
    config.plan().decide(&CallRequest::new(
        Origin::User("1001".into()),
        number,
        Time::default(),
    ))
}

#[test]
fn without_a_file_there_is_a_demonstration_on_loopback() {
    let config = Config::default();
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert!(
        config
            .sip
            .udp
            .iter()
            .chain(&config.sip.tcp)
            .all(|a| a.to_string() == "127.0.0.1:5060")
    );
    assert_eq!(config.users["1003"].password, "cordboard".into());
    assert_eq!(decide(&config, "9196"), Decision::Application(Application::Echo));
    assert_eq!(decide(&config, "9664"), Decision::Application(Application::Music));
    assert_eq!(decide(&config, "9197"), Decision::Application(Application::Tone));
    assert_eq!(decide(&config, "1002"), Decision::User { name: "1002".into() });
    for number in ["200", "2000", "+4930123456"] {
        assert_eq!(decide(&config, number), demo_phone(number));
    }
    for number in ["", "9", "99", "nobody", "alice"] {
        assert_eq!(
            decide(&config, number),
            Decision::Reject { code: 404 },
            "{number}"
        );
    }
}

#[test]
fn a_file_overlays_the_defaults() {
    let config = parse(
        r#"
        listen = "0.0.0.0"
        advertise = "203.0.113.7"
        domains = "example.com"
        ring_timeout = 30

        [sip]
        tcp = false
        udp = ["127.0.0.1:5080", "[::1]:5080"]

        [media]
        browser_addresses = ["127.0.0.1"]
        phone_ports = "30000-30099"
        phone_codecs = ["pcma", "pcmu"]

        [[users]]
        name = "alice"
        password = "secret"
        display = "Alice"

        [[trunks]]
        name = "carrier"
        address = "192.0.2.5:5070"
        transport = "tcp"
        username = "u"
        password = "p"
        codecs = "pcma"

        [[dial]]
        match = "0(Z.)"
        rewrite = "+49$1"
        trunk = "carrier"

        [[dial]]
        match = "+4930(XX)"
        from = "carrier"
        user = "alice"
        "#,
    )
    .expect("a good file");
    assert_eq!(config.http.listen.to_string(), "0.0.0.0:8080");
    assert_eq!(config.advertise, "203.0.113.7".parse().ok());
    assert_eq!(config.sip.udp.len(), 2);
    assert!(config.sip.tcp.is_empty() && !config.demo);
    assert_eq!(
        config.trunks["carrier"].sources,
        ["192.0.2.5".parse::<session_core::guard::Network>().expect("ip")]
    );
    assert_eq!(config.trunks["carrier"].port, Some(5070));
    assert!(config.trunks["carrier"].trusted);
    let doubted = format!("{ALICE}[[trunks]]\nname='t'\naddress='127.0.0.1:5999'\ntrusted=false\n");
    let doubted = parse(&doubted).expect("good");
    assert!(!doubted.trunks["t"].trusted && !doubted.trunks["t"].late_offer);
    let late = format!("{ALICE}[[trunks]]\nname='t'\naddress='127.0.0.1:5999'\nlate_offer=true\n");
    assert!(parse(&late).expect("good").trunks["t"].late_offer);
    let told = format!(
        "{ALICE}[[trunks]]\nname='t'\naddress='127.0.0.1:5999'\nidentity=['p-asserted-identity','Remote-Party-ID']\n\
         diversion='both'\nuser_to_user=true\ncharge='+49301234'\n"
    );
    let policy = &parse(&told).expect("good").trunks["t"].identity;
    assert_eq!(
        policy.asserted_in,
        [AssertedIn::PAssertedIdentity, AssertedIn::RemotePartyId]
    );
    assert_eq!(policy.diversion_in, DiversionIn::Both);
    assert!(policy.user_to_user && policy.charge.as_deref() == Some("+49301234"));
    assert_eq!(config.trunks["carrier"].identity, IdentityPolicy::default());
    let out = Decision::Trunk {
        trunks: "carrier".into(),
        number: "+49301".into(),
        caller_id: None,
        on_account_of: Origin::User("1001".into()),
    };
    assert_eq!(decide(&config, "0301"), out);
    assert_eq!(decide(&config, "1001"), Decision::Reject { code: 404 });
}

#[test]
fn calls_are_watched_unless_the_file_says_otherwise() {
    use std::time::Duration;
    let secs = |secs| Some(Duration::from_secs(secs));
    let trunk = format!("{ALICE}[[trunks]]\nname='t'\naddress='127.0.0.1:5999'\n");
    let usual = parse(&trunk).expect("good");
    assert_eq!(
        (
            usual.sip.session_expires,
            usual.media.inactivity,
            usual.trunks["t"].timeout
        ),
        (secs(1800), secs(60), secs(5))
    );
    let file = format!("[sip]\nsession_expires = 600\n[media]\ninactivity = 20\n{trunk}timeout = 3\n");
    let other = parse(&file).expect("good");
    assert_eq!(
        (
            other.sip.session_expires,
            other.media.inactivity,
            other.trunks["t"].timeout
        ),
        (secs(600), secs(20), secs(3))
    );
    let never = parse("sip = { session_expires = 0 }\nmedia = { inactivity = 0 }\n").expect("good");
    assert_eq!((never.sip.session_expires, never.media.inactivity), (None, None));
    for wrong in [
        "sip.session_expires = 89",
        "media.inactivity = 4",
        "media.inactivity = 'soon'",
    ] {
        let errors = parse(wrong).expect_err(wrong);
        assert!(errors[0].to_string().contains("or 0 for never"), "{}", errors[0]);
    }
    assert!(parse(&format!("{trunk}timeout = 0\n")).is_err());
}

#[test]
fn trunks_and_users_have_quotas_where_the_file_gives_them() {
    let config = parse(
        "[[users]]\nname='alice'\npassword='x'\nmax_calls=3\n[[users]]\nname='bob'\npassword='y'\n\
         [[trunks]]\nname='t'\naddress='127.0.0.1:5999'\nmax_calls=30\nmax_rate=5\n",
    )
    .expect("good");
    let quota = |calls, rate| session_core::Quota { calls, rate };
    assert_eq!(config.limits.users["alice"], quota(Some(3), None));
    assert_eq!(config.limits.users["bob"], quota(None, None));
    assert_eq!(config.limits.trunks["t"], quota(Some(30), Some(5)));
    let wrong = parse(&format!(
        "{ALICE}[[trunks]]\nname='t'\naddress='127.0.0.1:5999'\nmax_calls=0\nmax_rate='5'\n"
    ));
    let wrong: Vec<String> = wrong
        .expect_err("wrong")
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(
        wrong[0].contains("trunks.max_calls: must be an integer from 1 to 100000"),
        "{wrong:?}"
    );
}

#[test]
fn the_demonstration_stays_while_no_users_are_configured() {
    let config = parse("[[dial]]\nmatch='200'\napplication='echo'\n").expect("good");
    assert!(config.demo && config.users.contains_key("1001"));
    assert_eq!(decide(&config, "200"), Decision::Application(Application::Echo));
    assert_eq!(decide(&config, "201"), demo_phone("201"));
}

#[test]
fn published_passwords_never_leave_the_machine() {
    let trunk = "[[trunks]]\nname = 'carrier'\naddress = '127.0.0.1:5999'\n";
    let open = [
        ("listen = '0.0.0.0'\n", "http.listen is 0.0.0.0:8080"),
        ("[http]\nlisten = '192.0.2.1:80'\n", "http.listen is 192.0.2.1:80"),
        ("[sip]\nudp = '0.0.0.0'\n", "sip.udp is 0.0.0.0:5060"),
        (
            "[sip]\nudp = ['127.0.0.1', '[::]:5060']\n[media]\nphone_address = '127.0.0.1'\n",
            "sip.udp is [::]:5060",
        ),
        ("[sip]\ntcp = '192.0.2.1'\n", "sip.tcp is 192.0.2.1:5060"),
        (
            "[media]\nphone_address = '192.0.2.1'\n",
            "media.phone_address is 192.0.2.1",
        ),
        (trunk, "the trunk `carrier` is configured"),
    ];
    for (text, why) in open {
        let errors = parse(text).expect_err(text);
        assert!(
            errors.len() == 1 && errors[0].contains(why) && errors[0].contains("[[users]]\nname ="),
            "{text}: {errors:?}"
        );
        // A generated admin takes the place of the published accounts.
        let admin = Overrides {
            first_admin: Some("admin".into()),
            ..Overrides::default()
        };
        let config = parse_with(text, &admin).expect(text);
        assert!(
            !config.demo && config.users.is_empty() && config.queues.is_empty(),
            "{text}"
        );
        let of_file = parse(&format!("first_admin = 'admin'\n{text}")).expect(text);
        assert_eq!(of_file.first_admin.as_deref(), Some("admin"));
        let users = parse(&format!(
            "{text}[[users]]\nname = 'a'\npassword = 'a long secret'\n"
        ))
        .expect(text);
        assert!(!users.demo && users.users.len() == 1, "{text}");
    }
    for text in [
        "listen = '127.0.0.2'\n",
        "listen = '::1'\n",
        "[sip]\nudp = false\n",
        "[media]\nbrowser_addresses = '192.0.2.1'\n",
    ] {
        assert!(parse(text).expect(text).demo, "{text}");
    }
    let everywhere = Overrides {
        listen: Some([0, 0, 0, 0].into()),
        ..Overrides::default()
    };
    let errors = Config::load(None, &everywhere).expect_err("open to everybody");
    assert!(
        errors[0]
            .to_string()
            .starts_with("no [[users]] are configured, and http.listen is 0.0.0.0:8080")
    );
    let local = Config::load(None, &Overrides::default()).expect("loopback");
    assert!(local.demo);
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_would_be_right() {
    let errors = parse(
        r#"listn = "0.0.0.0"
ring_timeout = "long"
[sip]
tls = "0.0.0.0"
udp = 5060
[media]
phone_ports = "9-3"
[[users]]
name = "a"
[[users]]
name = "b"
password = "x"
[[users]]
name = "b"
password = "y"
[[dial]]
match = "0(."
trunk = "carier"
[[dial]]
match = "1(X)"
rewrite = "$2"
user = "nobody"
[[dial]]
match = "2"
[[dial]]
match = "3"
demo_phone = true
"#,
    )
    .expect_err("many mistakes");
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn broken_toml_names_its_place() {
    let errors = parse("a = \n").expect_err("broken");
    assert!(errors[0].starts_with("c.toml:1:"), "{errors:?}");
}

#[test]
fn a_certificate_that_is_not_there_is_told_at_once() {
    let errors = parse("[http]\ncertificate = '/nowhere/cert.pem'\n").expect_err("no file");
    assert!(
        errors
            .iter()
            .any(|e| e.contains("c.toml:2") && e.contains("/nowhere/cert.pem cannot be read")),
        "{errors:?}"
    );
    assert!(errors.iter().any(|e| e.contains("also needs key")), "{errors:?}");
}

#[test]
fn each_broken_line_is_told_once() {
    let errors = parse("a = \nlisten = '0.0.0.0'\nb = [1,\n[sip\n").expect_err("broken");
    let lines: Vec<&str> = errors.iter().map(|e| e.split(':').nth(1).unwrap_or("")).collect();
    assert!(
        lines.len() >= 2 && lines.is_sorted() && lines[0] == "1",
        "{errors:?}"
    );
    assert!(lines.windows(2).all(|pair| pair[0] != pair[1]), "{errors:?}");
}

#[test]
fn what_cannot_work_together_is_told() {
    let errors = parse(
        r#"domains = ["example.com", "a b", 7]
[http]
listen = "127.0.0.1:5060"
[sip]
udp = ["127.0.0.1:5060", "127.0.0.1:5060"]
[media]
browser_port = 20999
phone_codecs = ["pcmu", "PCMU"]
[[users]]
name = "al ice"
password = "x"
[[trunks]]
name = "t"
address = "192.0.2.1"
sources = ["192.0.2.1", "192.0.2.0/33"]
[[dial]]
match = "1"
reject = 486
[[dial]]
match = "1"
trunk = "t"
[[dial]]
match = "2"
trunk = "t"
application = "echo"
"#,
    )
    .expect_err("many mistakes");
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn formats_that_are_passed_on_are_all_none_or_some_by_name() {
    let read = |value: &str| {
        let file =
            format!("{ALICE}[media]\npass_through={value}\n[[trunks]]\nname='t'\naddress='127.0.0.1:5999'\n");
        parse(&file).map(|config| (config.media.pass_through, config.trunks["t"].pass_through.clone()))
    };
    let only = |names: &[&str]| PassThrough::Only(names.iter().map(|name| (*name).to_owned()).collect());
    for (value, expected) in [
        ("true", PassThrough::All),
        ("false", PassThrough::off()),
        ("[]", PassThrough::off()),
        ("['G729', 'AMR-WB']", only(&["G729", "AMR-WB"])),
    ] {
        assert_eq!(read(value), Ok((expected, None)), "{value}");
    }
    let trunk = format!("{ALICE}[[trunks]]\nname='t'\naddress='127.0.0.1:5999'\npass_through=false\n");
    let config = parse(&trunk).expect("good");
    assert_eq!(config.media.pass_through, PassThrough::All);
    assert_eq!(config.trunks["t"].pass_through, Some(PassThrough::off()));
    for (value, told) in [
        ("'G729'", "must be true, false, or a list of names"),
        ("['G 729']", "`G 729` is not the name of a format"),
        ("['pcmu']", "`pcmu` is not the name of a format"),
        ("['telephone-event']", "is not the name of a format"),
        ("[18]", "must be a string"),
    ] {
        let wrong = read(value).expect_err("a mistake").join("\n");
        assert!(wrong.contains(told), "{value}: {wrong}");
    }
}

#[test]
fn mistakes_about_a_callers_identity_are_told() {
    let wrong = |line: &str| {
        let file = format!("{ALICE}[[trunks]]\nname='t'\naddress='127.0.0.1:5999'\n{line}\n");
        parse(&file).expect_err("a mistake").join("\n")
    };
    assert!(wrong("identity='from'").contains("`from` is none of: p-asserted-identity"));
    let twice = wrong("identity=['remote-party-id','remote-party-id']");
    assert!(
        twice.contains("trunks.identity names \"remote-party-id\" twice"),
        "{twice}"
    );
    assert!(wrong("diversion='on'").contains("`on` is none of: off, diversion"));
    assert!(wrong("charge='sip:1'").contains("`sip:1` is not a number"));
}

#[test]
fn one_mistake_in_a_user_or_trunk_makes_no_other_one() {
    let errors = parse(
        "[[users]]\nname = 'alice'\n[[trunks]]\nname = 't'\naddress = 'x:y'\n[[dial]]\nmatch = '1'\nuser = 'alice'\n\
         [[dial]]\nmatch = '2'\ntrunk = 't'\n",
    )
    .expect_err("two mistakes");
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(
        errors[0].contains("users.password is missing") && errors[1].contains("trunks.address"),
        "{errors:?}"
    );
}

#[test]
fn a_certificate_that_is_not_there_is_the_only_mistake() {
    let errors = parse("[sip]\ntls = '127.0.0.1'\ncertificate = '/nowhere/c.pem'\nkey = 'Cargo.toml'\n")
        .expect_err("no certificate");
    assert!(
        errors.iter().all(|e| !e.contains("also needs sip.certificate")),
        "{errors:?}"
    );
    let errors = parse("[sip]\ntls = '127.0.0.1'\n").expect_err("none named");
    assert!(errors[0].contains("also needs sip.certificate"), "{errors:?}");
}

#[test]
fn the_guard_is_told_whom_to_let_alone_and_whose_word_to_take() {
    let config = parse(
        "trusted_proxies = ['127.0.0.1', '10.0.0.0/8']\n[guard]\nban = 60\nallow = '192.0.2.7'\n\
         [[users]]\nname = 'a'\npassword = 'secret'\n",
    )
    .expect("it is right");
    let guard = &config.guard;
    assert_eq!(guard.guard.ban, Duration::from_secs(60));
    assert_eq!(guard.guard.allow, ["192.0.2.7/32".parse().expect("a network")]);
    assert!(guard.trusted_proxies[1].contains("10.1.2.3".parse().expect("an address")));
    assert!(Config::default().guard.trusted_proxies.is_empty());
    let errors =
        parse("trusted_proxies = 'proxy'\n[guard]\nban = -1\nallow = ['10.0.0.0/99']\n").expect_err("wrong");
    assert_eq!(errors.len(), 3, "{errors:?}");
}

#[test]
fn phones_are_spoken_to_in_each_family_that_sip_listens_on() {
    let addresses = |text: &str| {
        let config = parse(&format!("{text}{ALICE}")).unwrap();
        let named = config.media.phone_addresses.iter().map(ToString::to_string);
        named.collect::<Vec<_>>()
    };
    assert_eq!(addresses(""), ["127.0.0.1"]);
    let both = "[sip]\nudp = [\"127.0.0.1:5060\", \"[::1]:5060\"]\n";
    assert_eq!(addresses(both), ["127.0.0.1", "::1"]);
    let one = format!("{both}[media]\nphone_address = \"192.0.2.1\"\n");
    assert_eq!(addresses(&one), ["192.0.2.1"]);
    let two = "[media]\nphone_address = [\"2001:db8::1\", \"192.0.2.1\"]\n";
    assert_eq!(addresses(two), ["2001:db8::1", "192.0.2.1"]);
    for wrong in ["[]", "[\"192.0.2.1\", \"192.0.2.2\"]"] {
        let errors = parse(&format!("[media]\nphone_address = {wrong}\n{ALICE}")).unwrap_err();
        assert_eq!(
            errors,
            ["c.toml:2:17: media.phone_address must be one address, or an IPv4 and an IPv6 address"],
        );
    }
}

#[test]
fn where_media_come_from_is_said_for_each_user_and_trunk() {
    let text = "[[users]]\nname = \"anna\"\npassword = \"x\"\nmedia_source = \"strict\"\n\
        [[users]]\nname = \"ben\"\npassword = \"x\"\n\
        [[trunks]]\nname = \"carrier\"\naddress = \"192.0.2.9\"\nmedia_source = \"strict\"\n\
        [[trunks]]\nname = \"other\"\naddress = \"192.0.2.10\"\nmedia_source = \"learn\"\n";
    let config = parse(text).unwrap();
    assert_eq!(config.users["anna"].media_source, MediaSource::Strict);
    assert_eq!(config.users["ben"].media_source, MediaSource::Learn);
    assert_eq!(config.trunks["carrier"].media_source, MediaSource::Strict);
    assert_eq!(config.trunks["other"].media_source, MediaSource::Learn);
    let errors = parse(&text.replace("\"learn\"", "\"latch\"")).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].contains("`latch` is neither \"learn\" nor \"strict\""),
        "{errors:?}"
    );
}

#[test]
fn media_of_each_user_and_trunk_are_encrypted_as_the_file_says() {
    let text = "[[users]]\nname = \"anna\"\npassword = \"x\"\nsrtp = \"optional\"\n\
        [[users]]\nname = \"ben\"\npassword = \"y\"\n\
        [[trunks]]\nname = \"carrier\"\naddress = \"192.0.2.9\"\nsrtp = \"required\"\n";
    let config = parse(text).expect("good");
    assert_eq!(config.users["anna"].srtp, SrtpPolicy::Optional);
    assert_eq!(config.users["ben"].srtp, SrtpPolicy::Off);
    assert_eq!(config.trunks["carrier"].srtp, SrtpPolicy::Required);
    let wrong = parse(&text.replace("required", "yes")).expect_err("a mistake");
    assert!(
        wrong[0].contains("`yes` is none of: off, optional, required"),
        "{wrong:?}"
    );
}

#[test]
fn each_user_and_trunk_is_told_of_holds_as_the_file_says() {
    let text = "[[users]]\nname = \"anna\"\npassword = \"x\"\nhold = \"pass\"\n\
        [[trunks]]\nname = \"carrier\"\naddress = \"192.0.2.9\"\nhold = \"music\"\n\
        [[trunks]]\nname = \"other\"\naddress = \"192.0.2.8\"\n";
    let config = parse(text).expect("good");
    assert_eq!(config.users["anna"].hold, HoldPolicy::Pass);
    assert_eq!(config.trunks["carrier"].hold, HoldPolicy::Music);
    assert_eq!(config.trunks["other"].hold, HoldPolicy::Auto);
    let wrong = parse(&text.replace("music", "silence")).expect_err("a mistake");
    assert!(
        wrong[0].contains("`silence` is none of: auto, music, pass"),
        "{wrong:?}"
    );
}

#[test]
fn packets_are_marked_as_the_file_says() {
    let config = Config::default();
    assert_eq!((config.sip.dscp, config.media.dscp), (Dscp::CS3, Dscp::EF));
    let text = format!("{ALICE}[sip]\ndscp = 0\n[media]\ndscp = 34\n");
    let config = parse(&text).expect("good");
    assert_eq!(
        (config.sip.dscp, Some(config.media.dscp)),
        (Dscp::NONE, Dscp::new(34))
    );
    let wrong = parse(&text.replace("34", "64")).expect_err("a mistake");
    assert!(
        wrong[0].contains("media.dscp") && wrong[0].contains("63"),
        "{wrong:?}"
    );
}

#[test]
fn extensions_in_calls_of_each_user_and_trunk_are_as_the_file_says() {
    use session_core::{Duty, Reliability, SessionPolicy, SignallingPolicy};
    let text = "[[users]]\nname = \"anna\"\npassword = \"x\"\nreliable = \"off\"\n\
        [[trunks]]\nname = \"carrier\"\naddress = \"192.0.2.9\"\nreliable = \"required\"\nsession_expires = 600\n\
        session_refresher = \"peer\"\nrefer = true\n\
        [[trunks]]\nname = \"pbx\"\naddress = \"192.0.2.8\"\nsession_expires = 0\nsession_refresher = \"gateway\"\n\
        [[trunks]]\nname = \"usual\"\naddress = \"192.0.2.7\"\n";
    let config = parse(text).expect("good");
    assert_eq!(config.users["anna"].signalling.reliable, Reliability::Off);
    let carrier = &config.trunks["carrier"];
    assert_eq!(
        carrier.signalling,
        SignallingPolicy {
            reliable: Reliability::Required,
            session: SessionPolicy::Every(Duration::from_secs(600)),
            refresher: Some(Duty::Peers),
        }
    );
    assert!(carrier.transfers);
    let pbx = config.trunks["pbx"].signalling;
    assert_eq!(
        (pbx.session, pbx.refresher),
        (SessionPolicy::Off, Some(Duty::Ours))
    );
    let usual = &config.trunks["usual"];
    assert_eq!(
        (usual.signalling, usual.transfers),
        (SignallingPolicy::default(), false)
    );
    for (good, bad, said) in [
        (
            "\"required\"",
            "\"yes\"",
            "`yes` is none of: off, supported, required",
        ),
        ("\"peer\"", "\"us\"", "`us` is neither \"gateway\" nor \"peer\""),
        (
            "600",
            "60",
            "must be an integer from 90 to 86400 (seconds), or 0 for never",
        ),
    ] {
        let wrong = parse(&text.replace(good, bad)).expect_err("a mistake");
        assert!(wrong[0].contains(said), "{wrong:?}");
    }
}

#[test]
fn a_language_without_prompts_is_refused_where_there_are_others() {
    assert_eq!(Config::default().media.language, "en");
    let chosen = parse(&format!("{ALICE}[media]\nlanguage = 'en'\n")).expect("built in");
    assert_eq!(chosen.media.language, "en");
    let languages: Vec<&str> = crate::prompts::languages().collect();
    let other = parse(&format!("{ALICE}[media]\nlanguage = 'tlh'\n"));
    match languages.is_empty() {
        true => assert_eq!(other.expect("there is music").media.language, "tlh"),
        false => {
            let wrong = other.expect_err("no such prompts").join("\n");
            let wanted = format!(
                "the gateway has no prompts in \"tlh\", only in {}",
                languages.join(", ")
            );
            assert!(wrong.contains(&wanted), "{wrong}");
        }
    }
}

#[test]
fn a_trunk_registers_as_the_file_says() {
    let of = |keys: &str| {
        let text = format!("{ALICE}[[trunks]]\nname='t'\naddress='sip.carrier.example'\n{keys}\n");
        parse(&text).map(|config| config.trunks["t"].clone())
    };
    const ACCOUNT: &str = "username='4930'\npassword='a long secret'\n";
    let usual = of(&format!("{ACCOUNT}register=true")).expect("good");
    let register = usual.register.clone().expect("it registers");
    assert_eq!(
        (&*register.user, register.contact, register.outbound),
        ("4930", ContactUser::Drawn, false)
    );
    assert_eq!(
        (register.registrar, register.expires),
        (None, Duration::from_secs(600))
    );
    assert_eq!(usual.caller_id, CallerId::Fixed("4930".into()), "its own number");
    assert_eq!((usual.from_user, usual.mediasec), (None, false));
    let shown = of(&format!(
        "{ACCOUNT}register=true\nfrom_user='account'\ncaller_id='pass'\nsrtp='required'\nmediasec=true"
    ))
    .expect("good");
    assert_eq!((shown.from_user.as_deref(), shown.mediasec), (Some("4930"), true));
    assert_eq!(shown.caller_id, CallerId::Pass);
    assert!(of(ACCOUNT).expect("good").register.is_none());
    assert!(
        of(&format!("{ACCOUNT}register=false"))
            .expect("good")
            .register
            .is_none()
    );
    let other = of(&format!(
        "{ACCOUNT}transport='tls'\ncaller_id='pass'\nfrom_domain='numbers.example'\noutbound_proxy='edge.example:5071'\n\
         register={{registrar='carrier.example',user='pbx',expires=120,outbound=true,bulk=true}}"
    ))
    .expect("good");
    let register = other.register.expect("it registers");
    assert_eq!(register.registrar, Some(("carrier.example".into(), None)));
    assert_eq!(
        (&*register.user, register.contact, register.outbound),
        ("pbx", ContactUser::Numbers, true)
    );
    assert_eq!(other.caller_id, CallerId::Pass);
    assert_eq!(other.from_domain.as_deref(), Some("numbers.example"));
    assert_eq!(
        other.outbound_proxy.map(|uri| uri.to_string()).as_deref(),
        Some("sip:edge.example:5071;transport=tls;lr")
    );
    for (keys, mistake) in [
        ("register=true", "trunks.register also needs trunks.username"),
        (
            "register=1",
            "trunks.register: is an integer, but must be true, false or a table",
        ),
        (
            "register=[{user='a'},{user='b'}]",
            "trunks.register: must be one table",
        ),
        (
            "register={user='a',expires=5}",
            "trunks.register.expires: must be an integer from 30 to 86400",
        ),
        (
            "register={user='a',bulk=true,contact='b'}",
            "register.contact and register.bulk exclude each other",
        ),
        ("register={user='a',realm='b'}", "unknown key `realm`"),
        ("caller_id='a b'", "trunks.caller_id: `a b` contains ' '"),
        (
            "from_user='account'",
            "trunks.from_user: is the account that registers",
        ),
        (
            "mediasec=true",
            "trunks.mediasec: it is agreed on by the registration",
        ),
        (
            "outbound_proxy='a b'",
            "trunks.outbound_proxy: `a b` is not a host or host:port",
        ),
    ] {
        let errors = of(keys).expect_err(keys);
        assert!(
            errors.iter().any(|error| error.contains(mistake)),
            "{keys}: {errors:?}"
        );
    }
}

#[test]
fn a_pbx_upstream_is_a_trunk_that_users_register_at_themselves() {
    let of = |keys: &str| {
        let text = format!("upstream='pbx'\n{keys}[[trunks]]\nname='pbx'\naddress='192.0.2.10'\n");
        parse(&text)
    };
    let config = of("").expect("no users are needed");
    assert_eq!((config.upstream.as_deref(), config.demo), (Some("pbx"), false));
    assert_eq!(config.sip.upstream_rate, 200);
    let config = parse(
        "upstream='pbx'\n[sip]\nupstream_rate=20\n[[trunks]]\nname='pbx'\naddress='192.0.2.10'\nfrom_domain='pbx.example'\n",
    );
    assert_eq!(config.expect("good").sip.upstream_rate, 20);
    for (text, mistake) in [
        (
            "upstream='pxb'\n[[trunks]]\nname='pbx'\naddress='192.0.2.10'\n",
            "upstream: there is no trunk `pxb`",
        ),
        (
            "upstream='pbx'\n[[trunks]]\nname='pbx'\naddress='192.0.2.10'\nusername='u'\npassword='a long secret'\nregister=true\n",
            "upstream: the trunk `pbx` has `register`",
        ),
        (
            "upstream='pbx'\n[sip]\nupstream_rate=0\n[[trunks]]\nname='pbx'\naddress='192.0.2.10'\n",
            "sip.upstream_rate",
        ),
    ] {
        let errors = parse(text).expect_err(text);
        assert!(
            errors.iter().any(|error| error.contains(mistake)),
            "{text}: {errors:?}"
        );
    }
}
