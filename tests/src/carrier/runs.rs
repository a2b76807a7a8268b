//! The stories that lead to the messages which carriers have demands on.

use session_core::Coordinator;
use sip_core::message::{HeaderName, Message, Method};

use super::bench::{Bench, FORWARDED, NOBODY, OURS, Peer};
use super::message::Seen;

/// A nonce in a challenge of the carrier.
const CHALLENGE: &str = "Digest realm=\"carrier\", nonce=\"0123456789abcdef\", algorithm=MD5, qop=\"auth\"";

/// Security mechanisms of media that the carrier names to those who ask.
const SECURITY: &str = "Security-Server: msrp-tls;mediasec\r\nSecurity-Server: sdes-srtp;mediasec\r\n";

/// Plays a run to its end: the message of the gateway that it is about.
///
/// # Errors
/// There is no such run, or the gateway did not send that message.
pub fn play(bench: Bench, run: &str) -> Result<Seen, String> {
    let mut story = Story { bench };
    let message = story
        .play(run)
        .ok_or_else(|| format!("`{run}`: nothing of that kind was sent"))?;
    Ok(Seen::of(&message))
}

struct Story {
    bench: Bench,
}

impl Story {
    fn play(&mut self, run: &str) -> Option<Message> {
        match run {
            "register" => return self.bench.first(Peer::Carrier, &Method::Register),
            "register, challenged" => return self.challenged_registration(),
            _ => self.registered()?,
        }
        match run {
            "unregister" => {
                self.bench.act(Coordinator::unregister_all);
                self.bench.last(Peer::Carrier, &Method::Register)
            }
            "options in" => {
                let uri = self.ours(OURS);
                self.bench.request(Peer::Carrier, "OPTIONS", &uri, "", "");
                self.bench.last_response(Peer::Carrier)
            }
            "options out" => {
                self.bench.wait(120);
                self.bench.last(Peer::Carrier, &Method::Options)
            }
            _ => match (
                run.strip_prefix("call out"),
                run.strip_prefix("call in"),
                run.strip_prefix("refused "),
            ) {
                (Some(how), ..) => self.call_out(how.trim_start_matches(", ")),
                (_, Some(how), _) => self.call_in(how.trim_start_matches(", ")),
                (.., Some(code)) => self.refused(code.parse().ok()?),
                _ => None,
            },
        }
    }

    /// Answers the registration of the trunk, if it wants one.
    fn registered(&mut self) -> Option<()> {
        if !self.bench.registers() {
            return Some(());
        }
        let first = self.bench.last(Peer::Carrier, &Method::Register)?;
        // What the carrier has to say of the encryption of media comes with its challenge.
        if first.header_named("Security-Client").is_some() {
            self.challenged_registration()?;
        }
        let register = self.bench.last(Peer::Carrier, &Method::Register)?;
        let contact = register.header(HeaderName::Contact)?;
        let lines = format!("Contact: {contact};expires=600\r\n");
        self.bench.respond(Peer::Carrier, &register, 200, &lines, "");
        Some(())
    }

    fn challenged_registration(&mut self) -> Option<Message> {
        let register = self.bench.first(Peer::Carrier, &Method::Register)?;
        let lines = format!("WWW-Authenticate: {CHALLENGE}\r\n{SECURITY}");
        self.bench.respond(Peer::Carrier, &register, 401, &lines, "");
        self.bench.last(Peer::Carrier, &Method::Register)
    }

    /// URI by which the carrier reaches a number: that of the registration, if there is one.
    fn ours(&self, number: &str) -> String {
        let register = self.bench.first(Peer::Carrier, &Method::Register);
        let contact = register.and_then(|register| Some(register.contact()?.uri.as_str().to_owned()));
        contact.unwrap_or_else(|| format!("sip:{number}@gateway.example.org"))
    }

    fn phone_registers(&mut self, phone: Peer, user: &str) {
        let lines = format!("To: <sip:{user}@gateway.example.org>\r\n");
        self.bench
            .authenticated(phone, "REGISTER", "sip:gateway.example.org", &lines, "");
    }

    /// Anna calls the number outside; the INVITE that the carrier gets.
    fn dials(&mut self, lines: &str) -> Option<Message> {
        self.phone_registers(Peer::Anna, "anna");
        let uri = format!("sip:{}@gateway.example.org", self.bench.outside());
        self.bench
            .authenticated(Peer::Anna, "INVITE", &uri, lines, &plain(11));
        self.bench.last(Peer::Carrier, &Method::Invite)
    }

    fn call_out(&mut self, how: &str) -> Option<Message> {
        let lines = match how {
            "anonymous" => {
                "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=a\r\n\
                 P-Preferred-Identity: <sip:anna@gateway.example.org>\r\nPrivacy: id\r\n"
            }
            "forwarded" => return self.forwarded(),
            _ => "",
        };
        let invite = self.dials(lines)?;
        match how {
            "" | "anonymous" => Some(invite),
            "challenged" => {
                let lines = format!("Proxy-Authenticate: {CHALLENGE}\r\n");
                self.bench.respond(Peer::Carrier, &invite, 407, &lines, "");
                self.bench.last(Peer::Carrier, &Method::Invite)
            }
            "cancel" => {
                self.bench.respond(Peer::Carrier, &invite, 180, "", "");
                self.hang_up();
                self.bench.last(Peer::Carrier, &Method::Cancel)
            }
            _ => {
                self.answered(&invite);
                self.talking_out(how)
            }
        }
    }

    fn answered(&mut self, invite: &Message) {
        let answer = answer(invite.body());
        let lines = "Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\nRequire: timer\r\n";
        self.bench.respond(Peer::Carrier, invite, 200, lines, &answer);
        if let Some(answer) = self.bench.last_response(Peer::Anna) {
            self.acknowledges(Peer::Anna, &answer);
        }
    }

    fn talking_out(&mut self, how: &str) -> Option<Message> {
        match how {
            "ack" => self.bench.last(Peer::Carrier, &Method::Ack),
            "bye" => {
                self.hang_up();
                self.bench.last(Peer::Carrier, &Method::Bye)
            }
            "refresh" => {
                self.bench.wait(905);
                let update = self.bench.last(Peer::Carrier, &Method::Update);
                let again = || {
                    let invite = self.bench.last(Peer::Carrier, &Method::Invite)?;
                    invite.to().tag().is_some().then_some(invite)
                };
                update.or_else(again)
            }
            _ => None,
        }
    }

    /// A call comes in for Ben, whose phone sends it to the number outside.
    fn forwarded(&mut self) -> Option<Message> {
        self.phone_registers(Peer::Ben, "ben");
        self.invites(FORWARDED, &offer(self.bench.encrypts()));
        let invite = self.bench.last(Peer::Ben, &Method::Invite)?;
        let lines = format!("Contact: <sip:{}@gateway.example.org>\r\n", self.bench.outside());
        self.bench.respond(Peer::Ben, &invite, 302, &lines, "");
        self.bench.last(Peer::Carrier, &Method::Invite)
    }

    fn hang_up(&mut self) {
        self.bench.act(|gateway, now| {
            let all: Vec<_> = gateway.sessions().collect();
            for session in all {
                gateway.terminate_session(now, session);
            }
        });
    }

    /// The carrier's INVITE for a number of ours.
    fn invites(&mut self, number: &str, body: &str) {
        let uri = self.ours(number);
        let lines = format!(
            "To: <sip:{number}@gateway.example.org>\r\nP-Called-Party-ID: <sip:{number}@gateway.example.org>\r\n"
        );
        self.bench.request(Peer::Carrier, "INVITE", &uri, &lines, body);
    }

    fn call_in(&mut self, how: &str) -> Option<Message> {
        self.phone_registers(Peer::Anna, "anna");
        let keys = self.bench.encrypts();
        match how {
            "unknown number" => self.invites(NOBODY, &offer(keys)),
            "late offer" => self.invites(OURS, ""),
            _ => self.invites(OURS, &offer(keys)),
        }
        if how == "unknown number" {
            return self.bench.last_response(Peer::Carrier);
        }
        let invite = self.bench.last(Peer::Anna, &Method::Invite)?;
        match how {
            "ringing" => self.bench.respond(Peer::Anna, &invite, 180, "", ""),
            "busy" => self.bench.respond(Peer::Anna, &invite, 486, "", ""),
            _ => self.bench.respond(Peer::Anna, &invite, 200, "", &plain(11)),
        }
        let answer = self.bench.last_response(Peer::Carrier)?;
        match how {
            "refresh" => self.in_dialog(&answer, "INVITE", "", &offer(keys)),
            "hold" => {
                let held = format!("{}a=sendonly\r\n", offer(keys));
                self.in_dialog(&answer, "INVITE", "", &held);
                // Where a hold is passed on, the phone takes part in it.
                let again = self.bench.last(Peer::Anna, &Method::Invite)?;
                if again.to().tag().is_some() {
                    let body = format!("{}a=recvonly\r\n", plain(11));
                    self.bench.respond(Peer::Anna, &again, 200, "", &body);
                }
            }
            "digits" => {
                let lines = "Content-Type: application/dtmf-relay\r\n";
                self.in_dialog(&answer, "INFO", lines, "Signal=5\r\nDuration=160\r\n");
            }
            _ => return Some(answer),
        }
        self.bench.last_response(Peer::Carrier)
    }

    /// Acknowledges the answer to a peer's call; the dialog and the target of what comes after.
    fn acknowledges(&mut self, peer: Peer, answer: &Message) -> (String, String) {
        let value = |name| answer.header(name).unwrap_or_default().to_owned();
        let dialog = format!(
            "From: {}\r\nTo: {}\r\nCall-ID: {}\r\n",
            value(HeaderName::From),
            value(HeaderName::To),
            value(HeaderName::CallId)
        );
        let target = answer
            .contact()
            .map(|contact| contact.uri.as_str().to_owned())
            .unwrap_or_default();
        let lines = format!("{dialog}CSeq: {} ACK\r\n", answer.cseq().number);
        self.bench.request(peer, "ACK", &target, &lines, "");
        (dialog, target)
    }

    /// Acknowledges the answer to the carrier's call, and sends a request in its dialog.
    fn in_dialog(&mut self, answer: &Message, method: &str, lines: &str, body: &str) {
        let (dialog, target) = self.acknowledges(Peer::Carrier, answer);
        let lines = format!("{dialog}CSeq: 2 {method}\r\n{lines}");
        self.bench.request(Peer::Carrier, method, &target, &lines, body);
    }

    /// The carrier refuses a call out; what its caller gets.
    fn refused(&mut self, code: u16) -> Option<Message> {
        self.dials("")?;
        let lines = match code {
            401 => format!("WWW-Authenticate: {CHALLENGE}\r\n"),
            422 => "Min-SE: 7200\r\n".to_owned(),
            _ => String::new(),
        };
        // Credentials and a longer interval are tried once.
        for _ in 0..3 {
            let invite = self.bench.last(Peer::Carrier, &Method::Invite)?;
            self.bench.respond(Peer::Carrier, &invite, code, &lines, "");
        }
        self.bench.wait(5);
        self.bench.last_response(Peer::Anna)
    }
}

/// A description of plain RTP with PCMU.
fn plain(host: u8) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.{host}\r\ns=-\r\nc=IN IP4 192.0.2.{host}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
    )
}

/// The carrier's offer: every codec that a trunk may have.
fn offer(keys: bool) -> String {
    let (proto, crypto) = match keys {
        true => (
            "RTP/SAVP",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n",
        ),
        false => ("RTP/AVP", ""),
    };
    format!(
        "v=0\r\no=- 2 2 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\nm=audio 5000 {proto} 0 8 111 101\r\n\
         a=rtpmap:111 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n{crypto}"
    )
}

/// The carrier's answer to an offer of ours: its first codec, and the key for the suite that everybody knows.
fn answer(offer: &[u8]) -> String {
    let offer = String::from_utf8_lossy(offer);
    let media = offer
        .lines()
        .find(|line| line.starts_with("m=audio"))
        .unwrap_or_default();
    let words: Vec<&str> = media.split(' ').collect();
    let (proto, codec) = (words.get(2).unwrap_or(&"RTP/AVP"), words.get(3).unwrap_or(&"0"));
    let map = format!("a=rtpmap:{codec} ");
    let map = offer
        .lines()
        .find(|line| line.starts_with(&map))
        .unwrap_or_default();
    let tag = offer.lines().find_map(|line| {
        let (tag, suite) = line.strip_prefix("a=crypto:")?.split_once(' ')?;
        suite
            .starts_with("AES_CM_128_HMAC_SHA1_80")
            .then(|| tag.to_owned())
    });
    let crypto = tag.map_or(String::new(), |tag| {
        format!("a=crypto:{tag} AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n")
    });
    format!(
        "v=0\r\no=- 3 3 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\nm=audio 5000 {proto} {codec}\r\n{map}\r\n{crypto}"
    )
    .replace("\r\n\r\n", "\r\n")
}
