//! rtpengine, driven through its ng protocol the way a SIP proxy in front of browsers does.

use std::path::Path;
use std::process::Command;

use super::ng::{Client, Value};
use super::process::Daemon;
use super::sdp::Remote;
use super::{Outcome, System, peers};

/// A fresh rtpengine and its calls.
pub(crate) struct RtpEngine {
    daemon: Daemon,
    pids: Vec<u32>,
    client: Client,
    calls: Vec<String>,
}

impl RtpEngine {
    /// Starts the one that the peers' folder starts.
    pub(crate) fn start(peers: &Path) -> Outcome<RtpEngine> {
        let script = Command::new(peers.join("start_rtpengine.sh"));
        let daemon = Daemon::by_script(script, &peers.join("run/rtpengine.pid"))?;
        let mut client = Client::connect(peers::NG)?;
        client.command(&Value::dictionary([("command", Value::text("ping"))]))?;
        Ok(RtpEngine {
            pids: vec![daemon.pid()],
            daemon,
            client,
            calls: Vec::new(),
        })
    }
}

impl System for RtpEngine {
    fn pids(&self) -> &[u32] {
        &self.pids
    }

    fn call(&mut self, number: usize, offer: &str, answer: &str) -> Outcome<(Remote, Remote)> {
        let id = format!("load-{}-{number}", self.daemon.pid());
        let is_secure = offer.contains("a=fingerprint:");
        let (toward_phone, toward_caller) = if is_secure { ("demux", "offer") } else { ("", "") };
        let list = |item: &str| {
            if item.is_empty() {
                Value::list(&[])
            } else {
                Value::list(&[item])
            }
        };
        let entry = |key: &str, value: Value| (key.to_string(), value);
        let text = Value::text;
        let mut entries = vec![
            entry("command", text("offer")),
            entry("call-id", text(&id)),
            entry("from-tag", text("caller")),
            entry("sdp", text(offer)),
            entry("replace", Value::list(&["origin"])),
            entry("ICE", text("remove")),
            entry("rtcp-mux", list(toward_phone)),
            entry("transport-protocol", text("RTP/AVP")),
        ];
        if is_secure {
            entries.push(entry("DTLS-reverse", text("passive")));
        }
        if offer.contains("opus/48000") {
            let codecs = [
                ("transcode", Value::list(&["PCMU"])),
                ("mask", Value::list(&["opus"])),
            ];
            entries.push(entry("codec", Value::dictionary(codecs)));
        }
        let offered = self
            .client
            .command(&Value::Dictionary(entries.into_iter().collect()))?;
        let mut entries = vec![
            entry("command", text("answer")),
            entry("call-id", text(&id)),
            entry("from-tag", text("caller")),
            entry("to-tag", text("phone")),
            entry("sdp", text(answer)),
            entry("replace", Value::list(&["origin"])),
            entry("ICE", text(if is_secure { "force" } else { "remove" })),
            entry("rtcp-mux", list(toward_caller)),
            entry(
                "transport-protocol",
                text(if is_secure { "UDP/TLS/RTP/SAVPF" } else { "RTP/AVP" }),
            ),
        ];
        if is_secure {
            entries.push(entry("DTLS", text("passive")));
        }
        let answered = self
            .client
            .command(&Value::Dictionary(entries.into_iter().collect()))?;
        self.calls.push(id);
        let remote = |sdp: Option<String>| Remote::parse(&sdp.ok_or("rtpengine gave no SDP")?);
        Ok((remote(answered)?, remote(offered)?))
    }

    fn attend(&mut self) -> Outcome<()> {
        Ok(())
    }

    fn hang_up(&mut self) -> Outcome<()> {
        for id in std::mem::take(&mut self.calls) {
            let command = [("command", "delete"), ("call-id", &id), ("from-tag", "caller")];
            self.client.command(&Value::dictionary(
                command.map(|(key, value)| (key, Value::text(value))),
            ))?;
        }
        Ok(())
    }
}
