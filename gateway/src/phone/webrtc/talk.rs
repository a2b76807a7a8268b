//! A call from its answer to its end.

use std::time::Duration;

use media_core::control::Report;
use media_core::negotiated::{Codec, Direction};
use media_core::stats::{Impairment, mos};
use session_core::EndedBy;
use sip_core::message::StatusCode;
use sip_stack::signalling::{Call, CallEvent};
use tokio::time::Instant;

use super::audio::{Audio, AudioEvent, Command, Totals};
use super::description::Terms;
use super::peer::{Peer, Statistics};
use super::sound::Sound;
use crate::phone::{PhoneError, PhoneOptions, SetUp, Summary};

/// Time for the end of a call that is given up.
const FAREWELL: Duration = Duration::from_secs(2);

/// Time from the answer to the first key: a browser at the other end needs some of it for ICE and DTLS, and would not hear a key
/// before.
const READY: Duration = Duration::from_secs(1);

/// A call that is answered.
pub(super) struct Answered {
    pub(super) call: Call,
    pub(super) peer: Peer,
    pub(super) sound: Begun,
    pub(super) set_up: SetUp,
}

/// Sound that has begun: with the answer, or with early media before it.
pub(super) struct Begun {
    audio: Audio,
    /// Time at which both descriptions were known, and ICE could begin.
    agreed: Instant,
    played: bool,
    echoes: bool,
}

impl Begun {
    /// `terms`: `None` until an ACK brings the answer to our offer.
    pub(super) async fn new(
        peer: &mut Peer,
        sound: &Sound,
        options: &PhoneOptions,
        terms: Option<Terms>,
    ) -> Begun {
        let begun = Begun {
            audio: Audio::start(peer, sound.clone(), options.record.as_deref()),
            agreed: Instant::now(),
            played: sound.is_played(),
            echoes: sound.is_echo(),
        };
        if let Some(terms) = terms {
            begun.audio.order(Command::Terms(terms)).await;
        }
        begun
    }
}

/// Talks, from the answer to the end.
///
/// # Errors
/// The recording cannot be written.
pub(super) async fn talk(
    answered: Answered,
    options: &PhoneOptions,
    print: &mut impl FnMut(&str),
) -> Result<Summary, PhoneError> {
    print("answered");
    let Answered {
        mut call,
        mut peer,
        sound:
            Begun {
                mut audio,
                agreed,
                played,
                echoes,
            },
        mut set_up,
    } = answered;
    let answered = Instant::now();
    let mut talk = Talk {
        call: &mut call,
        peer: &mut peer,
        audio: &mut audio,
        digits: String::new(),
        talking: None,
        held: false,
    };
    let (code, ended_by) = talk.run(options, print).await;
    let (digits, talking) = (talk.digits, talk.talking);
    let talked = answered.elapsed();
    let statistics = peer.statistics().await;
    let progress = *peer.progress().borrow();
    let since = |moment: Option<Instant>| moment.map(|moment| moment.saturating_duration_since(agreed));
    set_up.ice = since(progress.ice);
    set_up.dtls = since(progress.dtls);
    set_up.first_audio = since(talking);
    set_up.path.clone_from(&statistics.path);
    let totals = audio.end().await;
    peer.close().await;
    let totals = totals.ok_or_else(|| {
        let path = options.record.clone().unwrap_or_default();
        PhoneError::File(path, std::io::Error::other("the recording cannot be written"))
    })?;
    Ok(Summary {
        code,
        ended_by,
        talked,
        digits,
        played,
        heard: (!echoes).then(|| totals.heard.clone()),
        report: report(&totals, &statistics),
        set_up: Some(set_up),
    })
}

/// An answered call, while it lasts.
struct Talk<'a> {
    call: &'a mut Call,
    peer: &'a mut Peer,
    audio: &'a mut Audio,
    digits: String,
    /// Time of the first packet.
    talking: Option<Instant>,
    held: bool,
}

impl Talk<'_> {
    /// Talks until either side hangs up; returns the final code, and who did.
    async fn run(&mut self, options: &PhoneOptions, print: &mut impl FnMut(&str)) -> (StatusCode, EndedBy) {
        let mut progress = self.peer.progress();
        let mut keys = options.dtmf.clone();
        let ready = Instant::now() + READY;
        let mut keys_at = None;
        let end = options.duration.map(|duration| Instant::now() + duration);
        loop {
            tokio::select! {
                event = self.call.event() => match event {
                    Some(CallEvent::Ended { code, by, .. }) => return (code, by),
                    Some(CallEvent::Offer { offer }) => self.offered(offer, print).await,
                    Some(CallEvent::Acknowledged { answer: Some(answer) }) => self.take(answer, print).await,
                    Some(_) => {}
                    None => return (StatusCode::SERVICE_UNAVAILABLE, EndedBy::Failure),
                },
                Some(event) = self.audio.events.recv() => match event {
                    AudioEvent::Talking(at) => {
                        self.talking = Some(at);
                        print("receiving audio");
                    }
                    AudioEvent::Key(key) => {
                        print(&format!("key {key}"));
                        self.digits.push(key);
                    }
                    AudioEvent::NoKeys => print("the other side takes no keys"),
                },
                Ok(()) = progress.changed() => {
                    let progress = *progress.borrow_and_update();
                    if progress.failed {
                        print("ICE or DTLS failed");
                        break;
                    }
                    if progress.dtls.is_some() {
                        keys_at.get_or_insert(ready);
                    }
                }
                () = until(keys_at), if keys.is_some() => {
                    let keys = keys.take().unwrap_or_default();
                    print(&format!("sending {keys}"));
                    self.audio.order(Command::Keys(keys)).await;
                }
                () = until(end) => break,
                _ = tokio::signal::ctrl_c() => break,
            }
        }
        let failed = self.peer.progress().borrow().failed;
        let (code, by) = give_up(self.call)
            .await
            .unwrap_or((StatusCode::REQUEST_TIMEOUT, EndedBy::Failure));
        if failed {
            (code, EndedBy::Failure)
        } else {
            (code, by)
        }
    }

    /// The peer offers a change: it holds, comes back, or moves.
    async fn offered(&mut self, offer: Option<String>, print: &mut impl FnMut(&str)) {
        let answer = match offer {
            Some(offer) => match self.peer.answer(offer).await {
                Ok((answer, terms)) => {
                    self.agreed(terms, print).await;
                    Ok(answer)
                }
                Err(error) => {
                    print(&format!("refused a change of the session: {error}"));
                    Err(StatusCode::NOT_ACCEPTABLE_HERE)
                }
            },
            None => self
                .peer
                .offer()
                .await
                .map_err(|_| StatusCode::NOT_ACCEPTABLE_HERE),
        };
        // If the connection is gone, the end of the call follows.
        let _ = self.call.answer_offer(answer).await;
    }

    /// The ACK answers an offer of ours.
    async fn take(&mut self, answer: String, print: &mut impl FnMut(&str)) {
        match self.peer.answered(answer).await {
            Ok(terms) => self.agreed(terms, print).await,
            Err(error) => print(&error.to_string()),
        }
    }

    async fn agreed(&mut self, terms: Terms, print: &mut impl FnMut(&str)) {
        let held = !matches!(terms.direction, Direction::SendRecv);
        if held != self.held {
            self.held = held;
            print(if held { "held" } else { "resumed" });
        }
        self.audio.order(Command::Terms(terms)).await;
    }
}

/// Waits for a time; for ever if there is none.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Hangs up, and waits for the end: its code, and who ended it.
pub(super) async fn give_up(call: &mut Call) -> Option<(StatusCode, EndedBy)> {
    call.hang_up().await.ok()?;
    let ended = async {
        loop {
            match call.event().await? {
                CallEvent::Ended { code, by, .. } => return Some((code, by)),
                _ => continue,
            }
        }
    };
    tokio::time::timeout(FAREWELL, ended).await.ok().flatten()
}

/// The counts, with the E-model's score as the gateway computes it.
fn report(totals: &Totals, statistics: &Statistics) -> Report {
    let received = &totals.received;
    let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
    let reported = &statistics.reported;
    let round_trip = reported.round_trip.unwrap_or_default();
    let clock = u64::from(totals.codec_sent.map_or(8_000, Codec::clock));
    let expected = received.packets + received.lost;
    let score = received.codec.map_or(0.0, |codec| {
        mos(&Impairment {
            codec,
            loss_percent: received.lost as f32 * 100.0 / expected.max(1) as f32,
            // Half of the way and back, the packet itself, and the buffer.
            delay_ms: round_trip.as_secs_f32() * 500.0 + 20.0 + received.buffer_us as f32 / 1_000.0,
        })
    });
    Report {
        codec_received: received.codec,
        codec_sent: totals.codec_sent,
        packets_received: received.packets,
        octets_received: received.octets,
        packets_sent: totals.packets_sent,
        octets_sent: totals.octets_sent,
        lost: received.lost,
        jitter_us: received.jitter_us,
        remote_fraction_lost: reported.fraction_lost,
        remote_jitter_us: micros(Duration::from_micros(
            u64::from(reported.jitter) * 1_000_000 / clock,
        )),
        round_trip_us: micros(round_trip),
        buffer_us: received.buffer_us,
        mos: score,
        ..Report::default()
    }
}
