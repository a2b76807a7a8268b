//! Both sides against each other, and each against what peers get wrong.

use std::time::Duration;

use bytes::Bytes;
use sans_io::{Rng, Time};

use super::{Algorithm, Answered, Answerer, Challenger, Credentials, Password, Verdict};
use crate::message::{Message, StatusCode};

const NOW: Time = Time::from_secs(1_000_000);
const URI: &str = "sip:example.com";

fn request(transport: &str, lines: &str) -> Message {
    let text = format!(
        "REGISTER {URI} SIP/2.0\r\nVia: SIP/2.0/{transport} h.invalid;branch=z9hG4bKa\r\nMax-Forwards: 69\r\n\
         From: <sip:1001@example.com>;tag=9\r\nTo: <sip:1001@example.com>\r\nCall-ID: a\r\nCSeq: 1 REGISTER\r\n\
         {lines}Content-Length: 0\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

fn refusal(code: StatusCode, lines: &str) -> Message {
    let text = format!(
        "SIP/2.0 {code} No\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:1001@example.com>;tag=9\r\n\
         To: <sip:1001@example.com>;tag=1\r\nCall-ID: a\r\nCSeq: 1 REGISTER\r\n{lines}Content-Length: 0\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).unwrap()
}

fn challenger() -> Challenger {
    Challenger::new(
        "example.com",
        vec![Algorithm::Md5, Algorithm::Sha256],
        Rng::seeded(1),
    )
}

fn answerer(password: &str) -> Answerer {
    Answerer::new(Credentials {
        username: "1001".into(),
        password: password.into(),
    })
}

fn passwords(user: &str) -> Option<Password> {
    (user == "1001").then(|| "cordboard".into())
}

fn challenge_lines(verdict: &Verdict) -> String {
    let Verdict::Challenge { headers, .. } = verdict else {
        panic!("{verdict:?}")
    };
    headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect()
}

fn authorization(answerer: &mut Answerer) -> String {
    answerer
        .headers(&mut Answered::default(), "REGISTER", URI, b"")
        .iter()
        .map(|(name, value)| format!("{}: {value}\r\n", name.as_str()))
        .collect()
}

fn digest(nonce: &str) -> String {
    format!("Proxy-Authenticate: Digest realm=\"p\", nonce=\"{nonce}\", qop=\"auth\"\r\n")
}

fn is_ok(verdict: &Verdict) -> bool {
    *verdict
        == Verdict::Ok {
            username: "1001".into(),
        }
}

#[test]
fn strongest_algorithm_that_both_know() {
    let (mut challenger, mut answerer) = (challenger(), answerer("cordboard"));
    let lines = challenge_lines(&challenger.verify(NOW, &request("UDP", ""), None, passwords));
    assert!(
        lines.find("SHA-256").unwrap() < lines.find("algorithm=MD5").unwrap(),
        "{lines}"
    );
    assert!(answerer.challenged(
        &refusal(StatusCode::UNAUTHORIZED, &lines),
        &mut Answered::default(),
        &mut Rng::seeded(2)
    ));
    let answer = authorization(&mut answerer);
    assert!(
        answer.contains("algorithm=SHA-256") && answer.contains("qop=auth, nc=00000001"),
        "{answer}"
    );
    assert!(is_ok(&challenger.verify(
        NOW,
        &request("UDP", &answer),
        None,
        passwords
    )));
}

#[test]
fn browsers_are_offered_md5_alone() {
    let lines = challenge_lines(&challenger().verify(NOW, &request("WSS", ""), None, passwords));
    assert_eq!(lines.matches("WWW-Authenticate").count(), 1);
    assert!(
        lines.contains("algorithm=MD5, qop=\"auth\"") && !lines.contains("auth-int"),
        "{lines}"
    );
}

#[test]
fn wrong_password_and_unknown_user_are_told_alike() {
    let mut challenger = challenger();
    let lines = challenge_lines(&challenger.verify(NOW, &request("UDP", ""), None, passwords));
    for (user, password) in [("1001", "wrong"), ("nobody", "cordboard")] {
        let mut answerer = Answerer::new(Credentials {
            username: user.into(),
            password: password.into(),
        });
        assert!(answerer.challenged(
            &refusal(StatusCode::UNAUTHORIZED, &lines),
            &mut Answered::default(),
            &mut Rng::seeded(2)
        ));
        let answer = authorization(&mut answerer);
        assert_eq!(
            challenger.verify(NOW, &request("UDP", &answer), None, passwords),
            Verdict::Forbidden
        );
    }
}

#[test]
fn the_count_goes_up_in_hex_and_is_good_once_in_any_order() {
    let (mut challenger, mut answerer) = (challenger(), answerer("cordboard"));
    let lines = challenge_lines(&challenger.verify(NOW, &request("WS", ""), None, passwords));
    assert!(answerer.challenged(
        &refusal(StatusCode::UNAUTHORIZED, &lines),
        &mut Answered::default(),
        &mut Rng::seeded(2)
    ));
    let answers: Vec<String> = (0..40).map(|_| authorization(&mut answerer)).collect();
    assert!(
        answers[9].contains("nc=0000000a") && answers[16].contains("nc=00000011"),
        "{}",
        answers[9]
    );
    for index in [0, 2, 1, 39, 12] {
        assert!(
            is_ok(&challenger.verify(NOW, &request("WS", &answers[index]), None, passwords)),
            "{index}"
        );
    }
    for index in [0, 1, 39, 12] {
        let again = challenger.verify(NOW, &request("WS", &answers[index]), None, passwords);
        assert!(
            matches!(again, Verdict::Challenge { stale: true, .. }),
            "a replay"
        );
    }
}

#[test]
fn an_old_nonce_is_stale_and_the_client_answers_the_new_one() {
    let (mut challenger, mut answerer) = (challenger(), answerer("cordboard"));
    let rng = &mut Rng::seeded(2);
    let lines = challenge_lines(&challenger.verify(NOW, &request("WS", ""), None, passwords));
    assert!(answerer.challenged(
        &refusal(StatusCode::UNAUTHORIZED, &lines),
        &mut Answered::default(),
        rng
    ));
    let late = NOW + Duration::from_secs(301);
    let verdict = challenger.verify(
        late,
        &request("WS", &authorization(&mut answerer)),
        None,
        passwords,
    );
    assert!(matches!(verdict, Verdict::Challenge { stale: true, .. }));
    assert!(challenge_lines(&verdict).contains("stale=true"));
    assert!(
        answerer.challenged(
            &refusal(StatusCode::UNAUTHORIZED, &challenge_lines(&verdict)),
            &mut Answered::default(),
            rng
        ),
        "stale: worth another try"
    );
    assert!(is_ok(&challenger.verify(
        late,
        &request("WS", &authorization(&mut answerer)),
        None,
        passwords
    )));
}

#[test]
fn a_second_refusal_that_is_not_stale_ends_the_attempt() {
    let mut answerer = answerer("wrong");
    let (rng, answered) = (&mut Rng::seeded(2), &mut Answered::default());
    assert!(answerer.challenged(&refusal(StatusCode::UNAUTHORIZED, &digest("n1")), answered, rng));
    answerer.headers(answered, "INVITE", URI, b"");
    assert!(!answerer.challenged(&refusal(StatusCode::UNAUTHORIZED, &digest("n2")), answered, rng));
    assert!(
        answerer.challenged(
            &refusal(StatusCode::UNAUTHORIZED, &digest("n2")),
            &mut Answered::default(),
            rng
        ),
        "another request is another attempt"
    );
}

#[test]
fn a_nonce_of_an_earlier_request_that_ran_out_without_a_word_is_replaced_once() {
    let mut answerer = answerer("cordboard");
    let rng = &mut Rng::seeded(2);
    assert!(answerer.challenged(
        &refusal(StatusCode::PROXY_AUTHENTICATION_REQUIRED, &digest("n1")),
        &mut Answered::default(),
        rng
    ));
    let bye = &mut Answered::default();
    assert!(
        answerer.headers(bye, "BYE", URI, b"")[0]
            .1
            .contains("nonce=\"n1\"")
    );
    assert!(answerer.challenged(
        &refusal(StatusCode::PROXY_AUTHENTICATION_REQUIRED, &digest("n2")),
        bye,
        rng
    ));
    assert!(
        answerer.headers(bye, "BYE", URI, b"")[0]
            .1
            .contains("nonce=\"n2\"")
    );
    assert!(
        !answerer.challenged(
            &refusal(StatusCode::PROXY_AUTHENTICATION_REQUIRED, &digest("n3")),
            bye,
            rng
        ),
        "once"
    );
    let info = &mut Answered::default();
    answerer.headers(info, "INFO", URI, b"");
    assert!(
        !answerer.challenged(
            &refusal(StatusCode::PROXY_AUTHENTICATION_REQUIRED, &digest("n2")),
            info,
            rng
        ),
        "the nonce that was answered is no new one"
    );
}

#[test]
fn requests_under_way_at_the_same_time_do_not_spoil_each_other() {
    let mut answerer = answerer("cordboard");
    let rng = &mut Rng::seeded(2);
    assert!(answerer.challenged(
        &refusal(StatusCode::PROXY_AUTHENTICATION_REQUIRED, &digest("n1")),
        &mut Answered::default(),
        rng
    ));
    let (update, bye) = (&mut Answered::default(), &mut Answered::default());
    answerer.headers(update, "UPDATE", URI, b"");
    answerer.headers(bye, "BYE", URI, b"");
    assert!(answerer.challenged(
        &refusal(StatusCode::PROXY_AUTHENTICATION_REQUIRED, &digest("n2")),
        update,
        rng
    ));
    answerer.headers(update, "UPDATE", URI, b"");
    assert!(answerer.challenged(
        &refusal(StatusCode::PROXY_AUTHENTICATION_REQUIRED, &digest("n3")),
        bye,
        rng
    ));
    assert!(
        answerer.headers(bye, "BYE", URI, b"")[0]
            .1
            .contains("nonce=\"n3\"")
    );
}

#[test]
fn a_nonce_is_good_for_the_host_that_it_was_given_to_and_stale_for_others() {
    let [here, there] = ["192.0.2.7", "192.0.2.66"].map(|ip| Some(ip.parse().unwrap()));
    let mut challenger = challenger();
    let lines = challenge_lines(&challenger.verify(NOW, &request("UDP", ""), there, passwords));
    let looked_up = std::cell::Cell::new(0);
    let lookup = |user: &str| {
        looked_up.set(looked_up.get() + 1);
        passwords(user)
    };
    for password in ["wrong", "cordboard"] {
        let mut answerer = answerer(password);
        let (answered, rng) = (&mut Answered::default(), &mut Rng::seeded(2));
        assert!(answerer.challenged(&refusal(StatusCode::UNAUTHORIZED, &lines), answered, rng));
        let answer = request("UDP", &authorization(&mut answerer));
        for from in [here, None] {
            let verdict = challenger.verify(NOW, &answer, from, lookup);
            assert!(
                matches!(verdict, Verdict::Challenge { stale: true, .. }),
                "{from:?}"
            );
        }
        assert_eq!(looked_up.get(), 0, "it is no guess");
        if password == "cordboard" {
            // A phone that is somewhere else now answers the new one.
            let verdict = challenger.verify(NOW, &answer, here, lookup);
            let lines = challenge_lines(&verdict);
            assert!(lines.contains("stale=true"), "{lines}");
            assert!(answerer.challenged(
                &refusal(StatusCode::UNAUTHORIZED, &lines),
                &mut Answered::default(),
                rng
            ));
            let answer = request("UDP", &authorization(&mut answerer));
            assert!(is_ok(&challenger.verify(NOW, &answer, here, lookup)));
        } else {
            assert_eq!(challenger.verify(NOW, &answer, there, lookup), Verdict::Forbidden);
            looked_up.set(0);
        }
    }
}

#[test]
fn addresses_of_one_network_of_ipv6_and_mapped_ones_are_one_host() {
    for (given, used) in [
        ("2001:db8:0:1::7", "2001:db8:0:1:a:b:c:d"),
        ("192.0.2.7", "::ffff:192.0.2.7"),
    ] {
        let (mut challenger, mut answerer) = (challenger(), answerer("cordboard"));
        let [given, used] = [given, used].map(|ip| Some(ip.parse().unwrap()));
        let lines = challenge_lines(&challenger.verify(NOW, &request("UDP", ""), given, passwords));
        let (answered, rng) = (&mut Answered::default(), &mut Rng::seeded(2));
        assert!(answerer.challenged(&refusal(StatusCode::UNAUTHORIZED, &lines), answered, rng));
        let answer = request("UDP", &authorization(&mut answerer));
        assert!(is_ok(&challenger.verify(NOW, &answer, used, passwords)));
    }
}

#[test]
fn forged_and_foreign_nonces_are_not_ours() {
    let (mut challenger, mut answerer) = (challenger(), answerer("cordboard"));
    let foreign = challenge_lines(
        &Challenger::new("example.com", vec![Algorithm::Md5], Rng::seeded(9)).verify(
            NOW,
            &request("WS", ""),
            None,
            passwords,
        ),
    );
    assert!(answerer.challenged(
        &refusal(StatusCode::UNAUTHORIZED, &foreign),
        &mut Answered::default(),
        &mut Rng::seeded(2)
    ));
    let verdict = challenger.verify(
        NOW,
        &request("WS", &authorization(&mut answerer)),
        None,
        passwords,
    );
    assert!(matches!(verdict, Verdict::Challenge { stale: false, .. }));
    for junk in [
        "Digest",
        "Basic eDp5",
        "Digest realm=\"example.com\", username=\"1001\"",
        "Digest realm=\"example.com\", \
        username=\"1001\", nonce=\"\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\", uri=\"sip:a\", response=\"x\"",
    ] {
        let verdict = challenger.verify(
            NOW,
            &request("WS", &format!("Authorization: {junk}\r\n")),
            None,
            passwords,
        );
        assert!(
            matches!(verdict, Verdict::Challenge { stale: false, .. }),
            "{junk}"
        );
    }
}

#[test]
fn credentials_are_read_quoted_or_not() {
    let (mut challenger, mut answerer) = (challenger(), answerer("cordboard"));
    let lines = challenge_lines(&challenger.verify(NOW, &request("WS", ""), None, passwords));
    assert!(answerer.challenged(
        &refusal(StatusCode::UNAUTHORIZED, &lines),
        &mut Answered::default(),
        &mut Rng::seeded(2)
    ));
    let odd = authorization(&mut answerer)
        .replace("algorithm=MD5", "algorithm=\"md5\"")
        .replace("qop=auth", "qop=\"auth\"")
        .replace("username=\"1001\"", "username = 1001")
        .replace("Digest", "DIGEST");
    assert!(
        is_ok(&challenger.verify(NOW, &request("WS", &odd), None, passwords)),
        "{odd}"
    );
}

#[test]
fn a_client_without_qop_may_use_a_nonce_once() {
    let mut challenger = challenger();
    let lines = challenge_lines(&challenger.verify(NOW, &request("WS", ""), None, passwords))
        .replace(", qop=\"auth\"", "");
    let mut answerer = answerer("cordboard");
    assert!(answerer.challenged(
        &refusal(StatusCode::UNAUTHORIZED, &lines),
        &mut Answered::default(),
        &mut Rng::seeded(2)
    ));
    let answer = authorization(&mut answerer);
    assert!(!answer.contains("nc="), "{answer}");
    assert!(is_ok(&challenger.verify(
        NOW,
        &request("WS", &answer),
        None,
        passwords
    )));
    let again = challenger.verify(NOW, &request("WS", &answer), None, passwords);
    assert!(matches!(again, Verdict::Challenge { stale: true, .. }));
}

#[test]
fn a_stored_hash_serves_in_place_of_the_password() {
    let (mut challenger, mut answerer) = (challenger(), answerer("cordboard"));
    let lines = challenge_lines(&challenger.verify(NOW, &request("WS", ""), None, passwords));
    assert!(answerer.challenged(
        &refusal(StatusCode::UNAUTHORIZED, &lines),
        &mut Answered::default(),
        &mut Rng::seeded(2)
    ));
    let key = super::digest::ha1(Algorithm::Md5, "1001", "example.com", "cordboard");
    let answer = request("WS", &authorization(&mut answerer));
    let other = |_: &str| Some(Password::Ha1(vec![(Algorithm::Sha256, key.clone())]));
    assert_eq!(challenger.verify(NOW, &answer, None, other), Verdict::Forbidden);
    assert_eq!(
        challenger.verify(NOW, &answer, None, |_| Some(Password::none())),
        Verdict::Forbidden
    );
    let kept = Password::keys("1001", "example.com", "cordboard");
    assert!(matches!(&kept, Password::Ha1(keys) if keys.contains(&(Algorithm::Md5, key))));
    assert!(is_ok(&challenger.verify(NOW, &answer, None, |_| Some(kept))));
}

#[test]
fn proxies_and_servers_are_answered_together_and_auth_int_only_when_forced() {
    let mut answerer = answerer("cordboard");
    let rng = &mut Rng::seeded(2);
    let both = "Proxy-Authenticate: Digest realm=\"p\", nonce=\"1\", qop=\"auth-int,auth\", opaque=\"o\"\r\n\
                WWW-Authenticate: Digest realm=\"s\", nonce=\"2\", qop=\"auth-int\", algorithm=MD5-sess\r\n\
                WWW-Authenticate: Digest realm=\"s\", nonce=\"3\", algorithm=AKAv1-MD5\r\n\
                WWW-Authenticate: Negotiate\r\n";
    assert!(answerer.challenged(
        &refusal(StatusCode::PROXY_AUTHENTICATION_REQUIRED, both),
        &mut Answered::default(),
        rng
    ));
    let answer = authorization(&mut answerer);
    let (server, proxy) = answer.split_once("\r\n").unwrap();
    assert!(
        server.starts_with("Authorization: ") && server.contains("qop=auth-int"),
        "{server}"
    );
    assert!(server.contains("algorithm=MD5-sess"), "{server}");
    assert!(
        proxy.starts_with("Proxy-Authorization: ") && proxy.contains("qop=auth, "),
        "{proxy}"
    );
    assert!(proxy.contains("opaque=\"o\""), "{proxy}");
    let unknown = "WWW-Authenticate: Digest realm=\"x\", nonce=\"3\", qop=\"token\"\r\n";
    assert!(!self::answerer("x").challenged(
        &refusal(StatusCode::UNAUTHORIZED, unknown),
        &mut Answered::default(),
        rng
    ));
    assert!(!self::answerer("x").challenged(
        &refusal(StatusCode::UNAUTHORIZED, ""),
        &mut Answered::default(),
        rng
    ));
}
