//! Messages written by others to break stacks: the torture tests of RFC 4475 and RFC 5118, and those of
//! PROTOS. They are found through `CORDBOARD_CORPORA`; without it these tests report what they left out.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use sans_io::{Rng, Time};
use sip_core::endpoint::{Endpoint, Event, Headers, Input, Output};
use sip_core::flow::{Flow, FlowId, Transport};
use sip_core::message::{Message, Method, StatusCode};
use sip_core::registrar::{self, Registrar};

use crate::bench::{START, config, peer, request};

fn corpus(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("CORDBOARD_CORPORA") else {
        println!("left out: {name} (CORDBOARD_CORPORA is not set)");
        return None;
    };
    let folder = PathBuf::from(folder).join(name);
    assert!(folder.is_dir(), "{} is no folder", folder.display());
    Some(folder)
}

/// An endpoint whose user registers everybody, answers every OPTIONS and takes every MESSAGE.
struct Server {
    endpoint: Endpoint,
    registrar: Registrar,
    now: Time,
}

impl Server {
    fn new() -> Server {
        let mut config = config();
        config.allow.push(Method::Message);
        Server {
            endpoint: Endpoint::new(config, Rng::seeded(1)),
            registrar: Registrar::new(registrar::Config::default()),
            now: START,
        }
    }

    /// Outcome of a datagram: status codes that were answered, `process` if it reached the user.
    fn receive(&mut self, flow: Flow, data: Bytes) -> Vec<String> {
        self.endpoint
            .handle_input(self.now, Input::Message { flow, data });
        let mut seen = Vec::new();
        loop {
            match self.endpoint.poll_output() {
                Output::Transmit { data, .. } => {
                    let text = String::from_utf8_lossy(&data);
                    let code = text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3));
                    seen.extend(code.filter(|code| *code != "100").map(str::to_owned));
                }
                Output::Event(event) => {
                    seen.push("process".to_owned());
                    if let Event::Request { tx, request, flow } = event {
                        let (mut code, mut headers) = (StatusCode::OK, Headers::new());
                        if request.is(&Method::Register) {
                            let user = request.to().uri.to_string();
                            let outcome = self.registrar.register(self.now, &user, &request, flow);
                            (code, headers) = (outcome.code, outcome.headers);
                        }
                        self.endpoint.reply(self.now, tx, code, headers, None);
                    }
                }
                Output::Resolve { .. } => {}
                Output::Timeout(_) => return seen,
            }
        }
    }

    fn is_alive(&mut self, number: usize) -> bool {
        let options = request("OPTIONS", "sip:192.0.2.1", "", "")
            .replace("z9hG4bKpeer1", &format!("z9hG4bKalive{number}"))
            .replace("peer-call", &format!("alive-{number}"));
        let probe = Flow {
            id: FlowId(9),
            ..peer(Transport::Udp)
        };
        self.receive(probe, Bytes::from(options))
            .contains(&"200".to_owned())
    }
}

/// Every row of `expected.tsv` against what the endpoint does; the rows that differ.
fn differing(folder: &Path, messages: &Path) -> (usize, Vec<String>) {
    let table = std::fs::read_to_string(folder.join("expected.tsv")).unwrap();
    let mut rows = 0;
    let mut wrong = Vec::new();
    for line in table.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let (file, expected) = (columns[0], columns[8]);
        let data = Bytes::from(std::fs::read(messages.join(file)).unwrap());
        let message = Message::parse(data.clone());
        let parsed = message.is_ok();
        // A request that belongs to a dialog, by its To tag, counts as processed when it is answered that
        // there is no such dialog.
        let in_dialog = message.is_ok_and(|message| message.to().tag().is_some());
        let mut server = Server::new();
        let seen = server.receive(peer(Transport::Udp), data);
        let right = expected.split('|').any(|one| match one {
            "discard" => seen.is_empty(),
            "process" if in_dialog && seen == ["481"] => true,
            "process-response" => parsed && seen.is_empty(),
            one => seen.iter().any(|seen| seen == one),
        });
        rows += 1;
        if !right {
            wrong.push(format!("{file}: expected {expected}, saw {seen:?}"));
        }
        assert!(server.is_alive(0), "{file} left it silent");
    }
    (rows, wrong)
}

#[test]
fn rfc4475_gets_its_answers() {
    let Some(folder) = corpus("rfc4475") else { return };
    let (rows, wrong) = differing(&folder, &folder);
    assert_eq!(rows, 49);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn rfc5118_gets_its_answers() {
    let Some(folder) = corpus("rfc5118") else { return };
    let (rows, wrong) = differing(&folder, &folder.join("wire"));
    assert_eq!(rows, 12);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn protos_leaves_it_answering() {
    let Some(folder) = corpus("protos-c07-sip") else {
        return;
    };
    let unpacked = Path::new(env!("CARGO_TARGET_TMPDIR")).join("protos");
    std::fs::create_dir_all(&unpacked).unwrap();
    let tar = Command::new("tar")
        .arg("xJf")
        .arg(folder.join("wire-invite.tar.xz"))
        .arg("-C")
        .arg(&unpacked)
        .status();
    assert!(
        tar.is_ok_and(|status| status.success()),
        "tar could not unpack the cases"
    );
    let mut cases: Vec<PathBuf> = std::fs::read_dir(unpacked.join("wire"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() > 2000, "{} cases", cases.len());
    let mut server = Server::new();
    for (number, case) in cases.iter().enumerate() {
        let data = Bytes::from(std::fs::read(case).unwrap());
        server.receive(peer(Transport::Udp), data);
        assert!(server.is_alive(number), "silent after {}", case.display());
        server.now += Duration::from_millis(100);
        server.endpoint.handle_input(server.now, Input::Timeout);
    }
}
