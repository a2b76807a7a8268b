//! Report of a call: counts, set-up times, and the verdict.

use std::fmt;
use std::time::Duration;

use media_core::control::Report;
use media_core::negotiated::Codec;
use serde::Serialize;
use serde_json::{Value, json};
use session_core::EndedBy;
use sip_core::message::StatusCode;
use sip_stack::client::Heard;

/// Time by which the other side has sent a report (RFC 3550 §6.2: 5 s, up to half as much again).
const FIRST_RTCP: Duration = Duration::from_secs(8);

/// Result of the call.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Final SIP code.
    pub code: StatusCode,
    /// Whoever ended it.
    pub ended_by: EndedBy,
    /// Duration of the conversation.
    pub talked: Duration,
    /// Keys that the other side pressed.
    pub digits: String,
    /// The phone played something.
    pub played: bool,
    /// Audio that was received; `None` if the phone echoed.
    pub heard: Option<Heard>,
    /// Counts.
    pub report: Report,
    /// Set-up times and path of a WebRTC call.
    pub set_up: Option<SetUp>,
}

/// Set-up times of a WebRTC call, and the path of its media. `None` for what did not happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetUp {
    /// Opening the WebSocket, with the TCP and TLS handshakes.
    pub websocket: Duration,
    /// REGISTER to 200, the challenge included.
    pub register: Option<Duration>,
    /// INVITE to the first 180 or 183.
    pub ringing: Option<Duration>,
    /// INVITE to 200.
    pub answer: Option<Duration>,
    /// Answer to the first ICE check that succeeded.
    pub ice: Option<Duration>,
    /// Answer to the end of the DTLS handshake.
    pub dtls: Option<Duration>,
    /// Answer to the first packet of sound that came in.
    pub first_audio: Option<Duration>,
    /// ICE candidates in use.
    pub path: Option<CandidatePair>,
}

/// ICE candidates in use, each as `address:port (type)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CandidatePair {
    /// Ours.
    pub local: String,
    /// The peer's.
    pub remote: String,
}

impl SetUp {
    /// The times with their names.
    pub(super) fn times(&self) -> [(&'static str, Option<Duration>); 7] {
        [
            ("WebSocket", Some(self.websocket)),
            ("REGISTER", self.register),
            ("ringing", self.ringing),
            ("answer", self.answer),
            ("ICE", self.ice),
            ("DTLS", self.dtls),
            ("first audio", self.first_audio),
        ]
    }

    fn json(&self) -> Value {
        let ms = |time: Option<Duration>| time.map(milliseconds);
        json!({
            "websocket_ms": milliseconds(self.websocket),
            "register_ms": ms(self.register),
            "ringing_ms": ms(self.ringing),
            "answer_ms": ms(self.answer),
            "ice_ms": ms(self.ice),
            "dtls_ms": ms(self.dtls),
            "first_audio_ms": ms(self.first_audio),
        })
    }
}

impl Summary {
    /// Something else than silence came, or for an echoing phone: sound came at all.
    #[must_use]
    pub fn was_heard(&self) -> bool {
        match &self.heard {
            Some(heard) => heard.is_audible(),
            None => self.report.packets_received > 0,
        }
    }

    /// The other side reported by RTCP that our packets reach it.
    #[must_use]
    pub fn was_acknowledged(&self) -> bool {
        let report = &self.report;
        report.packets_sent > 0 && (report.round_trip_us > 0 || report.remote_jitter_us > 0)
    }

    /// True if audio went both ways. RTCP takes seconds to arrive: in a shorter call it is enough to have
    /// sent. Silence is a good answer to a phone that played nothing: an echo has no other.
    #[must_use]
    pub fn both_ways(&self) -> bool {
        let too_short = self.talked < FIRST_RTCP && self.report.packets_sent > 0;
        let heard = self.was_heard() || (!self.played && self.report.packets_received > 0);
        heard && (self.was_acknowledged() || too_short)
    }

    /// Lost packets of 100, in the direction of the phone.
    #[must_use]
    pub fn loss_percent(&self) -> f64 {
        let expected = self.report.packets_received + self.report.lost;
        if expected == 0 {
            0.0
        } else {
            100.0 * self.report.lost as f64 / expected as f64
        }
    }

    fn remote_loss_percent(&self) -> f64 {
        f64::from(self.report.remote_fraction_lost) * 100.0 / 256.0
    }

    fn verdict(&self) -> &'static str {
        match (self.was_heard(), self.both_ways()) {
            (true, true) => "audio went both ways",
            (true, false) => "received audio; the remote side did not confirm ours",
            (false, true) => "only silence came back, as nothing was played (see --tone and --play)",
            (false, false) if self.report.packets_received > 0 => "only silence was received",
            (false, false) => "no audio was received",
        }
    }

    /// The report as `--json` prints it. Times are in milliseconds, levels in dBm0; what is unknown is null.
    #[must_use]
    pub fn json(&self) -> Value {
        let r = &self.report;
        let name = |codec: Option<Codec>| codec.map(|codec| codec.name().to_owned());
        let known = |us: u32| (us > 0).then(|| thousandths(us));
        json!({
            "success": self.both_ways(),
            "result": self.verdict(),
            "code": self.code.get(),
            "ended_by": author(self.ended_by),
            "talked_s": round(self.talked.as_secs_f64(), 1),
            "received": {
                "codec": name(r.codec_received),
                "packets": r.packets_received,
                "lost": r.lost,
                "loss_percent": round(self.loss_percent(), 2),
                "jitter_ms": thousandths(r.jitter_us),
                "mos": round(f64::from(r.mos), 2),
            },
            "sent": {
                "codec": name(r.codec_sent),
                "packets": r.packets_sent,
                "loss_percent": round(self.remote_loss_percent(), 2),
                "jitter_ms": thousandths(r.remote_jitter_us),
            },
            "round_trip_ms": known(r.round_trip_us),
            "heard": self.heard.as_ref().map(|heard| json!({
                "seconds": round(heard.loud_seconds(), 1),
                "level_dbm0": heard.level_dbm0().map(|level| round(level, 1)),
            })),
            "digits": self.digits,
            "set_up": self.set_up.as_ref().map(SetUp::json),
            "candidates": self.set_up.as_ref().and_then(|set_up| set_up.path.as_ref()),
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = &self.report;
        writeln!(
            f,
            "talked      {:.1} s, final code {}, ended by {}",
            self.talked.as_secs_f64(),
            self.code,
            author(self.ended_by)
        )?;
        writeln!(
            f,
            "received    {} packets {}, lost {} ({:.1} %), jitter {:.1} ms, MOS {:.2}",
            r.packets_received,
            codec(r.codec_received),
            r.lost,
            self.loss_percent(),
            thousandths(r.jitter_us),
            r.mos
        )?;
        let round_trip = match r.round_trip_us {
            0 => "unknown".into(),
            us => format!("{:.1} ms", thousandths(us)),
        };
        writeln!(
            f,
            "sent        {} packets {}, loss (remote) {:.1} %, jitter (remote) {:.1} ms, round trip {round_trip}",
            r.packets_sent,
            codec(r.codec_sent),
            self.remote_loss_percent(),
            thousandths(r.remote_jitter_us),
        )?;
        match self.heard.as_ref().map(|heard| (heard, heard.level_dbm0())) {
            Some((heard, Some(level))) => {
                let seconds = heard.loud_seconds();
                writeln!(f, "heard       {seconds:.1} s of sound at {level:.1} dBm0")?;
            }
            Some((_, None)) => writeln!(f, "heard       nothing but silence")?,
            None => writeln!(f, "heard       not measured: received audio was played back")?,
        }
        if !self.digits.is_empty() {
            writeln!(f, "digits      {}", self.digits)?;
        }
        if let Some(set_up) = &self.set_up {
            let times = set_up.times().into_iter();
            let known =
                times.filter_map(|(name, time)| Some(format!("{name} {:.0} ms", milliseconds(time?))));
            writeln!(f, "set-up      {}", known.collect::<Vec<_>>().join(", "))?;
            if let Some(CandidatePair { local, remote }) = &set_up.path {
                writeln!(f, "path        {local} to {remote}")?;
            }
        }
        write!(f, "result      {}", self.verdict())
    }
}

/// Whoever ended a call, in a word.
fn author(by: EndedBy) -> &'static str {
    match by {
        EndedBy::Us => "us",
        EndedBy::Peer => "the other side",
        EndedBy::Failure => "a failure",
    }
}

fn codec(codec: Option<Codec>) -> String {
    codec.as_ref().map_or("(no codec)", Codec::name).to_owned()
}

/// Milliseconds, to the tenth.
pub(super) fn milliseconds(time: Duration) -> f64 {
    round(time.as_secs_f64() * 1_000.0, 1)
}

/// Milliseconds of microseconds, to the hundredth.
fn thousandths(us: u32) -> f64 {
    round(f64::from(us) / 1_000.0, 2)
}

/// A number with so many decimals.
pub(super) fn round(number: f64, decimals: i32) -> f64 {
    let shift = 10f64.powi(decimals);
    (number * shift).round() / shift
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(loud: bool, acknowledged: bool, seconds: u64) -> Summary {
        let mut heard = Heard::default();
        heard.add(&[if loud { 5_000 } else { 0 }; 8_000]);
        let report = Report {
            packets_sent: 50,
            packets_received: 50,
            round_trip_us: if acknowledged { 900 } else { 0 },
            ..Report::default()
        };
        let talked = Duration::from_secs(seconds);
        Summary {
            played: true,
            code: StatusCode::OK,
            ended_by: EndedBy::Us,
            set_up: None,
            talked,
            digits: String::new(),
            heard: Some(heard),
            report,
        }
    }

    #[test]
    fn both_ways_means_heard_and_confirmed() {
        assert!(summary(true, true, 20).both_ways());
        assert!(
            !summary(false, true, 20).both_ways(),
            "packets of silence are no sound"
        );
        assert!(!summary(true, false, 20).both_ways(), "nobody confirmed ours");
        assert!(summary(true, false, 2).both_ways(), "too short for a report");
        let mut mute = summary(true, false, 2);
        mute.report.packets_sent = 0;
        assert!(!mute.both_ways());
        let text = |summary: Summary| summary.to_string();
        assert!(text(summary(false, true, 20)).ends_with("only silence was received"));
        assert!(text(summary(true, false, 20)).ends_with("did not confirm ours"));
        // An echo of silence is silence.
        let mut silent = summary(false, true, 20);
        silent.played = false;
        assert!(silent.both_ways() && text(silent.clone()).contains("nothing was played"));
        silent.report.packets_received = 0;
        assert!(!silent.both_ways() && text(silent).ends_with("no audio was received"));
    }

    #[test]
    fn the_report_for_programs_has_the_figures_of_the_one_for_people() {
        let mut summary = summary(true, true, 20);
        summary.report.lost = 50;
        summary.set_up = Some(SetUp {
            websocket: Duration::from_micros(3_250),
            ice: Some(Duration::from_millis(40)),
            path: Some(CandidatePair {
                local: "192.0.2.1:4000 (host)".into(),
                remote: "192.0.2.2:5000 (host)".into(),
            }),
            ..SetUp::default()
        });
        let json = summary.json();
        assert_eq!(json["success"], true);
        assert_eq!(json["received"]["loss_percent"], 50.0);
        assert_eq!(json["set_up"]["websocket_ms"], 3.3);
        assert_eq!(json["set_up"]["dtls_ms"], Value::Null);
        assert_eq!(json["candidates"]["remote"], "192.0.2.2:5000 (host)");
        let text = summary.to_string();
        assert!(text.contains("lost 50 (50.0 %)"), "{text}");
        assert!(
            text.contains("set-up      WebSocket 3 ms, ICE 40 ms\npath        192.0.2.1:4000 (host) to"),
            "{text}"
        );
    }
}
